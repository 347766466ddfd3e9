#!/usr/bin/env bash
# Does an image start as it will in the cluster? try-image.sh services|mlflow|dagster|strimzi-connect
set -euo pipefail

as_in_the_cluster=(docker run --rm --read-only --tmpfs /tmp --user 65532:65532 --network none
  --cap-drop ALL --security-opt no-new-privileges)
image=churnstream/$1

case $1 in
  services)
    # Without its variables a service says which are missing, all of them, and ends.
    for service in ingestion features scorer registry-bridge sinks monitor warehouse; do
      told=$("${as_in_the_cluster[@]}" "$image" "services/$service/src/main.ts" 2>&1) && code=0 || code=$?
      if [[ $code -ne 1 || $told != *'environment is not usable'* ]]; then
        printf '%s ended with %s:\n%s\n' "$service" "$code" "$told" >&2
        exit 1
      fi
      echo "$service starts"
    done
    ;;
  mlflow) "${as_in_the_cluster[@]}" "$image" python -m mlflow --version ;;
  dagster)
    "${as_in_the_cluster[@]}" "$image" python -m dagster --version
    "${as_in_the_cluster[@]}" "$image" node --version
    ;;
  strimzi-connect) "${as_in_the_cluster[@]}" --entrypoint ls "$image" /opt/kafka/plugins ;;
  *)
    echo 'try-image.sh services|mlflow|dagster|strimzi-connect' >&2
    exit 2
    ;;
esac
