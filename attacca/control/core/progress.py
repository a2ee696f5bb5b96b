"""What a deployment says as it goes on. The last word is Done or Refused."""

import msgspec

from attacca.errors import AttaccaError
from attacca.model.function import Revision
from attacca.model.messages import Checked


class Step(msgspec.Struct, frozen=True):
    """`name` is unpack, build, check or log (what the import printed)."""

    name: str
    text: str


class Done(msgspec.Struct, frozen=True):
    """The revision is in force. `replaced` is the number that was current before, if there was one."""

    revision: Revision
    imports_ms: float
    replaced: int | None
    changes: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True):
    """Nothing was registered. `code` is one of errors.py."""

    code: str
    message: str
    hint: str = ""
    traceback: str = ""


Progress = Step | Done | Refused


def refused(error: AttaccaError) -> Refused:
    return Refused(error.code, error.message, error.hint)


def refused_check(checked: Checked) -> Refused | None:
    """Why the code was not taken; None when it was."""
    error = checked.error
    if error is None:
        return None
    return Refused(
        error.code, error.message, error.hint or "nothing was deployed; correct it and deploy again", error.traceback
    )
