#!/usr/bin/env bash
# How is one of the images made? build-image.sh services|mlflow|dagster|strimzi-connect
# As churnstream/NAME:latest in the local engine, with the commit as its revision.
set -euo pipefail
cd "$(dirname "$0")/../.."

build() { # DOCKERFILE NAME [OPTION...]
  local file=$1 name=$2
  shift 2
  docker build --pull --file "images/$file.Dockerfile" --tag "churnstream/$name" \
    --build-arg "REVISION=$(git rev-parse HEAD)" "$@" .
}

case $1 in
  services) build services services ;;
  mlflow) build python mlflow --target mlflow ;;
  dagster)
    build services services
    # What it is made from is here and nowhere else.
    build python dagster --target dagster --pull=false
    ;;
  strimzi-connect)
    build connect connect
    build strimzi-connect strimzi-connect --pull=false
    ;;
  *)
    echo 'build-image.sh services|mlflow|dagster|strimzi-connect' >&2
    exit 2
    ;;
esac
