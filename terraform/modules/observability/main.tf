# Who hears when something is wrong? Prometheus judges what we measure, CloudWatch what AWS runs for us.

resource "aws_sns_topic" "page" {
  name              = "${var.name}-page"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic" "ticket" {
  name              = "${var.name}-ticket"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "this" {
  for_each = { page = aws_sns_topic.page.arn, ticket = aws_sns_topic.ticket.arn }

  arn = each.value

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "aps.amazonaws.com"] }
        Action    = ["sns:Publish", "sns:GetTopicAttributes"]
        Resource  = each.value
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
      {
        Sid       = "OverTlsAlone"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = each.value
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "page" {
  for_each = var.page_emails

  topic_arn = aws_sns_topic.page.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_sns_topic_subscription" "ticket" {
  for_each = var.ticket_emails

  topic_arn = aws_sns_topic.ticket.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_log_group" "prometheus" {
  name              = "/${var.name}/prometheus"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_prometheus_workspace" "this" {
  alias       = var.name
  kms_key_arn = var.kms_key_arn

  logging_configuration {
    log_group_arn = "${aws_cloudwatch_log_group.prometheus.arn}:*"
  }
}

# The same rules as everywhere else, derived from topology/.
resource "aws_prometheus_rule_group_namespace" "this" {
  name         = "churnstream"
  workspace_id = aws_prometheus_workspace.this.id
  data         = var.rules
}

resource "aws_prometheus_alert_manager_definition" "this" {
  workspace_id = aws_prometheus_workspace.this.id

  definition = yamlencode({
    alertmanager_config = yamlencode({
      route = {
        receiver        = "ticket"
        group_by        = ["alertname"]
        group_wait      = "30s"
        group_interval  = "5m"
        repeat_interval = "4h"
        routes          = [{ receiver = "page", matchers = ["severity=\"page\""] }]
      }
      receivers = [
        for name, topic in { page = aws_sns_topic.page.arn, ticket = aws_sns_topic.ticket.arn } : {
          name                    = name
          sns_configs = [{
            topic_arn     = topic
            sigv4         = { region = var.region }
            send_resolved = true
          }]
        }
      ]
    })
  })
}
