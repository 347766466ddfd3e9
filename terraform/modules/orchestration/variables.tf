variable "placement" {
  description = "As the module service takes it."
  type        = any
}

variable "image" {
  description = "The target dagster of images/python.Dockerfile."
  type        = string
}

variable "cpu_millis" {
  type    = number
  default = 2000
}

variable "memory_mb" {
  type    = number
  default = 8192
}

variable "domain" {
  type = string
}

variable "instance" {
  description = "What services/orchestration/instance/dagster.yaml says."
  type        = string
}

variable "database_ca" {
  type = string
}

variable "environment" {
  type = map(string)
}

variable "secrets" {
  type = map(string)
}

variable "policies" {
  type = map(string)
}

variable "connections" {
  type = map(object({
    security_group_id = string
    port              = number
  }))
}

variable "reaches_internet" {
  description = "Whether NOTIFY_WEBHOOK_URL is out there."
  type        = bool
}

variable "load_balancer" {
  type = object({
    listener_arn      = string
    security_group_id = string
  })
}

variable "operator_ranges" {
  description = "Who reaches its page, which asks for no password."
  type        = list(string)
}
