"""NAS-Bench-201 (Dong & Yang, 2020, arXiv:2001.00326), also the topologies of NATS-Bench.

15,625 cells were trained on three data sets: once for 12 epochs, and two or three times (seeds)
for 200. The short training is a separate training, whose schedule ends at its twelfth epoch; it
differs from the twelfth epoch of a long training, which is not used here.

An evaluation returns one training. If the file has the validation accuracy of every seed, an
evaluation returns that of one seed, and a repeat that of another seed. If the file has only their
mean (the compact file for CIFAR-100 and ImageNet16-120), every evaluation returns the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError, DataError, TrialError, unknown
from raynas.goals import accuracy_error
from raynas.space import Architecture, Space
from raynas.tables import official
from raynas.tables.table import Recorded, Scores

SHORT: Final = 12
FULL: Final = 200

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Source:
    """The columns of a data set in the file, and values that are not in the file.

    Attributes:
        key: The data set's name in the compact file.
        trained: The name of its training part in the compact file.
        examples: The number of images in the validation set.
        look_s: Seconds of one pass over the validation data, used if the file does not say it;
            the mean over the first thousand cells.
    """

    key: str
    trained: str
    examples: int
    look_s: float


DATASETS: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "cifar10": Source("c10", "c10valid", 25_000, 3.16),
        "cifar100": Source("c100", "c100", 5_000, 0.63),
        "imagenet16-120": Source("in16", "in16", 3_000, 0.38),
    }
)


@dataclass(frozen=True)
class NASBench201:
    """The table of one data set.

    Attributes:
        space: The cells; its decisions are the six edges, in the order of the published strings.
        rows: The row of a cell, by the operations on its edges.
        short: ``[cells]`` validation accuracy after the training of 12 epochs.
        seen: ``[cells, seeds]`` validation accuracy after 200 epochs; NaN if there is none.
        valid: ``[cells]`` mean validation accuracy over all seeds after 200 epochs.
        test: ``[cells]`` mean test accuracy over all seeds after 200 epochs.
        seconds: ``[cells]`` seconds of 200 epochs.
        look_s: ``[cells]`` seconds of one pass over the validation data.
        costs: ``[cells]`` by name: ``params`` and ``flops`` (multiply-adds).
        examples: The number of images in the validation set.
        proxies: ``[cells, proxies]`` zero-cost proxies of the cells; NaN if there is no value.
    """

    space: Space
    rows: Mapping[tuple[Any, ...], int]
    short: Floats
    seen: Floats
    valid: Floats
    test: Floats
    seconds: Floats
    look_s: Floats
    costs: Mapping[str, Floats]
    examples: int
    proxies: Floats

    @property
    def lengths(self) -> tuple[int, int]:
        """The lengths of the recorded trainings, in epochs."""
        return SHORT, FULL

    @cached_property
    def best(self) -> float:
        """The highest test accuracy of all."""
        return float(self.test.max())

    def answer(self, architecture: Architecture, epochs: int, draw: int) -> tuple[Recorded]:
        """Return the single report of a training, which is of its last epoch.

        The time is that of the training plus one pass over the validation data, as in
        ``simulate_train_eval`` of NATS-Bench; 12 epochs take 12/200 of the time of 200.

        Raises:
            ConfigError: No trainings of that length are recorded.
        """
        if epochs not in self.lengths:
            raise ConfigError(
                f"a training of NAS-Bench-201 must have {SHORT} or {FULL} epochs, got {epochs}"
            )
        row = self._row(architecture)
        if epochs == SHORT:
            accuracy = self.short[row]
        else:
            seen = self.seen[row]
            seen = seen[~np.isnan(seen)]
            accuracy = seen[draw % len(seen)]
        metrics = {"val_accuracy": float(accuracy)}
        metrics |= {name: float(values[row]) for name, values in self.costs.items()}
        seconds = float(self.seconds[row]) * epochs / FULL + float(self.look_s[row])
        errors = {"val_accuracy": accuracy_error(float(accuracy), self.examples)}
        return (Recorded(epochs, metrics, seconds, errors),)

    def scores(self, architecture: Architecture) -> Scores:
        """Return the means over all seeds, after 200 epochs."""
        row = self._row(architecture)
        return Scores(float(self.valid[row]), float(self.test[row]))

    def features(self, architecture: Architecture) -> tuple[float, ...]:
        """Return the cell's zero-cost proxies, for searchers that use features."""
        return tuple(self.proxies[self._row(architecture)].tolist())

    def _row(self, architecture: Architecture) -> int:
        cell = tuple(architecture.values())
        if cell not in self.rows:
            raise TrialError("the file holds no results of this cell")
        return self.rows[cell]


