#!/usr/bin/env bash
# Where no image can be pulled: base images made from Debian's and npm's packages, as local/*.
# Needs root, debootstrap, npm and a Docker engine. The build images trust what this machine trusts.
set -euo pipefail

release=bookworm
node=24.21.0
npm=11.19.0
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! docker image inspect "local/debian:$release" >/dev/null 2>&1; then
  debootstrap --variant=minbase --include=ca-certificates,libstdc++6 "$release" "$work/base" "$mirror"
  rm -rf "$work"/base/var/cache/apt/archives/*.deb "$work"/base/var/lib/apt/lists/*
  tar -C "$work/base" -c . | docker import - "local/debian:$release"
fi

mkdir -p "$work/build/certificates"
find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$work/build/certificates" \;
npm install --prefix "$work/build" --no-audit --no-fund --ignore-scripts \
  "npm@$npm" "node-linux-$(node -p process.arch)@$node"
mv "$work"/build/node_modules/node-linux-*/bin/node "$work/build/node"

cat >"$work/build/Dockerfile" <<END
FROM local/debian:$release AS build
COPY certificates /usr/local/share/ca-certificates
RUN update-ca-certificates
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt

FROM build AS node
COPY node /usr/local/bin/node
COPY node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s /usr/local/lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm

FROM build AS maven
RUN apt-get update && apt-get install --yes --no-install-recommends openjdk-17-jdk-headless maven
END
for target in build node maven; do
  docker build --network host --target "$target" --tag "local/$target:$release" "$work/build"
done
