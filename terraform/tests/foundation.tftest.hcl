# Do the modules that others stand on refuse what would be unsafe?
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name        = "churnstream-test"
  account_id  = "123456789012"
  region      = "eu-west-1"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111"
  cidr        = "10.40.0.0/16"
  zones       = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  vpc_id      = "vpc-0123456789abcdef0"
  subnet_ids  = ["subnet-a", "subnet-b", "subnet-c"]

  log_retention_days = 30
}

run "key_turns_by_itself" {
  command = plan
  module { source = "./modules/encryption" }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must turn, and be long in dying."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement :
      try(statement.Principal.AWS, "") == "arn:aws:iam::123456789012:root" || can(statement.Condition)
    ])
    error_message = "Only the account itself uses the key without a condition."
  }
}

run "without_egress_there_is_no_way_out" {
  command = plan
  module { source = "./modules/network" }

  assert {
    condition     = length(aws_internet_gateway.this) == 0 && length(aws_subnet.public) == 0 && length(aws_nat_gateway.this) == 0
    error_message = "A network without egress has no gateway and no public subnet."
  }

  assert {
    condition     = length(distinct([for subnet in aws_subnet.private : subnet.cidr_block])) == 3
    error_message = "Each zone has a range of its own."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == var.cidr
    error_message = "Endpoints are for the network alone."
  }
}

run "with_egress_every_zone_has_its_own" {
  command = plan
  module { source = "./modules/network" }
  variables { internet_egress = true }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.egress) == 3
    error_message = "One zone's gateway must not be every zone's."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.map_public_ip_on_launch != true])
    error_message = "Nothing gets a public address by itself."
  }

  assert {
    condition = length(distinct(concat(
      [for subnet in aws_subnet.private : subnet.cidr_block],
      [for subnet in aws_subnet.public : subnet.cidr_block],
    ))) == 6
    error_message = "Ranges do not coincide."
  }
}

run "two_zones_are_too_few" {
  command = plan
  module { source = "./modules/network" }
  variables { zones = ["eu-west-1a", "eu-west-1b"] }
  expect_failures = [var.zones]
}

run "the_same_zone_thrice_is_one" {
  command = plan
  module { source = "./modules/network" }
  variables { zones = ["eu-west-1a", "eu-west-1a", "eu-west-1a"] }
  expect_failures = [var.zones]
}

run "public_addresses_are_nobodys_network" {
  command = plan
  module { source = "./modules/network" }
  variables { cidr = "52.0.0.0/16" }
  expect_failures = [var.cidr]
}

run "a_network_has_room" {
  command = plan
  module { source = "./modules/network" }
  variables { cidr = "10.40.0.0/24" }
  expect_failures = [var.cidr]
}

run "images_are_never_replaced" {
  command = plan
  module { source = "./modules/container-registry" }
  variables { images = ["services", "mlflow"] }

  assert {
    condition = alltrue([
      for repository in aws_ecr_repository.this :
      repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push && !repository.force_delete
    ])
    error_message = "A tag names one image for ever, which was looked through."
  }

  assert {
    condition     = aws_ecr_repository.this["services"].name == "churnstream-test/services"
    error_message = "Repositories are under the environment's name, by which roles may pull them."
  }
}

run "a_registry_of_nothing" {
  command = plan
  module { source = "./modules/container-registry" }
  variables { images = [] }
  expect_failures = [var.images]
}

run "commands_in_tasks_are_on_record" {
  command = plan
  module { source = "./modules/cluster" }

  assert {
    condition     = aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].logging == "OVERRIDE"
    error_message = "What a person types in a task is logged."
  }

  assert {
    condition     = aws_service_discovery_private_dns_namespace.this.name == "churnstream-test.internal"
    error_message = "The collector finds tasks by this name."
  }
}

run "one_door_by_tls_for_those_who_are_named" {
  command = plan
  module { source = "./modules/load-balancer" }
  variables {
    client_ranges       = ["10.1.0.0/16", "10.2.0.0/16"]
    domain              = "churn.example.com"
    zone_id             = "Z0123456789ABCDEFGHIJ"
    deletion_protection = true
  }

  assert {
    condition     = aws_lb.this.internal && aws_lb.this.enable_deletion_protection && aws_lb.this.drop_invalid_header_fields
    error_message = "The load balancer is internal and stays."
  }

  assert {
    condition     = aws_lb_listener.https.protocol == "HTTPS" && strcontains(aws_lb_listener.https.ssl_policy, "TLS13")
    error_message = "TLS alone."
  }

  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.https : rule.cidr_ipv4]) == toset(var.client_ranges)
    error_message = "Those who are named, and no others."
  }

  assert {
    condition     = aws_lb_listener.https.default_action[0].fixed_response[0].status_code == "404"
    error_message = "What no rule lets through does not exist."
  }
}

run "the_world_is_no_client" {
  command = plan
  module { source = "./modules/load-balancer" }
  variables {
    client_ranges       = ["0.0.0.0/0"]
    domain              = "churn.example.com"
    zone_id             = "Z0123456789ABCDEFGHIJ"
    deletion_protection = true
  }
  expect_failures = [var.client_ranges]
}

run "half_the_world_is_no_client" {
  command = plan
  module { source = "./modules/load-balancer" }
  variables {
    client_ranges       = ["128.0.0.0/1"]
    domain              = "churn.example.com"
    zone_id             = "Z0123456789ABCDEFGHIJ"
    deletion_protection = true
  }
  expect_failures = [var.client_ranges]
}
