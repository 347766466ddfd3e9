output "backend" {
  description = "The content of backend.hcl, for each environment in this account."
  value       = <<-BACKEND
    bucket     = "${aws_s3_bucket.state.id}"
    region     = "${var.region}"
    kms_key_id = "${aws_kms_key.state.arn}"
  BACKEND
}

output "plan_role_arn" {
  value = aws_iam_role.plan.arn
}

output "apply_role_arns" {
  value = { for environment, role in aws_iam_role.apply : environment => role.arn }
}
