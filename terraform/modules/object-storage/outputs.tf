output "names" {
  value = { for name, bucket in aws_s3_bucket.this : name => bucket.id }
}

output "read_policies" {
  value = local.policies.read
}

output "write_policies" {
  value = local.policies.write
}
