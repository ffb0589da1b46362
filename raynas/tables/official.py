"""The published files of NATS-Bench's topologies and of NAS-Bench-201, read into arrays.

There are three forms: NATS-Bench as a folder (``NATS-tss-v1_0-3ffb9-simple``, one file per cell)
or as one ``.pickle.pbz2`` file, and NAS-Bench-201 as one ``.pth`` file. All are pickles; only
plain data is loaded from them, so that an unknown file cannot run code. Reading all 15,625 cells
takes minutes, and a benchmark needs only a small part of them, so it is worth saving the result::

    np.savez_compressed("nb201.npz", **raynas.tables.official.read("NATS-tss-v1_0-3ffb9-simple"))
"""

from __future__ import annotations

import bz2
import pickle  # noqa: TID251 - how the benchmark was published
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import DataError

OPERATIONS: Final = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

_SHORT: Final = ("12", "less")  # the names of the trainings of 12 epochs: today, and in 2020
_FULL: Final = ("200", "full")
_TRUSTED_SEED: Final = 888  # if seeds disagree on costs, the published programs use this one
_PLAIN: Final = {
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("builtins", "set"),
    ("builtins", "list"),
    ("builtins", "dict"),
    ("_codecs", "encode"),
}

# By the compact file's key: the names of the training set, the validation set, and for the test.
_SETS: Final = {
    "c10": ("cifar10-valid", "x-valid", "cifar10", "ori-test"),
    "c100": ("cifar100", "x-valid", "cifar100", "x-test"),
    "in16": ("ImageNet16-120", "x-valid", "ImageNet16-120", "x-test"),
}
_TIMED: Final = {"c10": "c10valid", "c100": "c100", "in16": "in16"}

Results = Mapping[str, Any]


def read(path: Path | str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a published file, by the names of the compact file.

    Args:
        path: One of the three forms.

    Returns:
        ``ops`` (``[cells, 6]``, numbers in ``OPERATIONS``); for each data set accuracies in per
        cent (``c10_valid_12``, ``c10_valid_200``, ``c10_valid_200_seed0``, ``c10_test_200``),
        seconds of training for 200 epochs and of one pass over the validation data, and
        ``params_m`` and ``flops_m`` in millions; each ``[cells]``, NaN for missing values.

    Raises:
        DataError: The file has none of these forms, or holds more than plain data.
    """
    columns: dict[str, list[Any]] = defaultdict(list)
    for text, trainings in _cells(Path(path)):
        columns["ops"].append(_codes(text))
        try:
            for key in _SETS:
                for name, value in _figures(key, trainings).items():
                    columns[name].append(value)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} must hold the results of NATS-Bench or NAS-Bench-201, but those of the "
                f"cell {text} are incomplete or have another form: {error!r}"
            ) from error
    if not columns:
        raise DataError(f"{path} holds no cell")
    arrays = {name: np.array(values, np.float64) for name, values in columns.items()}
    return {**arrays, "ops": arrays["ops"].astype(np.int8)}


def _cells(path: Path) -> Iterator[tuple[str, Mapping[str, Results]]]:
    """Yield every cell's string and its results by length of training."""
    if path.is_dir():
        names = _unpickled(path / "meta.pickle.pbz2")["meta_archs"]
        for index, name in enumerate(names):
            file = path / f"{index:06d}.pickle.pbz2"
            if file.exists():
                yield str(name), _unpickled(file)
        return
    whole = _torch_loaded(path) if path.suffix == ".pth" else _unpickled(path)
    for index, trainings in sorted(whole["arch2infos"].items()):
        yield str(whole["meta_archs"][index]), trainings


def _figures(key: str, trainings: Mapping[str, Results]) -> dict[str, float]:
    """Return the results of one cell on one data set."""
    trained, valid, tested, test = _SETS[key]
    short, full = _of(trainings, _SHORT), _of(trainings, _FULL)
    runs = _runs(full, trained)
    seen = [_last(run, valid) for run in runs]
    figures = {
        f"{key}_valid_12": _mean([_last(run, valid) for run in _runs(short, trained)]),
        f"{key}_valid_200": _mean(seen),
        f"{key}_test_200": _mean([_last(run, test) for run in _runs(full, tested)]),
        f"{_TIMED[key]}_train_s_200": _mean([sum(run["train_times"].values()) for run in runs]),
        f"{key}_look_s": _mean([_look_s(run, valid) for run in runs]),
        f"{key}_params_m": _cost(runs, "params"),
        f"{key}_flops_m": _cost(runs, "flop"),
    }
    for seed in range(3):
        figures[f"{key}_valid_200_seed{seed}"] = seen[seed] if seed < len(seen) else np.nan
    return figures


def _of(trainings: Mapping[str, Results], names: Sequence[str]) -> Results:
    return next(trainings[name] for name in names if name in trainings)


def _runs(results: Results, trained: str) -> list[Results]:
    """Return the runs on a training set, in the order of their seeds."""
    seeds = results["dataset_seed"][trained]
    return [results["all_results"][trained, seed] for seed in seeds]


def _last(run: Results, name: str) -> float:
    return float(run["eval_acc1es"][f"{name}@{run['epochs'] - 1}"])


def _look_s(run: Results, name: str) -> float:
    times = [time for key, time in run["eval_times"].items() if key.startswith(f"{name}@")]
    return _mean(times)


def _cost(runs: Sequence[Results], name: str) -> float:
    values = [float(run[name]) for run in runs]
    if np.ptp(values) > 1e-5:
        values = [float(run[name]) for run in runs if run["seed"] == _TRUSTED_SEED]
    return _mean(values)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else np.nan


def _codes(text: str) -> list[int]:
    try:
        return [OPERATIONS.index(name) for name in re.findall(r"([^|+~]+)~", text)]
    except ValueError:
        raise DataError(f"{text!r} is not a cell of NAS-Bench-201") from None


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything that is not plain data."""
        if (module, name) not in _PLAIN:
            raise pickle.UnpicklingError(f"it holds a {module}.{name}")
        return super().find_class(module, name)


def _unpickled(path: Path) -> Any:
    try:
        with bz2.open(path) as file:
            return _Unpickler(file).load()
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(
            f"{path} is not a file of NATS-Bench with plain data only: {error}"
        ) from error


def _torch_loaded(path: Path) -> Any:
    import torch  # noqa: PLC0415 - only this form of the benchmark needs it

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise DataError(
            f"{path} is not a file of NAS-Bench-201 with plain data only: {error}"
        ) from error
