# How does the schema registry run so that ids survive everything? Apicurio, with its tables in PostgreSQL.

locals {
  host = "schemas.${var.domain}"
  path = "/apis/ccompat/v7"
}

module "service" {
  source = "../service"

  placement   = var.placement
  name        = "schema-registry"
  image       = var.image
  port        = 8080
  cpu_millis  = 500
  memory_mb   = 1024
  replicas    = { least = var.replicas, most = var.replicas }
  files       = { DATABASE_CA = var.database.ca }
  connections = { database = { security_group_id = var.database.security_group_id, port = var.database.port } }

  environment = {
    QUARKUS_LOG_LEVEL              = "WARN"
    APICURIO_STORAGE_KIND          = "sql"
    APICURIO_STORAGE_SQL_KIND      = "postgresql"
    APICURIO_DATASOURCE_URL        = "jdbc:postgresql://${var.database.address}:${var.database.port}/registry?${var.database.tls}"
    APICURIO_DATASOURCE_USERNAME   = "registry"
    APICURIO_REST_DELETION_ENABLED = "false"
  }

  secrets = { APICURIO_DATASOURCE_PASSWORD = "${var.database.secret_arn}:password::" }

  http = {
    listener_arn      = var.load_balancer.listener_arn
    security_group_id = var.load_balancer.security_group_id
    host              = local.host
    health_path       = "${local.path}/subjects"
    rules = {
      # Producers that write to Kafka themselves, and operators.
      clients  = { priority = 110, from = var.client_ranges, paths = ["${local.path}/*"] }
      services = { priority = 111, from = [var.network_range], paths = ["${local.path}/*"] }
    }
  }
}
