"""Where data and results lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from raynas.options import local_path
from raynas.storage import Location, location


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Where data and results lie; it may change when a run is resumed.

    Attributes:
        output: The run folder: a path, or an address such as ``s3://bucket/run``.
        data_dir: Where data sets lie.
        download: Whether missing data may be fetched.

    Raises:
        ConfigError: A path is empty; or the data are not on this machine.
    """

    output: Location = Path("runs/first")
    data_dir: Path = Path("data")
    download: bool = False

    def check_storage(self) -> None:
        """Make paths and addresses of texts."""
        object.__setattr__(self, "output", location("output", self.output))
        object.__setattr__(self, "data_dir", local_path("data_dir", self.data_dir))
