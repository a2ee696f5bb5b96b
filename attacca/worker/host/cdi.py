"""What the files of the Container Device Interface say has to be in a container for a device to be in it.

https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md. What has no meaning here, such as classes of
cache, is passed over.
"""

import logging
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

LOG = logging.getLogger(__name__)
DIRECTORIES: Final = ("/etc/cdi", "/var/run/cdi")  # the later one wins
ELSEWHERE: Final = "attacca.device:"  # an annotation, with its path in the container: where its file is on the machine
SUFFIXES: Final = (".json", ".yaml", ".yml")
FILES_MOST: Final = 64  # of one directory
SIZE_MOST: Final = 1 << 20  # bytes of one file

Absolute = Annotated[str, msgspec.Meta(pattern=r"^/[^\x00\n]*(?!\n)$", max_length=4096)]
Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00\n]*(?!\n)$", max_length=65_536)]
Variable = Annotated[str, msgspec.Meta(pattern=r"^[^=\x00]+=[^\x00\n]*(?!\n)$", max_length=65_536)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.:-]{0,253}[A-Za-z0-9])?(?!\n)$")]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
KIND: Final = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?(?!\n)$"


class Node(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file of a device. What is not said of it is as it is on the machine."""

    path: Absolute
    host_path: Absolute | None = None  # None: the same
    type: Literal["b", "c", "u", "p", ""] = ""
    major: Number | None = None
    minor: Number | None = None
    file_mode: Annotated[int, msgspec.Meta(ge=0, le=0o7777)] | None = None
    permissions: Annotated[str, msgspec.Meta(pattern=r"^[rwm]{0,3}(?!\n)$")] = ""
    uid: Number | None = None
    gid: Number | None = None


class Bound(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    host_path: Absolute
    container_path: Absolute
    type: Text = ""
    options: tuple[Text, ...] = ()


class Hook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A program of the device's maker, which the engine runs as itself."""

    hook_name: Literal["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
    path: Absolute
    args: tuple[Text, ...] = ()
    env: tuple[Variable, ...] = ()
    timeout: Annotated[int, msgspec.Meta(gt=0)] | None = None


class Edits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    env: Annotated[tuple[Variable, ...], msgspec.Meta(max_length=1000)] = ()
    device_nodes: Annotated[tuple[Node, ...], msgspec.Meta(max_length=1000)] = ()
    mounts: Annotated[tuple[Bound, ...], msgspec.Meta(max_length=1000)] = ()
    hooks: Annotated[tuple[Hook, ...], msgspec.Meta(max_length=100)] = ()
    additional_gids: Annotated[tuple[Number, ...], msgspec.Meta(max_length=100)] = ()


class Named(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: Name
    container_edits: Edits = Edits()


class Description(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file. Its own edits come with any of its devices."""

    cdi_version: Annotated[str, msgspec.Meta(max_length=100)]
    kind: Annotated[str, msgspec.Meta(pattern=KIND)]
    devices: Annotated[tuple[Named, ...], msgspec.Meta(max_length=1024)]
    container_edits: Edits = Edits()


def read(directories: Sequence[str] = DIRECTORIES) -> list[Description]:
    """The files of all directories, those of the later ones last. What is none is said in the log, and passed over.
    Blocking, for a moment."""
    found = []
    for directory in directories:
        try:
            names = sorted(entry.name for entry in os.scandir(directory))
        except OSError:
            continue
        for name in [one for one in names if one.endswith(SUFFIXES)][:FILES_MOST]:
            path = Path(directory, name)
            try:
                found.append(described(path.name, _bytes(path)))
            except (OSError, ValueError, RecursionError) as error:
                LOG.warning("%s is no description of devices: %s", path, error)
    return found


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(SIZE_MOST + 1)
    if len(data) > SIZE_MOST:
        raise ValueError(f"it has more than {SIZE_MOST >> 20} MB")
    return data


def described(name: str, data: bytes) -> Description:
    """
    Raises:
        ValueError: it is none, or is YAML, and PyYAML is not here.
    """
    if name.endswith(".json"):
        return msgspec.json.decode(data, type=Description)
    try:
        return msgspec.yaml.decode(data, type=Description)
    except ImportError:
        raise ValueError("YAML takes PyYAML: pip install 'attacca[gpu]'") from None


def edits_of(described: Sequence[Description], kind: str, device: Sequence[str]) -> tuple[Edits, ...]:
    """For the device that has one of these names: its file's, then its own; of the last file that has it. Empty: none
    has."""
    for one in reversed(described):
        if one.kind == kind:
            for named in one.devices:
                if named.name in device:
                    return one.container_edits, named.container_edits
    return ()


def kinds(described: Sequence[Description]) -> dict[str, list[str]]:
    """Of each kind the names of its devices."""
    found: dict[str, list[str]] = {}
    for one in described:
        known = found.setdefault(one.kind, [])
        known += [named.name for named in one.devices if named.name not in known]
    return found


File = Callable[[str], os.stat_result]


def applied(spec: dict[str, Any], edits: Sequence[Edits], file: File = os.stat) -> dict[str, Any]:
    """A specification of the OCI's with them; the same edits, which several devices have in common, once.

    Raises:
        OSError: a device has no file on this machine.
        ValueError: what is there is no device.
    """
    process, linux = dict(spec["process"]), dict(spec["linux"])
    resources = dict(linux["resources"])
    env, mounts = list(process["env"]), list(spec["mounts"])
    nodes, allowed = list(linux.get("devices", ())), list(resources["devices"])
    hooks: dict[str, list[dict[str, Any]]] = {}
    gids: list[int] = []
    elsewhere: dict[str, str] = {}
    for one in dict.fromkeys(edits):
        for variable in one.env:
            env = [kept for kept in env if kept.partition("=")[0] != variable.partition("=")[0]]
            env.append(variable)
        for node in one.device_nodes:
            told, access = _node(node, file)
            if told not in nodes:
                nodes.append(told)
                allowed.append(access)
            if node.host_path is not None and node.host_path != node.path:
                elsewhere[ELSEWHERE + node.path] = node.host_path
        mounts += [told for mounted in one.mounts if (told := _mount(mounted)) not in mounts]
        for hook in one.hooks:
            hooks.setdefault(hook.hook_name, []).append(_hook(hook))
        gids += one.additional_gids
    if gids:
        process["user"] = {**process["user"], "additionalGids": sorted(set(gids))}
    return {
        **spec,
        "process": {**process, "env": env},
        "mounts": mounts,
        "linux": {**linux, "devices": nodes, "resources": {**resources, "devices": allowed}},
        **({"hooks": hooks} if hooks else {}),
        **({"annotations": {**spec.get("annotations", {}), **elsewhere}} if elsewhere else {}),
    }


def _node(node: Node, file: File) -> tuple[dict[str, Any], dict[str, Any]]:
    """The file, and the right to use it."""
    kind, major, minor = node.type, node.major, node.minor
    mode, uid, gid = node.file_mode, node.uid, node.gid
    if major is None or minor is None or not kind:
        there = file(node.host_path or node.path)
        if not (stat.S_ISCHR(there.st_mode) or stat.S_ISBLK(there.st_mode)):
            raise ValueError(f"{node.host_path or node.path} is no device")
        kind = "b" if stat.S_ISBLK(there.st_mode) else "c"
        major, minor = os.major(there.st_rdev), os.minor(there.st_rdev)
        mode = stat.S_IMODE(there.st_mode) if mode is None else mode
        uid, gid = there.st_uid if uid is None else uid, there.st_gid if gid is None else gid
    told: dict[str, Any] = {"path": node.path, "type": kind, "major": major, "minor": minor}
    more = {"fileMode": mode, "uid": uid, "gid": gid}
    access = {"allow": True, "type": kind, "major": major, "minor": minor, "access": node.permissions or "rwm"}
    return told | {name: value for name, value in more.items() if value is not None}, access


def _mount(mounted: Bound) -> dict[str, Any]:
    is_bound = "bind" in mounted.options or "rbind" in mounted.options
    options = [*mounted.options] if is_bound or mounted.type not in ("", "bind") else ["rbind", *mounted.options]
    return {
        "destination": mounted.container_path, "type": mounted.type or "bind", "source": mounted.host_path,
        "options": options,
    }  # fmt: skip


def _hook(hook: Hook) -> dict[str, Any]:
    told: dict[str, Any] = {"path": hook.path, "args": list(hook.args), "env": list(hook.env)}
    return told if hook.timeout is None else told | {"timeout": hook.timeout}
