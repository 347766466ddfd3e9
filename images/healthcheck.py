"""Does the server in this container answer? Exits 0 or 1."""

import os
import sys
import urllib.request

TIMEOUT_SECONDS = 4

with urllib.request.urlopen(os.environ["HEALTHCHECK_URL"], timeout=TIMEOUT_SECONDS) as answer:
    sys.exit(0 if answer.status == 200 else 1)
