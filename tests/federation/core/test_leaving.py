"""The whole and one of its components leave a domain at once, where the store takes its time."""

from attacca.federation.core.events import Command, Erase, Event, Put, Stored
from attacca.federation.core.hosted import LEFT
from attacca.federation.core.hosted import Stage as Phase
from attacca.model.federation import BeginWorkflow, Left, StateCopied, WorkflowEnded
from tests.federation.core.test_shares import Parting, Parts


class Slow(Parts):
    """A store that answers when it is let."""

    def __init__(self, *names: str) -> None:
        self.held: list[Put | Erase] | None = None
        super().__init__(*names)

    def _do(self, command: Command) -> list[Event]:
        if self.held is not None and isinstance(command, Put | Erase):
            self.held.append(command)
            return []
        return super()._do(command)

    def go_on(self) -> None:
        held, self.held = self.held or [], None
        for one in held:
            if isinstance(one, Put):
                self.stored[one.key] = one.value
                self.feed(Stored(one.key))
            else:
                self.stored.pop(one.key, None)


def test_what_the_whole_leaves_of_a_component_that_was_to_go_by_itself_is_that_ones() -> None:
    stage = Slow("x", "y")
    home = stage.core.workflows[stage.id].domain
    other = "y" if home == "x" else "x"
    stage.feed(StateCopied(home, stage.id, 1, Left("b", 1, 2, b"two")))
    stage.domains[home].is_here = False  # what it says is said below
    stage.held = []
    for number, component in (("1", "b"), ("2", "")):
        assert stage.move(number, component, other) is None
    left = (Left("a", 1, 0, None), Left("b", 1, 8, b"eight"), Left("c", 1, 0, None))
    stage.feed(WorkflowEnded(home, stage.id, 1, left))
    stage.go_on()
    share = f"{stage.id}~b"
    stage.feed(WorkflowEnded(home, share, 1))
    stage.wait(1.0)
    told = stage.domains[other]
    assert isinstance(told, Parting)
    begun = {one.workflow: one for one in told.heard if isinstance(one, BeginWorkflow)}
    assert [(one.component, one.state) for one in begun[share].left] == [("b", b"eight")]
    assert begun[stage.id].components == ("a", "c")
    assert stage.active(other) == ["a", "b", "c"]
    assert f"{LEFT}{stage.id}/b" not in stage.stored


def test_a_component_that_was_to_go_by_itself_and_has_not_goes_on_beside_the_whole_when_that_leaves() -> None:
    stage = Slow("x", "y")
    home = stage.core.workflows[stage.id].domain
    other, share = "y" if home == "x" else "x", f"{stage.id}~b"
    stage.domains[home].is_here = False  # it is not told that it is to
    stage.move("1", "b", other)
    stage.restart()  # and then nobody knows
    for name in ("x", "y"):
        stage.join(name)
    assert stage.core.workflows[share].stage is Phase.UP
    stage.domains[home].is_here = False
    stage.move("2", "", other)
    left = (Left("a", 1, 0, None), Left("b", 1, 8, b"eight"), Left("c", 1, 0, None))
    stage.feed(WorkflowEnded(home, stage.id, 1, left))
    stage.wait(1.0)
    told = stage.domains[other]
    assert isinstance(told, Parting)
    begun = {one.workflow: one for one in told.heard if isinstance(one, BeginWorkflow)}
    assert [(one.component, one.state) for one in begun[share].left] == [("b", b"eight")]
    assert (begun[stage.id].components, stage.active(other)) == (("a", "c"), ["a", "b", "c"])
