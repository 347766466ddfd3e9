variable "placement" {
  description = "Where tasks of this environment run."
  type = object({
    name                        = string
    region                      = string
    account_id                  = string
    vpc_id                      = string
    kms_key_arn                 = string
    log_retention_days          = number
    endpoints_security_group_id = string
    s3_prefix_list_id           = string
    # Has node on its PATH, and lays down files before the task's own image starts.
    prepare_image = string
  })
}

variable "name" {
  type = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name)) && !contains(["prepare", "before"], var.name)
    error_message = "Lower case, digits and hyphens, up to 31; prepare and before are taken."
  }
}

variable "image" {
  type = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "An image by its digest, repository@sha256:…: a tag may name another one tomorrow."
  }
}

variable "entry_point" {
  description = "Null: the image's own."
  type        = list(string)
  default     = null
}

variable "command" {
  description = "Null: the image's own."
  type        = list(string)
  default     = null
}

variable "before" {
  description = "A command that must have succeeded before the others start."
  type        = list(string)
  default     = null
}

variable "beside" {
  description = "Further commands of the same image with the same environment, by name."
  type        = map(list(string))
  default     = {}
}

variable "user" {
  description = "Anybody but root."
  type        = string
  default     = "65532"

  validation {
    condition     = !contains(["0", "root"], split(":", var.user)[0])
    error_message = "Not root."
  }
}

variable "port" {
  description = "Of its HTTP server."
  type        = number
  default     = null
}

variable "cpu_millis" {
  description = "Thousandths of a processor."
  type        = number

  validation {
    condition     = contains([250, 500, 1000, 2000, 4000], var.cpu_millis)
    error_message = "What Fargate has: 250, 500, 1000, 2000 or 4000."
  }
}

variable "memory_mb" {
  type = number

  validation {
    condition     = var.memory_mb >= 2 * var.cpu_millis * 1.024 && var.memory_mb <= 8 * var.cpu_millis * 1.024
    error_message = "What Fargate has: 2 to 8 GB for each processor."
  }
}

variable "environment" {
  type    = map(string)
  default = {}
}

variable "secrets" {
  description = "Variables from Secrets Manager, as ARN:field::, for programs that read no files."
  type        = map(string)
  default     = {}
}

variable "secret_files" {
  description = "The same as files: NAME_FILE says where NAME is."
  type        = map(string)
  default     = {}
}

variable "files" {
  description = "Files in /run/churnstream, by name."
  type        = map(string)
  default     = {}
}

variable "policies" {
  description = "What its role may do, by name."
  type        = map(string)
  default     = {}
}

variable "connections" {
  description = "What it reaches within the network, by name. The other side is told too."
  type = map(object({
    security_group_id = string
    port              = number
  }))
  default = {}
}

variable "reaches_internet" {
  type    = bool
  default = false
}

variable "health_command" {
  description = "Ends with 0 while the program lives, as ECS takes it."
  type        = list(string)
  default     = null
}

variable "stop_seconds" {
  description = "From the order to stop until it is killed."
  type        = number
  default     = 30

  validation {
    condition     = var.stop_seconds >= 2 && var.stop_seconds <= 120
    error_message = "2 to 120, as Fargate allows."
  }
}
