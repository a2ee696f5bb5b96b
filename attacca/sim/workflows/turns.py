"""In which order events were handled, and whether that is the order in which each sender had sent them."""

from attacca.model.events import place


class Turns:
    """Events from one place to another have numbers that rise. What a successor sends comes after all that its
    predecessor had sent, except where that crashed and so did its receiver (docs/workflows.md says so)."""

    def __init__(self) -> None:
        self._latest: dict[
            tuple[str, str], tuple[int, str]
        ] = {}  # by the places of both: the last event, and its sender
        self._fallen: set[str] = set()  # instances that have crashed, and their places
        self.broken = 0

    def __repr__(self) -> str:
        return f"<Turns between {len(self._latest)} pairs, {self.broken} broken>"

    def fell(self, instance: str) -> None:
        """It crashed."""
        self._fallen |= {instance, place(instance)}

    def handled(self, instance: str, sender: str, turn: int) -> None:
        between = place(instance), place(sender)
        latest, whose = self._latest.get(between, (-1, ""))
        if turn > latest:
            self._latest[between] = turn, sender
        elif sender == whose or not {sender, between[0]} <= self._fallen:
            self.broken += 1
