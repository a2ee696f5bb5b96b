"""Shrink a picture so that it fits a box: any format Pillow reads goes in, a JPEG comes out."""

import io

from PIL import Image, ImageOps, UnidentifiedImageError

LARGEST_PX = 4096
JPEG = {"content-type": "image/jpeg"}
TEXT = {"content-type": "text/plain; charset=utf-8"}

Image.preinit()  # loads the decoders now, once, and not in the first invocation of every sandbox


def thumbnail(body: bytes, width: int = 320, height: int = 320, quality: int = 85) -> dict[str, object]:
    """The picture in `body`, turned upright, its sides in proportion, at most `width` x `height`, never enlarged."""
    if not (1 <= width <= LARGEST_PX and 1 <= height <= LARGEST_PX and 1 <= quality <= 95):
        return refuse(f"width and height must be 1 to {LARGEST_PX}, quality 1 to 95")
    try:
        with Image.open(io.BytesIO(body)) as picture:
            ImageOps.exif_transpose(picture, in_place=True)
            picture.thumbnail((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
            out = io.BytesIO()
            on_white(picture).save(out, "JPEG", quality=quality, optimize=True)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        return refuse(f"this is not a picture that can be read: {error}")
    return {"statusCode": 200, "headers": JPEG, "body": out.getvalue()}


def on_white(picture: Image.Image) -> Image.Image:
    """JPEG knows no transparency: what shines through becomes white."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    sheet = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(sheet, picture.convert("RGBA")).convert("RGB")


def refuse(why: str) -> dict[str, object]:
    return {"statusCode": 400, "headers": TEXT, "body": why}
