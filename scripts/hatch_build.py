"""What a wheel has beside Python: the cores, compiled where a C compiler is there, unless ATTACCA_CORES=python."""

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts import compile as cores


def is_wanted() -> bool:
    return os.environ.get("ATTACCA_CORES") != "python" and not cores.lacks()


class Cores(BuildHookInterface[Any]):
    """Editable ones are left alone: there, `make compile` does it."""

    def dependencies(self) -> list[str]:
        return [*self.config["needs"], *self.metadata.core.dependencies] if is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or not is_wanted():
            return
        lib, paths = cores.built(Path(self.root))
        for path in paths:
            build_data["force_include"][str(lib / path)] = str(path)
        build_data["pure_python"], build_data["infer_tag"] = False, True
