variable "placement" {
  description = "Where tasks of this environment run."
  type = object({
    name                        = string
    region                      = string
    account_id                  = string
    vpc_id                      = string
    subnet_ids                  = list(string)
    cluster_arn                 = string
    cluster_name                = string
    namespace_id                = string
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
}

variable "image" {
  type = string
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
}

variable "port" {
  description = "Of its HTTP server."
  type        = number
  default     = null
}

variable "cpu_millis" {
  description = "Thousandths of a processor."
  type        = number
}

variable "memory_mb" {
  type = number
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
}

variable "replicas" {
  description = "How many run: scaled between the two, where they differ."
  type = object({
    least = number
    most  = number
  })

  validation {
    condition     = var.replicas.least >= 0 && var.replicas.least <= var.replicas.most
    error_message = "0 <= least <= most."
  }
}

variable "is_alone" {
  description = "Never two at once, not even while one replaces the other."
  type        = bool
  default     = false

  validation {
    condition     = !var.is_alone || var.replicas.most <= 1
    error_message = "What must be alone has one replica at most."
  }
}

variable "on_spot" {
  description = "Whether AWS may take a task away, at two minutes' notice."
  type        = bool
  default     = false
}

variable "http" {
  description = "Through the load balancer: at which host, and which ranges of callers reach which paths."
  type = object({
    listener_arn      = string
    security_group_id = string
    host              = string
    health_path       = string
    rules = map(object({
      priority = number
      from     = list(string)
      paths    = optional(list(string), [])
    }))
  })
  default = null

  validation {
    condition = var.http == null ? true : alltrue([
      for rule in values(var.http.rules) : length(rule.from) > 0 && !contains(rule.from, "0.0.0.0/0")
    ])
    error_message = "Each rule says which ranges it is for, and never 0.0.0.0/0."
  }

  validation {
    condition = var.http == null ? true : alltrue([
      for rule in values(var.http.rules) : 1 + length(rule.from) + length(rule.paths) <= 5
    ])
    error_message = "A rule of a load balancer holds five values: the host, ranges and paths."
  }
}
