"""The registry of images beside the admin API: who may push and pull is who may ask that."""

import logging
import secrets
from functools import cache

from attacca.control.driver import Control
from attacca.control.http.app import AsgiApp
from attacca.control.http.authorization import Scope, refuse_scope
from attacca.errors import Forbidden, Unauthorized
from attacca.images.registry import Registry
from attacca.images.spoken import Receive, Send
from attacca.images.store import ImageStore
from attacca.kernel.access import Door
from attacca.model.function import Image

LOG = logging.getLogger("attacca.registry")
PLACE = "/v2"


class OfControl:
    """An `images.registry.Surroundings`."""

    def __init__(self, control: Control, access: Door) -> None:
        self._control, self._access = control, access

    def refuse(self, scope: Scope) -> Unauthorized | Forbidden | None:
        return refuse_scope(scope, self._access, self._control)

    def held(self) -> set[str]:
        kept = self._control.core.changes.catalogue.kept()
        return {digest for one in kept if isinstance(one.artefact, Image) for digest in one.artefact.digests}

    def now(self) -> float:
        return self._control.clock.now()

    def wall(self) -> float:
        return self._control.clock.wall()

    def new_name(self) -> str:
        return secrets.token_hex(16)

    async def pushed(self, repository: str, tag: str, digest: str) -> None:
        LOG.info("the image %s:%s is kept as %s", repository, tag, digest)


def beside(admin: AsgiApp, control: Control, access: Door) -> AsgiApp:
    """Both, as one application. `control` is asked for nothing before the first image is."""

    @cache
    def registry() -> Registry:
        state = control.state
        return Registry(ImageStore(state.images, state.tmp), OfControl(control, access))

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        is_ours = path == PLACE or path.startswith(f"{PLACE}/")
        await (registry() if is_ours else admin)(scope, receive, send)

    return either
