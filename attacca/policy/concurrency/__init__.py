"""Concurrency policies: how many invocations run at once on this worker."""

from attacca.policy.concurrency.aimd import Aimd
from attacca.policy.concurrency.bypass import Bypass
from attacca.policy.concurrency.fixed import Fixed
from attacca.policy.concurrency.types import Concurrency

CONCURRENCY: dict[str, type[Concurrency]] = {"fixed": Fixed, "aimd": Aimd, "bypass": Bypass}
