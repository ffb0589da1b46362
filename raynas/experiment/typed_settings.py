"""The settings of a search as an editor and a type checker know them.

``Experiment`` describes them and has their defaults. They stand here once more, because an editor
knows only what is written out; ``tests/test_typed_settings.py`` keeps both equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict


class Changes(TypedDict, total=False):
    """The settings of ``resume``, all but the run folder."""

    space: Any
    space_options: Mapping[str, Any]
    priors: Mapping[str, Mapping[Any, float]]
    task: Any
    task_options: Mapping[str, Any]
    training: Mapping[str, Any]
    tune: Sequence[str]
    searcher: Any
    searcher_options: Mapping[str, Any]
    method: str | Sequence[str] | None
    method_options: Mapping[str, Any]
    supernet_epochs: int | None
    supernets: int
    candidates: int | None
    proxies: Sequence[str]
    screen_options: Mapping[str, Any]
    inherit_weights: bool
    start_from: Any
    scheduler: Any
    scheduler_options: Mapping[str, Any]
    objective: str | Sequence[str] | None
    constraint: str | Sequence[str] | None
    probe: str | None
    epochs: int | None
    folds: int | None
    seeds: int
    fidelity: str
    seed: int
    trials: int | None
    time: float | str | None
    gpu_hours: float | None
    target: str | None
    finalists: float
    max_failures: int | None
    winner_epochs: int | None
    cpus_per_trial: float
    gpus_per_trial: float | Literal["auto"] | None
    workers_per_trial: int
    supernet_workers: int | None
    max_concurrent: int | None
    address: str | None
    verbose: bool
    grace: float | str
    trial_timeout: float | str | None
    data_dir: Path | str
    download: bool
    best_known: float | None
    log: Sequence[str]


class Settings(Changes, total=False):
    """The settings of ``search``: the fields of ``Experiment``."""

    output: Path | str
