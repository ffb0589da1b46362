"""Read picture files as arrays of three channels and of one size."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import DataError

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

_SIXTEEN_BITS: Final = ("PNG", "PPM")  # formats whose whole numbers have 16 bits, never 32
_SEQUENCES: Final = ("GIF", "TIFF", "PNG", "WEBP")  # formats that may hold several pictures


class Scale(Enum):
    """The scale of a picture's values."""

    BYTES = "0 to 255"
    WHOLE = "whole numbers of more than 16 bits, or with a sign"
    REAL = "real numbers"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was read.

    Attributes:
        pixels: ``[3, size, size]`` uint8, or float32 if the file has more than 8 bits.
        scale: The scale of its values.
        notes: What of the file is not in ``pixels``.
    """

    pixels: NDArray[Any]
    scale: Scale
    notes: tuple[str, ...]


def read_picture(path: Path | str, size: int) -> NDArray[Any]:
    """Return a picture as [3, size, size], as the task ``image_folder`` reads it.

    The picture is rotated as its EXIF data say. Transparent pixels become white. Grey and palette
    pictures become RGB. Then the picture is resized with its proportions kept, and cropped to its
    centre.

    Values are uint8, 0 to 255. Grey pictures of 16 bits become float32 on the same scale: 65535
    becomes 255. Whole numbers of 32 bits, numbers with a sign and real numbers become float32 as
    they are.

    Raises:
        DataError: The file is not a picture, or it is damaged.
    """
    return load_picture(path, size).pixels


def load_picture(path: Path | str, size: int) -> Picture:
    """Return a picture as ``read_picture`` does, with its scale and notes.

    Raises:
        DataError: The file is not a picture, or it is damaged.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - with torchvision

    try:
        with Image.open(path) as image:
            notes = tuple(_notes(image))
            upright = ImageOps.exif_transpose(image)
            if image.mode.startswith(("I", "F")):
                scale, values = _deep(upright, image.format)
                one = ImageOps.fit(Image.fromarray(values), (size, size))
                # Resizing overshoots at edges.
                fitted = np.clip(np.asarray(one), values.min(), values.max())
                return Picture(np.repeat(fitted[np.newaxis], 3, axis=0), scale, notes)
            pixels = np.asarray(ImageOps.fit(_rgb(upright), (size, size)))
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not a picture: move it elsewhere") from error
    except Exception as error:  # a damaged file makes Pillow raise errors of every kind
        raise DataError(
            f"{path} cannot be read as a picture: {error}; repair it, or move it elsewhere"
        ) from error
    return Picture(np.ascontiguousarray(pixels.transpose(2, 0, 1)), Scale.BYTES, notes)


def _notes(image: ImageFile) -> list[str]:
    notes = []
    if image.format in _SEQUENCES and getattr(image, "n_frames", 1) > 1:
        notes.append("files with several pictures, of which the first is taken")
    if image.mode.startswith(("RGB", "LA")) and ";16" in str(image.tile):
        notes.append("files with colours of 16 bits, which are read as 8 bits")
    return notes


def _rgb(image: Image.Image) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - comes with torchvision

    if image.has_transparency_data:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")


def _deep(image: Image.Image, kind: str | None) -> tuple[Scale, NDArray[np.float32]]:
    """Return the scale and the values of a grey picture of more than 8 bits."""
    given = np.asarray(image)
    values = given.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("its values must be finite, and NaN or infinity is among them")
    if image.mode.startswith("F"):
        return Scale.REAL, values
    if not image.mode.startswith("I;16") and kind not in _SIXTEEN_BITS:
        return Scale.WHOLE, values
    if isinstance(clear := image.info.get("transparency"), int):
        values[given == clear] = 65535.0
    return Scale.BYTES, values / np.float32(257.0)
