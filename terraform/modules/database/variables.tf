variable "name" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "kms_key_arn" {
  type = string
}

variable "engine_version" {
  type    = string
  default = "17"

  validation {
    condition     = can(regex("^1[6-8](\\.[0-9]+)?$", var.engine_version))
    error_message = "PostgreSQL 16, 17 or 18."
  }
}

variable "instance_class" {
  type = string
}

variable "storage_gb" {
  type = number
}

variable "most_storage_gb" {
  description = "To which it grows by itself."
  type        = number
}

variable "is_multi_zone" {
  description = "Whether a second one in another zone takes over."
  type        = bool
}

variable "backup_days" {
  type = number

  validation {
    condition     = var.backup_days >= 7 && var.backup_days <= 35
    error_message = "7 to 35: a bad deployment of Friday is noticed on Monday."
  }
}

variable "deletion_protection" {
  type = bool
}

variable "databases" {
  description = "Each is owned by a role of its own name."
  type        = set(string)

  validation {
    condition     = alltrue([for name in var.databases : can(regex("^[a-z]+$", name))])
    error_message = "Lower-case letters alone."
  }
}
