"""Keep copies of a run's files for TensorBoard on this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from raynas.storage import Location, store_of

_MARK: Final = "events.out.tfevents."
_AT_ONCE: Final = 8  # requests side by side


def bring_event_files(run: Location, here: Path) -> None:
    """Bring the files for TensorBoard of a run, and of runs in it, up to date in a folder.

    They only grow, so only what is new is fetched, and added: TensorBoard reads on where it was.

    Args:
        run: The run folder.
        here: A folder of this machine.

    Raises:
        StorageError: The run cannot be read.
    """
    store = store_of(run)

    def bring(name: str) -> None:
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(store.read(name, file.tell()))

    grown = [name for name, size in store.sizes().items() if size > _size_of(here, name)]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for _ in threads.map(bring, filter(_is_wanted, grown)):
            pass


def _size_of(here: Path, name: str) -> int:
    path = here / name
    return path.stat().st_size if path.is_file() else 0


def _is_wanted(name: str) -> bool:
    """Return whether a file is for TensorBoard; names in an object store may hold anything."""
    *folders, file = name.split("/")
    return file.startswith(_MARK) and not {"", ".", ".."} & {*folders}
