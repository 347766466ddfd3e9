# Does a service get what it needs, and nothing that it does not?
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  placement = {
    name                        = "churnstream-test"
    region                      = "eu-west-1"
    account_id                  = "123456789012"
    vpc_id                      = "vpc-0123456789abcdef0"
    subnet_ids                  = ["subnet-a", "subnet-b", "subnet-c"]
    cluster_arn                 = "arn:aws:ecs:eu-west-1:123456789012:cluster/churnstream-test"
    cluster_name                = "churnstream-test"
    namespace_id                = "ns-0123456789abcdef"
    kms_key_arn                 = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111"
    log_retention_days          = 30
    endpoints_security_group_id = "sg-endpoints"
    s3_prefix_list_id           = "pl-0123456789abcdef0"
    prepare_image               = "registry.test/services@sha256:0000000000000000000000000000000000000000000000000000000000000001"
  }

  name         = "sinks"
  image        = "registry.test/services@sha256:0000000000000000000000000000000000000000000000000000000000000001"
  command      = ["services/sinks/src/main.ts"]
  port         = 8084
  cpu_millis   = 250
  memory_mb    = 512
  replicas     = { least = 2, most = 8 }
  environment  = { HTTP_HOST = "0.0.0.0" }
  secret_files = { DATABASE_URL = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:own-abcdef:url::" }
  files        = { DATABASE_CA = "who signs" }
  policies     = { kafka = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  connections  = { database = { security_group_id = "sg-database", port = 5432 } }
}

run "containers_can_do_little" {
  command = apply
  module { source = "./modules/task" }

  assert {
    condition = alltrue([
      for container in jsondecode(aws_ecs_task_definition.this.container_definitions) :
      container.readonlyRootFilesystem && container.linuxParameters.capabilities.drop == ["ALL"]
    ])
    error_message = "No container writes to its image or keeps a capability."
  }

  assert {
    condition = alltrue([
      for container in jsondecode(aws_ecs_task_definition.this.container_definitions) :
      container.name == "prepare" || container.user == "65532"
    ])
    error_message = "Root lays down files, and is gone before the program starts."
  }

  assert {
    condition = (
      aws_ecs_task_definition.this.cpu == "256" && aws_ecs_task_definition.this.memory == "512" &&
      aws_ecs_task_definition.this.network_mode == "awsvpc"
    )
    error_message = "Fargate's sizes."
  }
}

run "secrets_come_as_files" {
  command = apply
  module { source = "./modules/task" }

  assert {
    condition = one([
      for container in jsondecode(aws_ecs_task_definition.this.container_definitions) : container.secrets if container.name == "sinks"
    ]) == []
    error_message = "The program's environment holds no secret."
  }

  assert {
    condition = contains(
      one([for container in jsondecode(aws_ecs_task_definition.this.container_definitions) : container.environment if container.name == "sinks"]),
      { name = "DATABASE_URL_FILE", value = "/run/churnstream/DATABASE_URL" },
    )
    error_message = "It is told where the file is."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.secrets[0].policy).Statement[0].Resource == ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:own-abcdef"]
    error_message = "Who starts it reads its own secrets alone."
  }
}

run "both_sides_of_a_connection_are_told" {
  command = apply
  module { source = "./modules/task" }

  assert {
    condition = (
      aws_vpc_security_group_egress_rule.to["database"].referenced_security_group_id == "sg-database" &&
      aws_vpc_security_group_ingress_rule.at["database"].security_group_id == "sg-database" &&
      aws_vpc_security_group_ingress_rule.at["database"].referenced_security_group_id == aws_security_group.this.id &&
      aws_vpc_security_group_ingress_rule.at["database"].from_port == 5432
    )
    error_message = "It may go there, and is let in there."
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.internet) == 0
    error_message = "Nothing reaches the internet unless it is asked for."
  }
}

run "without_secrets_none_can_be_read" {
  command = plan
  module { source = "./modules/task" }
  variables { secret_files = {} }

  assert {
    condition     = length(aws_iam_role_policy.secrets) == 0
    error_message = "No secret, no permission."
  }
}

