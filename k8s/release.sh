#!/usr/bin/env bash
# Do these images run well in an environment? If they do not, those before them run again.
# release.sh ENVIRONMENT SERVICES_IMAGE PYTHON_IMAGE    In the cluster that kubectl is pointed at.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
namespace=churnstream
patience=${PATIENCE:-20m}

running() { # WORKLOAD: the image of its one container; nothing where it was never deployed.
  kubectl -n "$namespace" get "$1" --ignore-not-found \
    -o 'jsonpath={.spec.template.spec.containers[0].image}'
}

deploy() { # ENVIRONMENT SERVICES PYTHON
  "$here/render.sh" "$@" | kubectl apply --server-side --force-conflicts -f - || return 1
  # Services wait for Kafka by themselves; this one says why when it does not come.
  kubectl -n "$namespace" wait kafka/churnstream --for=condition=Ready --timeout="$patience" || return 1
  local workload
  for workload in $(kubectl -n "$namespace" get deployments,statefulsets -o name \
    -l app.kubernetes.io/part-of=churnstream); do
    kubectl -n "$namespace" rollout status "$workload" --timeout="$patience" || return 1
  done
}

smoke() { node k8s/smoke.ts --within "${SMOKE_SECONDS:-600}"; }

environment=$1
services_before=$(running deployment/ingestion)
python_before=$(running deployment/mlflow)

if deploy "$@" && smoke; then
  echo "$environment runs $2 and $3"
  exit 0
fi
if [[ $services_before != *@sha256:* || $python_before != *@sha256:* ]]; then
  echo "$environment does not run well, and there is nothing to go back to" >&2
  exit 1
fi
echo "$environment does not run well: back to $services_before and $python_before" >&2
deploy "$environment" "$services_before" "$python_before" && smoke ||
  echo "$environment does not run well with those either" >&2
exit 1
