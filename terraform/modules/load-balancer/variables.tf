variable "name" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "client_ranges" {
  description = "From where producers and operators come: offices, VPNs, peered networks."
  type        = list(string)

  validation {
    condition     = alltrue([for range in var.client_ranges : can(cidrnetmask(range)) && try(tonumber(split("/", range)[1]), 0) >= 8])
    error_message = "IPv4 ranges, none larger than a /8."
  }
}

variable "domain" {
  description = "Under which every service has a name."
  type        = string
}

variable "zone_id" {
  description = "The hosted zone of that domain."
  type        = string
}

variable "deletion_protection" {
  type = bool
}