run "an_image_by_its_tag" {
  command = plan
  module { source = "./modules/task" }
  variables { image = "registry.test/services:latest" }
  expect_failures = [var.image]
}

run "a_program_that_is_root" {
  command = plan
  module { source = "./modules/task" }
  variables { user = "0:0" }
  expect_failures = [var.user]
}

run "a_size_that_fargate_lacks" {
  command = plan
  module { source = "./modules/task" }
  variables {
    cpu_millis = 300
    memory_mb  = 1024
  }
  expect_failures = [var.cpu_millis]
}

run "more_memory_than_fargate_gives" {
  command = plan
  module { source = "./modules/task" }
  variables { memory_mb = 8192 }
  expect_failures = [var.memory_mb]
}

run "a_stop_that_takes_too_long" {
  command = plan
  module { source = "./modules/task" }
  variables { stop_seconds = 600 }
  expect_failures = [var.stop_seconds]
}

run "a_bad_rollout_goes_back" {
  command = plan
  module { source = "./modules/service" }

  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "A version that does not come up is taken back."
  }

  assert {
    condition     = !aws_ecs_service.this.network_configuration[0].assign_public_ip
    error_message = "No public address."
  }

  assert {
    condition     = aws_ecs_service.this.deployment_minimum_healthy_percent == 100
    error_message = "The old ones go when the new ones are there."
  }

  assert {
    condition     = aws_appautoscaling_target.this[0].min_capacity == 2 && aws_appautoscaling_target.this[0].max_capacity == 8
    error_message = "Scaled as far as there are partitions."
  }
}

run "one_that_is_alone_is_never_two" {
  command = plan
  module { source = "./modules/service" }
  variables {
    is_alone = true
    replicas = { least = 1, most = 1 }
  }

  assert {
    condition     = aws_ecs_service.this.deployment_maximum_percent == 100 && length(aws_appautoscaling_target.this) == 0
    error_message = "The old one ends first, and nothing scales it."
  }
}

run "two_that_would_be_alone" {
  command = plan
  module { source = "./modules/service" }
  variables { is_alone = true }
  expect_failures = [var.is_alone]
}

run "fewer_at_most_than_at_least" {
  command = plan
  module { source = "./modules/service" }
  variables { replicas = { least = 3, most = 2 } }
  expect_failures = [var.replicas]
}

run "a_rule_says_for_whom_it_is" {
  command = plan
  module { source = "./modules/service" }
  variables {
    http = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/mocked/4444444444444444/5555555555555555"
      security_group_id = "sg-load-balancer"
      host              = "events.churn.example.com"
      health_path       = "/health/live"
      rules             = { producers = { priority = 10, from = ["10.1.0.0/16"], paths = ["/v1/*"] } }
    }
  }

  assert {
    condition = anytrue([
      for condition in aws_lb_listener_rule.this["producers"].condition :
      length(condition.source_ip) > 0 && try(condition.source_ip[0].values, []) == toset(["10.1.0.0/16"])
    ])
    error_message = "Only the range that is named."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.load_balancer[0].referenced_security_group_id == "sg-load-balancer"
    error_message = "The service takes HTTP from the load balancer."
  }
}

run "a_rule_for_the_world" {
  command = plan
  module { source = "./modules/service" }
  variables {
    http = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/mocked/4444444444444444/5555555555555555"
      security_group_id = "sg-load-balancer"
      host              = "events.churn.example.com"
      health_path       = "/health/live"
      rules             = { producers = { priority = 10, from = ["0.0.0.0/0"] } }
    }
  }
  expect_failures = [var.http]
}

run "a_rule_of_more_values_than_aws_takes" {
  command = plan
  module { source = "./modules/service" }
  variables {
    http = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/mocked/4444444444444444/5555555555555555"
      security_group_id = "sg-load-balancer"
      host              = "events.churn.example.com"
      health_path       = "/health/live"
      rules             = { producers = { priority = 10, from = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"], paths = ["/a", "/b"] } }
    }
  }
  expect_failures = [var.http]
}
