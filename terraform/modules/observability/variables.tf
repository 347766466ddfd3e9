variable "name" {
  type = string
}

variable "account_id" {
  type = string
}

variable "region" {
  type = string
}

variable "kms_key_arn" {
  type = string
}

variable "log_retention_days" {
  type = number
}

variable "rules" {
  description = "What observability/prometheus/rules.yml says."
  type        = string
}

variable "page_emails" {
  description = "Who hears at any hour."
  type        = set(string)

  validation {
    condition     = length(var.page_emails) > 0
    error_message = "An alarm that nobody hears is none."
  }
}

variable "ticket_emails" {
  description = "Who hears in working hours."
  type        = set(string)
}

variable "has_grafana" {
  description = "Needs IAM Identity Center in the account's organisation."
  type        = bool
}

variable "kafka" {
  type = object({
    cluster_name = string
    brokers      = number
  })
}

variable "groups" {
  description = "From topology.json: which group reads which topic."
  type = list(object({
    group = string
    topic = string
  }))
}

variable "database" {
  type = object({
    identifier       = string
    most_connections = number
  })
}

variable "on_ecs" {
  description = "Whether services, collector and load balancer are there; k8s/ has its own."
  type        = bool
}

variable "load_balancer_arn_suffix" {
  description = "By which CloudWatch knows it; null where there is none."
  type        = string
  default     = null
}

variable "services" {
  description = "On ECS: whose metrics are read, and how many of each there are at least."
  type = map(object({
    port              = number
    security_group_id = string
    least             = number
  }))
  default = {}
}

variable "namespace" {
  description = "In which a service's name has the addresses of its tasks."
  type        = string
  default     = null
}

variable "placement" {
  description = "As the module service takes it; null without services."
  type        = any
  default     = null
}

variable "collector_image" {
  description = "AWS's distribution of the OpenTelemetry collector."
  type        = string
  default     = null
}
