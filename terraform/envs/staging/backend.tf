# The bucket's name and key come with the account: terraform init -backend-config=backend.hcl
terraform {
  backend "s3" {
    key          = "staging/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
