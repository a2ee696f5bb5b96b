"""What is told to each process that the zygote forks: at once, or when the image that its code is in has come."""

from collections.abc import Callable, Hashable
from pathlib import Path

from attacca.errors import AttaccaError
from attacca.model.function import PythonImage, Revision
from attacca.model.image import UnpackedImage
from attacca.worker.runtime.process.berths import OWN
from attacca.worker.runtime.process.description import Secret, describe
from attacca.worker.runtime.process.homes import NONE
from attacca.worker.runtime.process.image_roots import ImageRoots
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.sandbox import SandboxProcess
from attacca.worker.runtime.process.template import TemplateProcess
from attacca.worker.runtime.process.zygote.spawn_spec import NEW_HOME

MOST = 256  # orders that are kept, of a few KB each
NOTHING: tuple[Revision | None, bytes] = None, b""
Told = Callable[[bool], None]  # hears whether it could be told


class Telling:
    def __init__(
        self,
        options: ProcessOptions,
        secret: Secret,
        images: ImageRoots,
        places: tuple[Path, Path] | None,
        *,
        has_groups: bool,
    ) -> None:
        """`places` hold code and bundles where there is no isolation."""
        self._options, self._secret, self._images = options, secret, images
        self._places, self._has_groups = places, has_groups
        self._kept: dict[Hashable, tuple[Revision, bytes]] = {}  # that are the same for each sandbox

    def __repr__(self) -> str:
        return f"<Telling {self._images!r}>"

    def tell(self, made: SandboxProcess | TemplateProcess, told: Told) -> None:
        artefact = made.revision.artefact
        if not isinstance(artefact, PythonImage):
            self._tell(made, None, told)
            return

        def come(found: UnpackedImage | AttaccaError, took_ms: float) -> None:
            made.image_ms = took_ms
            self._tell(made, found, told)

        self._images.bring(artefact.digest, come)

    def _tell(
        self, made: SandboxProcess | TemplateProcess, image: UnpackedImage | AttaccaError | None, told: Told
    ) -> None:
        try:
            if isinstance(image, AttaccaError):
                raise image
            order = self._order(made, image)
        except AttaccaError as error:
            made.fail("start_failed", f"{error.message} ({error.hint})" if error.hint else error.message)
            told(False)  # noqa: FBT003 - see `Told`
        else:
            made.describe(order)
            told(True)  # noqa: FBT003 - see `Told`

    def _order(self, made: SandboxProcess | TemplateProcess, image: UnpackedImage | None) -> bytes:
        """What is told sandbox after sandbox is put in words once; not where a secret is among it.

        Raises:
            AttaccaError: a secret is not to be had.
        """
        revision, place, is_template = made.revision, made.process.place, isinstance(made, TemplateProcess)
        key = revision.id, is_template, place.network != OWN, place.home != NONE, place.home & NEW_HOME
        kept, order = self._kept.get(key, NOTHING)
        if kept is revision:
            return order
        order = describe(
            revision, self._options, self._secret, self._places, image,
            template=is_template, has_groups=self._has_groups, place=place,
        )  # fmt: skip
        if image is None and not revision.settings.secrets:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = revision, order
        return order
