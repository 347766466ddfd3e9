variable "name" {
  type = string
}

variable "account_id" {
  description = "Ends the names of the buckets, which are unique in the world."
  type        = string
}

variable "region" {
  type = string
}

variable "kms_key_arn" {
  type = string
}

variable "buckets" {
  type = map(object({
    # How long a replaced or deleted object can be had back.
    old_version_days = number
    # Days after which objects under a prefix are deleted.
    expires = optional(map(number), {})
    # Days after which objects are moved where they cost less to keep, and more to read.
    cold_after_days = optional(number)
    # Days in which nobody can delete or replace an object.
    locked_days = optional(number)
  }))

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : bucket.old_version_days >= 7])
    error_message = "Old versions stay for 7 days at least: a mistake of Friday is noticed on Monday."
  }

  validation {
    condition     = alltrue([for name in keys(var.buckets) : can(regex("^[a-z][a-z-]{2,20}$", name))])
    error_message = "Names are lower case with hyphens."
  }
}
