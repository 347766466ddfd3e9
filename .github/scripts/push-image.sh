#!/usr/bin/env bash
# Which digest does an image have once it is pushed? push-image.sh ARCHIVE NAME VERSION
# Prints name=… and digest=….
set -euo pipefail

archive=$1
name=${2,,} # registries know small letters alone
version=$3
digest_file=$(mktemp)
trap 'rm -f "$digest_file"' EXIT

skopeo copy --digestfile "$digest_file" "docker-archive:$archive" "docker://$name:$version" >&2
echo "name=$name"
echo "digest=$(cat "$digest_file")"
