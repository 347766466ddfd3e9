# Who reaches the service by HTTP? By host, path and the caller's range, through the load balancer.

resource "aws_lb_target_group" "this" {
  count = var.http == null ? 0 : 1

  # The whole name of some would be longer than AWS takes.
  name_prefix          = "${substr(var.name, 0, 5)}-"
  vpc_id               = var.placement.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = var.port
  deregistration_delay = tostring(var.stop_seconds)

  health_check {
    path                = var.http.health_path
    matcher             = "200"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  tags = { Name = "${var.placement.name}-${var.name}" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener_rule" "this" {
  for_each = var.http == null ? {} : var.http.rules

  listener_arn = var.http.listener_arn
  priority     = each.value.priority

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[0].arn
  }

  condition {
    host_header {
      values = [var.http.host]
    }
  }

  condition {
    source_ip {
      values = each.value.from
    }
  }

  dynamic "condition" {
    for_each = length(each.value.paths) == 0 ? [] : [each.value.paths]

    content {
      path_pattern {
        values = condition.value
      }
    }
  }
}

resource "aws_vpc_security_group_egress_rule" "load_balancer" {
  count = var.http == null ? 0 : 1

  security_group_id            = var.http.security_group_id
  description                  = "To ${var.name}"
  referenced_security_group_id = module.task.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  count = var.http == null ? 0 : 1

  security_group_id            = module.task.security_group_id
  description                  = "From the load balancer"
  referenced_security_group_id = var.http.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}
