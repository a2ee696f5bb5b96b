"""The file system that a sandbox sees: a read-only system, its own code, and a little space of its own.

The zygote lives in a hall that holds everything any sandbox may be given:

    /base      the system, read-only, with empty places for what differs
    /code      the code of all functions, by digest
    /bundles   their dependencies, by digest
    /stage     where one sandbox's own root is put together
    /nothing   an empty directory
    /devices   accelerators, which only those that ask for one are given
    /resolv.conf   of sandboxes that have a resolver of their own
    /images    the root file systems of images, by name
    /around    what lies over each of those: places for what differs, and our own part of what runs in it

A sandbox made by the zygote binds /base to /stage, its code and bundle into it, and makes that its root; in an image it
is that, below /around. The place of one that is forked from a template has that root already and only needs its own
/proc, /tmp and /dev/shm.
"""

import os
import shutil
import stat
import sys
from typing import TypedDict

from attacca.worker.runtime.process.zygote import linux

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = (  # of /etc: what libraries need to find names, certificates, time zones and shared objects
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl",
    "timezone",
)
DEVICES = ("null", "zero", "full", "random", "urandom")
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
PASSWD = "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\nfunction:x:1000:1000:function:/tmp:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nfunction:x:1000:\n"
EMPTY = ("function", "bundle", "proc", "tmp", "dev", "etc", "run", "run/python", "run/secrets", "var", "var/openfaas")
SECRETS = "/run/secrets"
SECRETS_THERE = "/var/openfaas/secrets"  # where functions of OpenFaaS look for them
HERE = "/function"
BUNDLE = "/bundle"
PROGRAMS = "/run/python"  # where `python` and `python3` are what runs the function, whatever the system calls so
KIT = "/run/attacca"  # in an image, where the machine's Python is not: what its own imports of ours
PARTS = ("guest", "worker/runtime/process/zygote")
PACKAGE = os.path.realpath(f"{__file__}/../../../../..")
PLACES = ("proc", "tmp", "dev", "etc", "run", "run/secrets", "var", "var/openfaas")  # over an image
OF_MACHINE = ("hosts", "resolv.conf")  # of /etc, also in an image
ACCELERATORS = "/devices"
RESOLV_CONF = "/resolv.conf"
RESOLVER = "nameserver 127.0.0.53\n"  # in the sandbox itself: `worker.host.nat.resolver` has the same
ID = 1000  # user and group inside a template and inside a sandbox; 0 could not be mapped on without a capability


class Sources(TypedDict):
    """Where on the machine the hall takes its parts from."""

    prefix: str  # of the Python installation
    code: str
    bundles: str
    images: str  # or empty


