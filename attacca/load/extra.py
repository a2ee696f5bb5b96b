"""What the laboratory needs besides: the extra `lab`, which an installation that only serves functions goes without."""

from importlib.util import find_spec

from attacca.errors import BadConfig

PACKAGES = ("jinja2", "matplotlib", "numpy", "polars", "scipy")


def need_lab() -> None:
    """
    Raises:
        BadConfig: a package of the extra is not installed.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise BadConfig(f"the laboratory needs {', '.join(missing)}: not installed", "pip install 'attacca[lab]'")
