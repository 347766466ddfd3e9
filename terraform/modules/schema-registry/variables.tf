variable "placement" {
  description = "As the module service takes it."
  type        = any
}

variable "image" {
  type = string
}

variable "replicas" {
  type    = number
  default = 2
}

variable "domain" {
  type = string
}

variable "database" {
  description = "Where its tables are; the secret has a field password."
  type = object({
    address           = string
    port              = number
    tls               = string
    secret_arn        = string
    security_group_id = string
    ca                = string
  })
}

variable "load_balancer" {
  type = object({
    listener_arn      = string
    security_group_id = string
  })
}

variable "client_ranges" {
  type = list(string)
}

variable "network_range" {
  description = "Of the services that ask it."
  type        = string
}
