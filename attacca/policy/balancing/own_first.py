"""The worker in the gateway's own process, while nothing waits there; seldom called functions go by load alone."""

from typing import Annotated

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.own import Own


class OwnFirst(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For gateways that share a process with a worker each: what stays in the process needs no link.

    - A function that is called less than `often` times a second at this gateway goes to the worker with the smallest
      (queued + running) / limit, equal ones by name: to the same one from every gateway, so that it is kept warm once.
    - Any other stays in the process, unless something of this gateway's waits there, and on another worker nothing
      does: neither of this gateway's, nor of anybody's, as that said last.
    """

    worker: str = ""  # its name; unset: there is none
    often: Annotated[float, msgspec.Meta(ge=0)] = 1.0

    def fresh(self, chance: Chance) -> "Own":
        return Own(self.worker, self.often)
