#!/usr/bin/env bash
# Do these images run well in an environment? If they do not, those before them run again.
# release.sh ENVIRONMENT IMAGE...    In the cluster that kubectl is pointed at; images as for render.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
namespace=churnstream
patience=${PATIENCE:-20m}

running() { # The images that run, one a line; of a workload that was never deployed an empty one.
  local workload path
  while read -r workload path; do
    kubectl -n "$namespace" get "$workload" --ignore-not-found -o "jsonpath={$path}"
    echo
  done << 'END'
deployment/ingestion .spec.template.spec.containers[0].image
deployment/mlflow .spec.template.spec.containers[0].image
deployment/dagster-code .spec.template.spec.containers[0].image
kafkaconnect/kafka-connect .spec.image
END
}

deploy() { # ENVIRONMENT IMAGE...
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
shift
mapfile -t before < <(running)

if deploy "$environment" "$@" && smoke; then
  echo "$environment runs $*"
  exit 0
fi
for image in "${before[@]}"; do
  [[ $image == *@sha256:* ]] && continue
  echo "$environment does not run well, and there is nothing to go back to" >&2
  exit 1
done
echo "$environment does not run well: back to ${before[*]}" >&2
deploy "$environment" "${before[@]}" && smoke ||
  echo "$environment does not run well with those either" >&2
exit 1
