variable "name" {
  type = string
}

variable "account_id" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "kms_key_arn" {
  type = string
}

variable "log_retention_days" {
  type = number
}

variable "kubernetes_version" {
  type    = string
  default = "1.33"

  validation {
    condition     = can(regex("^1\\.(3[2-9])$", var.kubernetes_version))
    error_message = "1.32 or newer."
  }
}

variable "node_type" {
  type    = string
  default = "m7i.xlarge"
}

variable "node_volume_gb" {
  type    = number
  default = 80
}

variable "nodes" {
  type = object({
    least = number
    most  = number
  })
  default = { least = 3, most = 6 }

  validation {
    condition     = var.nodes.least >= 1 && var.nodes.least <= var.nodes.most
    error_message = "1 <= least <= most."
  }
}

variable "administrator_role_arns" {
  description = "Roles that may do everything in the cluster: who applies k8s/."
  type        = set(string)

  validation {
    condition     = length(var.administrator_role_arns) > 0
    error_message = "Without one nobody enters."
  }
}

variable "operator_ranges" {
  description = "From where its API is reached."
  type        = list(string)
}

variable "namespace" {
  description = "In which k8s/ puts the services."
  type        = string
  default     = "churnstream"
}

variable "services" {
  description = "By service account: what its role may do, by name."
  type        = map(map(string))
}

variable "connections" {
  description = "What pods reach, by name."
  type = map(object({
    security_group_id = string
    port              = number
  }))
}
