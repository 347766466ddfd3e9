# Which services run, each with what topology.json says it asks for and no more?

locals {
  services = merge(
    {
      for name, service in local.topology.services : name => service
      if !(var.fused && contains(local.topology.fused.inPlaceOf, name))
    },
    var.fused ? local.topology.fused.services : {},
  )

  databases = toset(["mlflow", "dagster", "registry", "churnstream"])

  # Known on ECS alone; nothing else asks for it.
  placement = local.on_ecs ? {
    name                        = var.name
    region                      = var.region
    account_id                  = local.account_id
    vpc_id                      = module.network.vpc_id
    subnet_ids                  = module.network.subnet_ids
    cluster_arn                 = module.cluster[0].arn
    cluster_name                = module.cluster[0].name
    namespace_id                = module.cluster[0].namespace_id
    kms_key_arn                 = module.encryption.key_arn
    log_retention_days          = var.log_retention_days
    endpoints_security_group_id = module.network.endpoints_security_group_id
    s3_prefix_list_id           = module.network.s3_prefix_list_id
    prepare_image               = var.images.services
  } : null

  door = local.on_ecs ? {
    listener_arn      = module.load_balancer[0].listener_arn
    security_group_id = module.load_balancer[0].security_group_id
  } : null

  database_ca = file(var.database_ca_file)

  reaches = merge(
    {
      kafka    = { security_group_id = module.kafka.security_group_id, port = module.kafka.port }
      database = { security_group_id = module.database.security_group_id, port = module.database.port }
    },
    # The schema registry, MLflow and the bridge.
    local.on_ecs ? { load-balancer = { security_group_id = local.door.security_group_id, port = 443 } } : {},
  )

  registry_url = local.on_ecs ? module.schema_registry[0].url : ""
  mlflow_url   = local.on_ecs ? module.mlflow[0].url : ""

  kafka_environment = {
    KAFKA_BOOTSTRAP_SERVERS = module.kafka.bootstrap_servers
    KAFKA_SECURITY_PROTOCOL = "SASL_SSL"
    KAFKA_SASL_MECHANISM    = "AWS_MSK_IAM"
    SCHEMA_REGISTRY_URL     = local.registry_url
  }

  # What the words of topology/src/placements.ts mean here.
  of_dependency = {
    database = {
      environment  = {}
      secret_files = { DATABASE_URL = "${module.database.secret_arns["churnstream"]}:url::" }
      files        = { DATABASE_CA = local.database_ca }
      policies     = {}
      connections  = ["database"]
    }
    mlflow = {
      environment  = { MLFLOW_TRACKING_URI = local.mlflow_url }
      secret_files = {}
      files        = {}
      policies     = {}
      connections  = []
    }
    model-files = {
      environment  = {}
      secret_files = {}
      files        = {}
      policies     = { models = module.object_storage.read_policies["models"] }
      connections  = []
    }
    landing = {
      environment  = { S3_BUCKET = module.object_storage.names["landing"] }
      secret_files = {}
      files        = {}
      policies     = { landing = module.object_storage.write_policies["landing"] }
      connections  = []
    }
    players = {
      environment  = {}
      secret_files = { PLAYER_ID_KEY = "${module.player_key.arn}:password::" }
      files        = {}
      policies     = {}
      connections  = []
    }
    webhook = {
      environment  = { WEBHOOK_URL = "https://bridge.${var.domain}/webhooks/mlflow" }
      secret_files = { WEBHOOK_SECRETS = "${module.webhook_secret.arn}:password::" }
      files        = {}
      policies     = {}
      connections  = []
    }
  }

  # Who sends events only ingestion knows, and how a player becomes a pseudonym whoever erases one too.
  own_secrets = {
    ingestion = merge(
      { API_KEYS = aws_secretsmanager_secret.by_hand["api-keys"].arn },
      local.of_dependency.players.secret_files,
    )
  }

  policies = {
    for name, service in local.services : name => merge(
      { kafka = module.kafka.policies[name] },
      [for dependency in service.reaches : local.of_dependency[dependency].policies]...
    )
  }

  replicas = {
    for name, service in local.services : name => {
      least = min(service.replicas.least, var.most_replicas)
      most  = min(service.replicas.most, var.most_replicas)
    }
  }

  # Whom the load balancer lets through to which of them.
  http = {
    ingestion = {
      host  = "events"
      rules = { producers = { priority = 10, from = var.producer_ranges, paths = ["/v1/*"] } }
    }
    registry-bridge = {
      host  = "bridge"
      rules = { mlflow = { priority = 20, from = [var.network_range], paths = ["/webhooks/*"] } }
    }
  }
}

