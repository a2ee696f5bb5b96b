"""What this machine's kernel and user allow a sandbox to have, tried rather than guessed."""

import errno
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from attacca.errors import IsolationMissing
from attacca.worker.host.cgroups import open_groups
from attacca.worker.host.hierarchy import CONTROLLERS

PROBE = Path(__file__).parents[1] / "runtime" / "process" / "zygote" / "probe.py"
PACKAGE_ROOT = Path(__file__).parents[3]
PROBE_S = 20
SWITCHES = "sysctl kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)"
LIMITS = "raise the limits: sysctl user.max_user_namespaces=10000, and the same for the other user.max_*_namespaces"
DELEGATE = "in a session that systemd delegates to you: systemd-run --user --scope -p Delegate=yes ..."
NO_GROUP = "this user can make no cgroup with a memory controller"
WAYS = (
    "or systemd-run --user --scope -p Delegate=yes attacca up, where systemd delegates to you; "
    "or attacca up --memory-limits watch, which looks at what they hold five times per second"
)
CONTAINER = "inside a container, give it --security-opt seccomp=unconfined --security-opt systempaths=unconfined"


class Finding(NamedTuple):
    """One thing that was looked at. `needed`: without it `attacca up` refuses unless told `--isolation none`."""

    name: str
    ok: bool
    detail: str
    hint: str
    needed: bool = True


QUESTIONS = {
    "user": ("user namespace", f"allow them to everybody: {SWITCHES}; {CONTAINER}"),
    "mount": ("mount namespace", CONTAINER),
    "pid": ("pid namespace", CONTAINER),
    "ipc": ("ipc namespace", CONTAINER),
    "uts": ("uts namespace", CONTAINER),
    "network": ("network namespace", CONTAINER),
    "nested": ("nested namespaces", f"allow them to everybody: {SWITCHES}"),
    "read_only": ("read-only system", "needs Linux 5.12 or newer (mount_setattr)"),
    "proc": ("own /proc", "something is mounted over parts of /proc; " + CONTAINER),
    "filter": ("system call filter", "needs a kernel with CONFIG_SECCOMP_FILTER on x86_64 or aarch64"),
}


def examine(*, is_watch_enough: bool = False) -> tuple[Finding, ...]:
    """Try everything. Takes a fraction of a second."""
    return (_python(), _kernel(), *_kernel_features(), _limits(is_needed=not is_watch_enough))


def no_limits() -> IsolationMissing:
    """What `attacca up` says where it cannot keep what it promises."""
    return IsolationMissing(f"nothing holds functions to their memory_mb: {NO_GROUP}", f"run as root; {WAYS}")


def _python() -> Finding:
    prefix = os.path.realpath(sys.base_prefix)
    ok = not prefix.startswith(("/tmp/", "/proc/", "/dev/"))
    detail = f"{platform.python_version()} at {prefix}"
    return Finding("python", ok, detail, "install Python outside /tmp: sandboxes have a /tmp of their own")


def _kernel() -> Finding:
    release = platform.release()
    major, minor = (int("".join(c for c in part if c.isdigit()) or 0) for part in (release + ".0").split(".")[:2])
    ok = sys.platform == "linux" and (major, minor) >= (5, 12)
    return Finding("kernel", ok, f"{platform.system()} {release}", "Linux 5.12 or newer")


def _kernel_features() -> list[Finding]:
    command = [os.path.realpath(sys.executable), "-I", "-S", str(PROBE), str(PACKAGE_ROOT)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_S, check=True)
        found: dict[str, str] = json.loads(ran.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return [Finding("isolation", ok=False, detail=f"the probe did not finish: {error}", hint="report this")]
    return findings(found)


def findings(found: dict[str, str]) -> list[Finding]:
    """From what the probe says: error texts by question. What fails just as one before it fails because of it."""
    told: list[Finding] = []
    first: dict[str, str] = {}
    for key, (name, hint) in QUESTIONS.items():
        error = found[key]
        if error in first:
            told.append(Finding(name, ok=False, detail=f"for the same reason as the {first[error]}", hint=""))
        else:
            is_limit = error.startswith(f"[Errno {errno.ENOSPC}]")
            told.append(Finding(name, not error, error or "ok", LIMITS if is_limit else hint))
        if error:
            first.setdefault(error, name)
    return told


def _limits(*, is_needed: bool) -> Finding:
    groups = open_groups()
    if groups is None:
        return Finding("cgroups", ok=False, detail=NO_GROUP, hint=f"run as root; {WAYS}", needed=is_needed)
    groups.close()
    held = f"{groups.version}: {', '.join(groups.controllers)}"
    missing = [controller for controller in CONTROLLERS if controller not in groups.controllers]
    detail = held + "".join(f"; no {controller}: `cpus` bounds nothing" for controller in missing)
    return Finding("cgroups", ok=not missing, detail=detail, hint=DELEGATE, needed=False)
