"""How long a turn on a processor this process asks for, and with it all that it starts from then on.

The kernel lets those run first whose turn would end first. So whoever wakes up beside programs that compute, and asks
for short turns, need not wait until one of theirs is over; nor is it given more of the processor than they are. Linux
hears of it from 6.12 on.
"""

import ctypes
import os
import struct

CALLS = {"x86_64": (315, 314), "aarch64": (275, 274)}  # the numbers of sched_getattr and sched_setattr
ATTRIBUTES = struct.Struct("=IIQiIQQQII")  # as sched_setattr(2) has them
POLICY, NANOSECONDS = 1, 5  # places among them; the second is the turn
SHARING = (0, 3)  # SCHED_OTHER and SCHED_BATCH, the policies of those who share a processor
TURN_US = 300  # some steps of an invocation; the kernel's own is 1,400 where there are two processors, else longer


def ask(turn_us: int = TURN_US) -> bool:
    """For this thread and whoever it starts; it stays as nice as it was. False: there is nobody who would hear it.
    The kernel takes 100 for less."""
    told = attributes()
    if not told or told[POLICY] not in SHARING or not told[NANOSECONDS]:
        return False
    asked = (*told[:NANOSECONDS], turn_us * 1000, *told[NANOSECONDS + 1 :])
    _, put = CALLS[os.uname().machine]
    return bool(_syscall(put, 0, ATTRIBUTES.pack(*asked), 0) == 0)


def attributes(thread: int = 0) -> tuple[int, ...]:
    """How it is scheduled, 0: this one. Empty where that is not known, or it is gone."""
    get, _ = CALLS.get(os.uname().machine, (0, 0))
    told = ctypes.create_string_buffer(ATTRIBUTES.size)
    if not get or _syscall(get, thread, told, ATTRIBUTES.size, 0) != 0:
        return ()
    return ATTRIBUTES.unpack(told)


_syscall = ctypes.CDLL(None, use_errno=True).syscall
