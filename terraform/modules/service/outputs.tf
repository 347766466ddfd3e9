output "security_group_id" {
  value = module.task.security_group_id
}
