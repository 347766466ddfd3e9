# How does Kafka run as MSK: TLS alone, named callers alone, no record on fewer than two disks?

locals {
  # Partitions with their copies that AWS advises for a broker.
  most_partitions = {
    "kafka.t3.small"    = 300
    "kafka.m7g.large"   = 1000
    "kafka.m7g.xlarge"  = 1000
    "kafka.m7g.2xlarge" = 2000
    "kafka.m7g.4xlarge" = 4000
  }

  brokers           = length(var.subnet_ids)
  copies            = 3
  partition_copies  = local.copies * sum([for topic in var.topics : topic.partitions])
  bootstrap_servers = aws_msk_cluster.this.bootstrap_brokers_sasl_iam
  uses_passwords    = length(var.password_principals) > 0
}

resource "aws_security_group" "this" {
  name        = "${var.name}-kafka"
  description = "Brokers"
  vpc_id      = var.vpc_id
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name}/kafka"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_msk_configuration" "this" {
  name           = "${var.name}-kafka"
  kafka_versions = [var.kafka_version]

  # Topics are made from topology/, never by a typing mistake.
  server_properties = <<-PROPERTIES
    auto.create.topics.enable=false
    allow.everyone.if.no.acl.found=false
    default.replication.factor=${local.copies}
    min.insync.replicas=2
    unclean.leader.election.enable=false
    offsets.topic.replication.factor=${local.copies}
    transaction.state.log.replication.factor=${local.copies}
    transaction.state.log.min.isr=2
    transaction.max.timeout.ms=900000
    group.initial.rebalance.delay.ms=3000
  PROPERTIES

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_msk_cluster" "this" {
  cluster_name           = var.name
  kafka_version          = var.kafka_version
  number_of_broker_nodes = local.brokers
  # Lag of groups is in every level; by topic each metric of each topic would be paid for.
  enhanced_monitoring = "PER_BROKER"

  broker_node_group_info {
    instance_type   = var.broker_type
    client_subnets  = var.subnet_ids
    security_groups = [aws_security_group.this.id]

    storage_info {
      ebs_storage_info {
        volume_size = var.volume_gb
      }
    }

    connectivity_info {
      public_access {
        type = "DISABLED"
      }
    }
  }

  client_authentication {
    unauthenticated = false

    sasl {
      iam   = true
      scram = local.uses_passwords
    }
  }

  encryption_info {
    encryption_at_rest_kms_key_arn = var.kms_key_arn

    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }

  configuration_info {
    arn      = aws_msk_configuration.this.arn
    revision = aws_msk_configuration.this.latest_revision
  }

  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.this.name
      }
    }
  }

  lifecycle {
    # The volumes grow by themselves, and can't shrink.
    ignore_changes  = [broker_node_group_info[0].storage_info[0].ebs_storage_info[0].volume_size]
    prevent_destroy = true

    precondition {
      condition     = local.partition_copies / local.brokers <= local.most_partitions[var.broker_type]
      error_message = "${local.partition_copies} copies of partitions are too many for ${local.brokers} brokers of ${var.broker_type}."
    }
  }
}

resource "aws_appautoscaling_target" "storage" {
  count = var.most_volume_gb > var.volume_gb ? 1 : 0

  service_namespace  = "kafka"
  resource_id        = aws_msk_cluster.this.arn
  scalable_dimension = "kafka:broker-storage:VolumeSize"
  min_capacity       = 1
  max_capacity       = var.most_volume_gb
}

resource "aws_appautoscaling_policy" "storage" {
  count = var.most_volume_gb > var.volume_gb ? 1 : 0

  name               = "${var.name}-kafka-storage"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.storage[0].service_namespace
  resource_id        = aws_appautoscaling_target.storage[0].resource_id
  scalable_dimension = aws_appautoscaling_target.storage[0].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value     = 60
    disable_scale_in = true

    predefined_metric_specification {
      predefined_metric_type = "KafkaBrokerStorageUtilization"
    }
  }
}
