"""Writing what a run leaves: where that cannot be done, the run is to blame and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raynas.errors import StorageError


@contextmanager
def writing(path: Path | str, *more: type[Exception]) -> Iterator[None]:
    """Turn faults of writing into one kind.

    Args:
        path: What is written, or the folder that it is written into.
        more: What else stands for such a fault, besides ``OSError``.

    Raises:
        StorageError: It cannot be written.
    """
    try:
        yield
    except (OSError, *more) as error:  # type: ignore[misc]  # mypy knows no unpacking here
        why = (isinstance(error, OSError) and error.strerror) or str(error).splitlines()[0]
        raise StorageError(
            f"{path} cannot be written: {why}. Nothing that was trained is lost: free disk "
            "space, or make the folder writable, then continue with raynas resume"
        ) from error
