"""What speaks as a Firecracker does, and has a QEMU do the work: for machines without KVM. Standard library only.

firecracker --api-sock PATH [--id NAME] [--level LEVEL]
firecracker --version

Beside it lie `description.json`, to which every request is held, modules for its guest's bridge, and the bridge.
Its API and its vsock are those of a Firecracker; between its vsock's socket and the guest's there is that bridge.
"""

import argparse
import fcntl
import http.server
import json
import os
import re
import socket
import socketserver
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any, ClassVar

from tests.live.microvms.fake.bridge import PORT
from tests.live.microvms.fake.callers import Vsock
from tests.live.microvms.fake.described import Description, Refused

BESIDE = Path(os.path.realpath(__file__)).parent
VERSION = "1.17.0"
MEMORY = "fake-memory"  # of the machine, in its own directory
SHARED = {"capability": "x-ignore-shared", "state": True}
BRIDGE = "tests/live/microvms/fake/bridge.py"
MODULES = ("virtio_console", "vsock_loopback")
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x0002, 0x1000, 0x4000
SWITCH = "exec busybox switch_root /root "


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--api-sock")
    words.add_argument("--id", default="anonymous-instance")
    words.add_argument("--level", choices=["Error", "Warning", "Info", "Debug", "Trace", "Off"])
    words.add_argument("--version", action="store_true")
    given = words.parse_args()
    if given.version:
        print(f"Firecracker v{VERSION}\n\nFirecracker exiting successfully. exit_code=0")
        return
    Api.machine = Machine(Description(json.loads((BESIDE / "description.json").read_text())))
    with ApiServer(given.api_sock, Api) as server:
        server.serve_forever()


