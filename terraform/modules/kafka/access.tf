# Who may do what? By IAM, as topology/ says; by password only for those who can't sign for IAM.

locals {
  # arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID; a topic's is …:topic/NAME/UUID/TOPIC.
  arn_parts = split(":cluster/", aws_msk_cluster.this.arn)

  policies = {
    for principal, statements in var.principals : principal => jsonencode({
      Version = "2012-10-17"
      Statement = [
        for statement in statements : {
          Effect = "Allow"
          Action = statement.actions
          Resource = [
            for resource in statement.resources : resource == "cluster" ? aws_msk_cluster.this.arn : format(
              "%s:%s/%s/%s",
              local.arn_parts[0],
              split("/", resource)[0],
              local.arn_parts[1],
              split("/", resource)[1],
            )
          ]
        }
      ]
    })
  }
}

# Kafka's own ACLs, for those who come with a password, are a matter of the cluster itself.
locals {
  acl_administration = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster", "kafka-cluster:AlterCluster"]
      Resource = aws_msk_cluster.this.arn
    }]
  })
}

module "password" {
  source   = "../secret"
  for_each = var.password_principals

  # MSK takes no other prefix.
  name        = "AmazonMSK_${var.name}_${each.key}"
  description = "With which ${each.key} enters Kafka"
  kms_key_arn = var.kms_key_arn
  fields      = { username = each.key }
}

resource "aws_msk_scram_secret_association" "this" {
  count = local.uses_passwords ? 1 : 0

  cluster_arn     = aws_msk_cluster.this.arn
  secret_arn_list = [for password in module.password : password.arn]
}