def build_hall(sources: Sources) -> None:
    """Make the hall and live in it. Needs a mount namespace of our own and the right to mount in it."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("hall", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=1m")
    os.mkdir("/tmp/outside")
    linux.pivot_root("/tmp", "outside")
    for name in ("base", "code", "bundles", "stage", "nothing", "devices", "proc", "images", "around"):
        os.mkdir(f"/{name}")
    # The kernel allows a new /proc only where one is already seen whole, so before the old root goes.
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    linux.mount("base", "/base", "tmpfs", linux.MS_NOSUID, "mode=755,size=1m")
    _furnish("/base", "/outside", sources["prefix"])
    linux.make_read_only("/base", has_devices=True)
    os.symlink("/base/dev", "/dev")
    with open(RESOLV_CONF, "w") as file:
        file.write(RESOLVER)
    linux.bind(RESOLV_CONF, RESOLV_CONF)
    linux.make_read_only(RESOLV_CONF)
    for name, source in (("/code", sources["code"]), ("/bundles", sources["bundles"])):
        linux.bind("/outside" + os.path.realpath(source), name)
        linux.make_read_only(name)
    if sources["images"]:
        linux.bind("/outside" + os.path.realpath(sources["images"]), "/images")
        linux.make_read_only("/images")
        linux.mount("around", "/around", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=8m")
        _surround("/around", "/outside")
        linux.make_read_only("/around")
    linux.detach("/outside")


def _surround(around: str, outside: str) -> None:
    """Nothing of an image can be in the place of what is mounted: a link that it has there is covered."""
    for name in PLACES:
        os.mkdir(f"{around}/{name}")
    os.symlink(SECRETS, around + SECRETS_THERE)
    for name in OF_MACHINE:
        open(f"{around}/etc/{name}", "w").close()
        if os.path.exists(f"/base/etc/{name}"):
            shutil.copyfile(f"/base/etc/{name}", f"{around}/etc/{name}")
    for part in PARTS:
        target = f"{around}{KIT}/attacca/{part}"
        os.makedirs(f"{target}/__pycache__")
        for name in os.listdir(f"{outside}{PACKAGE}/{part}"):
            if name.endswith(".py"):
                _copy_module(f"{outside}{PACKAGE}/{part}", name, target)
    for name in ("", "/worker", "/worker/runtime", "/worker/runtime/process"):
        open(f"{around}{KIT}/attacca{name}/__init__.py", "w").close()


def _copy_module(source: str, name: str, target: str) -> None:
    """With what is compiled of it, which an interpreter of the same version takes where times agree."""
    compiled = f"__pycache__/{name.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
    for file in (name, compiled):
        if os.path.isfile(f"{source}/{file}"):
            shutil.copyfile(f"{source}/{file}", f"{target}/{file}")
            times = os.stat(f"{source}/{file}")
            os.utime(f"{target}/{file}", ns=(times.st_atime_ns, times.st_mtime_ns))


def _furnish(base: str, outside: str, prefix: str) -> None:
    for name in EMPTY:
        os.mkdir(f"{base}/{name}")
    os.symlink(SECRETS, base + SECRETS_THERE)
    for path in SYSTEM:
        if os.path.islink(outside + path):
            os.symlink(os.readlink(outside + path), base + path)
        elif os.path.isdir(outside + path):
            _bind_at(base, outside, path)
    if not prefix.startswith("/usr/"):
        _bind_at(base, outside, prefix)
    for name in SETTINGS:
        _copy_setting(f"{outside}/etc/{name}", f"{base}/etc/{name}", outside)
    open(f"{base}/etc{RESOLV_CONF}", "a").close()  # where it is not, nothing can be put in its place
    for name, text in (("passwd", PASSWD), ("group", GROUP)):
        with open(f"{base}/etc/{name}", "w") as file:
            file.write(text)
    for name in ("python", "python3"):
        os.symlink(sys.executable, f"{base}{PROGRAMS}/{name}")
    _add_devices(f"{base}/dev", f"{outside}/dev")
    _keep_accelerators(f"{base}/dev", f"{outside}/dev")


def _add_devices(inside: str, outside: str) -> None:
    os.mkdir(f"{inside}/shm", 0o1777)
    for name in DEVICES:
        os.close(os.open(f"{inside}/{name}", os.O_CREAT, 0o666))
        linux.bind(f"{outside}/{name}", f"{inside}/{name}")
    for name, target in LINKS.items():
        os.symlink(target, f"{inside}/{name}")


def _keep_accelerators(inside: str, outside: str) -> None:
    """Where they are, there is an empty file for each to be put over."""
    for name in accelerators(outside):
        for path in (f"{inside}/{name}", f"{ACCELERATORS}/{name}"):
            os.close(os.open(path, os.O_CREAT, 0))
        linux.bind(f"{outside}/{name}", f"{ACCELERATORS}/{name}")


def accelerators(directory: str) -> list[str]:
    """The devices of NVIDIA's driver: one for each accelerator, and those that all need."""
    names = [name for name in os.listdir(directory) if name.startswith("nvidia")]
    return sorted(name for name in names if stat.S_ISCHR(os.stat(f"{directory}/{name}").st_mode))


def give_accelerators(numbers: list[str]) -> None:
    """Onto the stage: those, and what all need."""
    for name in os.listdir(ACCELERATORS):
        number = name.removeprefix("nvidia")
        if not number.isdecimal() or number in numbers:
            linux.bind(f"{ACCELERATORS}/{name}", f"/stage/dev/{name}")


def _bind_at(base: str, outside: str, path: str) -> None:
    os.makedirs(base + path, exist_ok=True)
    linux.bind(outside + path, base + path)
    linux.make_read_only(base + path)


def _copy_setting(source: str, target: str, outside: str) -> None:
    """Small files are copied, because they are often links into places that a sandbox does not have."""
    if os.path.islink(source):
        link = os.readlink(source)
        source = os.path.normpath(
            outside + link if link.startswith("/") else os.path.join(os.path.dirname(source), link)
        )
    if os.path.isdir(source):
        os.mkdir(target)
        linux.bind(source, target)
    elif os.path.isfile(source) and os.access(source, os.R_OK):
        with open(source, "rb") as file, open(target, "wb") as copy:
            copy.write(file.read())


def stage_code(code: str, bundle: str | None) -> None:
    """The machine's own system, with this function's code in it."""
    linux.bind("/base", "/stage")
    _show(f"/code/{code}", "/stage" + HERE)
    if bundle:
        _show(f"/bundles/{bundle}", "/stage" + BUNDLE)