class Machine:
    """What was configured, and what runs."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._lock = threading.Lock()
        self._config: dict[str, Any] = {"drives": {}}
        self._state = "Not started"
        self._qemu: Qemu | None = None

    def __repr__(self) -> str:
        return f"<Machine {self._state}>"

    def ask(self, method: str, path: str, body: bytes) -> None:
        """
        Raises:
            Refused: as the description has it, or as a Firecracker would.
        """
        with self._lock:
            name, told = self._description.check(method, path, body, has_begun=self._state != "Not started")
            do = getattr(self, f"do_{name}", None)
            if do is None:
                raise Refused(f"{name} is not done here")
            do(told)

    def do_putMachineConfiguration(self, told: dict[str, Any]) -> None:  # noqa: N802 - the description's names
        self._config["machine"] = told

    def do_putGuestBootSource(self, told: dict[str, Any]) -> None:  # noqa: N802 - as above
        for name in ("kernel_image_path", "initrd_path"):
            self._found(told.get(name))
        with open(told["kernel_image_path"], "rb") as file:
            if file.read(4) != b"\x7fELF":
                raise Refused("Kernel Loader: failed to load ELF kernel image")
        self._config["boot"] = told

    def do_putGuestDriveByID(self, told: dict[str, Any]) -> None:  # noqa: N802 - as above
        self._found(told.get("path_on_host"))
        roots = [one for one in self._config["drives"].values() if one["is_root_device"]]
        if told["is_root_device"] and roots and roots[0]["drive_id"] != told["drive_id"]:
            raise Refused("A root block device already exists!")
        self._config["drives"][told["drive_id"]] = told

    def do_putGuestVsock(self, told: dict[str, Any]) -> None:  # noqa: N802 - as above
        self._config["vsock"] = told

    def do_putGuestNetworkInterfaceByID(self, told: dict[str, Any]) -> None:  # noqa: N802 - as above
        os.close(tap(told["host_dev_name"]))
        self._config["card"] = told

    def do_putEntropyDevice(self, told: dict[str, Any]) -> None:  # noqa: N802 - as above
        self._config["entropy"] = told

    def do_createSyncAction(self, told: dict[str, Any]) -> None:  # noqa: N802 - as above
        if told["action_type"] != "InstanceStart":
            raise Refused("it is not done here")
        if self._state != "Not started":
            raise Refused("The requested operation is not supported after starting the microVM.")
        if "boot" not in self._config:
            raise Refused("Cannot start microvm without kernel configuration.")
        with open(MEMORY, "wb") as file:
            file.truncate(self._config["machine"]["mem_size_mib"] << 20)
        self._qemu = Qemu(self._config)
        self._qemu.tell("cont")
        self._state = "Running"

    def do_patchVm(self, told: dict[str, Any]) -> None:  # noqa: N802 - as above
        if self._qemu is None:
            raise Refused("The requested operation is not supported before starting the microVM.")
        self._qemu.tell("stop" if told["state"] == "Paused" else "cont")
        self._state = {"Paused": "Paused", "Resumed": "Running"}[told["state"]]

    def do_createSnapshot(self, told: dict[str, Any]) -> None:  # noqa: N802 - as above
        if self._state != "Paused" or self._qemu is None:
            raise Refused("Create snapshot error: Cannot save the microVM state: the VM is not paused")
        with open(told["snapshot_path"], "wb", buffering=0) as state:
            state.write(json.dumps({"version": VERSION, **self._config}).encode() + b"\n")
            self._qemu.save(state.fileno())
        copy_sparsely(MEMORY, told["mem_file_path"])

    def do_loadSnapshot(self, told: dict[str, Any]) -> None:  # noqa: N802 - as above
        """One that cannot be loaded is the end of it, as there."""
        try:
            self._load(told)
        except (Refused, OSError, ValueError, KeyError) as error:
            threading.Timer(0.05, os._exit, (153,)).start()
            raise Refused(f"Load snapshot error: {error}") from None

    def _load(self, told: dict[str, Any]) -> None:
        if "mem_backend" not in told or told["mem_backend"]["backend_type"] != "File":
            raise Refused("missing field: one of `mem_backend`, `mem_file_path`")
        if len(self._config) > 1 or self._config["drives"]:
            raise Refused("Loading a microVM snapshot not allowed after configuring boot-specific resources.")
        with open(told["snapshot_path"], "rb", buffering=0) as state:
            head = b""
            while not head.endswith(b"\n"):
                one = state.read(1)
                if not one:
                    raise ValueError("it is no snapshot")
                head += one
            self._config = json.loads(head)
            if self._config.pop("version") != VERSION:
                raise Refused("the snapshot's version is not supported")
            if "card" in self._config:
                os.close(tap(self._config["card"]["host_dev_name"]))
            for drive in self._config["drives"].values():
                self._found(drive["path_on_host"])
            copy_sparsely(told["mem_backend"]["backend_path"], MEMORY)
            self._qemu = Qemu(self._config, state.fileno())
        self._state = "Paused"
        if told.get("resume_vm"):
            self._qemu.tell("cont")
            self._state = "Running"

    def _found(self, path: str | None) -> None:
        if path is not None:
            try:
                os.close(os.open(path, os.O_RDONLY))
            except OSError as error:
                raise Refused(f"{error.strerror} (os error {error.errno}) {path}") from None


class Qemu:
    """Of one machine, with the sockets to it."""

    def __init__(self, config: dict[str, Any], state: int | None = None) -> None:
        ours, theirs = zip(*(socket.socketpair() for _ in range(2)), strict=True)
        self._qmp = ours[0].makefile("rwb")
        inherited = [one.fileno() for one in theirs] + ([] if state is None else [state])
        words = command(config, *(one.fileno() for one in theirs), is_boot=state is None)
        if "card" in config:
            card = config["card"]
            inherited.append(tap(card["host_dev_name"]))
            words += ["-netdev", f"tap,id=net,fd={inherited[-1]}"]
            words += [
                "-device",
                f"virtio-net-device,netdev=net,mac={card['guest_mac']},bus=virtio-mmio-bus.8",
            ]
        words += ["-S"] if state is None else ["-S", "-incoming", "defer"]
        for one in inherited:
            os.set_inheritable(one, True)  # noqa: FBT003 - os's
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *words], close_fds=False, stdin=subprocess.DEVNULL
        )
        for sock in theirs:
            sock.close()
        threading.Thread(target=self._end, daemon=True).start()
        self._qmp.readline()
        self.tell("qmp_capabilities")
        self._capable()
        self._vsock = Vsock(config["vsock"]["uds_path"], ours[1]) if "vsock" in config else None
        if state is not None:
            self.tell("migrate-incoming", uri=f"fd:{state}")
            self._until("MIGRATION", status="completed")
            if self._vsock is not None:
                self._vsock.reset()
        self._sock = ours[0]

    def __repr__(self) -> str:
        return f"<Qemu {self._process.pid}>"

    def tell(self, order: str, **words: Any) -> None:
        self._qmp.write(json.dumps({"execute": order, "arguments": words}).encode() + b"\n")
        self._qmp.flush()
        self._until("return")

    def save(self, state: int) -> None:
        socket.send_fds(self._sock, [b'{"execute": "getfd", "arguments": {"fdname": "state"}}\n'], [state])
        self._until("return")
        self.tell("migrate", uri="fd:state")
        self._until("MIGRATION", status="completed")

    def _capable(self) -> None:
        self.tell("migrate-set-capabilities", capabilities=[SHARED, {"capability": "events", "state": True}])

    def _until(self, *what: str, status: str | None = None) -> None:
        while line := self._qmp.readline():
            told = json.loads(line)
            if "error" in told or told.get("data", {}).get("status") == "failed":
                raise Refused(str(told))
            if "return" in told and "return" in what:
                return
            if told.get("event") in what and status in (None, told.get("data", {}).get("status")):
                return
        raise Refused("it is gone")

    def _end(self) -> None:
        self._process.wait()
        os._exit(0)


def tap(name: str) -> int:
    """
    Raises:
        Refused: it cannot be opened.
    """
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    except OSError as error:
        os.close(descriptor)
        raise Refused(f"Open tap device failed: {error.strerror} (os error {error.errno})") from None
    return descriptor


def command(config: dict[str, Any], qmp: int, bridge: int, *, is_boot: bool) -> list[str]:
    machine, boot, drives = config["machine"], config["boot"], list(config["drives"].values())
    drives.sort(key=lambda one: not one["is_root_device"])
    words = [
        "/usr/bin/qemu-system-x86_64",
        *("-M", "microvm,acpi=on,isa-serial=off,memory-backend=memory"),
        *("-accel", "tcg,thread=single,tb-size=32", "-cpu", "max", "-smp", str(machine["vcpu_count"])),
        *("-m", f"{machine['mem_size_mib']}M"),
        *("-object", f"memory-backend-file,id=memory,size={machine['mem_size_mib']}M,mem-path={MEMORY},share=on"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-chardev", f"socket,id=qmp,fd={qmp}", "-mon", "chardev=qmp,mode=control"),
        *("-device", "virtio-serial-device,bus=virtio-mmio-bus.10", "-chardev", f"socket,id=bridge,fd={bridge}"),
        *("-device", f"virtserialport,chardev=bridge,name={PORT}"),
    ]
    if is_boot:  # what is restored is past that
        words += ["-kernel", boot["kernel_image_path"], "-initrd", overlaid(boot["initrd_path"])]
        words += ["-append", f"{boot['boot_args']} tsc_early_khz={khz()}"]
    for number, drive in enumerate(drives):
        mode = "on" if drive.get("is_read_only") else "off"
        words += ["-drive", f"if=none,id=d{number},format=raw,readonly={mode},file={drive['path_on_host']}"]
        words += ["-device", f"virtio-blk-device,drive=d{number},serial=64768{number},bus=virtio-mmio-bus.{7 - number}"]
    if "entropy" in config:
        words += ["-device", "virtio-rng-device,bus=virtio-mmio-bus.9"]
    return words


def khz() -> int:
    found = re.search(r"^cpu MHz\s*:\s*([0-9.]+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return int(float(found[1]) * 1000) if found else 2_000_000


def overlaid(initrd: str) -> str:
    """The same with the bridge and its modules in it."""
    name, packed = "fake-initrd", Path(initrd).read_bytes()
    script = unpacked(packed)["init"].decode()
    before, _, init = script.rpartition(SWITCH)
    load = "".join(f"busybox insmod /{module}.ko\n" for module in MODULES)
    place = "busybox cp /bridge.py /root/dev/bridge.py\n"
    python = init.split()[0]
    files = {"init": f"{before}{load}{place}{SWITCH}{python} -I -S /dev/bridge.py {init}".encode()}
    files |= {f"{module}.ko": (BESIDE / f"{module}.ko").read_bytes() for module in MODULES}
    files["bridge.py"] = (BESIDE / BRIDGE).read_bytes()
    Path(name).write_bytes(packed + b"\0" * (-len(packed) % 512) + archive(files))
    return name


def unpacked(packed: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    at = 0
    while True:
        words = [int(packed[at + 6 + 8 * place : at + 14 + 8 * place], 16) for place in range(13)]
        size, named = words[6], words[11]
        name = packed[at + 110 : at + 110 + named - 1].decode()
        at += -(-(110 + named) // 4) * 4
        if name == "TRAILER!!!":
            return found
        found[name] = packed[at : at + size]
        at += -(-size // 4) * 4


def archive(files: dict[str, bytes]) -> bytes:
    whole = b""
    for number, (name, data) in enumerate([*files.items(), ("TRAILER!!!", b"")], 1000):
        words = (number, 0o100755, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % word for word in words) + name.encode() + b"\0"
        whole += head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
    return whole


def copy_sparsely(source: str, target: str) -> None:
    with open(source, "rb") as one, open(target, "wb") as other:
        size, at = os.fstat(one.fileno()).st_size, 0
        other.truncate(size)
        while at < size:
            try:
                at = os.lseek(one.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(one.fileno(), at, os.SEEK_HOLE)
            while at < end:
                at += os.copy_file_range(one.fileno(), other.fileno(), end - at, at, at)


class ApiServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class Api(http.server.BaseHTTPRequestHandler):
    machine: ClassVar[Machine]
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self.machine.ask(self.command, self.path, body)
        except Refused as error:
            said = json.dumps({"fault_message": str(error)}).encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
        else:
            self.send_response(204)
            self.end_headers()

    do_PATCH = do_PUT  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's
        pass


if __name__ == "__main__":
    main()
