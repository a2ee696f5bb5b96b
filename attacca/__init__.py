"""attacca: serverless functions on your own machines, and a laboratory for those who study how."""

import os

__version__ = "0.1.0"

if "ATTACCA_CORES" in os.environ or os.path.exists(os.path.join(__path__[0], "cores.sums")):
    from attacca import cores

    cores.choose()
