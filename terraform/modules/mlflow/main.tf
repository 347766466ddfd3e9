# How does MLflow run: its tables in PostgreSQL, its artifacts in S3, its page for operators?

locals {
  host = "mlflow.${var.domain}"
}

module "service" {
  source = "../service"

  placement      = var.placement
  name           = "mlflow"
  image          = var.image
  command        = ["mlflow", "server", "--host=0.0.0.0", "--port=5000", "--workers=2", "--no-serve-artifacts"]
  port           = 5000
  cpu_millis     = 1000
  memory_mb      = 3072
  replicas       = { least = var.replicas, most = var.replicas }
  policies       = { artifacts = var.artifacts_policy }
  files          = { DATABASE_CA = var.database.ca }
  health_command = ["CMD", "python", "/app/images/healthcheck.py"]

  connections = {
    database = { security_group_id = var.database.security_group_id, port = var.database.port }
    # Webhooks to the bridge.
    load-balancer = { security_group_id = var.load_balancer.security_group_id, port = 443 }
  }

  environment = {
    MLFLOW_DEFAULT_ARTIFACT_ROOT       = "s3://${var.artifacts_bucket}/mlflow"
    MLFLOW_SERVER_ALLOWED_HOSTS        = local.host
    MLFLOW_SERVER_CORS_ALLOWED_ORIGINS = "https://${local.host}"
    MLFLOW_DISABLE_TELEMETRY           = "true"
    # Its job runner starts several more processes, for features that are not used here.
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION = "false"
    # The bridge is within, at a private address.
    MLFLOW_WEBHOOK_ALLOWED_SCHEMES   = "https"
    MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS = "true"
    MLFLOW_WEBHOOK_CACHE_TTL         = "0"
    HOME                             = "/tmp"
  }

  secrets = {
    MLFLOW_BACKEND_STORE_URI = "${var.database.secret_arn}:url::"
    # Random at each start otherwise, and then the stored webhooks cannot be read.
    MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY = var.webhook_encryption_key_arn
  }

  http = {
    listener_arn      = var.load_balancer.listener_arn
    security_group_id = var.load_balancer.security_group_id
    host              = local.host
    health_path       = "/health"
    rules = {
      operators = { priority = 100, from = var.operator_ranges }
      services  = { priority = 101, from = [var.network_range] }
    }
  }
}
