"""Writing the files of a run; if this fails, the run stops, and no trial is blamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raynas.errors import StorageError


@contextmanager
def writing(path: Path | str, *more: type[Exception]) -> Iterator[None]:
    """Turn errors of writing into ``StorageError``.

    Args:
        path: The file that is written, or its folder.
        more: Other exceptions that mean such an error, in addition to ``OSError``.

    Raises:
        StorageError: The file cannot be written.
    """
    try:
        yield
    except (OSError, *more) as error:  # type: ignore[misc]  # mypy knows no unpacking here
        why = (isinstance(error, OSError) and error.strerror) or str(error).splitlines()[0]
        raise StorageError(
            f"{path} cannot be written: {why}. Nothing that was trained is lost: free disk "
            "space, or make the folder writable, then continue with raynas resume"
        ) from error
