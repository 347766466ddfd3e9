variable "name" {
  type = string
}

variable "kms_key_arn" {
  type = string
}

variable "images" {
  type = set(string)

  validation {
    condition     = length(var.images) > 0
    error_message = "At least one."
  }
}
