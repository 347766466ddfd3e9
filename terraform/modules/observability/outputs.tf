output "grafana_url" {
  value = var.has_grafana ? "https://${aws_grafana_workspace.this[0].endpoint}" : null
}
