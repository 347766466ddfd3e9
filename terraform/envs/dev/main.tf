# Where changes are tried out: the same parts, small, and nothing that is missed when it is gone.

provider "aws" {
  region = var.region

  default_tags {
    tags = { system = "churnstream", environment = "dev" }
  }
}

module "platform" {
  source = "../../modules/platform"

  name                               = "churnstream-dev"
  region                             = var.region
  zones                              = [for letter in ["a", "b", "c"] : "${var.region}${letter}"]
  network_range                      = "10.40.0.0/16"
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

  endpoint_zones      = 1
  on_spot             = true
  most_replicas       = 1
  deletion_protection = false
  log_retention_days  = 14
  archive_locked_days = 1

  kafka = {
    version        = "3.9.x.kraft"
    broker_type    = "kafka.m7g.large"
    volume_gb      = 50
    most_volume_gb = 200
  }

  database = {
    instance_class   = "db.t4g.small"
    storage_gb       = 20
    most_storage_gb  = 100
    is_multi_zone    = false
    backup_days      = 7
    most_connections = 150
  }
}
