"""Functions in images: what of the image they see and of the machine they do not, what they may not, and the words of
those that cannot start."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from attacca.kernel.clock import SystemClock
from attacca.model.function import PythonImage, Revision, Settings, Signature
from attacca.worker.core.reports import SandboxFailed, TemplateFailed, TemplateReady
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from tests.live import ordinary
from tests.live.guest_image import APPS, Images
from tests.live.house import House, value
from tests.live.syscalls import NUMBERS

R = TypeVar("R")
LOOKS = """
    import ctypes, errno, json, os, sys
    libc = ctypes.CDLL(None, use_errno=True)

    def refused(*call):
        ctypes.set_errno(0)
        result = libc.syscall(*[ctypes.c_long(w) if isinstance(w, int) else w for w in call])
        return errno.errorcode.get(ctypes.get_errno(), "allowed") if result == -1 else "allowed"

    def attempt(path):
        try:
            open(path, "w").close()
        except OSError as error:
            return type(error).__name__

    def status():
        lines = [line.split()[:2] for line in open("/proc/self/status") if line.split()[1:]]
        return {{name: value for name, value in lines if name[:3] in ("Cap", "NoN") or name == "Seccomp:"}}

    def writes():
        ours = "/run/attacca/attacca/guest/agent.py"
        paths = ("/usr/x", "/apps/looks/main.py", "/x", "/dev/x", "/etc/passwd", "/run/x", "/proc/sys/kernel/hostname")
        return [attempt(one) for one in (*paths, ours)]

    def calls():
        mounted = refused({mount}, b"x", b"/tmp", b"tmpfs", 0, 0)
        return [refused({ptrace}, 16, 1, 0, 0), mounted, refused({unshare}, 0x10000000), refused({setns}, 3, 0)]

    def others():
        return [int(one) for one in os.listdir("/proc") if one.isdigit() and int(one) not in (1, os.getpid())]

    def handler(event, context):
        return eval(event)
