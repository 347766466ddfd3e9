# What differs from one organisation to the next; what differs between environments is in main.tf.
variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "domain" {
  type = string
}

variable "zone_id" {
  type = string
}

variable "producer_ranges" {
  type = list(string)
}

variable "operator_ranges" {
  type = list(string)
}

variable "images" {
  type = object({
    services        = string
    mlflow          = string
    dagster         = string
    schema-registry = string
    collector       = string
    postgres        = string
  })
}

variable "database_ca_file" {
  type = string
}

variable "page_emails" {
  type = set(string)
}

variable "fused" {
  description = "Whether features and the scorer run in one process, in their place."
  type        = bool
  default     = false
}

variable "compute" {
  type    = string
  default = "ecs"
}

variable "kubernetes_administrator_role_arns" {
  type    = set(string)
  default = []
}
