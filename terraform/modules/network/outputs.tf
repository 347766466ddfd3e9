output "vpc_id" {
  value = aws_vpc.this.id
}

output "subnet_ids" {
  description = "Private, one in each zone."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "endpoints_security_group_id" {
  value = aws_security_group.endpoints.id
}

output "s3_prefix_list_id" {
  value = aws_vpc_endpoint.s3.prefix_list_id
}
