# Where players are scored that somebody pays for.

provider "aws" {
  region = var.region

  default_tags {
    tags = { system = "churnstream", environment = "prod" }
  }
}

module "platform" {
  source = "../../modules/platform"

  name                               = "churnstream-prod"
  region                             = var.region
  zones                              = [for letter in ["a", "b", "c"] : "${var.region}${letter}"]
  network_range                      = "10.42.0.0/16"
  domain                             = var.domain
  zone_id                            = var.zone_id
  producer_ranges                    = var.producer_ranges
  operator_ranges                    = var.operator_ranges
  images                             = var.images
  database_ca_file                   = var.database_ca_file
  page_emails                        = var.page_emails
  compute                            = var.compute
  fused                              = var.fused
  kubernetes_administrator_role_arns = var.kubernetes_administrator_role_arns

  internet_egress     = true
  deletion_protection = true
  has_grafana         = true
  log_retention_days  = 90
  archive_locked_days = 365

  kafka = {
    version        = "3.9.x.kraft"
    broker_type    = "kafka.m7g.large"
    volume_gb      = 500
    most_volume_gb = 4000
  }

  database = {
    instance_class   = "db.m7g.large"
    storage_gb       = 100
    most_storage_gb  = 1000
    is_multi_zone    = true
    backup_days      = 30
    most_connections = 600
  }
}
