#!/usr/bin/env bash
# Does training make a version that the stream takes? rehearse-model.sh MARKET VARIANT
# Starts the demo, trains, checks, and lets the version score in the champion's shadow.
set -euo pipefail
cd "$(dirname "$0")/../.."

market=$1
variant=$2
work=$(mktemp -d)
data=$work/data
# As npm run demo does it; npm itself would keep the signal that ends it.
node topology/local/with-setup.mjs services/end-to-end/demo/main.ts \
  --data "$data" --free-ports --for 20m --rate 200 > "$work/demo.log" 2>&1 &
demo=$!
finish() {
  kill "$demo" 2> /dev/null || true
  wait "$demo" || true
  rm -rf "$work"
}
trap finish EXIT

until grep -q 'all services are ready' "$work/demo.log"; do
  if ! kill -0 "$demo" 2> /dev/null; then
    cat "$work/demo.log" >&2
    exit 1
  fi
  sleep 1
done

model() { npm run --silent model -- "$@" --data-dir "$data" --json; }
trained=$(model train --market "$market" --variant "$variant")
version=$(node -p 'JSON.parse(process.argv[1]).version' "$trained")
echo "trained churn-$market version $version"
model check "$market" "$version"
model challenge "$market" "$version"
model status
