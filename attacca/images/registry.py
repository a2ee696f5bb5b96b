"""The registry at `/v2/`, as an ASGI application: what `docker push`, `skopeo copy` and `containerd` speak to.

What a request means is in `core.asked`, which uploads there are in `core.uploads`; here it is done, on the disk, in
threads. Nothing that comes is held in memory but manifests.
"""

import asyncio
import logging
from typing import Protocol

import msgspec

from attacca.errors import AttaccaError, BadImage, Forbidden, NotFound, Unauthorized
from attacca.images.blobs import Draft
from attacca.images.core.asked import (
    Append,
    Asked,
    Begin,
    Cancel,
    Catalogue,
    DeleteBlob,
    DeleteManifest,
    Finish,
    GetBlob,
    GetManifest,
    Kept,
    Part,
    Ping,
    Progress,
    PutManifest,
    Referrers,
    Refused,
    Request,
    Tags,
    credentials,
    read,
)
from attacca.images.core.manifests import MANIFEST_BYTES, OCI_INDEX
from attacca.images.core.names import SHA256, digest_of, is_digest
from attacca.images.core.uploads import Upload, UploadLimits, Uploads
from attacca.images.shelves import Shelved
from attacca.images.spoken import JSON, Answer, Body, Receive, Scope, Send, at, error, send, where
from attacca.images.store import ImageStore

SHOWN = b"authorization"
LOG = logging.getLogger("attacca.registry")


class Surroundings(Protocol):
    """What the registry knows of the server that it is in."""

    def refuse(self, scope: Scope) -> Unauthorized | Forbidden | None:
        """Why who sends this may not push or pull."""

    def held(self) -> set[str]:
        """The images that functions need, without `sha256:`."""

    def now(self) -> float: ...
    def wall(self) -> float: ...
    def new_name(self) -> str:
        """32 digits that nobody can guess."""

    async def pushed(self, repository: str, tag: str, digest: str) -> None:
        """A manifest has got a tag.

        Raises:
            AttaccaError: nothing could be made of it; it is kept all the same.
        """


