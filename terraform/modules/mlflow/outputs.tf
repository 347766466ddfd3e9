output "url" {
  value = "https://${local.host}"
}

output "security_group_id" {
  value = module.service.security_group_id
}
