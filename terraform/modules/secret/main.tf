# How does a secret come to be that neither the state nor a person has seen?

ephemeral "aws_secretsmanager_random_password" "this" {
  password_length     = 40
  exclude_punctuation = true
}

locals {
  password = ephemeral.aws_secretsmanager_random_password.this.random_password
}

resource "aws_secretsmanager_secret" "this" {
  name                    = var.name
  description             = var.description
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id                = aws_secretsmanager_secret.this.id
  secret_string_wo_version = var.revision
  secret_string_wo = jsonencode(merge(
    { password = local.password },
    { for field, text in var.fields : field => replace(text, "{password}", local.password) },
  ))
}
