"""Greets from within an image: what runs is the Python that lies there, whatever the machine's is."""

import os
import platform


def handler(event: dict[str, str]) -> dict[str, str]:
    visitor = event.get("visitor", "somebody")
    return {"greeting": f"{visitor}, this is Python {platform.python_version()} of an image, in {os.getcwd()}"}
