"""Expressions evaluated inside sandboxes, with ways to try what ought to be refused."""

from typing import Any

from tests.live.house import House, value, visit

TRY = """
    import ctypes, errno, os, socket, subprocess, sys
    libc = ctypes.CDLL(None, use_errno=True)
    def refused(*call):
        ctypes.set_errno(0)
        result = libc.syscall(*[ctypes.c_long(w) if isinstance(w, int) else w for w in call])
        return errno.errorcode.get(ctypes.get_errno(), "allowed") if result == -1 else "allowed"
    def attempt(work):
        try:
            return ["done", repr(work())]
        except BaseException as error:
            return ["refused", type(error).__name__]
"""


def inside(expression: str, **settings: Any) -> Any:
    """The value of an expression evaluated in a cold sandbox and, the same, in one forked from a template."""
    source = TRY + f"    def handler(): return [{expression}]\n"

    async def story(house: House) -> list[Any]:
        secret = house.state / "secret"
        secret.write_text("secret")
        revision = house.function(source, **settings)
        house.function("SECRET = 1", name="another")
        template = await house.template(revision)
        made = [await house.sandbox(revision), await house.sandbox(revision, template.template)]
        return [value(await house.run(sandbox, revision)) for sandbox in made]

    cold, forked = visit(story)
    assert cold == forked
    return cold[0]