def nasbench201(
    space: Space,
    data: Path | str | None = None,
    dataset: str = "cifar10",
    proxies: Path | str | None = None,
) -> NASBench201:
    """Read the table of one data set.

    Args:
        space: The cells.
        data: A compact ``.npz`` file, or the published file or folder (see ``official``).
        dataset: ``cifar10``, ``cifar100`` or ``imagenet16-120``, in upper or lower case.
        proxies: An ``.npz`` file of zero-cost proxies, in the order of the cells in ``data``.

    Raises:
        ConfigError: There is no such data set, or no data are given.
        DataError: The data are missing, or of another kind.
    """
    if dataset.lower() not in DATASETS:
        raise ConfigError(unknown("data set of NAS-Bench-201", dataset, DATASETS))
    if data is None:
        raise ConfigError(
            "the table nasbench201 needs its data (--data): a compact .npz file, the folder or "
            ".pickle.pbz2 file of NATS-Bench, or the .pth file of NAS-Bench-201"
        )
    path, source = Path(data), DATASETS[dataset.lower()]
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if path.suffix == ".npz":
        with _opened(path) as file:
            table = _table(space, file, source)
    else:
        table = _table(space, official.read(path), source)
    if proxies is None:
        return table
    with _opened(Path(proxies)) as file:
        return replace(table, proxies=_proxies(file, source, cells=len(table.rows)))


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    try:
        with np.load(path) as file:
            yield file
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"{path} is not a compact file of NAS-Bench-201: {error}") from error


def _proxies(file: Mapping[str, NDArray[Any]], source: Source, cells: int) -> Floats:
    names = [name for name in file if name.startswith(f"zc_{source.key}_")]
    if not names:
        raise ValueError(f"it has no columns zc_{source.key}_*")
    columns = np.stack([np.asarray(file[name], np.float64) for name in names], axis=1)
    if len(columns) != cells:
        raise ValueError(f"it has proxies of {len(columns)} cells, but the table has {cells}")
    return columns


def _table(space: Space, file: Mapping[str, NDArray[Any]], source: Source) -> NASBench201:
    """Return the table of one data set from a file that holds several."""
    key = source.key
    options = [decision.domain.values() for decision in space.decisions.values()]
    rows = {
        tuple(values[code] for values, code in zip(options, codes, strict=True)): row
        for row, codes in enumerate(file["ops"].tolist())
    }

    def column(name: str, scale: float) -> Floats:
        return np.asarray(file[name], np.float64) * scale

    valid = column(f"{key}_valid_200", 0.01)
    seeds = [name for name in file if name.startswith(f"{key}_valid_200_seed")]
    look = f"{key}_look_s"
    return NASBench201(
        space,
        rows,
        short=column(f"{key}_valid_12", 0.01),
        seen=np.stack([column(name, 0.01) for name in seeds] or [valid], axis=1),
        valid=valid,
        test=column(f"{key}_test_200", 0.01),
        seconds=column(f"{source.trained}_train_s_200", 1.0),
        look_s=column(look, 1.0) if look in file else np.full(len(valid), source.look_s),
        costs={
            "params": column(f"{key}_params_m", 1e6),
            "flops": column(f"{key}_flops_m", 1e6),
        },
        examples=source.examples,
        proxies=np.empty((len(valid), 0)),
    )
