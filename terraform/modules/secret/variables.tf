variable "name" {
  type = string
}

variable "description" {
  type = string
}

variable "kms_key_arn" {
  type = string
}

variable "fields" {
  description = "Beside `password`: further fields, in which {password} stands for it."
  type        = map(string)
  default     = {}
}

variable "revision" {
  description = "Raise it to have a new password."
  type        = number
  default     = 1
}
