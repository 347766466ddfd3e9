"""What may a market be called? It becomes part of a registered model's name."""

import re

MARKET = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
