"""What a task is, and where it may look for its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from raynas.data import Data


@dataclass(frozen=True, slots=True)
class Source:
    """Where data may come from.

    Attributes:
        data_dir: The folder with the data.
        download: Whether what is not there may be fetched from the internet.
    """

    data_dir: Path = Path("data")
    download: bool = False


@runtime_checkable
class Task(Protocol):
    """Data, and the training recipe that suits it.

    A task of your own is a class with these three; ``Split.of`` takes arrays of most kinds and
    ``Data.split`` divides them::

        from sklearn.datasets import load_wine

        from raynas.data import Data, Split

        class Wine:
            name = "wine"
            recipe = {"batch_size": 32, "lr": 0.05}

            def load(self, source, seed):
                wine = load_wine()
                return Data.split(Split.of(wine.data, wine.target), seed=seed)

    Attributes:
        name: What people call it.
        recipe: Fields of ``raynas.training.Recipe`` in which it departs from the defaults.
    """

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def recipe(self) -> Mapping[str, object]:
        """Fields of the training recipe in which it departs from the defaults."""
        ...

    def load(self, source: Source, seed: int) -> Data:
        """Return its data, divided the same way for the same seed.

        Args:
            source: Where to look for it.
            seed: The run's seed.

        Raises:
            DataError: It is not there, or not usable.
        """
        ...