module "service" {
  source   = "../service"
  for_each = local.on_ecs ? local.services : {}

  placement    = local.placement
  name         = each.key
  image        = var.images.services
  command      = ["services/${each.key}/src/main.ts"]
  port         = each.value.port
  cpu_millis   = each.value.cpuMillis
  memory_mb    = each.value.memoryMb
  stop_seconds = each.value.stopSeconds
  replicas     = local.replicas[each.key]
  on_spot      = var.on_spot

  environment = merge(
    local.kafka_environment,
    { HTTP_HOST = "0.0.0.0", HTTP_PORT = tostring(each.value.port) },
    [for dependency in each.value.reaches : local.of_dependency[dependency].environment]...
  )
  secret_files = merge(
    lookup(local.own_secrets, each.key, {}),
    [for dependency in each.value.reaches : local.of_dependency[dependency].secret_files]...
  )
  files    = merge({}, [for dependency in each.value.reaches : local.of_dependency[dependency].files]...)
  policies = local.policies[each.key]

  connections = {
    for name in concat(
      ["kafka", "load-balancer"],
      flatten([for dependency in each.value.reaches : local.of_dependency[dependency].connections]),
    ) : name => local.reaches[name]
  }

  health_command = [
    "CMD", "node", "-e",
    "fetch('http://127.0.0.1:${each.value.port}/health/live').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))",
  ]

  http = contains(keys(local.http), each.key) ? {
    listener_arn      = local.door.listener_arn
    security_group_id = local.door.security_group_id
    host              = "${local.http[each.key].host}.${var.domain}"
    health_path       = "/health/live"
    rules             = local.http[each.key].rules
  } : null
}

module "schema_registry" {
  source = "../schema-registry"
  count  = local.on_ecs ? 1 : 0

  placement     = local.placement
  image         = var.images.schema-registry
  replicas      = min(2, var.most_replicas)
  domain        = var.domain
  load_balancer = local.door
  client_ranges = var.producer_ranges
  network_range = var.network_range

  database = {
    address           = module.database.address
    port              = module.database.port
    tls               = module.database.tls
    secret_arn        = module.database.secret_arns["registry"]
    security_group_id = module.database.security_group_id
    ca                = local.database_ca
  }
}

module "mlflow" {
  source = "../mlflow"
  count  = local.on_ecs ? 1 : 0

  placement                  = local.placement
  image                      = var.images.mlflow
  domain                     = var.domain
  load_balancer              = local.door
  operator_ranges            = var.operator_ranges
  network_range              = var.network_range
  artifacts_bucket           = module.object_storage.names["models"]
  artifacts_policy           = module.object_storage.write_policies["models"]
  webhook_encryption_key_arn = aws_secretsmanager_secret.by_hand["mlflow-webhook-encryption"].arn

  database = {
    secret_arn        = module.database.secret_arns["mlflow"]
    security_group_id = module.database.security_group_id
    port              = module.database.port
    ca                = local.database_ca
  }
}

locals {
  orchestration_policies = {
    kafka   = module.kafka.policies["orchestration"]
    models  = module.object_storage.write_policies["models"]
    landing = module.object_storage.write_policies["landing"]
  }
}

module "orchestration" {
  source = "../orchestration"
  count  = local.on_ecs ? 1 : 0

  placement        = local.placement
  image            = var.images.dagster
  domain           = var.domain
  instance         = file("${path.module}/../../../services/orchestration/instance/dagster.yaml")
  database_ca      = local.database_ca
  load_balancer    = local.door
  operator_ranges  = var.operator_ranges
  policies         = local.orchestration_policies
  connections      = local.reaches
  reaches_internet = var.internet_egress

  environment = merge(local.kafka_environment, {
    MLFLOW_TRACKING_URI  = local.mlflow_url
    S3_BUCKET            = module.object_storage.names["landing"]
    RETRAINING_PROMOTION = var.promotes_by_itself ? "auto" : "confirm"
  })

  secrets = merge(
    {
      DAGSTER_PG_URL = "${module.database.secret_arns["dagster"]}:url::"
      DATABASE_URL   = "${module.database.secret_arns["churnstream"]}:url::"
    },
    var.notify_webhook_secret_arn == null ? {} : { NOTIFY_WEBHOOK_URL = var.notify_webhook_secret_arn },
  )
}
