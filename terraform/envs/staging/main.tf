# Where a release shows itself before production: its shape, with fewer of each.

provider "aws" {
  region = var.region

  default_tags {
    tags = { system = "churnstream", environment = "staging" }
  }
}

module "platform" {
  source = "../../modules/platform"

  name                               = "churnstream-staging"
  region                             = var.region
  zones                              = [for letter in ["a", "b", "c"] : "${var.region}${letter}"]
  network_range                      = "10.41.0.0/16"
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

  endpoint_zones      = 2
  most_replicas       = 2
  deletion_protection = true
  log_retention_days  = 30
  archive_locked_days = 7

  kafka = {
    version        = "3.9.x.kraft"
    broker_type    = "kafka.m7g.large"
    volume_gb      = 100
    most_volume_gb = 500
  }

  database = {
    instance_class   = "db.t4g.medium"
    storage_gb       = 50
    most_storage_gb  = 200
    is_multi_zone    = true
    backup_days      = 7
    most_connections = 300
  }
}