class Registry:
    def __init__(self, images: ImageStore, around: Surroundings, limits: UploadLimits | None = None) -> None:
        self._images, self._around = images, around
        self._uploads = Uploads(limits or UploadLimits())
        self._drafts: dict[str, Draft] = {}  # by the upload's id
        self._is_open = False

    def __repr__(self) -> str:
        return f"<Registry {self._uploads!r}>"

    async def __call__(self, scope: Scope, receive: Receive, out: Send) -> None:
        body = Body(receive)
        try:
            status, fields, content = await self._answer(scope, body)
        except Refused as refused:
            status, fields, content = error(refused.status, refused.code, refused.message)
        except NotFound as wrong:
            status, fields, content = error(404, "MANIFEST_BLOB_UNKNOWN", wrong.message)
        except BadImage as wrong:
            status, fields, content = error(400, "MANIFEST_INVALID", wrong.message)
        except AttaccaError as wrong:
            status, fields, content = error(wrong.status, "DENIED", f"{wrong.message}; {wrong.hint}")
        except OSError as wrong:
            LOG.error("the registry cannot write: %s", wrong)
            status, fields, content = error(503, "UNAVAILABLE", "the server's disk does not take it")
        await body.drain()
        await send(out, status, fields, content, is_head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, body: "Body") -> Answer:
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if "authorization" in fields:
            scope["headers"] = [(name, _shown(value) if name == SHOWN else value) for name, value in scope["headers"]]
        refusal = self._around.refuse(scope)
        if refusal is not None:
            challenge = {"www-authenticate": 'Basic realm="attacca"'} if isinstance(refusal, Unauthorized) else {}
            code = "UNAUTHORIZED" if isinstance(refusal, Unauthorized) else "DENIED"
            return error(refusal.status, code, f"{refusal.message}; {refusal.hint}", challenge)
        query = scope["query_string"].decode("latin-1")
        asked = read(Request(scope["method"], scope["raw_path"].decode("latin-1"), query, fields))
        if not self._is_open:
            await asyncio.to_thread(self._images.open)
            self._is_open = True
        return await self._do(asked, body)

    async def _do(self, asked: Asked, body: "Body") -> Answer:
        match asked:
            case Ping():
                return 200, {"content-type": JSON}, b"{}"
            case Begin():
                return await self._begin(asked, body)
            case Append():
                upload = await self._write(asked.repository, asked.upload, asked.first, body)
                return 202, where(upload), b""
            case Finish():
                return await self._finish(asked, body)
            case Progress():
                return 204, where(self._uploads.find(asked.repository, asked.upload)), b""
            case Cancel():
                upload = self._uploads.take(self._around.now(), asked.repository, asked.upload, None)
                await self._drop(upload)
                return 204, {}, b""
            case PutManifest():
                return await self._put(asked, await body.whole(MANIFEST_BYTES))
            case _:
                return await asyncio.to_thread(self._look_up, asked)

    # Uploads.

    async def _begin(self, asked: Begin, body: "Body") -> Answer:
        if asked.mount and asked.source:
            is_mounted = await asyncio.to_thread(self._mount, asked)
            if is_mounted:
                return 201, at(asked.repository, asked.mount), b""
        await asyncio.to_thread(self._expect_room)
        for name in self._uploads.expired(self._around.now()):
            await asyncio.to_thread(self._drafts.pop(name).drop)
        upload = self._uploads.begin(self._around.now(), self._around.new_name(), asked.repository)
        self._drafts[upload.id] = await asyncio.to_thread(self._images.blobs.draft)
        if not asked.digest:
            return 202, where(upload), b""
        return await self._finish(Finish(asked.repository, upload.id, asked.digest, None), body)

    def _mount(self, asked: Begin) -> bool:
        images = self._images
        if not images.shelves.has(asked.source, asked.mount) or images.blobs.size(asked.mount) is None:
            return False
        images.blobs.use(asked.mount)
        images.shelves.add(asked.repository, asked.mount)
        return True

    def _expect_room(self) -> None:
        if self._images.make_room(self._around.held(), self._around.wall()) < 0:
            raise Refused(507, "DENIED", "there is no room for another image: delete functions that are of images")

    async def _write(self, repository: str, name: str, first: int | None, body: "Body") -> Upload:
        """What broke off is gone on with from where it did."""
        upload = self._uploads.take(self._around.now(), repository, name, first)
        draft = self._drafts[name]
        try:
            async for piece in body.pieces():
                self._uploads.grow(upload, len(piece))
                await asyncio.to_thread(draft.write, piece)
        except OSError:
            await self._drop(upload)  # nobody knows how much of the piece was written
            raise
        finally:
            self._uploads.ended(self._around.now(), upload)
        return upload

    async def _finish(self, asked: Finish, body: "Body") -> Answer:
        upload = await self._write(asked.repository, asked.upload, asked.first, body)
        if not body.is_whole:
            raise Refused(400, "BLOB_UPLOAD_INVALID", "the body broke off")
        draft = self._drafts.pop(upload.id)
        self._uploads.forget(upload)
        try:
            await asyncio.to_thread(self._keep, draft, asked.repository, asked.digest)
        except BadImage as wrong:
            raise Refused(400, "DIGEST_INVALID", wrong.message) from None
        return 201, at(asked.repository, asked.digest), b""

    def _keep(self, draft: Draft, repository: str, digest: str) -> None:
        draft.keep(digest)
        self._images.shelves.add(repository, digest)

    async def _drop(self, upload: Upload) -> None:
        self._uploads.forget(upload)
        await asyncio.to_thread(self._drafts.pop(upload.id).drop)

    # Manifests.

    async def _put(self, asked: PutManifest, data: bytes) -> Answer:
        is_by_digest = is_digest(asked.which)
        like = asked.which if is_by_digest else SHA256
        if is_by_digest and digest_of(data, like) != asked.which:
            raise Refused(400, "DIGEST_INVALID", f"what was sent as {asked.which} is {digest_of(data, like)}")
        tags = asked.tags if is_by_digest else (asked.which,)
        put = self._images.put
        shelved = await asyncio.to_thread(put, asked.repository, data, asked.media_type, tags, like)
        digest = shelved.descriptor.digest
        for tag in tags:
            await self._around.pushed(asked.repository, tag, digest)
        fields = {"location": f"/v2/{asked.repository}/manifests/{digest}", "docker-content-digest": digest}
        if shelved.subject:
            fields["oci-subject"] = shelved.subject
        if asked.tags:
            fields["oci-tag"] = ", ".join(asked.tags)
        return 201, fields, b""

    # What is asked for. Blocking.

    def _look_up(self, asked: Kept) -> Answer:
        shelves = self._images.shelves
        match asked:
            case Catalogue():
                names, more = _cut(shelves.repositories(), asked.most, asked.last)
                return 200, _page("/v2/_catalog", asked.most, more), msgspec.json.encode({"repositories": names})
            case Tags():
                return self._tags(asked)
            case Referrers():
                return self._referrers(asked)
            case GetManifest():
                shelved = self._found(asked.repository, asked.which)
                data = self._images.blobs.read(shelved.descriptor.digest, MANIFEST_BYTES)
                shelves.use(asked.repository, shelved.descriptor.digest)
                digest = shelved.descriptor.digest
                return 200, {"content-type": shelved.descriptor.media_type, "docker-content-digest": digest}, data
            case DeleteManifest():
                return self._delete(asked)
            case GetBlob():
                return self._blob(asked)
            case DeleteBlob():
                if not shelves.take(asked.repository, asked.digest):
                    raise Refused(404, "BLOB_UNKNOWN", "it is not in this repository")
                return 202, {}, b""

    def _found(self, repository: str, which: str) -> Shelved:
        found = self._images.find(repository, which)
        if found is None or self._images.blobs.size(found.descriptor.digest) is None:
            raise Refused(404, "MANIFEST_UNKNOWN", f"{repository} has no {which}")
        return found

    def _tags(self, asked: Tags) -> Answer:
        if not self._images.shelves.is_known(asked.repository):
            raise Refused(404, "NAME_UNKNOWN", f"there is no repository {asked.repository}")
        names = [tag for tag, _ in self._images.shelves.tags(asked.repository)]
        cut, more = _cut(names, asked.most, asked.last)
        told = msgspec.json.encode({"name": asked.repository, "tags": cut})
        return 200, _page(f"/v2/{asked.repository}/tags/list", asked.most, more), told

    def _referrers(self, asked: Referrers) -> Answer:
        about = [one for one, _ in self._images.shelves.manifests(asked.repository) if one.subject == asked.digest]
        wanted = asked.artifact_type
        found = [one.descriptor for one in about if not wanted or one.descriptor.artifact_type == wanted]
        fields = {"content-type": OCI_INDEX} | ({"oci-filters-applied": "artifactType"} if wanted else {})
        return 200, fields, msgspec.json.encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found})

    def _delete(self, asked: DeleteManifest) -> Answer:
        shelves = self._images.shelves
        if is_digest(asked.which):
            was_there = shelves.drop(asked.repository, asked.which)
        else:
            was_there = shelves.untag(asked.repository, asked.which)
        if not was_there:
            raise Refused(404, "MANIFEST_UNKNOWN", f"{asked.repository} has no {asked.which}")
        return 202, {}, b""

    def _blob(self, asked: GetBlob) -> Answer:
        images = self._images
        size = images.blobs.size(asked.digest)
        if size is None or not images.shelves.has(asked.repository, asked.digest):
            raise Refused(404, "BLOB_UNKNOWN", "it is not in this repository")
        first, last = _span(asked.part, size)
        fields = {
            "content-type": "application/octet-stream", "docker-content-digest": asked.digest,
            "content-length": str(last - first + 1), "accept-ranges": "bytes",
        }  # fmt: skip
        if asked.part is not None:
            fields["content-range"] = f"bytes {first}-{last}/{size}"
        status = 200 if asked.part is None else 206
        return status, fields, images.blobs.pieces(asked.digest, first, last - first + 1)


def _shown(value: bytes) -> bytes:
    return credentials(value.decode("latin-1")).encode("latin-1", "replace")


def _span(part: Part | None, size: int) -> tuple[int, int]:
    if part is None:
        return 0, size - 1
    if part.first is None:
        assert part.last is not None
        first, last = max(size - part.last, 0), size - 1
    else:
        first, last = part.first, size - 1 if part.last is None else min(part.last, size - 1)
    if first > last:
        raise Refused(416, "UNSUPPORTED", f"it has {size} bytes")
    return first, last


def _cut(names: list[str], most: int, last: str) -> tuple[list[str], str]:
    """A page, and behind which name the next one is; empty: there is none."""
    rest = [name for name in names if name > last] if last else names
    page = rest[:most]
    return page, page[-1] if len(rest) > len(page) and page else ""


def _page(path: str, most: int, more: str) -> dict[str, str]:
    fields = {"content-type": JSON}
    if more:
        fields["link"] = f'<{path}?n={most}&last={more}>; rel="next"'
    return fields
