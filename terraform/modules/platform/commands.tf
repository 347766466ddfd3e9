# How do people run the repository's commands here? As tasks that end, each with a role of its own.

locals {
  # By their principal in topology/; what they run is given when they are started.
  commands = {
    topic-admin  = { image = "services", reaches = [], policies = {} }
    dead-letters = { image = "services", reaches = [], policies = {} }
    replay = {
      image    = "services"
      reaches  = ["mlflow"]
      policies = { models = local.buckets.read["models"], landing = local.buckets.write["landing"] }
    }
    model-cli = {
      image    = "dagster"
      reaches  = ["mlflow"]
      policies = { models = local.buckets.write["models"] }
    }
    verifier = {
      image    = "dagster"
      reaches  = ["mlflow", "database"]
      policies = { models = local.buckets.read["models"] }
    }
    privacy = {
      image    = "services"
      reaches  = ["mlflow", "database", "landing", "players"]
      policies = {}
    }
  }

  buckets = { read = module.object_storage.read_policies, write = module.object_storage.write_policies }

  command_policies = {
    for name, command in local.commands : name => merge(
      { kafka = module.kafka.policies[name] },
      command.policies,
      [for dependency in command.reaches : local.of_dependency[dependency].policies]...
    )
  }
}

module "command" {
  source   = "../task"
  for_each = local.on_ecs ? local.commands : {}

  placement  = local.placement
  name       = each.key
  image      = var.images[each.value.image]
  cpu_millis = 1000
  memory_mb  = 4096
  policies   = local.command_policies[each.key]

  environment  = merge(local.kafka_environment, [for name in each.value.reaches : local.of_dependency[name].environment]...)
  secret_files = merge({}, [for name in each.value.reaches : local.of_dependency[name].secret_files]...)
  files        = merge({}, [for name in each.value.reaches : local.of_dependency[name].files]...)

  connections = {
    for name in concat(
      ["kafka", "load-balancer"],
      flatten([for dependency in each.value.reaches : local.of_dependency[dependency].connections]),
    ) : name => local.reaches[name]
  }
}

# Makes each database and the role that owns it, and sets the role's password: again after a rotation.
module "database_preparation" {
  source = "../task"
  count  = local.on_ecs ? 1 : 0

  placement   = local.placement
  name        = "database-preparation"
  image       = var.images.postgres
  cpu_millis  = 250
  memory_mb   = 512
  files       = { DATABASE_CA = local.database_ca }
  connections = { database = local.reaches.database }
  entry_point = ["sh", "-euc"]
  command     = [file("${path.module}/prepare-databases.sh")]

  environment = {
    DATABASES     = join(" ", local.databases)
    PGHOST        = module.database.address
    PGPORT        = tostring(module.database.port)
    PGDATABASE    = "postgres"
    PGUSER        = "administrator"
    PGSSLMODE     = "verify-full"
    PGSSLROOTCERT = "/run/churnstream/DATABASE_CA"
  }

  secrets = merge(
    { PGPASSWORD = "${module.database.administrator_secret_arn}:password::" },
    { for name, arn in module.database.secret_arns : "PASSWORD_${name}" => "${arn}:password::" },
  )
}
