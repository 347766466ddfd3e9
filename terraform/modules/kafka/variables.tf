variable "name" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  description = "One broker in each."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) == 3
    error_message = "Three, one in each zone: a record is held in three."
  }
}

variable "kms_key_arn" {
  type = string
}

variable "log_retention_days" {
  type = number
}

variable "kafka_version" {
  type = string

  validation {
    condition     = can(regex("^(3\\.9|4\\.[0-9]+)\\.x\\.kraft$", var.kafka_version))
    error_message = "3.9.x.kraft or 4.N.x.kraft: with KRaft, and one our tests are close to."
  }
}

variable "broker_type" {
  type = string

  validation {
    condition = contains(
      ["kafka.t3.small", "kafka.m7g.large", "kafka.m7g.xlarge", "kafka.m7g.2xlarge", "kafka.m7g.4xlarge"],
      var.broker_type,
    )
    error_message = "kafka.t3.small, or kafka.m7g.large to kafka.m7g.4xlarge."
  }
}

variable "volume_gb" {
  description = "Of each broker at first."
  type        = number

  validation {
    condition     = var.volume_gb >= 10 && var.volume_gb <= 16384
    error_message = "10 to 16384."
  }
}

variable "most_volume_gb" {
  description = "To which it grows by itself."
  type        = number
}

variable "topics" {
  description = "From topology.json."
  type = list(object({
    name       = string
    partitions = number
  }))
}

variable "principals" {
  description = "From topology.json: what each may do."
  type = map(list(object({
    actions   = list(string)
    resources = list(string)
  })))
}

variable "password_principals" {
  description = "Those of them that enter with a password, e.g. kafka-connect where it is not on AWS. They need Kafka's own ACLs too."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.password_principals, keys(var.principals))) == 0
    error_message = "Each must be one of topology.json's principals."
  }
}
