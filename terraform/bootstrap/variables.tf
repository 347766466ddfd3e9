variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "repository" {
  description = "On GitHub, whose workflows plan and apply."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "OWNER/NAME, without a star: anybody's workflow would match it."
  }
}

variable "environments" {
  description = "Those that live in this account: production best alone in its own."
  type        = set(string)

  validation {
    condition     = length(var.environments) > 0 && length(setsubtract(var.environments, ["dev", "staging", "prod"])) == 0
    error_message = "Of dev, staging and prod."
  }
}
