#!/usr/bin/env bash
# How does somebody ask a cluster for a new version? retrain.sh MARKET WHY
set -euo pipefail

[[ $1 =~ ^[a-z0-9-]+$ ]] || { echo "$1 is no market" >&2; exit 2; }
kubectl -n churnstream exec deployment/dagster-code -c dagster -- \
  node services/model-cli/src/main.ts retrain "$1" --why "$2"
