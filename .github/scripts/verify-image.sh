#!/usr/bin/env bash
# Was this image made from this repository by its release workflow? verify-image.sh IMAGE...
# Needs GITHUB_REPOSITORY and GH_TOKEN, and cosign, gh.
set -euo pipefail

workflow="https://github.com/$GITHUB_REPOSITORY/.github/workflows/release.yml"
for image in "$@"; do
  cosign verify "$image" \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity-regexp "^${workflow//./\\.}@refs/tags/v[0-9.]+\$" > /dev/null
  gh attestation verify "oci://$image" --repo "$GITHUB_REPOSITORY" \
    --signer-workflow "$GITHUB_REPOSITORY/.github/workflows/release.yml"
done
