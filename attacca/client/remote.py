"""Planes on other machines, over OpenSSH: what a person would type there, as scripts for its shell.

Everything of one installation lies in one directory of the account: the program, what it is told, and for each plane
its process id and what it has said.
"""

import io
import shlex
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from attacca.errors import AttaccaError, BadConfig, StartFailed, Unreachable

NO_CONNECTION = 255  # of ssh(1): the error is its own
CERTS, JOIN, SETTINGS = "certs", "join_token", "plane.toml"
STARTS_S, ENDS_S = 60, 90
LAST_LINES = 5


class Place(msgspec.Struct, frozen=True):
    """One account on one machine. `ssh`: the command that reaches it; `directory`: of the installation."""

    host: str
    ssh: tuple[str, ...] = ("ssh",)
    directory: str = "attacca"
    program: str = ""  # of attacca there; empty: the one that `install` has made

    def __post_init__(self) -> None:
        if not self.host or self.host.startswith("-"):
            raise BadConfig(f"{self.host!r} is no USER@HOST", "attacca remote status ann@10.0.0.2")

    @property
    def attacca(self) -> str:
        return self.program or "venv/bin/attacca"


def run(place: Place, script: str, data: bytes = b"", *, takes_s: float | None = None) -> str:
    """What it printed.

    Raises:
        Unreachable: there is no connection.
        StartFailed: it did not end well; with what it said last.
    """
    command = [*place.ssh, place.host, f"sh -c {shlex.quote(script)}"]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=takes_s, check=False)
    except FileNotFoundError:
        raise BadConfig(f"there is no {place.ssh[0]} here", "apt install openssh-client") from None
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{place.host} did not answer within {takes_s:g} s", f"ssh {place.host}") from None
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode == NO_CONNECTION:
        raise Unreachable(f"{place.host} cannot be reached: {said or 'ssh has not said why'}", f"ssh {place.host}")
    if done.returncode:
        last = "\n".join((said or done.stdout.decode(errors="replace").strip()).splitlines()[-5:])
        raise StartFailed(
            f"on {place.host}: {last or f'it ended with {done.returncode}'}", f"attacca remote logs {place.host}"
        )
    return done.stdout.decode(errors="replace")


def follow(place: Place, script: str) -> int:
    """What it prints goes where ours goes; its exit code."""
    return subprocess.run([*place.ssh, place.host, f"sh -c {shlex.quote(script)}"], check=False).returncode


def packed(files: Mapping[str, Path]) -> bytes:
    """A tar of files and directories under their names there; keys stay for their owner alone.

    Raises:
        BadConfig: one cannot be read.
    """
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, path in files.items():
            try:
                archive.add(path, name, filter=_owned)
            except OSError as error:
                raise BadConfig(f"{path} cannot be read: {error.strerror or error}", "check the path") from None
    return whole.getvalue()


def _owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode &= 0o700
    return entry


# Scripts. Whatever comes from outside is quoted.


def unpack(place: Place) -> str:
    return f"set -eu; umask 077; mkdir -p {_at(place)}; tar -C {_at(place)} --no-same-owner -xf -"


def install(place: Place, package: str, python: str) -> str:
    """`package`: what pip is told; a file of that name lies in the directory already, if it was one."""
    made = f"test -d venv || {shlex.quote(python)} -m venv venv"
    pip = f"venv/bin/python -m pip install --quiet --upgrade {shlex.quote(package)}"
    return f"set -eu; cd {_at(place)}; {made}; {pip}; venv/bin/attacca --version"


def start(place: Place, plane: str, options: Sequence[str]) -> str:
    """It goes on when we have gone. Prints what it says when it is ready."""
    given = [f"$(test -e {SETTINGS} && echo --config {SETTINGS})", f"$(test -e {CERTS} && echo --certs {CERTS})"]
    given += [f"$(test -e {JOIN} && echo --set cluster.join_token_file={JOIN})", *map(shlex.quote, options)]
    command = f"{shlex.quote(place.attacca)} {plane} --json {' '.join(given)}"
    return f"""set -eu; cd {_at(place)}
{_running(plane)} && {{ echo "it runs already: process $pid" >&2; exit 1; }}
rm -f {plane}.out
setsid nohup {command} >{plane}.out 2>>{plane}.log </dev/null &
pid=$!; echo $pid >{plane}.pid; tries=0
while [ $tries -lt {STARTS_S * 5} ]; do
  [ -s {plane}.out ] && {{ cat {plane}.out; exit 0; }}
  kill -0 $pid 2>/dev/null || {{ tail -n 5 {plane}.log >&2; exit 1; }}
  tries=$((tries + 1)); sleep 0.2
done
echo "it is not ready after {STARTS_S} s" >&2; exit 1"""


def stop(place: Place, plane: str) -> str:
    """What runs may finish; after a while it may not."""
    return f"""set -eu; cd {_at(place)}
{_running(plane)} || {{ echo "it does not run"; exit 0; }}
kill -TERM $pid; tries=0
while kill -0 $pid 2>/dev/null; do
  [ $tries -eq {ENDS_S * 5} ] && kill -KILL $pid
  tries=$((tries + 1)); sleep 0.2
done
rm -f {plane}.pid; echo stopped"""


def status(place: Place, plane: str) -> str:
    is_there = f"cd {_at(place)} 2>/dev/null || {{ echo none; exit 0; }}"
    return f'{is_there}; {_running(plane)} && echo "up $pid" || echo down'


def logs(place: Place, plane: str, lines: int, *, is_followed: bool) -> str:
    return f"cd {_at(place)}; exec tail -n {lines} {'-f ' * is_followed}{plane}.log"


def _running(plane: str) -> str:
    """Whether the process that was started is there still, and not another of its number."""
    return f'{{ pid=$(cat {plane}.pid 2>/dev/null) && grep -aq attacca "/proc/$pid/cmdline" 2>/dev/null; }}'


def _at(place: Place) -> str:
    return shlex.quote(place.directory)


def failed(place: Place, error: AttaccaError) -> dict[str, str]:
    return {"host": place.host, "state": "failed", "message": error.message}
