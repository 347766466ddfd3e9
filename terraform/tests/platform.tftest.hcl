# Do the parts that are made of services, and what watches them, refuse what would not work?
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

  image           = "registry.test/python@sha256:0000000000000000000000000000000000000000000000000000000000000002"
  domain          = "churn.example.com"
  operator_ranges = ["10.2.0.0/16"]
  client_ranges   = ["10.1.0.0/16"]
  network_range   = "10.40.0.0/16"

  load_balancer = {
    listener_arn      = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/mocked/4444444444444444/5555555555555555"
    security_group_id = "sg-load-balancer"
  }

  database = {
    address           = "database.test"
    port              = 5432
    tls               = "sslmode=verify-full&sslrootcert=/run/churnstream/DATABASE_CA"
    secret_arn        = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:database-abcdef"
    security_group_id = "sg-database"
    ca                = "who signs"
  }

  # Of Kubernetes and of what watches.
  name                    = "churnstream-test"
  account_id              = "123456789012"
  region                  = "eu-west-1"
  kms_key_arn             = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111"
  log_retention_days      = 30
  subnet_ids              = ["subnet-a", "subnet-b", "subnet-c"]
  administrator_role_arns = ["arn:aws:iam::123456789012:role/deployer"]
  connections             = { kafka = { security_group_id = "sg-kafka", port = 9098 } }
}

run "mlflow_says_where_it_is" {
  command = plan
  module { source = "./modules/mlflow" }
  variables {
    artifacts_bucket           = "churnstream-test-models"
    artifacts_policy           = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    webhook_encryption_key_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:encryption-abcdef"
  }

  assert {
    condition     = output.url == "https://mlflow.churn.example.com"
    error_message = "By TLS, under the domain."
  }
}

run "registry_says_where_it_is" {
  command = plan
  module { source = "./modules/schema-registry" }

  assert {
    condition     = output.url == "https://schemas.churn.example.com/apis/ccompat/v7"
    error_message = "The API that our client speaks, by TLS."
  }
}

run "dagster_says_where_it_is" {
  command = plan
  module { source = "./modules/orchestration" }
  variables {
    instance         = "telemetry: { enabled: false }"
    database_ca      = "who signs"
    environment      = {}
    secrets          = {}
    policies         = {}
    reaches_internet = false
  }

  assert {
    condition     = output.url == "https://dagster.churn.example.com"
    error_message = "By TLS, under the domain."
  }
}

run "kubernetes_is_entered_from_within" {
  command = plan
  module { source = "./modules/kubernetes" }
  variables { services = { scorer = { kafka = "{}" }, sinks = { kafka = "{}" } } }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "Its API is private."
  }

  assert {
    condition     = toset(aws_eks_cluster.this.encryption_config[0].resources) == toset(["secrets"]) && contains(aws_eks_cluster.this.enabled_cluster_log_types, "audit")
    error_message = "Secrets are encrypted and who did what is on record."
  }

  assert {
    condition     = aws_launch_template.node.metadata_options[0].http_tokens == "required" && tostring(aws_launch_template.node.metadata_options[0].http_put_response_hop_limit) == "1"
    error_message = "A pod does not become its node."
  }

  assert {
    condition = alltrue([
      for service, role in aws_iam_role.service :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-service-account"] == service
    ])
    error_message = "A service account is its own role and no other."
  }
}

run "kubernetes_that_nobody_enters" {
  command = plan
  module { source = "./modules/kubernetes" }
  variables {
    services                = {}
    administrator_role_arns = []
  }
  expect_failures = [var.administrator_role_arns]
}

run "kubernetes_that_is_too_old" {
  command = plan
  module { source = "./modules/kubernetes" }
  variables {
    services           = {}
    kubernetes_version = "1.27"
  }
  expect_failures = [var.kubernetes_version]
}

run "an_alarm_that_nobody_hears" {
  command = plan
  module { source = "./modules/observability" }
  variables {
    on_ecs        = false
    rules         = "groups: []"
    page_emails   = []
    ticket_emails = []
    has_grafana   = false
    kafka         = { cluster_name = "churnstream-test", brokers = 3 }
    groups        = []
    database      = { identifier = "churnstream-test", most_connections = 100 }
  }
  expect_failures = [var.page_emails]
}

run "what_watches_hears_of_every_group" {
  command = plan
  module { source = "./modules/observability" }
  variables {
    placement     = null
    on_ecs        = false
    rules         = "groups: []"
    page_emails   = ["on-call@example.com"]
    ticket_emails = []
    has_grafana   = true
    kafka         = { cluster_name = "churnstream-test", brokers = 3 }
    groups        = [{ group = "scorer", topic = "feature-vectors" }]
    database      = { identifier = "churnstream-test", most_connections = 100 }
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.lag["scorer-feature-vectors"].dimensions["Consumer Group"] == "scorer" &&
      aws_cloudwatch_metric_alarm.lag["scorer-feature-vectors"].dimensions["Topic"] == "feature-vectors"
    )
    error_message = "Kafka itself tells of a group that stands still."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.broker) == 12 && aws_cloudwatch_metric_alarm.kafka["controllers"].treat_missing_data == "breaching"
    error_message = "Every broker is watched, and silence is trouble."
  }

  assert {
    condition     = aws_grafana_workspace.this[0].authentication_providers == tolist(["AWS_SSO"])
    error_message = "People come through the organisation's directory."
  }
}
