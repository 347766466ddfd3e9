# Does CI come in only as what it is, and is the state kept?
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  repository   = "churnstream/churnstream"
  environments = ["dev", "prod"]
}

run "bootstrap" {
  command = apply
  module { source = "./bootstrap" }

  assert {
    condition = (
      jsondecode(aws_iam_role.apply["prod"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] ==
      "repo:churnstream/churnstream:environment:prod"
    )
    error_message = "Production is applied by a job in the environment prod, whose reviewers GitHub asks."
  }

  assert {
    condition = (
      jsondecode(aws_iam_role.plan.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] ==
      "repo:churnstream/churnstream:pull_request"
    )
    error_message = "Plans are made for pull requests of this repository."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.plan.policy).Statement :
      contains(["s3:ListBucket", "s3:GetObject", "kms:Decrypt"], statement.Action)
    ])
    error_message = "Whoever opens a pull request reads states and does nothing else."
  }

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "A state that went wrong can be had back."
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.state.block_public_acls && aws_s3_bucket_public_access_block.state.block_public_policy &&
      aws_s3_bucket_public_access_block.state.ignore_public_acls && aws_s3_bucket_public_access_block.state.restrict_public_buckets
    )
    error_message = "No state is public."
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_iam_role_policy.apply["dev"].policy).Statement :
      statement.Effect == "Deny" && try(contains(statement.NotResource, "${aws_s3_bucket.state.arn}/dev/*"), false)
    ])
    error_message = "Whoever applies dev does not touch another environment's state."
  }
}

run "anybodys_repository" {
  command = plan
  module { source = "./bootstrap" }
  variables { repository = "churnstream/*" }
  expect_failures = [var.repository]
}

run "an_environment_that_is_none" {
  command = plan
  module { source = "./bootstrap" }
  variables { environments = ["production"] }
  expect_failures = [var.environments]
}