def stage_image(image: str) -> None:
    """An image's files and nothing of the machine's.

    Raises:
        OSError: this kernel does not put one over the other there.
    """
    flags = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("image", "/stage", "overlay", flags, f"lowerdir=/around:/images/{image}")
    linux.bind("/base/dev", "/stage/dev")


def found_home() -> None:
    """From the hall into what is on the stage, and on into a copy of that. What we leave is for others to be born in,
    who each see a /proc of their own over ours: the kernel allows that only where there is one."""
    show_processes("/stage")
    linux.swap_root("/stage")
    linux.unshare(linux.CLONE_NEWNS)


def settle_in(space_mb: int, secrets: dict[str, str]) -> None:
    """What is our own, in a copy of what others see too."""
    take_room(space_mb)
    if secrets:
        _keep_secrets(secrets, SECRETS)


def enter_staged(
    space_mb: int, secrets: dict[str, str], devices: list[str], *, template: bool, has_resolver: bool
) -> int:
    """From the hall into what is on the stage, as our own root. Returns for a template what `hide_processes` does, and
    -1 for a sandbox."""
    if has_resolver:
        linux.bind(RESOLV_CONF, "/stage/etc" + RESOLV_CONF)
    if devices:
        give_accelerators(devices)
    if secrets:
        _keep_secrets(secrets, "/stage" + SECRETS)
    writable = hide_processes("/stage") if template else -1
    show_processes("/stage")
    take_room(space_mb, "/stage")
    linux.swap_root("/stage")
    return writable


def _show(source: str, target: str) -> None:
    """Read-only, and without saying where on the machine it lies, as the table of mounts would of a bind."""
    try:
        flags = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV
        linux.mount("code", target, "overlay", flags, f"lowerdir={source}:/nothing")
    except OSError:  # not on top of this file system, or not in a kernel that lets no ordinary user do it
        linux.bind(source, target)


def _keep_secrets(secrets: dict[str, str], path: str) -> None:
    """In memory, for us alone, and not to be written to once they are there. Places of a template have them from it."""
    linux.mount("secrets", path, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC, "size=8m,mode=0500")
    for name, value in secrets.items():
        descriptor = os.open(f"{path}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with open(descriptor, "wb") as file:
            file.write(value.encode("latin-1"))
    linux.make_read_only(path)


def show_processes(root: str = "") -> None:
    """Our own /proc over what is there. It cannot be written to: there, a process could make itself the last to be
    ended for want of memory."""
    quiet = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount("proc", f"{root}/proc", "proc", quiet | linux.MS_RDONLY)


def hide_processes(root: str = "") -> int:
    """A descriptor of a /proc that can be written to, and that `show_processes` puts out of sight."""
    linux.mount("proc", f"{root}/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    return os.open(f"{root}/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def take_room(space_mb: int, root: str = "") -> None:
    """Our own /tmp and /dev/shm over what is there."""
    quiet = linux.MS_NOSUID | linux.MS_NODEV
    size = f"size={space_mb}m,nr_inodes={space_mb * 256},mode=1777"
    linux.mount("tmp", f"{root}/tmp", "tmpfs", quiet, size)
    linux.mount("shm", f"{root}/dev/shm", "tmpfs", quiet | linux.MS_NOEXEC, size)


def map_self(inside: int, outside: int, group: int | None = None, processes: int | None = None) -> None:
    """Give this process's only user and group a number in its new user namespace. `group` is `outside` unless given,
    `processes` a descriptor of a /proc in which we are seen unless it is that which is mounted."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {outside} 1"),
        ("gid_map", f"{inside} {outside if group is None else group} 1"),
    ):
        _write(f"{'/proc/' if processes is None else ''}self/{name}", text, processes)


def map_other(processes: int, pid: int) -> None:
    """Let a child of ours in a user namespace of its own keep the number that it has here. `processes` is a descriptor
    of a /proc that can be written to, in which `pid` is what we call the child."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{ID} {ID} 1"), ("gid_map", f"{ID} {ID} 1")):
        _write(f"{pid}/{name}", text, processes)


def map_child(processes: int, pid: int, outside: int, group: int, users: int) -> None:
    """Let our child, seen from outside its new user namespace, be user `outside`, and be able to become any of as many
    as `users` from there on. Needs the right to be all of them.

    `processes` is a descriptor of a /proc in which `pid` is what we call the child.
    """
    _write(f"{pid}/uid_map", f"0 {outside} {users}", processes)
    _write(f"{pid}/gid_map", f"0 {group} {users}", processes)


def _write(path: str, text: str, directory: int | None = None) -> None:
    descriptor = os.open(path, os.O_WRONLY, dir_fd=directory)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
