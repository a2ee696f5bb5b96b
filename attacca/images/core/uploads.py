"""Blobs that are on their way: which there are, how far each has come, and who may go on with it.

IDLE --append, finish--> BUSY --ended--> IDLE --cancel, expire, finished--> gone
"""

import msgspec

from attacca.images.core.asked import Refused

UPLOADS_MOST = 64
IDLE_S = 900.0  # who says nothing for so long will not come back


class UploadLimits(msgspec.Struct, frozen=True, kw_only=True):
    most: int = UPLOADS_MOST
    idle_s: float = IDLE_S
    blob_bytes: int = 8 << 30


class Upload:
    __slots__ = ("id", "is_busy", "offset", "repository", "seen_at")

    def __init__(self, id: str, repository: str, now: float) -> None:  # noqa: A002 - it is its id
        self.id, self.repository, self.seen_at = id, repository, now
        self.offset = 0
        self.is_busy = False

    def __repr__(self) -> str:
        return f"<Upload {self.offset} bytes, {'busy' if self.is_busy else 'idle'}>"


class Uploads:
    def __init__(self, limits: UploadLimits) -> None:
        self.limits = limits
        self.by_id: dict[str, Upload] = {}

    def __repr__(self) -> str:
        return f"<Uploads {len(self.by_id)} of {self.limits.most}>"

    def expired(self, now: float) -> list[str]:
        """They are gone from now on."""
        gone = [one.id for one in self.by_id.values() if not one.is_busy and now - one.seen_at > self.limits.idle_s]
        for name in gone:
            del self.by_id[name]
        return gone

    def begin(self, now: float, name: str, repository: str) -> Upload:
        """
        Raises:
            Refused: there are as many as there may be.
        """
        if len(self.by_id) >= self.limits.most:
            raise Refused(429, "TOOMANYREQUESTS", f"{len(self.by_id)} blobs are on their way; try again in a moment")
        made = self.by_id[name] = Upload(name, repository, now)
        return made

    def find(self, repository: str, name: str) -> Upload:
        """
        Raises:
            Refused: there is none, or it is of another repository.
        """
        found = self.by_id.get(name)
        if found is None or found.repository != repository:
            raise Refused(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload; begin anew")
        return found

    def take(self, now: float, repository: str, name: str, first: int | None) -> Upload:
        """Whoever has it writes to it, and calls `ended`. `first`: where what comes begins.

        Raises:
            Refused: another does, or something is missing before it.
        """
        found = self.find(repository, name)
        if found.is_busy:
            raise Refused(409, "BLOB_UPLOAD_INVALID", "another request writes to this upload")
        if first is not None and first != found.offset:
            raise Refused(416, "BLOB_UPLOAD_INVALID", f"{found.offset} bytes are here, and this begins at {first}")
        found.is_busy, found.seen_at = True, now
        return found

    def grow(self, upload: Upload, size: int) -> None:
        """
        Raises:
            Refused: it is larger than a blob may be.
        """
        if upload.offset + size > self.limits.blob_bytes:
            raise Refused(413, "SIZE_INVALID", f"a blob may have {self.limits.blob_bytes} bytes")
        upload.offset += size

    def ended(self, now: float, upload: Upload) -> None:
        upload.is_busy, upload.seen_at = False, now

    def forget(self, upload: Upload) -> None:
        self.by_id.pop(upload.id, None)
