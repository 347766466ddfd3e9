# How does Dagster run: one task with its page and its one daemon, after its tables were made?

locals {
  host        = "dagster.${var.domain}"
  port        = 3000
  definitions = ["-m", "churn_orchestration.definitions"]
  home        = "/tmp/dagster"
}

module "service" {
  source = "../service"

  placement  = var.placement
  name       = "orchestration"
  image      = var.image
  port       = local.port
  cpu_millis = var.cpu_millis
  memory_mb  = var.memory_mb
  # Two daemons would start every run twice.
  replicas         = { least = 1, most = 1 }
  is_alone         = true
  stop_seconds     = 120
  reaches_internet = var.reaches_internet

  # The root file system is read-only: Dagster's home is made at each start. What must last is in PostgreSQL and S3.
  before = [
    "sh", "-c",
    "mkdir -p ${local.home} && cp /run/churnstream/DAGSTER_YAML ${local.home}/dagster.yaml && python -m churn_orchestration.prepare",
  ]
  command = concat(["python", "-m", "dagster_webserver"], local.definitions, ["-h", "0.0.0.0", "-p", tostring(local.port)])
  beside  = { daemon = concat(["python", "-m", "dagster._daemon", "run"], local.definitions) }

  files       = { DATABASE_CA = var.database_ca, DAGSTER_YAML = var.instance }
  policies    = var.policies
  connections = var.connections
  environment = merge(var.environment, { DAGSTER_HOME = local.home, HOME = "/tmp" })
  secrets     = var.secrets

  health_command = ["CMD", "python", "/app/images/healthcheck.py"]

  http = {
    listener_arn      = var.load_balancer.listener_arn
    security_group_id = var.load_balancer.security_group_id
    host              = local.host
    health_path       = "/server_info"
    rules             = { operators = { priority = 120, from = var.operator_ranges } }
  }
}
