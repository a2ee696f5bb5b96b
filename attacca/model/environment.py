"""What a function's environment may be, and its secrets beside it."""

import re
from collections.abc import Collection, Iterable

from attacca.kernel.text import is_utf_8

ENV_MOST = 500
ENV_KB = 32  # of names and values together
NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*(?!\n)$")
SECRETS_MOST = 32  # of one function


def expect(env: dict[str, str]) -> None:
    """
    Raises:
        ValueError: it is too large, or nothing that a process can be given.
    """
    if len(env) > ENV_MOST:
        raise ValueError(f"env has {len(env)} variables, and may have {ENV_MOST}; put them into a file")
    size = sum(len(name) + len(value.encode(errors="replace")) for name, value in env.items())
    if size > ENV_KB * 1024:
        raise ValueError(f"env has {size / 1024:.0f} KB, and may have {ENV_KB}; put what is large into a file")
    for name, value in env.items():
        if "\0" in value:
            raise ValueError(f"env.{name} contains a NUL character, which no environment can")
        if not is_utf_8(value):
            raise ValueError(f"env.{name} is not UTF-8; write other bytes as base64, and decode them")


def expect_secrets(secrets: Collection[str], variables: Iterable[str], env: Collection[str]) -> None:
    """`variables`: those of them that are some.

    Raises:
        ValueError: they are too many, or cannot be variables beside `env`.
    """
    if len(secrets) > SECRETS_MOST:
        raise ValueError(f"secrets has {len(secrets)} names, and may have {SECRETS_MOST}")
    for name in variables:
        if name in env:
            raise ValueError(f"{name} is in env and in secrets; leave it out of one of them")
        if NAME.match(name) is None:
            raise ValueError(f'secrets.{name} cannot be the name of a variable; write {name} = "file"')