""".format(**{name: NUMBERS[name] for name in ("mount", "ptrace", "unshare", "setns")})
HOSTILE = {"run": "/apps", "tmp": "/apps", "proc": "/apps", "dev": "/apps", "var": "/apps"}  # links in the image


def visit(story: Callable[[House, Images], Awaitable[R]]) -> R:
    async def main() -> R:
        with tempfile.TemporaryDirectory(prefix="attacca-test-") as place:
            state, options = Path(place), ProcessOptions(memory_limits="watch")
            state.chmod(0o755)  # noqa: ASYNC240 - a story of our own
            house, images = House(state, options), Images(state / "images")
            house.runtime = ProcessRuntime(SharedCode(state), options, SystemClock(), images=images)
            await house.runtime.open(house.hear)
            try:
                return await story(house, images)
            finally:
                await house.runtime.close()

    return asyncio.run(main())


def function(image: str, **settings: Any) -> Revision:
    return Revision(
        function="f",
        number=1,
        settings=Settings(name="f", **settings),
        handler="main:handler",
        signature=Signature.EVENT_CONTEXT,
        artefact=PythonImage(image),
    )


async def asked(house: House, images: Images, expressions: list[str]) -> list[Any]:
    """In one made from nothing and in one of a template, which have to agree."""
    images.put("looks", {"main.py": LOOKS}, env=("PATH=/usr/bin", "OF_IMAGE=yes", "GIVEN=image"))
    revision = function("looks", env={"GIVEN": "setting"}, memory_mb=64)
    template = await house.template(revision)
    assert isinstance(template, TemplateReady), (template, house.printed())
    assert template.unfit == ""
    made = [await house.sandbox(revision), await house.sandbox(revision, template.template)]
    bodies = [json.dumps(one).encode() for one in expressions]
    cold, forked = [[value(await house.run(one, revision, body)) for body in bodies] for one in made]
    assert cold == forked
    return cold


def test_it_sees_its_image_and_nothing_of_the_machine() -> None:
    async def story(house: House, images: Images) -> None:
        images.open()
        for name, target in HOSTILE.items():
            place = images.root / name
            if place.is_dir():
                place.rmdir()
            place.symlink_to(target)
        before = {path.name for path in images.root.iterdir()}
        here, names, places, variables, modules, held = await asked(
            house,
            images,
            [
                "[os.getcwd(), sys.executable, os.getuid(), os.path.ismount('/tmp'), os.path.islink('/proc')]",
                "sorted(os.listdir('/'))",
                "[one for one in ('mountinfo', 'mounts', 'maps', 'environ', 'cmdline')"
                " if 'attacca-test-' in open('/proc/self/' + one).read()]",
                "[os.environ[one] for one in ('OF_IMAGE', 'GIVEN', 'PATH')]",
                "[one for one in sys.path if 'attacca' in one] + [sys.flags.isolated, sys.flags.no_site]",
                "sorted(set(os.listdir('/proc/self/fd')) - {'5'})",
            ],
        )
        assert here == [f"/{APPS}/looks", "/usr/bin/python3", 1000, True, False]
        assert set(names) == before | {"etc", "run", "var"}
        assert (places, modules) == ([], [0, 0])
        assert variables == ["yes", "setting", "/usr/bin"]
        assert held == ["0", "1", "2", "3", "4"]

    visit(story)


def test_it_may_do_nothing_that_a_function_of_the_machines_python_may_not() -> None:
    async def story(house: House, images: Images) -> None:
        (house.state / "secret").write_text("secret")
        expressions = ["status()", "writes()", "calls()", "others()"]
        status, writes, calls, processes = await asked(house, images, expressions)
        assert {status[f"Cap{kind}:"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert (status["NoNewPrivs:"], status["Seccomp:"]) == ("1", "2")
        assert None not in writes, writes
        assert calls == ["EPERM"] * 4
        assert processes == []

    visit(story)


def test_what_a_template_may_more_than_its_sandboxes_it_hands_on_to_nobody() -> None:
    source = """
        def handler(event, context): return [AMBIENT, CHILD]
        AMBIENT = [l.split()[1] for l in open("/proc/self/status") if l.startswith(("CapAmb", "CapInh"))]
        import subprocess, sys
        program = "print([l.split()[1] for l in open('/proc/self/status') if l.startswith(('CapEff', 'CapPrm'))])"
        CHILD = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip()
    """

    async def story(house: House, images: Images) -> None:
        images.put("f", {"main.py": source})
        revision = function("f")
        template = await house.template(revision)
        assert isinstance(template, TemplateReady), (template, house.printed())
        none = "0" * 16
        made = await house.sandbox(revision, template.template)
        assert value(await house.run(made, revision)) == [[none] * 2, str([none] * 2)]

    visit(story)


PRETENDS = """\
#!{python} -I
import runpy, sys
{pretence}
sys.argv = sys.argv[4:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_what_cannot_start_says_why() -> None:
    python = os.path.realpath(sys.executable)
    programs = {
        "old": (0o755, PRETENDS.format(python=python, pretence="sys.version_info = (3, 9, 2)")),
        "musl": (0o755, PRETENDS.format(python=python, pretence="sys.implementation._multiarch = 'x86_64-linux-musl'")),
        "lacking": (0o755, PRETENDS.format(python=python, pretence="sys.modules['ctypes'] = None")),
        "closed": (0o700, "#!/usr/bin/python3"),
        "foreign": (0o755, "\x7fELF of another machine"),
        "ends": (0o755, f"#!{python} -I\nraise SystemExit(3)\n"),
    }
    words = {
        "old": "the image's python3 is Python 3.9",
        "musl": "the image's python3 is linked with musl",
        "lacking": "the image's python3 lacks a part of Python",
        "closed": "the image's python3 cannot be run by a function: Permission denied",
        "foreign": "the image's python3 cannot be run: Exec format error",
        "missing": "the image has no python3 in /nowhere",
        "ends": "its process exited with status 3",
    }

    async def story(house: House, images: Images) -> None:
        images.put("missing", {"main.py": ""}, env=("PATH=/nowhere",))
        for name, (mode, text) in programs.items():
            here = images.put(name, {"bin/python3": text}, env=(f"PATH=/{APPS}/{name}/bin",))
            (here / "bin/python3").chmod(mode)
            if os.geteuid() == 0:
                os.chown(here / "bin/python3", 0, 0)
        for name, message in words.items():
            if name == "closed" and os.geteuid() != 0:
                continue  # its files are whose it is
            report = await house.template(function(name))
            assert isinstance(report, TemplateFailed), (name, report)
            assert report.message.startswith(message), report
            house.runtime.make_sandbox(name, function(name), None)
            failed = await house.until(lambda r: isinstance(r, SandboxFailed) and r.sandbox == name)  # noqa: B023 - awaited at once
            assert isinstance(failed, SandboxFailed)
            assert failed.message.startswith(message), failed
            assert report.code == failed.code == ("start_failed" if name == "ends" else "bad_function")

    visit(story)


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)
