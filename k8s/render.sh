#!/usr/bin/env bash
# What does an environment come out as, with these very images?
# render.sh ENVIRONMENT IMAGE...    Each as …/NAME@sha256:…, with the name of one of churnstream/NAME
set -euo pipefail
cd "$(dirname "$0")"

environment=$1
shift
[[ -d overlays/$environment ]] || { echo "there is no overlays/$environment" >&2; exit 2; }

folder=$(mktemp -d overlays/.rendered-XXXXXX)
trap 'rm -rf "$folder"' EXIT
{
  printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n'
  printf 'resources:\n  - ../%s\nconfigurations:\n  - images.yaml\nimages:\n' "$environment"
  for image in "$@"; do
    # A tag can be moved; what was checked and signed is a digest.
    [[ $image =~ ^[^@[:space:]]+/([a-z-]+)@(sha256:[0-9a-f]{64})$ ]] ||
      { echo "$image is not …/NAME@sha256:…" >&2; exit 2; }
    printf -- '  - name: churnstream/%s\n    newName: %s\n    digest: %s\n' \
      "${BASH_REMATCH[1]}" "${image%@*}" "${BASH_REMATCH[2]}"
  done
} > "$folder/kustomization.yaml"
cp base/images.yaml "$folder"

rendered=$("${KUSTOMIZE:-kustomize}" build "$folder")
if grep -q 'image: churnstream/' <<< "$rendered"; then
  echo "no digest was given for $(grep -o 'churnstream/[a-z-]*:' <<< "$rendered" | sort -u | tr -d ':\n')" >&2
  exit 2
fi
printf '%s\n' "$rendered"
