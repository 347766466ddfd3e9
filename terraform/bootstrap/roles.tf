# As whom does CI plan and apply? By GitHub's word for which workflow it is; there is no key to lose.

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  # Whose token: a pull request of this repository, or a job in one of its environments.
  subjects = merge(
    { plan = "repo:${var.repository}:pull_request" },
    { for environment in var.environments : environment => "repo:${var.repository}:environment:${environment}" },
  )

  trust = {
    for name, subject in local.subjects : name => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
            "token.actions.githubusercontent.com:sub" = subject
          }
        }
      }]
    })
  }
}

# Anybody who opens a pull request decides what runs with this role: it reads states, which hold no
# secret, and nothing else. Plans are made with -refresh=false.
resource "aws_iam_role" "plan" {
  name                 = "churnstream-plan"
  assume_role_policy   = local.trust["plan"]
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "plan" {
  name = "read-states"
  role = aws_iam_role.plan.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "s3:ListBucket", Resource = aws_s3_bucket.state.arn },
      { Effect = "Allow", Action = "s3:GetObject", Resource = "${aws_s3_bucket.state.arn}/*" },
      { Effect = "Allow", Action = "kms:Decrypt", Resource = aws_kms_key.state.arn },
    ]
  })
}

resource "aws_iam_role" "apply" {
  for_each = var.environments

  name                 = "churnstream-apply-${each.key}"
  assume_role_policy   = local.trust[each.key]
  max_session_duration = 7200
}

resource "aws_iam_role_policy_attachment" "apply" {
  for_each = var.environments

  role       = aws_iam_role.apply[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
}

# What PowerUserAccess leaves out, for this environment's own roles; and what it must not touch.
resource "aws_iam_role_policy" "apply" {
  for_each = var.environments

  name = "own-roles"
  role = aws_iam_role.apply[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "OwnRoles"
        Effect = "Allow"
        Action = [
          "iam:CreateRole", "iam:DeleteRole", "iam:GetRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateRole",
          "iam:UpdateAssumeRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies",
          "iam:ListInstanceProfilesForRole", "iam:GetRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy",
        ]
        Resource = "arn:aws:iam::${local.account_id}:role/churnstream-${each.key}-*"
      },
      {
        Sid      = "PoliciesOfAwsForThem"
        Effect   = "Allow"
        Action   = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
        Resource = "arn:aws:iam::${local.account_id}:role/churnstream-${each.key}-*"
        Condition = {
          ArnLike = {
            "iam:PolicyARN" = [
              "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
              "arn:aws:iam::aws:policy/AmazonEKS*",
              "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
            ]
          }
        }
      },
      {
        Sid      = "GiveThemAway"
        Effect   = "Allow"
        Action   = "iam:PassRole"
        Resource = "arn:aws:iam::${local.account_id}:role/churnstream-${each.key}-*"
        Condition = {
          StringEquals = {
            "iam:PassedToService" = [
              "ecs-tasks.amazonaws.com", "vpc-flow-logs.amazonaws.com", "monitoring.rds.amazonaws.com",
              "grafana.amazonaws.com", "eks.amazonaws.com", "ec2.amazonaws.com", "pods.eks.amazonaws.com",
            ]
          }
        }
      },
      {
        Sid    = "StatesOfOthers"
        Effect = "Deny"
        Action = "s3:*"
        NotResource = [
          aws_s3_bucket.state.arn,
          "${aws_s3_bucket.state.arn}/${each.key}/*",
          "arn:aws:s3:::churnstream-${each.key}-*",
        ]
      },
      {
        Sid    = "StatesForEver"
        Effect = "Deny"
        Action = [
          "s3:DeleteBucket", "s3:DeleteObjectVersion", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy",
          "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration", "s3:PutEncryptionConfiguration",
          "s3:PutBucketPublicAccessBlock",
        ]
        Resource = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
      },
      {
        Sid      = "TheKeyOfStates"
        Effect   = "Deny"
        Action   = ["kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy"]
        Resource = aws_kms_key.state.arn
      },
    ]
  })
}
