"""A guest's kernel as a Firecracker boots it: an ELF file, out of what Debian's packages have in /boot."""

import gzip
import lzma
import struct
import subprocess
import zlib
from typing import Final

from attacca.errors import StartFailed

ELF: Final = b"\x7fELF"
MAGIC_AT, MAGIC = 0x202, b"HdrS"
SECTORS_AT, PAYLOAD_AT = 0x1F1, 0x248  # of the boot protocol for x86
LEAST: Final = 0x250
PROGRAMS: Final = {b"\x02\x21\x4c\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}  # for what Python does not unpack
UNPACK_S: Final = 60.0
HINT: Final = "set microvm.kernel to one that can be, as Debian's linux-image-cloud-amd64, or to an ELF file (vmlinux)"


def unpacked(image: bytes) -> bytes:
    """Blocking: a second.

    Raises:
        StartFailed: it is no kernel for x86, or is packed with what is not here.
    """
    if image.startswith(ELF):
        return image
    try:
        kernel = _unpack(payload(image))
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, subprocess.SubprocessError) as error:
        raise StartFailed(f"the kernel cannot be unpacked: {error}", HINT) from None
    if not kernel.startswith(ELF):
        raise StartFailed("what is in the kernel's file is no ELF file", HINT)
    return kernel


def payload(image: bytes) -> bytes:
    """What is packed in a bzImage, without its length at the end.

    Raises:
        ValueError: it is none.
    """
    if len(image) < LEAST or image[MAGIC_AT : MAGIC_AT + 4] != MAGIC:
        raise ValueError("it is no kernel for x86")
    begins = ((image[SECTORS_AT] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", image, PAYLOAD_AT)
    return image[begins + offset : begins + offset + length - 4]


def _unpack(packed: bytes) -> bytes:
    if packed.startswith(b"\x1f\x8b"):
        return gzip.decompress(packed)
    if packed.startswith(b"\xfd7zXZ"):
        return lzma.LZMADecompressor().decompress(packed)
    program = PROGRAMS.get(packed[:4])
    if program is None:
        raise ValueError(f"it begins with {packed[:4].hex()}, which nothing here unpacks")
    ran = subprocess.run([program, "-dcq"], input=packed, capture_output=True, check=False, timeout=UNPACK_S)
    if ran.returncode != 0:
        raise ValueError(f"{program}: {ran.stderr.decode(errors='replace').strip()[-200:]}")
    return ran.stdout
