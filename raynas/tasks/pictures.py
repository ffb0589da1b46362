"""Read picture files as RGB arrays of one size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

_JUNK: Final = ("Thumbs.db", "desktop.ini")  # files that Windows puts into folders of pictures


def picture_files(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted, without hidden files and hidden folders."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _JUNK:
            continue
        found += picture_files(path) if path.is_dir() else [path]
    return found


def read_picture(path: Path | str, size: int) -> NDArray[np.uint8]:
    """Return a picture as [3, size, size] bytes, as the task ``image_folder`` reads it.

    The picture is rotated as its EXIF data say. Transparent pixels become white, and 16 bits
    become 8. Real numbers are taken as 0 to 1, or as 0 to 255 if one is above 1. Grey and palette
    pictures become RGB. Then the picture is resized with its proportions kept, and cropped to its
    centre.

    Raises:
        DataError: The file is not a picture, or it is damaged.
    """
    from PIL import Image, ImageOps  # noqa: PLC0415 - comes with torchvision

    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            fitted = ImageOps.fit(_rgb(upright), (size, size))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} cannot be read as a picture: {error}; repair it, or move it elsewhere"
        ) from error
    return np.ascontiguousarray(np.asarray(fitted).transpose(2, 0, 1))


def _rgb(image: Image.Image) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - comes with torchvision

    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_bytes(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return 16-bit or real values as bytes."""
    least, most = float(values.min()), float(values.max())
    whole = values.dtype.kind in "iu"
    if not 0.0 <= least <= most <= (65535.0 if whole else 255.0):
        known = "0 to 65535" if whole else "0 to 1, or 0 to 255"
        raise ValueError(f"its values must be {known}: they are {least:g} to {most:g}")
    top = 65535.0 if whole else 1.0 if most <= 1.0 else 255.0
    scaled: NDArray[np.uint8] = np.rint(values * (255.0 / top)).astype(np.uint8)
    return scaled
