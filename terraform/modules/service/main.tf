# How does one service stay up, roll out and scale?

module "task" {
  source = "../task"

  placement        = var.placement
  name             = var.name
  image            = var.image
  entry_point      = var.entry_point
  command          = var.command
  before           = var.before
  beside           = var.beside
  user             = var.user
  port             = var.port
  cpu_millis       = var.cpu_millis
  memory_mb        = var.memory_mb
  environment      = var.environment
  secrets          = var.secrets
  secret_files     = var.secret_files
  files            = var.files
  policies         = var.policies
  connections      = var.connections
  reaches_internet = var.reaches_internet
  health_command   = var.health_command
  stop_seconds     = var.stop_seconds
}

resource "aws_service_discovery_service" "this" {
  name = var.name

  dns_config {
    namespace_id   = var.placement.namespace_id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.placement.cluster_arn
  task_definition = module.task.task_definition_arn
  desired_count   = var.replicas.least
  propagate_tags  = "SERVICE"

  # One that must be alone ends before its successor starts.
  deployment_minimum_healthy_percent = var.is_alone ? 0 : 100
  deployment_maximum_percent         = var.is_alone ? 100 : 200
  health_check_grace_period_seconds  = var.http == null ? null : 120
  availability_zone_rebalancing      = var.is_alone ? "DISABLED" : "ENABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  capacity_provider_strategy {
    capacity_provider = var.on_spot ? "FARGATE_SPOT" : "FARGATE"
    weight            = 1
  }

  network_configuration {
    subnets          = var.placement.subnet_ids
    security_groups  = [module.task.security_group_id]
    assign_public_ip = false
  }

  service_registries {
    registry_arn = aws_service_discovery_service.this.arn
  }

  dynamic "load_balancer" {
    for_each = var.http == null ? [] : [var.http]

    content {
      target_group_arn = aws_lb_target_group.this[0].arn
      container_name   = var.name
      container_port   = var.port
    }
  }

  lifecycle {
    # Scaling decides from then on.
    ignore_changes = [desired_count]

    precondition {
      condition     = var.http == null || var.port != null
      error_message = "What is served by HTTP has a port."
    }
  }

  # A target group that no listener knows is refused.
  depends_on = [aws_lb_listener_rule.this]
}

resource "aws_appautoscaling_target" "this" {
  count = var.replicas.most > var.replicas.least ? 1 : 0

  service_namespace  = "ecs"
  resource_id        = "service/${var.placement.cluster_name}/${aws_ecs_service.this.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.replicas.least
  max_capacity       = var.replicas.most
}

# Out soon, in late: each change moves partitions, and whoever gets one restores its state.
resource "aws_appautoscaling_policy" "cpu" {
  count = var.replicas.most > var.replicas.least ? 1 : 0

  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  resource_id        = aws_appautoscaling_target.this[0].resource_id
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_out_cooldown = 120
    scale_in_cooldown  = 900

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
