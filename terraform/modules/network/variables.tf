variable "name" {
  type = string
}

variable "account_id" {
  type = string
}

variable "region" {
  type = string
}

variable "cidr" {
  description = "Of the VPC; each zone's private subnet is a sixteenth of it."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(tonumber(split("/", var.cidr)[1]), 32) <= 20
    error_message = "An IPv4 range of /20 or larger, e.g. 10.40.0.0/16."
  }

  validation {
    condition     = can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.cidr))
    error_message = "A private range: of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones."
  type        = list(string)

  validation {
    condition     = length(var.zones) == 3 && length(distinct(var.zones)) == 3
    error_message = "Three different zones: a record is held in three, and two of them must live."
  }
}

variable "endpoint_zones" {
  description = "In how many zones AWS's services are reached; each costs by the hour."
  type        = number
  default     = 3

  validation {
    condition     = contains([1, 2, 3], var.endpoint_zones)
    error_message = "1, 2 or 3."
  }
}

variable "further_endpoints" {
  description = "Services of AWS that are reached beside the usual ones, e.g. eks."
  type        = set(string)
  default     = []
}

variable "internet_egress" {
  description = "Whether private subnets reach the internet, through a NAT gateway a zone."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  type = string
}
