# Do the modules that hold data keep it, encrypted, and to themselves?
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name        = "churnstream-test"
  account_id  = "123456789012"
  region      = "eu-west-1"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111"
  vpc_id      = "vpc-0123456789abcdef0"
  subnet_ids  = ["subnet-a", "subnet-b", "subnet-c"]

  log_retention_days = 30

  # Of Kafka.
  kafka_version  = "3.9.x.kraft"
  broker_type    = "kafka.m7g.large"
  volume_gb      = 100
  most_volume_gb = 500
  topics         = [{ name = "one", partitions = 8 }, { name = "two", partitions = 1 }]
  principals = {
    reader = [
      { actions = ["kafka-cluster:Connect"], resources = ["cluster"] },
      { actions = ["kafka-cluster:ReadData"], resources = ["topic/one", "group/reader*"] },
    ]
  }

  # Of the database.
  instance_class      = "db.t4g.small"
  storage_gb          = 20
  most_storage_gb     = 100
  is_multi_zone       = true
  backup_days         = 7
  deletion_protection = true
  databases           = ["one", "two"]

  # Of S3.
  buckets = {
    models  = { old_version_days = 30 }
    archive = { old_version_days = 30, cold_after_days = 30, locked_days = 365 }
  }
}

run "kafka_is_closed_to_the_unknown" {
  command = plan
  module { source = "./modules/kafka" }

  assert {
    condition = (
      !aws_msk_cluster.this.client_authentication[0].unauthenticated &&
      aws_msk_cluster.this.client_authentication[0].sasl[0].iam &&
      !aws_msk_cluster.this.client_authentication[0].sasl[0].scram
    )
    error_message = "IAM says who comes, and nobody has a password unless it is asked for."
  }

  assert {
    condition = (
      aws_msk_cluster.this.encryption_info[0].encryption_in_transit[0].client_broker == "TLS" &&
      aws_msk_cluster.this.encryption_info[0].encryption_in_transit[0].in_cluster &&
      aws_msk_cluster.this.encryption_info[0].encryption_at_rest_kms_key_arn == var.kms_key_arn
    )
    error_message = "TLS alone, and our key at rest."
  }

  assert {
    condition     = aws_msk_cluster.this.broker_node_group_info[0].connectivity_info[0].public_access[0].type == "DISABLED"
    error_message = "No public address."
  }

  assert {
    condition = alltrue([
      for line in [
        "auto.create.topics.enable=false",
        "allow.everyone.if.no.acl.found=false",
        "min.insync.replicas=2",
        "default.replication.factor=3",
        "unclean.leader.election.enable=false",
        "transaction.state.log.min.isr=2",
      ] : contains(split("\n", aws_msk_configuration.this.server_properties), line)
    ])
    error_message = "A record is on two disks before it counts, and nobody makes topics by mistake."
  }
}

run "kafka_says_in_arns_who_may_what" {
  command = apply
  module { source = "./modules/kafka" }

  assert {
    condition = jsondecode(output.policies["reader"]).Statement == [
      {
        Effect   = "Allow"
        Action   = ["kafka-cluster:Connect"]
        Resource = ["arn:aws:kafka:eu-west-1:123456789012:cluster/churnstream-test/22222222-2222-2222-2222-222222222222-5"]
      },
      {
        Effect = "Allow"
        Action = ["kafka-cluster:ReadData"]
        Resource = [
          "arn:aws:kafka:eu-west-1:123456789012:topic/churnstream-test/22222222-2222-2222-2222-222222222222-5/one",
          "arn:aws:kafka:eu-west-1:123456789012:group/churnstream-test/22222222-2222-2222-2222-222222222222-5/reader*",
        ]
      },
    ]
    error_message = "ARNs as IAM knows them."
  }
}

run "kafka_gives_a_password_where_asked" {
  command = plan
  module { source = "./modules/kafka" }
  variables { password_principals = ["reader"] }

  assert {
    condition     = aws_msk_cluster.this.client_authentication[0].sasl[0].scram && length(aws_msk_scram_secret_association.this) == 1
    error_message = "SCRAM is on where somebody has a password."
  }
}

run "kafka_knows_whom_it_gives_passwords" {
  command = plan
  module { source = "./modules/kafka" }
  variables { password_principals = ["stranger"] }
  expect_failures = [var.password_principals]
}

run "kafka_without_kraft" {
  command = plan
  module { source = "./modules/kafka" }
  variables { kafka_version = "3.9.x" }
  expect_failures = [var.kafka_version]
}

