output "events_url" {
  value = local.on_ecs ? "https://events.${var.domain}/v1/events" : null
}

output "mlflow_url" {
  value = local.on_ecs ? module.mlflow[0].url : null
}

output "dagster_url" {
  value = local.on_ecs ? module.orchestration[0].url : null
}

output "schema_registry_url" {
  value = local.on_ecs ? module.schema_registry[0].url : null
}

output "grafana_url" {
  value = module.observability.grafana_url
}

output "kafka_bootstrap_servers" {
  value = module.kafka.bootstrap_servers
}

output "image_repositories" {
  value = module.container_registry.urls
}

output "cluster_name" {
  description = "Where commands are started."
  value       = local.on_ecs ? module.cluster[0].name : module.kubernetes[0].cluster_name
}

output "subnet_ids" {
  value = module.network.subnet_ids
}

output "commands" {
  description = "To be started by a person: the task and its security group, by name."
  value = {
    for name, task in merge(module.command, { for task in module.database_preparation : "database-preparation" => task }) :
    name => { task_definition = task.task_definition_arn, security_group = task.security_group_id }
  }
}
