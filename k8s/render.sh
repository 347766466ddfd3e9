#!/usr/bin/env bash
# What does an environment come out as, with these very images?
# render.sh ENVIRONMENT SERVICES_IMAGE PYTHON_IMAGE    Each as NAME@sha256:…
set -euo pipefail
cd "$(dirname "$0")"

environment=$1
services=$2
python=$3
[[ -d overlays/$environment ]] || { echo "there is no overlays/$environment" >&2; exit 2; }
for image in "$services" "$python"; do
  # A tag can be moved; what was checked and signed is a digest.
  [[ $image =~ ^[^@[:space:]]+@sha256:[0-9a-f]{64}$ ]] || { echo "$image is not NAME@sha256:…" >&2; exit 2; }
done

folder=$(mktemp -d overlays/.rendered-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/kustomization.yaml" <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../$environment
images:
  - name: churnstream/services
    newName: ${services%@*}
    digest: ${services#*@}
  - name: churnstream/python
    newName: ${python%@*}
    digest: ${python#*@}
YAML
"${KUSTOMIZE:-kustomize}" build "$folder"
