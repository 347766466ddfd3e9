output "cluster_name" {
  value = aws_eks_cluster.this.name
}

output "endpoint" {
  value = aws_eks_cluster.this.endpoint
}

output "service_role_names" {
  value = { for name, role in aws_iam_role.service : name => role.name }
}
