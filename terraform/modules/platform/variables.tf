variable "name" {
  description = "Of the environment, and the prefix of whatever has a name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,20}$", var.name))
    error_message = "3 to 21 of lower case, digits and hyphens."
  }
}

variable "region" {
  type = string
}

variable "zones" {
  description = "Availability zones."
  type        = list(string)
}

variable "endpoint_zones" {
  type    = number
  default = 3
}

variable "network_range" {
  description = "Of the VPC."
  type        = string
}

variable "internet_egress" {
  description = "Whether notices and Dagster's runs reach the internet."
  type        = bool
  default     = false
}

variable "compute" {
  description = "Where services run: on ECS, from here, or on Kubernetes, from k8s/."
  type        = string
  default     = "ecs"

  validation {
    condition     = contains(["ecs", "kubernetes"], var.compute)
    error_message = "ecs or kubernetes."
  }
}

variable "kubernetes_administrator_role_arns" {
  description = "Who applies k8s/."
  type        = set(string)
  default     = []
}

variable "images" {
  description = "By digest, from this environment's registry; services, mlflow and dagster are ours."
  type = object({
    services        = string
    mlflow          = string
    dagster         = string
    schema-registry = string
    collector       = string
    postgres        = string
  })
}

variable "domain" {
  description = "Under which services have names, e.g. churn.example.com."
  type        = string
}

variable "zone_id" {
  description = "The hosted zone of that domain."
  type        = string
}

variable "producer_ranges" {
  description = "From where events are sent."
  type        = list(string)

  validation {
    condition     = length(var.producer_ranges) >= 1 && length(var.producer_ranges) <= 3
    error_message = "One to three: a rule of the load balancer holds five values."
  }
}

variable "operator_ranges" {
  description = "From where the pages of MLflow and Dagster are reached."
  type        = list(string)

  validation {
    condition     = length(var.operator_ranges) >= 1 && length(var.operator_ranges) <= 3
    error_message = "One to three: a rule of the load balancer holds five values."
  }
}

variable "kafka" {
  type = object({
    version             = string
    broker_type         = string
    volume_gb           = number
    most_volume_gb      = number
    password_principals = optional(set(string), [])
  })
}

variable "database" {
  type = object({
    instance_class   = string
    storage_gb       = number
    most_storage_gb  = number
    is_multi_zone    = bool
    backup_days      = number
    most_connections = number
  })
}

variable "database_ca_file" {
  description = "Who signs the database's certificate: AWS's bundle for the region, as PEM."
  type        = string
}

variable "archive_locked_days" {
  description = "How long nobody can delete what is archived."
  type        = number
}

variable "most_replicas" {
  description = "Of any service; topology.json says fewer where fewer make sense."
  type        = number
  default     = 8
}

variable "fused" {
  description = "Whether features and the scorer run in one process, in their place."
  type        = bool
  default     = false
}

variable "on_spot" {
  description = "Whether AWS may take away our services' tasks at two minutes' notice."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  type = bool
}

variable "log_retention_days" {
  type = number

  validation {
    condition     = contains([7, 14, 30, 60, 90, 180, 365], var.log_retention_days)
    error_message = "7, 14, 30, 60, 90, 180 or 365."
  }
}

variable "promotes_by_itself" {
  description = "Whether a challenger that did well becomes champion without a person."
  type        = bool
  default     = false
}

variable "notify_webhook_secret_arn" {
  description = "A secret that is the URL that hears of failed runs."
  type        = string
  default     = null

  validation {
    condition     = var.notify_webhook_secret_arn == null || can(regex("^arn:aws:secretsmanager:", var.notify_webhook_secret_arn))
    error_message = "The ARN of a secret, never the URL itself."
  }
}

variable "page_emails" {
  type = set(string)
}

variable "ticket_emails" {
  type    = set(string)
  default = []
}

variable "has_grafana" {
  type    = bool
  default = false
}
