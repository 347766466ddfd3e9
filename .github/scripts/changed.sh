#!/usr/bin/env bash
# Did anything change that runs? changed.sh BASE_COMMIT    Prints code=true or code=false.
set -euo pipefail

base=$1
# A new branch or a forced push has no base that is there: everything counts.
if ! git cat-file -e "$base^{commit}" 2> /dev/null; then
  echo code=true
  exit
fi
if git diff --name-only "$base...HEAD" | grep -qvE '^(docs/.*|[^/]*\.md|.*/README\.md|LICENSE)$'; then
  echo code=true
else
  echo code=false
fi
