output "cluster_name" {
  value = aws_msk_cluster.this.cluster_name
}

output "bootstrap_servers" {
  description = "TLS, and a signature of IAM."
  value       = local.bootstrap_servers
}

output "port" {
  value = 9098
}

output "security_group_id" {
  value = aws_security_group.this.id
}

output "policies" {
  description = "For the role of each principal."
  value       = local.policies
}

output "acl_administration" {
  description = "For whoever writes Kafka's own ACLs."
  value       = local.acl_administration
}
