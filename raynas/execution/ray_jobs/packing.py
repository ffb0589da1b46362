"""The part of ``raynas fetch`` that runs on the cluster: pack a folder for the download.

The archive lies among Ray's log files for as long as this process runs, because the server of the
cluster hands out those.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Final

import ray

_PATIENCE: Final = 3600  # seconds for the download
_ABSENT: Final = 87


def main(folder: Path) -> None:
    """Pack a folder, print where the archive lies, and delete it after the signal to end.

    Args:
        folder: A run folder, absolute or below the home folder.
    """
    folder = Path.home() / folder
    if not folder.is_dir():
        print(f"there is no folder {folder}")  # noqa: T201 - the job's output
        sys.exit(_ABSENT)
    ray.init("auto", log_to_driver=False)
    logs = Path(ray._private.worker._global_node.get_logs_dir_path())  # noqa: SLF001
    with tempfile.NamedTemporaryFile(dir=logs, prefix="raynas-fetch-", suffix=".zip") as file:
        pack(folder, Path(file.name))
        place = {"node": ray.get_runtime_context().get_node_id(), "file": Path(file.name).name}
        print(json.dumps({"raynas": place}), flush=True)  # noqa: T201
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        time.sleep(_PATIENCE)


def pack(folder: Path, archive: Path) -> None:
    """Write the files of a folder, but no links that lead out of it, into a zip archive."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in sorted(folder.rglob("*")):
            inside = path.resolve().is_relative_to(folder.resolve())
            if path.is_file() and inside:
                packed.write(path, path.relative_to(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
