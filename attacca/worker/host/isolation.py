"""What this machine's kernel and user allow a sandbox to have, tried rather than guessed."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from attacca.worker.host.cgroups import open_groups

PROBE = Path(__file__).parents[1] / "runtime" / "process" / "guest" / "probe.py"
PACKAGE_ROOT = Path(__file__).parents[3]
PROBE_S = 20
USERNS = "allow unprivileged user namespaces: sysctl user.max_user_namespaces=10000"
UBUNTU = "; on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0"
CONTAINER = "inside a container, give it --security-opt seccomp=unconfined --security-opt systempaths=unconfined"


class Finding(NamedTuple):
    """One thing that was looked at. `needed`: without it `attacca up` refuses unless told `--isolation none`."""

    name: str
    ok: bool
    detail: str
    hint: str
    needed: bool = True


QUESTIONS = {
    "user": ("user namespace", USERNS + UBUNTU),
    "mount": ("mount namespace", CONTAINER),
    "pid": ("pid namespace", CONTAINER),
    "ipc": ("ipc namespace", CONTAINER),
    "uts": ("uts namespace", CONTAINER),
    "network": ("network namespace", CONTAINER),
    "nested": ("nested namespaces", "raise user.max_user_namespaces and user.max_pid_namespaces" + UBUNTU),
    "read_only": ("read-only system", "needs Linux 5.12 or newer (mount_setattr)"),
    "proc": ("own /proc", "something is mounted over parts of /proc; " + CONTAINER),
    "filter": ("system call filter", "needs a kernel with CONFIG_SECCOMP_FILTER on x86_64 or aarch64"),
}


def examine() -> tuple[Finding, ...]:
    """Try everything. Takes a fraction of a second."""
    return (_python(), _kernel(), *_kernel_features(), _limits())


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
    return [Finding(name, not found[key], found[key] or "ok", hint) for key, (name, hint) in QUESTIONS.items()]


def _limits() -> Finding:
    groups = open_groups()
    if groups is None:
        detail = "no cgroup can be made: rlimits and a watchdog on resident memory will do it"
        hint = (
            "run as root, or in a session that systemd delegates to you: systemd-run --user --scope -p Delegate=yes ..."
        )
        return Finding("cgroups", ok=False, detail=detail, hint=hint, needed=False)
    groups.close()
    return Finding("cgroups", ok=True, detail=f"{groups.version}: memory, cpu, pids", hint="", needed=False)
