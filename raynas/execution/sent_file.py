"""A file of the driver's machine that reaches every process that needs it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class SentFile(type(Path())):  # type: ignore[misc]  # the class of paths of this system
    """A path whose pickle contains the file; where it is read, it is the path of a copy.

    The contents are a buffer of the pickle, so Ray sends them once to each machine. The copy is
    in the machine's folder for temporary files, and all processes use it.
    """

    __slots__ = ()

    def __reduce__(self) -> Any:
        """Return the contents, and the function that puts them down."""
        return put, (self.name, np.fromfile(self, np.uint8))


def put(name: str, content: NDArray[np.uint8]) -> Path:
    """Return the path of a file of this machine with this name and content; write it if need be.

    The folder is named after the content, so a file with other content is another file.
    """
    digest = hashlib.sha256(content.data).hexdigest()[:32]
    folder = Path(tempfile.gettempdir()) / f"raynas-files-{os.getuid()}" / digest
    file = folder / name
    if not (file.is_file() and np.array_equal(np.fromfile(file, np.uint8), content)):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, written = tempfile.mkstemp(dir=folder)
        os.close(handle)
        content.tofile(written)
        Path(written).replace(file)  # at once, because others may write it too
    return file
