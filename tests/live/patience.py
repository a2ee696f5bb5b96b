"""How long a test waits at most for what has to come. PATIENCE=3 waits three times as long, on a slow machine."""

import os

PATIENCE_S = 20.0 * float(os.environ.get("PATIENCE", "1"))
ASK_S = 1.5 * PATIENCE_S  # for an answer
NAP_S = 0.01  # before it looks again
