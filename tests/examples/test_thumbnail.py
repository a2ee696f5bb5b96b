"""The thumbnailer on a real picture: sizes, proportions, pixels, and what it refuses."""

import io
from pathlib import Path
from typing import cast

import pytest
from PIL import Image

from examples.thumbnail.main import thumbnail

LAKE = (Path(__file__).parents[2] / "examples/thumbnail/input/lake.jpg").read_bytes()


def shrink(body: bytes, width: int = 320, height: int = 320) -> Image.Image:
    answer = thumbnail(body, width, height)
    assert (answer["statusCode"], answer["headers"]) == (200, {"content-type": "image/jpeg"})
    return Image.open(io.BytesIO(cast("bytes", answer["body"])))


def png(size: tuple[int, int], mode: str, colour: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(("box", "size"), [((320, 320), (320, 213)), ((64, 640), (64, 43)), ((3000, 100), (150, 100))])
def test_the_sides_stay_in_proportion(box: tuple[int, int], size: tuple[int, int]) -> None:
    small = shrink(LAKE, *box)
    assert (small.format, small.mode, small.size) == ("JPEG", "RGB", size)


def test_the_thumbnail_shows_the_same_picture() -> None:
    """Every patch of it has the colour that the same patch of the original has on average."""
    patches = (16, 11)
    ours = shrink(LAKE).resize(patches, Image.Resampling.BOX).tobytes()
    true = Image.open(io.BytesIO(LAKE)).resize(patches, Image.Resampling.BOX).tobytes()
    assert max(abs(a - b) for a, b in zip(ours, true, strict=True)) <= 6


def test_a_small_picture_is_not_enlarged() -> None:
    assert shrink(png((10, 20), "RGB", (200, 30, 30))).size == (10, 20)


def test_what_is_transparent_becomes_white() -> None:
    small = shrink(png((8, 8), "RGBA", (0, 0, 0, 0)))
    assert small.tobytes() == b"\xff" * (8 * 8 * 3)


def test_a_picture_lying_on_its_side_is_turned_upright() -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    Image.new("RGB", (40, 20)).save(out, "JPEG", exif=exif)
    assert shrink(out.getvalue()).size == (20, 40)


@pytest.mark.parametrize("body", [b"", b"not a picture", LAKE[:1000]])
def test_what_is_no_picture_is_refused(body: bytes) -> None:
    assert thumbnail(body)["statusCode"] == 400


def test_a_silly_size_is_refused() -> None:
    assert thumbnail(LAKE, width=0)["statusCode"] == 400
