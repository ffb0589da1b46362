"""The interface of a task, and the source of its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from raynas.data import Data


@dataclass(frozen=True, slots=True)
class Source:
    """Where data comes from.

    Attributes:
        data_dir: The folder with the data.
        download: Whether missing data may be downloaded from the internet.
    """

    data_dir: Path = Path("data")
    download: bool = False


@runtime_checkable
class Task(Protocol):
    """Data, and a training recipe for it.

    To define a task, write a class with these three members. ``Split.of`` converts arrays of most
    types, and ``Data.split`` divides them::

        from sklearn.datasets import load_wine

        from raynas.data import Data, Split

        class Wine:
            name = "wine"
            recipe = {"batch_size": 32, "lr": 0.05}

            def load(self, source, seed):
                wine = load_wine()
                return Data.split(Split.of(wine.data, wine.target), seed=seed)

    Attributes:
        name: The name of the task.
        recipe: Fields of ``raynas.training.Recipe`` that differ from the defaults.
    """

    @property
    def name(self) -> str:
        """The name of the task."""
        ...

    @property
    def recipe(self) -> Mapping[str, object]:
        """Fields of the training recipe that differ from the defaults."""
        ...

    def load(self, source: Source, seed: int) -> Data:
        """Return its data; the same seed gives the same division.

        Args:
            source: Where the data comes from.
            seed: The run's seed.

        Raises:
            DataError: The data is missing or not usable.
        """
        ...
