variable "placement" {
  description = "As the module service takes it."
  type        = any
}

variable "image" {
  type = string
}

variable "replicas" {
  type    = number
  default = 1
}

variable "domain" {
  type = string
}

variable "database" {
  description = "Where its tables are; the secret has a field url."
  type = object({
    secret_arn        = string
    security_group_id = string
    port              = number
    ca                = string
  })
}

variable "artifacts_bucket" {
  type = string
}

variable "artifacts_policy" {
  type = string
}

variable "webhook_encryption_key_arn" {
  description = "A secret that is a Fernet key, as a whole."
  type        = string
}

variable "load_balancer" {
  type = object({
    listener_arn      = string
    security_group_id = string
  })
}

variable "operator_ranges" {
  description = "Who reaches its page. MLflow asks for no password: whoever reaches it may promote a model."
  type        = list(string)
}

variable "network_range" {
  description = "Of the services that ask it."
  type        = string
}
