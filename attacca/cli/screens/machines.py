"""How busy the machines of workers are, for `attacca worker stats`."""

from typing import Any

from attacca.cli.screens.terminal import visible

GLYPHS = " ▁▂▃▄▅▆▇█"


def curve(values: list[float], top: float = 1.0) -> str:
    """A glyph for each, of what is `top` high; more than that is as high."""
    last = len(GLYPHS) - 1
    return "".join(GLYPHS[min(round(max(value, 0.0) / top * last), last)] for value in values)


def lines(name: str, loads: list[dict[str, Any]]) -> list[str]:
    """Of one worker, the oldest look first."""
    if not loads:
        return [f"{visible(name)}: nobody measures its machine"]
    now = loads[-1]["load"]
    shares = [look["load"]["cpu_share"] for look in loads]
    told = [
        f"{visible(name)}  {curve(shares)}",
        f"  processors  {now['cpu_share']:.0%} busy: {now['user_share']:.0%} user, {now['system_share']:.0%} system"
        f" · {now['wait_share']:.0%} waits for disks · load {now['load_1m']:.2f}",
        f"  memory      {now['memory_free_mb']:,} MB of {now['memory_mb']:,} MB free"
        f" · {now['swap_used_mb']:,} MB swapped",
    ]
    if (pressure := now["pressure"]) is not None:
        told.append(
            f"  pressure    processors {pressure['cpu_some']:.0%} · memory {pressure['memory_some']:.0%}"
            f" · disks {pressure['io_some']:.0%} of the last 10 s"
        )
    told += [_disk(one) for one in now["disks"]] + [_network(one) for one in now["networks"]]
    heat = [f"{now['mhz']:,.0f} MHz"] if now["mhz"] else []
    heat += [f"{now['celsius']:.0f} °C"] if now["celsius"] else []
    told += [f"  machine     {' · '.join(heat)}"] if heat else []
    told += [_energy(energy)] if (energy := loads[-1].get("energy")) else []
    return told + devices(loads[-1])


def devices(of: dict[str, Any]) -> list[str]:
    """Its accelerators, a line for each."""
    return [_device(one) for one in of.get("devices") or ()]


def _energy(energy: dict[str, Any]) -> str:
    total_j = energy["total_j"]
    of_functions = f", {energy['functions_j'] / total_j:.0%} for functions" if total_j else ""
    accelerators = "".join(f" · {watts:.0f} W an accelerator" for watts in energy["accelerators_w"] if watts)
    return (
        f"  energy      {energy['watts']:.1f} W · {energy['idle_w']:.1f} W at rest"
        f" · {total_j:,.0f} J so far{of_functions}{accelerators} · by {visible(energy['source'])}"
    )


def _device(device: dict[str, Any]) -> str:
    """What has its default is left out of what is told of a device."""
    if device.get("is_gone"):
        return f"  {visible(device['name']):<11} gone"
    memory_mb = device.get("memory_mb", 0)
    memory = f" · {device.get('held_mb', 0):,.0f} of {memory_mb:,} MB" if memory_mb else ""
    model = f"{visible(device['model'])} · " if device.get("model") else ""
    holders = device.get("sandboxes", 0)
    return f"  {visible(device['name']):<11} {model}{device.get('share', 0):.0%} held by {holders} sandboxes{memory}"


def _disk(rates: dict[str, Any]) -> str:
    return (
        f"  {visible(rates['name']):<11} {rates['read_mb_s']:.1f} MB/s read · {rates['written_mb_s']:.1f} MB/s written"
        f" · {rates['wait_ms']:.1f} ms a request · {rates['busy_share']:.0%} busy"
    )


def _network(rates: dict[str, Any]) -> str:
    return f"  {visible(rates['name']):<11} {rates['received_mb_s']:.2f} MB/s in · {rates['sent_mb_s']:.2f} MB/s out"
