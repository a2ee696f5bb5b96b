"""What is told to each process that the zygote forks: at once, or when the image that its code is in has come."""

from collections.abc import Callable
from pathlib import Path

from attacca.errors import AttaccaError
from attacca.model.function import PythonImage
from attacca.model.image import UnpackedImage
from attacca.worker.runtime.process.description import Secret, describe
from attacca.worker.runtime.process.image_roots import ImageRoots
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.sandbox import SandboxProcess
from attacca.worker.runtime.process.template import TemplateProcess

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
            order = describe(
                made.revision, self._options, self._secret, self._places, image,
                template=isinstance(made, TemplateProcess), has_groups=self._has_groups,
                place=made.process.place,
            )  # fmt: skip
        except AttaccaError as error:
            made.fail("start_failed", f"{error.message} ({error.hint})" if error.hint else error.message)
            told(False)  # noqa: FBT003 - see `Told`
        else:
            made.describe(order)
            told(True)  # noqa: FBT003 - see `Told`
