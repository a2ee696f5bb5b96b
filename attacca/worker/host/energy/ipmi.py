"""What a server's management controller says its power supplies take: all of the machine, about once a second."""

from attacca.worker.core.energy.said import dcmi_watts
from attacca.worker.host.energy import programs
from attacca.worker.host.energy.types import Reading, SourceSilent

TIMEOUT_S = 10.0
INSTALL = "apt-get install ipmitool"
USE = "as root: modprobe ipmi_devintf ipmi_si; or energy.ipmi_host, where the controller is asked over the network"


class Ipmi:
    """`host`: over the network, as `user` with the password that a file has; empty: this machine's own."""

    name = "ipmi"

    def __init__(self, host: str = "", user: str = "", password_file: str = "") -> None:
        """
        Raises:
            SourceSilent: there is no ipmitool.
        """
        command = [programs.found("ipmitool", INSTALL)]
        if host:
            command += ["-I", "lanplus", "-H", host]
            command += ["-U", user] if user else []
            command += ["-f", password_file] if password_file else []  # so that it stands in no list of processes
        self._asking = programs.Asking([*command, "dcmi", "power", "reading"], TIMEOUT_S)
        self._host = host

    def __repr__(self) -> str:
        return f"<Ipmi of {self._host or 'this machine'}>"

    def read(self, at: float) -> Reading:
        watts = dcmi_watts(self._asking.ask())
        if watts is None:
            raise SourceSilent("ipmitool says no power", USE)
        return Reading(watts=watts)

    def close(self) -> None:
        self._asking.close()
