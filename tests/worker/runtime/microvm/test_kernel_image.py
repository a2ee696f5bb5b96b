import gzip
import lzma
import struct

import pytest

from attacca.errors import StartFailed
from attacca.worker.runtime.microvm import kernel_image
from attacca.worker.runtime.microvm.kernel_image import ELF, unpacked

KERNEL = ELF + b"a kernel" * 100


def image(packed: bytes, sectors: int = 1) -> bytes:
    """As /boot has it: sectors of set-up, then what is packed, then how long that is when it is not."""
    head = bytearray((sectors + 1) * 512)
    head[kernel_image.SECTORS_AT] = sectors
    head[kernel_image.MAGIC_AT : kernel_image.MAGIC_AT + 4] = kernel_image.MAGIC
    struct.pack_into("<II", head, kernel_image.PAYLOAD_AT, 16, len(packed) + 4)
    return bytes(head) + bytes(16) + packed + struct.pack("<I", len(KERNEL)) + b"what follows"


@pytest.mark.parametrize("packed", [gzip.compress(KERNEL), lzma.compress(KERNEL)], ids=["gzip", "xz"])
def test_it_is_unpacked_by_what_it_is_packed_with(packed: bytes) -> None:
    assert unpacked(image(packed)) == KERNEL
    assert unpacked(image(packed, sectors=31)) == KERNEL


def test_one_that_is_not_packed_is_taken_as_it_is() -> None:
    assert unpacked(KERNEL) == KERNEL


@pytest.mark.parametrize(
    "bad",
    [b"", b"nonsense" * 200, image(b"BZh9"), image(gzip.compress(b"no kernel")), image(gzip.compress(KERNEL)[:20])],
    ids=["nothing", "nonsense", "of no kind", "no kernel", "half of one"],
)
def test_what_is_none_is_said_to_be_none(bad: bytes) -> None:
    with pytest.raises(StartFailed) as caught:
        unpacked(bad)
    assert "microvm.kernel" in caught.value.hint
