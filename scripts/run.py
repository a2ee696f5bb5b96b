"""What `make run` does once everything is installed: a server, the examples on it, and a place to play."""

import argparse
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
LOG = "up.log"
READY_S, STOP_S = 60.0, 45.0


class Stop(BaseException):
    """Someone wants us to end."""


def pick_port(wanted: int) -> int:
    """The wanted port if nobody listens there, else one that the system says is free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            if wanted not in (0, found):
                print(f"Port {wanted} is taken; using {found}.")
            return found
    raise SystemExit("no port is free on 127.0.0.1")


def start(port: int, place: Path, more: list[str]) -> subprocess.Popen[bytes]:
    """`attacca up`, in a process group of its own: we alone pass signals on, so that it gets each of them once."""
    command = [str(BIN / "attacca"), "up", "--port", str(port), "--state-dir", str(place / "state")]
    command += ["--memory-limits", "watch", *more]
    print(f"$ {shlex.join(['attacca', *command[1:]])}")
    with (place / LOG).open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)


def is_ready(server: subprocess.Popen[bytes], url: str) -> bool:
    until = time.monotonic() + READY_S
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=1):
                return True
        except OSError:  # nobody there yet, or 503
            time.sleep(0.05)
    return False


def say_how_memory_is_held(url: str) -> None:
    with urllib.request.urlopen(f"{url}/api/info") as answer:
        info = json.load(answer)
    if info["isolation"] != "none" and not info["memory_limits"].startswith("cgroup"):
        print("No cgroup can be made, so memory is watched, not enforced (--memory-limits watch); see attacca doctor.")


def blame(server: subprocess.Popen[bytes], log: Path) -> int:
    """Show the end of what the server said."""
    what = "is not ready" if server.poll() is None else f"ended with {server.returncode}"
    print(f"attacca up {what}; it said ({log}):\n", file=sys.stderr)
    print("\n".join(log.read_text(errors="replace").splitlines()[-20:]), file=sys.stderr)
    return 1


def stop(server: subprocess.Popen[bytes]) -> int:
    """Let it drain. A second signal to us, or too long a wait, ends it at once."""
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
    try:
        return server.wait(STOP_S)
    except (Stop, subprocess.TimeoutExpired):
        print("attacca up did not end in time; killed.", file=sys.stderr)
        server.kill()
        server.wait()
        return 1


def show_what_next(url: str, log: Path) -> None:
    at = "" if url.endswith(":8080") else f" --url {url}"
    attacca = f"{BIN.relative_to(ROOT) if BIN.is_relative_to(ROOT) else BIN}/attacca"
    print(
        f"\nThe server stays up at {url} until Ctrl-C (log: {log}).\n"
        "Try next, in another terminal:\n\n"
        f"  {attacca} calls thumbnail{at}\n"
        f"  {attacca} invoke thumbnail -f examples/thumbnail/input/lake.jpg -n 100 -c 4{at}\n"
        f"  {attacca} init hello && {attacca} dev hello{at}\n",
        flush=True,
    )


def run(server: subprocess.Popen[bytes], url: str, log: Path, *, once: bool) -> int:
    """Everything from the first sign of life to the last; the answer is our exit code."""
    if not is_ready(server, url):
        blame(server, log)
        return stop(server) or 1
    say_how_memory_is_held(url)
    examples = [sys.executable, str(ROOT / "examples/run.py")]
    environ = {**os.environ, "ATTACCA_URL": url, "PYTHONPATH": str(ROOT)}
    code = subprocess.run(examples, env=environ, check=False).returncode
    if server.poll() is not None:
        return blame(server, log)
    if once or code:
        return stop(server) or code
    show_what_next(url, log)
    server.wait()  # until a signal comes: see end()
    return blame(server, log)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--once", action="store_true", help="end after the table")
    options.add_argument("--port", type=int, default=8080, help="0 for any")
    options.add_argument("--place", type=Path, default=ROOT / ".run", help="where state and log are kept")
    options.add_argument("--up", default="", help="more options for `attacca up`, as one string")
    chosen = options.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # in order with what our children print
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    chosen.place.mkdir(parents=True, exist_ok=True)
    port = pick_port(chosen.port)
    server = start(port, chosen.place, shlex.split(chosen.up))
    try:
        return run(server, f"http://127.0.0.1:{port}", chosen.place / LOG, once=chosen.once)
    except Stop:
        print("\nDraining ...")
        return stop(server)


def end(number: int, frame: FrameType | None) -> None:
    raise Stop


if __name__ == "__main__":
    sys.exit(main())
