"""Where data and results lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raynas.errors import ConfigError
from raynas.options import local_path
from raynas.storage import Location, location


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Where data and results lie; it may change when a run is resumed.

    Attributes:
        output: The run folder: a path, or an address such as ``s3://bucket/run``.
        data_dir: Where data sets lie.
        download: Whether missing data may be fetched.
        log: Experiment trackers that get the trials, too: ``wandb``, ``mlflow``.

    Raises:
        ConfigError: A path is empty; or the data are not on this machine.
    """

    output: Location = Path("runs/first")
    data_dir: Path = Path("data")
    download: bool = False
    log: Sequence[str] = ()

    def check_storage(self) -> None:
        """Make paths and addresses of texts, and a tuple of the services."""
        if isinstance(self.log, str):
            raise ConfigError(f"log must be a list of names, got {self.log!r}")
        object.__setattr__(self, "log", tuple(dict.fromkeys(self.log)))
        object.__setattr__(self, "output", location("output", self.output))
        object.__setattr__(self, "data_dir", local_path("data_dir", self.data_dir))
