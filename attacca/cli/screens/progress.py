"""What a live run shows: a bar while it goes on, and its totals."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from attacca.cli.screens.terminal import STARTS, console, marked, milliseconds, say, seconds
from attacca.lab.standing import Shown


@contextmanager
def bar(*, quiet: bool) -> Iterator[Callable[[Shown], None] | None]:
    """On a terminal a bar with rate, errors, p50 and p99 so far; elsewhere a line when something is wrong."""
    if quiet:
        yield None
        return
    if not console(stderr=True).is_terminal:
        yield Complainer()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    progress = Progress(
        BarColumn(24),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console(stderr=True),
        transient=True,
    )
    task = progress.add_task("", total=1.0)
    complain = Complainer()

    def show(shown: Shown) -> None:
        progress.update(
            task, completed=min(shown.elapsed_s, shown.length_s), total=shown.length_s, description=line(shown)
        )
        complain(shown)

    with progress:
        yield show


class Watching:
    """Shows a live run to whoever started it; `quiet`: not what is only for people."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def __repr__(self) -> str:
        return f"<Watching {'quietly' if self._quiet else 'aloud'}>"

    def remark(self, text: str) -> None:
        if not self._quiet:
            say(text)

    def warn(self, text: str) -> None:
        say(text, "yellow")

    def deploying(self, total: int) -> AbstractContextManager[Callable[[], None]]:
        return ticking("deploying", total, quiet=self._quiet)

    def running(self) -> AbstractContextManager[Callable[[Shown], None] | None]:
        return bar(quiet=self._quiet)


@contextmanager
def ticking(what: str, total: int | None = None, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """A call that says: one more is done."""
    if quiet or not console(stderr=True).is_terminal:
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    progress = Progress(
        TextColumn(what), BarColumn(24), MofNCompleteColumn(), console=console(stderr=True), transient=True
    )
    task = progress.add_task(what, total=total)
    with progress:
        yield lambda: progress.advance(task)


@contextmanager
def counted(what: str, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A call that says: so many more bytes are done."""
    if quiet or not console(stderr=True).is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(what), BarColumn(24), DownloadColumn(), TransferSpeedColumn())
    progress = Progress(*columns, console=console(stderr=True), transient=True)
    task = progress.add_task(what, total=None)
    with progress:
        yield lambda size: progress.advance(task, size)


def counting(total: int, *, quiet: bool) -> tuple[Callable[[], None], Callable[[], None]]:
    """Two calls: one more is done, and all are. A bar on a terminal, nothing elsewhere."""
    if quiet or not console(stderr=True).is_terminal:
        return (lambda: None), (lambda: None)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    shown = Progress(
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console(stderr=True), transient=True
    )
    task = shown.add_task("", total=total)
    shown.start()
    return (lambda: shown.advance(task)), shown.stop


class Complainer:
    """Says a warning once."""

    def __init__(self) -> None:
        self._said = ""

    def __repr__(self) -> str:
        return f"<Complainer has said {self._said!r}>"

    def __call__(self, shown: Shown) -> None:
        kind = shown.warning.partition("%")[2]  # the same warning with another number is not news
        if kind and kind != self._said:
            self._said = kind
            say(shown.warning, "yellow")


def line(shown: Shown) -> str:
    """With markup, as a progress bar wants it."""
    from rich.markup import escape

    failed = f"[red]{shown.failed:,} failed[/]" if shown.failed else "0 failed"
    said = f"  [dim]{escape(shown.phase)}[/]" if shown.phase else ""
    if not shown.p50_ms:
        return f"{shown.answered:,} answered  {shown.rate:,.0f}/s  {failed}{said}"
    return (
        f"{shown.answered:,} answered  {shown.rate:,.0f}/s  {failed}  "
        f"p50 {milliseconds(shown.p50_ms)} ms  p99 {milliseconds(shown.p99_ms)} ms{said}"
    )


def show_totals(totals: Mapping[str, float | str], directory: str, width: int | None = None) -> None:
    from rich.table import Table

    screen = console(width=width)
    number = {key: float(value) for key, value in totals.items() if isinstance(value, int | float)}
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    stopped = f", stopped after {seconds(number['stopped_s'])}" if "stopped_s" in number else ""
    table.add_row("invocations", f"{number['invocations']:,.0f} in {seconds(number['measured_s'])}{stopped}")
    times = ("mean", "p50", "p99", "max")
    table.add_row("response", "  ".join(f"{name} {milliseconds(number[f'{name}_ms'])}" for name in times) + " ms")
    starts = (f"[{style}]{kind} {number[f'start_{kind}']:,.0f}[/]" for kind, style in STARTS.items()
              if f"start_{kind}" in number)  # fmt: skip
    table.add_row("starts", marked(f"{'  '.join(starts)}  ({number['cold_share']:.2%} had to wait for one)"))
    errors = {key.removeprefix("error_"): value for key, value in number.items() if key.startswith("error_")}
    if errors:
        listed = "  ".join(f"{name} {count:,.0f}" for name, count in errors.items())
        table.add_row("failed", marked("[red]{}[/]", listed))
    table.add_row(
        "sent",
        f"late by p50 {milliseconds(number['late_p50_ms'])}  p99 {milliseconds(number['late_p99_ms'])} ms; "
        f"{number['late_share']:.1%} too late",
    )
    joules = number.get("invocation_j")
    spent = "not measured" if joules is None else f"{number['energy_j']:,.1f} J, {joules:.3g} J of an invocation"
    table.add_row("energy", spent)
    if directory:
        table.add_row("recorded", directory)
    screen.print(table)
    if "warning" in totals:
        screen.print(marked("[yellow]![/] {}", totals["warning"]), soft_wrap=True)
