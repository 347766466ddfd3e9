output "arn" {
  description = "Known once the secret has a value."
  value       = aws_secretsmanager_secret_version.this.arn
}
