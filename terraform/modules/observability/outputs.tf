output "prometheus_endpoint" {
  value = aws_prometheus_workspace.this.prometheus_endpoint
}

output "grafana_url" {
  value = var.has_grafana ? "https://${aws_grafana_workspace.this[0].endpoint}" : null
}

output "page_topic_arn" {
  value = aws_sns_topic.page.arn
}
