variable "name" {
  description = "Of the environment: the prefix of its log groups."
  type        = string
}

variable "account_id" {
  type = string
}

variable "region" {
  type = string
}
