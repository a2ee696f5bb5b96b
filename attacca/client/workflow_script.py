"""A workflow that a script writes, as strictly as a `workflow.toml`:

flow = Workflow("counting", __file__)
flow.function("counter", "counter.py", payload="100", outputs={"out": "log"})
flow.resource("log", "file-log", {"filename": "counts.log", "add-timestamp": True})
print(flow.start()["id"])
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attacca.client.http import Client
from attacca.client.workflow_file import WorkflowSource, of_tables
from attacca.client.workflows import started
from attacca.errors import BadConfig

DEFAULT_URL = "http://127.0.0.1:8080"


class Workflow:
    """`file`: what paths of code are relative to, mostly the script itself."""

    def __init__(self, name: str, file: str | Path) -> None:
        self._name, self._file = name, Path(file)
        self._functions: dict[str, dict[str, Any]] = {}
        self._resources: dict[str, dict[str, Any]] = {}

    def __repr__(self) -> str:
        return f"<Workflow {self._name}: {len(self._functions)} functions, {len(self._resources)} resources>"

    def function(self, name: str, code: str, **settings: Any) -> None:
        """`settings`: those of `[functions.NAME]`.

        Raises:
            BadConfig: there is one of that name.
        """
        self._expect_new(name)
        self._functions[name] = {"code": code, **settings}

    def resource(
        self, name: str, of_class: str, configuration: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        """`settings`: `outputs`, `requires` and `timeout_s`.

        Raises:
            BadConfig: there is one of that name.
        """
        self._expect_new(name)
        self._resources[name] = {**(configuration or {}), **settings, "class": of_class}

    def source(self) -> WorkflowSource:
        """
        Raises:
            NotFound: code that it names.
            BadConfig: it is no workflow.
        """
        return of_tables({"name": self._name, "functions": self._functions, "resources": self._resources}, self._file)

    def start(self, url: str = DEFAULT_URL, token: str = "") -> dict[str, Any]:
        """What the server says of it, once all of it is up.

        Raises:
            AttaccaError: it is no workflow, the server refused it, or a part of it could not be started.
        """
        source = self.source()
        with Client(url, token) as client:
            return started(client, source, _quietly)

    def _expect_new(self, name: str) -> None:
        if name in self._functions or name in self._resources:
            raise BadConfig(f"there are several components {name!r}", "give one of them another name")


def _quietly(_: str) -> None:
    """A script says what it wants itself."""
