#!/usr/bin/env bash
# What does Terraform change in an environment? terraform.sh plan|apply ENVIRONMENT
# TERRAFORM_BACKEND holds the lines of backend.hcl, TERRAFORM_VARIABLES those of a .tfvars file.
set -euo pipefail
cd "$(dirname "$0")/../../terraform/envs/$2"

files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
printf '%s\n' "$TERRAFORM_BACKEND" > "$files/backend.hcl"
printf '%s\n' "$TERRAFORM_VARIABLES" > "$files/environment.tfvars"
export TF_IN_AUTOMATION=true TF_INPUT=false

terraform init -lockfile=readonly -backend-config="$files/backend.hcl" >&2
case $1 in
  plan)
    # The role of a pull request reads states, and nothing of the cloud itself.
    terraform plan -no-color -refresh=false -lock=false -var-file="$files/environment.tfvars"
    ;;
  apply)
    terraform plan -no-color -var-file="$files/environment.tfvars" -out="$files/plan"
    terraform apply -no-color "$files/plan"
    ;;
  *)
    echo 'terraform.sh plan|apply ENVIRONMENT' >&2
    exit 2
    ;;
esac