run "kafka_that_is_too_old" {
  command = plan
  module { source = "./modules/kafka" }
  variables { kafka_version = "3.7.x.kraft" }
  expect_failures = [var.kafka_version]
}

run "kafka_in_two_zones" {
  command = plan
  module { source = "./modules/kafka" }
  variables { subnet_ids = ["subnet-a", "subnet-b"] }
  expect_failures = [var.subnet_ids]
}

run "kafka_with_more_partitions_than_it_bears" {
  command = plan
  module { source = "./modules/kafka" }
  variables {
    broker_type = "kafka.t3.small"
    topics      = [{ name = "wide", partitions = 301 }]
  }
  expect_failures = [aws_msk_cluster.this]
}

run "database_is_private_and_comes_back" {
  command = plan
  module { source = "./modules/database" }

  assert {
    condition = (
      aws_db_instance.this.storage_encrypted && aws_db_instance.this.multi_az && aws_db_instance.this.deletion_protection &&
      !aws_db_instance.this.publicly_accessible && !aws_db_instance.this.skip_final_snapshot &&
      aws_db_instance.this.manage_master_user_password && aws_db_instance.this.backup_retention_period == 7
    )
    error_message = "Encrypted, in two zones, protected, private, with backups and a password that nobody knows."
  }

  assert {
    condition     = aws_db_instance.this.password == null && aws_db_instance.this.password_wo == null
    error_message = "No password passes through here."
  }

  assert {
    condition     = contains([for one in aws_db_parameter_group.this.parameter : "${one.name}=${one.value}"], "rds.force_ssl=1")
    error_message = "TLS alone."
  }

  assert {
    condition     = aws_db_parameter_group.this.family == "postgres17"
    error_message = "Parameters are of the engine's version."
  }
}

run "database_tells_each_owner_its_own_address" {
  command = apply
  module { source = "./modules/database" }

  assert {
    condition     = toset(keys(output.secret_arns)) == toset(var.databases)
    error_message = "A secret for each database."
  }

  assert {
    condition     = strcontains(output.tls, "sslmode=verify-full")
    error_message = "Whoever connects knows whom it talks to."
  }
}

run "database_with_backups_of_a_day" {
  command = plan
  module { source = "./modules/database" }
  variables { backup_days = 1 }
  expect_failures = [var.backup_days]
}

run "database_of_an_old_engine" {
  command = plan
  module { source = "./modules/database" }
  variables { engine_version = "12" }
  expect_failures = [var.engine_version]
}

run "database_with_a_name_that_needs_quotes" {
  command = plan
  module { source = "./modules/database" }
  variables { databases = ["drop table"] }
  expect_failures = [var.databases]
}

run "buckets_are_private_and_keep_versions" {
  command = apply
  module { source = "./modules/object-storage" }

  assert {
    condition = alltrue([
      for block in aws_s3_bucket_public_access_block.this :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ]) && length(aws_s3_bucket_public_access_block.this) == length(var.buckets)
    error_message = "No bucket is public."
  }

  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "What is replaced can be had back."
  }

  assert {
    condition = alltrue([
      for policy in aws_s3_bucket_policy.this : anytrue([
        for statement in jsondecode(policy.policy).Statement :
        statement.Effect == "Deny" && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false"
      ])
    ])
    error_message = "TLS alone."
  }

  assert {
    condition = (
      aws_s3_bucket.this["archive"].object_lock_enabled && !aws_s3_bucket.this["models"].object_lock_enabled &&
      aws_s3_bucket_object_lock_configuration.this["archive"].rule[0].default_retention[0].days == 365
    )
    error_message = "The archive is locked, and nothing else is."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(output.read_policies["models"]).Statement :
      !anytrue([for action in flatten([statement.Action]) : strcontains(action, "Put") || strcontains(action, "Delete")])
    ])
    error_message = "Who reads does not write."
  }
}

run "bucket_that_forgets_at_once" {
  command = plan
  module { source = "./modules/object-storage" }
  variables { buckets = { models = { old_version_days = 1 } } }
  expect_failures = [var.buckets]
}

run "secret_says_what_it_is_for" {
  command = plan
  module { source = "./modules/secret" }
  variables {
    description = "For a test"
    fields      = { url = "postgresql://one:{password}@host/one" }
  }

  assert {
    condition     = aws_secretsmanager_secret.this.kms_key_id == var.kms_key_arn && aws_secretsmanager_secret.this.recovery_window_in_days == 30
    error_message = "Under our key, and long in dying."
  }

  assert {
    condition     = aws_secretsmanager_secret_version.this.secret_string == null
    error_message = "Its content is in no state."
  }
}
