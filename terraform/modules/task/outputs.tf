output "task_definition_arn" {
  value = aws_ecs_task_definition.this.arn
}

output "task_role_name" {
  value = aws_iam_role.task.name
}

output "security_group_id" {
  value = aws_security_group.this.id
}
