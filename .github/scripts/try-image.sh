#!/usr/bin/env bash
# Does an image start as it will in the cluster? try-image.sh IMAGE services|python
set -euo pipefail

image=$1
as_in_the_cluster=(docker run --rm --read-only --tmpfs /tmp --user 65532:65532 --network none
  --cap-drop ALL --security-opt no-new-privileges)

case $2 in
  services)
    # Without its variables a service says which are missing, all of them, and ends.
    for service in ingestion features scorer registry-bridge sinks monitor; do
      told=$("${as_in_the_cluster[@]}" "$image" "services/$service/src/main.ts" 2>&1) && code=0 || code=$?
      if [[ $code -ne 1 || $told != *KAFKA_BOOTSTRAP_SERVERS* ]]; then
        printf '%s ended with %s:\n%s\n' "$service" "$code" "$told" >&2
        exit 1
      fi
      echo "$service starts"
    done
    ;;
  python)
    "${as_in_the_cluster[@]}" --entrypoint python "$image" -m mlflow --version
    "${as_in_the_cluster[@]}" --entrypoint python "$image" -m dagster --version
    ;;
  *)
    echo "try-image.sh IMAGE services|python" >&2
    exit 2
    ;;
esac
