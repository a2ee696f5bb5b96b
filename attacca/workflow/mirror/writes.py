"""What is written into a mirror."""

import msgspec


class Set(msgspec.Struct, frozen=True):
    """A text, in the place of the one before."""

    key: str
    value: str


class Drop(msgspec.Struct, frozen=True):
    key: str


class Append(msgspec.Struct, frozen=True):
    """At the end of a list, which goes by itself when nothing more comes."""

    key: str
    value: str


class Score(msgspec.Struct, frozen=True):
    """Into a sorted set. `at`: seconds since 1970, its score. `is_fleeting`: it goes by itself when nothing comes."""

    key: str
    member: str
    at: float
    is_fleeting: bool = False


Write = Set | Drop | Append | Score
KINDS = {Set: "string", Append: "list", Score: "zset"}  # as Redis calls them
