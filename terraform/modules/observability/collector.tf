# How do the services' metrics reach Prometheus, from ECS? On Kubernetes its operator sees to it.

locals {
  collector = {
    extensions = {
      health_check = { endpoint = "127.0.0.1:13133" }
      sigv4auth    = { region = var.region, service = "aps" }
    }
    receivers = {
      prometheus = {
        config = {
          global = { scrape_interval = "15s" }
          scrape_configs = [
            for name, service in var.services : {
              job_name       = name
              dns_sd_configs = [{ names = ["${name}.${var.namespace}"], type = "A", port = service.port }]
            }
          ]
        }
      }
    }
    exporters = {
      prometheusremotewrite = {
        endpoint = "${aws_prometheus_workspace.this.prometheus_endpoint}api/v1/remote_write"
        auth     = { authenticator = "sigv4auth" }
      }
    }
    service = {
      extensions = ["health_check", "sigv4auth"]
      pipelines  = { metrics = { receivers = ["prometheus"], exporters = ["prometheusremotewrite"] } }
    }
  }
}

module "collector" {
  source = "../service"
  count  = var.on_ecs ? 1 : 0

  placement      = var.placement
  name           = "collector"
  image          = var.collector_image
  cpu_millis     = 250
  memory_mb      = 1024
  replicas       = { least = 1, most = 1 }
  is_alone       = true
  health_command = ["CMD", "/healthcheck"]
  environment    = { AOT_CONFIG_CONTENT = yamlencode(local.collector) }

  policies = {
    metrics = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = "aps:RemoteWrite"
        Resource = aws_prometheus_workspace.this.arn
      }]
    })
  }

  connections = {
    for name, service in var.services : name => { security_group_id = service.security_group_id, port = service.port }
  }
}
