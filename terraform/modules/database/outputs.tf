output "address" {
  value = aws_db_instance.this.address
}

output "identifier" {
  value = aws_db_instance.this.identifier
}

output "port" {
  value = local.port
}

output "tls" {
  description = "The query of a connection string by which the server is known."
  value       = local.tls
}

output "security_group_id" {
  value = aws_security_group.this.id
}

output "secret_arns" {
  description = "Of each database's owner, with the fields username, password and url."
  value       = { for name, secret in module.secret : name => secret.arn }
}

output "administrator_secret_arn" {
  value = aws_db_instance.this.master_user_secret[0].secret_arn
}
