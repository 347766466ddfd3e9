# Does every environment stand up? What must hold for whatever is in it is in policies.ts.
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  domain           = "churn.example.com"
  zone_id          = "Z0123456789ABCDEFGHIJ"
  producer_ranges  = ["10.1.0.0/16"]
  operator_ranges  = ["10.2.0.0/16"]
  page_emails      = ["on-call@example.com"]
  database_ca_file = "./tests/mocks/database-ca.pem"

  images = {
    services        = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churnstream/services@sha256:0000000000000000000000000000000000000000000000000000000000000001"
    mlflow          = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churnstream/mlflow@sha256:0000000000000000000000000000000000000000000000000000000000000002"
    dagster         = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churnstream/dagster@sha256:0000000000000000000000000000000000000000000000000000000000000006"
    schema-registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churnstream/schema-registry@sha256:0000000000000000000000000000000000000000000000000000000000000003"
    collector       = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churnstream/collector@sha256:0000000000000000000000000000000000000000000000000000000000000004"
    postgres        = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churnstream/postgres@sha256:0000000000000000000000000000000000000000000000000000000000000005"
  }
}

# Told apart, so that it shows who reads which.
override_resource {
  target = module.platform.module.object_storage.aws_s3_bucket.this["models"]
  values = { arn = "arn:aws:s3:::models" }
}

override_resource {
  target = module.platform.module.object_storage.aws_s3_bucket.this["landing"]
  values = { arn = "arn:aws:s3:::landing" }
}

override_resource {
  target = module.platform.module.object_storage.aws_s3_bucket.this["archive"]
  values = { arn = "arn:aws:s3:::archive" }
}

override_resource {
  target = module.platform.module.database.module.secret["churnstream"].aws_secretsmanager_secret_version.this
  values = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:churnstream-abcdef" }
}

override_resource {
  target = module.platform.module.database.module.secret["mlflow"].aws_secretsmanager_secret_version.this
  values = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-abcdef" }
}

override_resource {
  target = module.platform.module.database.module.secret["dagster"].aws_secretsmanager_secret_version.this
  values = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dagster-abcdef" }
}

override_resource {
  target = module.platform.module.database.module.secret["registry"].aws_secretsmanager_secret_version.this
  values = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:registry-abcdef" }
}

override_resource {
  target = module.platform.module.webhook_secret.aws_secretsmanager_secret_version.this
  values = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-abcdef" }
}

override_resource {
  target = module.platform.module.player_key.aws_secretsmanager_secret_version.this
  values = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:player-key-abcdef" }
}

override_resource {
  target = module.platform.aws_secretsmanager_secret.by_hand["api-keys"]
  values = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api-keys-abcdef" }
}

run "dev" {
  command = plan
  module { source = "./envs/dev" }
}

run "staging" {
  command = plan
  module { source = "./envs/staging" }
}

run "kubernetes" {
  command = plan
  module { source = "./envs/staging" }
  variables {
    compute                            = "kubernetes"
    kubernetes_administrator_role_arns = ["arn:aws:iam::123456789012:role/deployer"]
  }
}

run "fused" {
  command = plan
  module { source = "./envs/staging" }
  variables { fused = true }
}

# Applied: what a role may do names what is there only afterwards.
run "prod" {
  command = apply
  module { source = "./envs/prod" }
}

run "nowhere" {
  command = plan
  module { source = "./modules/platform" }
  variables {
    name                = "churnstream-test"
    region              = "eu-west-1"
    zones               = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    network_range       = "10.40.0.0/16"
    compute             = "lambda"
    deletion_protection = true
    log_retention_days  = 30
    archive_locked_days = 1
    kafka               = { version = "3.9.x.kraft", broker_type = "kafka.m7g.large", volume_gb = 10, most_volume_gb = 10 }
    database = {
      instance_class   = "db.t4g.small", storage_gb = 20, most_storage_gb = 20, is_multi_zone = false, backup_days = 7,
      most_connections = 100
    }
  }
  expect_failures = [var.compute]
}
