#!/usr/bin/env bash
# Where does Terraform find its providers without asking anybody? fetch-providers.sh FOLDER
# Unpacked, as its cache of plug-ins is; `terraform providers mirror` would leave them packed.
set -euo pipefail
cd "$(dirname "$0")/../.."

mkdir -p "$1"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp terraform/versions.tf "$copy"
TF_PLUGIN_CACHE_DIR=$(cd "$1" && pwd) terraform -chdir="$copy" init -backend=false
