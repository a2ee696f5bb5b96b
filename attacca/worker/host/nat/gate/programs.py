"""What carries packets between a network of an ordinary user's own and the outside, by sockets of that user's. Pure but
for the look on PATH."""

import shutil

PROGRAMS = ("pasta", "slirp4netns")  # in the order in which they are looked for
TAP = "tap0"
GATE = "@gate@"  # in a command: the process whose network it is
# Of the network between the gate and the program: never reached by a sandbox, whatever is allowed.
HERE, THERE, BITS = "169.254.77.2", "169.254.77.1", 24
NETWORK = "169.254.77.0"


def command(name: str, path: str) -> list[str]:
    """Nothing of the machine's is mapped to an address, no port is forwarded, neither way, and there is no IPv6."""
    if name == "pasta":
        none = [word for option in ("-t", "-u", "-T", "-U") for word in (option, "none")]
        silent = ["--no-map-gw", "--no-dhcp", "--no-dhcpv6", "--no-ra", "--no-ndp"]
        where = ["--config-net", "-a", HERE, "-n", str(BITS), "-g", THERE, "-I", TAP]
        return [path, "-f", "-q", "-4", *none, *silent, *where,
                "--userns", f"/proc/{GATE}/ns/user", "--netns", f"/proc/{GATE}/ns/net"]  # fmt: skip
    return [path, "--configure", "--disable-host-loopback", "--disable-dns", f"--cidr={NETWORK}/{BITS}", "--mtu=1500",
            "--netns-type=path", f"--userns-path=/proc/{GATE}/ns/user", f"/proc/{GATE}/ns/net", TAP]  # fmt: skip


def found() -> tuple[str, str] | None:
    """The name and the path of the first that is here."""
    for name in PROGRAMS:
        if (path := shutil.which(name)) is not None:
            return name, path
    return None
