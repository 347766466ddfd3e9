output "security_group_id" {
  value = module.task.security_group_id
}

output "task_role_name" {
  value = module.task.task_role_name
}

output "service_name" {
  value = aws_ecs_service.this.name
}
