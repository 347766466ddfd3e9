# What is one environment? Everything that holds data, and what all services have in common.

data "aws_caller_identity" "this" {}

locals {
  account_id = data.aws_caller_identity.this.account_id
  topology   = jsondecode(file("${path.module}/../../topology.json"))
  on_ecs     = var.compute == "ecs"

  # What lies in the registry: ours, and what is copied into it.
  image_names = toset(["services", "mlflow", "dagster", "schema-registry", "collector", "postgres"])
}

module "encryption" {
  source = "../encryption"

  name       = var.name
  account_id = local.account_id
  region     = var.region
}

module "network" {
  source = "../network"

  name              = var.name
  account_id        = local.account_id
  region            = var.region
  cidr              = var.network_range
  zones             = var.zones
  endpoint_zones    = var.endpoint_zones
  further_endpoints = local.on_ecs ? [] : ["ec2", "eks", "eks-auth", "elasticloadbalancing"]
  internet_egress   = var.internet_egress
  kms_key_arn       = module.encryption.key_arn
}

module "kafka" {
  source = "../kafka"

  name                = var.name
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.subnet_ids
  kms_key_arn         = module.encryption.key_arn
  log_retention_days  = var.log_retention_days
  kafka_version       = var.kafka.version
  broker_type         = var.kafka.broker_type
  volume_gb           = var.kafka.volume_gb
  most_volume_gb      = var.kafka.most_volume_gb
  topics              = local.topology.topics
  principals          = local.topology.principals
  password_principals = var.kafka.password_principals
}

module "database" {
  source = "../database"

  name                = var.name
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.subnet_ids
  kms_key_arn         = module.encryption.key_arn
  instance_class      = var.database.instance_class
  storage_gb          = var.database.storage_gb
  most_storage_gb     = var.database.most_storage_gb
  is_multi_zone       = var.database.is_multi_zone
  backup_days         = var.database.backup_days
  deletion_protection = var.deletion_protection
  databases           = local.databases
}

module "object_storage" {
  source = "../object-storage"

  name        = var.name
  account_id  = local.account_id
  region      = var.region
  kms_key_arn = module.encryption.key_arn

  buckets = {
    # Of MLflow: a version that serves is read again at every start of a scorer.
    models = { old_version_days = 90 }
    # What lands, and what batches and retrainings make of it: player data, so not for ever.
    landing = { old_version_days = 30, expires = { "landing/" = 400, "batch/" = 400, "retraining/" = 400 } }
    archive = { old_version_days = 90, cold_after_days = 30, locked_days = var.archive_locked_days }
  }
}

module "container_registry" {
  source = "../container-registry"

  name        = var.name
  kms_key_arn = module.encryption.key_arn
  images      = local.image_names
}

module "webhook_secret" {
  source = "../secret"

  name        = "${var.name}/mlflow-webhook"
  description = "With which MLflow signs what it tells the bridge"
  kms_key_arn = module.encryption.key_arn
}

# Another key makes another player of everybody: it is never made anew.
module "player_key" {
  source = "../secret"

  name        = "${var.name}/player-id-key"
  description = "Under which a player's id becomes a pseudonym"
  kms_key_arn = module.encryption.key_arn
}

# What is no password is put there by hand, as the README says.
resource "aws_secretsmanager_secret" "by_hand" {
  for_each = {
    mlflow-webhook-encryption = "Under which MLflow keeps the secrets of its webhooks: a Fernet key"
    api-keys                  = "Digests of the keys of those who send events, as npm run api-key makes them"
  }

  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = module.encryption.key_arn
  recovery_window_in_days = 30
}

module "cluster" {
  source = "../cluster"
  count  = local.on_ecs ? 1 : 0

  name               = var.name
  vpc_id             = module.network.vpc_id
  kms_key_arn        = module.encryption.key_arn
  log_retention_days = var.log_retention_days
}

module "load_balancer" {
  source = "../load-balancer"
  count  = local.on_ecs ? 1 : 0

  name                = var.name
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.subnet_ids
  client_ranges       = distinct(concat(var.producer_ranges, var.operator_ranges))
  domain              = var.domain
  zone_id             = var.zone_id
  deletion_protection = var.deletion_protection
}

module "kubernetes" {
  source = "../kubernetes"
  count  = local.on_ecs ? 0 : 1

  name                    = var.name
  account_id              = local.account_id
  subnet_ids              = module.network.subnet_ids
  kms_key_arn             = module.encryption.key_arn
  log_retention_days      = var.log_retention_days
  administrator_role_arns = var.kubernetes_administrator_role_arns
  operator_ranges         = var.operator_ranges
  connections             = { kafka = local.reaches.kafka, database = local.reaches.database }

  services = merge(
    local.policies,
    local.command_policies,
    {
      mlflow  = { artifacts = module.object_storage.write_policies["models"] }
      dagster = local.orchestration_policies
    },
  )
}

module "observability" {
  source = "../observability"

  name                     = var.name
  account_id               = local.account_id
  region                   = var.region
  kms_key_arn              = module.encryption.key_arn
  log_retention_days       = var.log_retention_days
  rules                    = file("${path.module}/../../../observability/prometheus/rules.yml")
  page_emails              = var.page_emails
  ticket_emails            = var.ticket_emails
  has_grafana              = var.has_grafana
  kafka                    = { cluster_name = module.kafka.cluster_name, brokers = length(var.zones) }
  groups                   = local.topology.groups
  database                 = { identifier = module.database.identifier, most_connections = var.database.most_connections }
  on_ecs                   = local.on_ecs
  load_balancer_arn_suffix = local.on_ecs ? module.load_balancer[0].arn_suffix : null
  namespace                = local.on_ecs ? module.cluster[0].namespace : null
  placement                = local.placement
  collector_image          = var.images.collector

  services = {
    for name, service in module.service : name => {
      port              = local.services[name].port
      security_group_id = service.security_group_id
      least             = local.replicas[name].least
    }
  }
}
