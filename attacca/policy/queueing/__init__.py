"""Queueing policies: who is next on this worker."""

from attacca.policy.queueing.cold_pri import ColdPri
from attacca.policy.queueing.fcfs import Fcfs
from attacca.policy.queueing.minheap import MinHeap
from attacca.policy.queueing.minheap_ed import MinHeapEd
from attacca.policy.queueing.minheap_iat import MinHeapIat
from attacca.policy.queueing.mqfq import Mqfq
from attacca.policy.queueing.oldest_batch import OldestBatch
from attacca.policy.queueing.paella import Paella
from attacca.policy.queueing.types import Queueing

QUEUEING: dict[str, type[Queueing]] = {
    "fcfs": Fcfs,
    "minheap": MinHeap,
    "minheap_ed": MinHeapEd,
    "minheap_iat": MinHeapIat,
    "cold_pri": ColdPri,
    "mqfq": Mqfq,
    "oldest_batch": OldestBatch,
    "paella": Paella,
}
