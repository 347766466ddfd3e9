output "listener_arn" {
  value = aws_lb_listener.https.arn
}

output "arn_suffix" {
  description = "By which CloudWatch knows it."
  value       = aws_lb.this.arn_suffix
}

output "security_group_id" {
  value = aws_security_group.this.id
}
