# What can only AWS tell of Kafka, the database, the load balancer and the tasks?

locals {
  broker_ids = toset([for id in range(1, var.kafka.brokers + 1) : tostring(id)])

  # Kafka's own count of what a group has not read: it is there when the group itself is not.
  lags = { for pair in var.groups : "${pair.group}-${pair.topic}" => pair }

  # over: true when more than the limit is bad, false when less is.
  kafka_alarms = {
    controllers = { metric = "ActiveControllerCount", over = false, limit = 1, statistic = "Sum", page = true }
    offline     = { metric = "OfflinePartitionsCount", over = true, limit = 0, statistic = "Maximum", page = true }
  }
  broker_alarms = {
    disk     = { metric = "KafkaDataLogsDiskUsed", limit = 80, page = true }
    under    = { metric = "UnderMinIsrPartitionCount", limit = 0, page = true }
    cpu      = { metric = "CpuUser", limit = 60, page = false }
    throttle = { metric = "TrafficShaping", limit = 0, page = false }
  }
  database_alarms = {
    cpu         = { metric = "CPUUtilization", over = true, limit = 80, page = false }
    storage     = { metric = "FreeStorageSpace", over = false, limit = 5 * 1024 * 1024 * 1024, page = true }
    memory      = { metric = "FreeableMemory", over = false, limit = 128 * 1024 * 1024, page = false }
    connections = { metric = "DatabaseConnections", over = true, limit = var.database.most_connections, page = false }
  }

  by_urgency = { true = aws_sns_topic.page.arn, false = aws_sns_topic.ticket.arn }
}

resource "aws_cloudwatch_metric_alarm" "kafka" {
  for_each = local.kafka_alarms

  alarm_name          = "${var.name}-kafka-${each.key}"
  alarm_description   = "${each.value.metric} of the cluster"
  namespace           = "AWS/Kafka"
  metric_name         = each.value.metric
  dimensions          = { "Cluster Name" = var.kafka.cluster_name }
  statistic           = each.value.statistic
  comparison_operator = each.value.over ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.limit
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = "breaching"
  alarm_actions       = [local.by_urgency[each.value.page]]
  ok_actions          = [local.by_urgency[each.value.page]]
}

resource "aws_cloudwatch_metric_alarm" "broker" {
  for_each = {
    for pair in setproduct(keys(local.broker_alarms), local.broker_ids) : "${pair[0]}-${pair[1]}" => {
      alarm  = local.broker_alarms[pair[0]]
      broker = pair[1]
    }
  }

  alarm_name          = "${var.name}-kafka-${each.key}"
  alarm_description   = "${each.value.alarm.metric} of broker ${each.value.broker}"
  namespace           = "AWS/Kafka"
  metric_name         = each.value.alarm.metric
  dimensions          = { "Cluster Name" = var.kafka.cluster_name, "Broker ID" = each.value.broker }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.alarm.limit
  period              = 300
  evaluation_periods  = 2
  alarm_actions       = [local.by_urgency[each.value.alarm.page]]
  ok_actions          = [local.by_urgency[each.value.alarm.page]]
}

resource "aws_cloudwatch_metric_alarm" "lag" {
  for_each = local.lags

  alarm_name          = "${var.name}-lag-${each.key}"
  alarm_description   = "${each.value.group} has not read ${each.value.topic} for long, by Kafka's own estimate in seconds"
  namespace           = "AWS/Kafka"
  metric_name         = "EstimatedMaxTimeLag"
  dimensions          = { "Cluster Name" = var.kafka.cluster_name, "Consumer Group" = each.value.group, Topic = each.value.topic }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 600
  period              = 60
  evaluation_periods  = 5
  alarm_actions       = [aws_sns_topic.page.arn]
  ok_actions          = [aws_sns_topic.page.arn]
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each = local.database_alarms

  alarm_name          = "${var.name}-database-${each.key}"
  alarm_description   = "${each.value.metric} of the database"
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = var.database.identifier }
  statistic           = "Average"
  comparison_operator = each.value.over ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.limit
  period              = 300
  evaluation_periods  = 2
  alarm_actions       = [local.by_urgency[each.value.page]]
  ok_actions          = [local.by_urgency[each.value.page]]
}

resource "aws_cloudwatch_metric_alarm" "refused" {
  count = var.on_ecs ? 1 : 0

  alarm_name          = "${var.name}-load-balancer-errors"
  alarm_description   = "Answers of 5xx"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  dimensions          = { LoadBalancer = var.load_balancer_arn_suffix }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 50
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.page.arn]
  ok_actions          = [aws_sns_topic.page.arn]
}

resource "aws_cloudwatch_metric_alarm" "tasks" {
  for_each = var.services

  alarm_name          = "${var.name}-${each.key}-tasks"
  alarm_description   = "${each.key} has fewer tasks than its least"
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = { ClusterName = var.name, ServiceName = each.key }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = each.value.least
  period              = 60
  evaluation_periods  = 10
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.page.arn]
  ok_actions          = [aws_sns_topic.page.arn]
}
