"""The settings of an experiment, in groups: each group checks its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from raynas.errors import ConfigError, unknown
from raynas.execution.packing import Resources
from raynas.experiment import amounts
from raynas.options import local_path
from raynas.trial import Objective

SHARED_PROXY: Final = "shared"
USUAL_METHOD: Final = "random-ws"
FIDELITIES: Final = ("epochs", "repeats")
_TRIALS: Final = 40  # where nothing else says how much
_CANDIDATES: Final = 8  # with a one-shot method


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What is searched, on what data, by which searcher and scheduler.

    Attributes:
        space: A shipped space's name, ``package.module``, a file's path or module; none for that
            of the task, mostly ``nasbench201``.
        space_options: Keyword arguments of the space's ``build``, such as ``channels``.
        priors: Which options are likely to be good, as for ``raynas.space.with_priors``.
        task: A shipped task's name, ``package.module:attribute``, ``file.py:Class``, or a task.
        task_options: Options of the task.
        training: Fields of the training recipe that differ from the task's.
        tune: Fields of the training recipe to search beside the architecture, such as ``lr``.
        searcher: A searcher's name, reference or instance.
        searcher_options: Its options.
        method: A one-shot method, or several: its supernet is trained first, and the search trains
            the architectures that it proposes. Beside it, the control ``random-ws`` proposes as
            many. None for a search without a supernet.
        method_options: Options of the method; with several methods, by ``method.option``.
        supernet_epochs: How long a supernet is trained; none for six times ``epochs``.
        proxies: Zero-cost proxies that choose which proposals are trained; none for all. The name
            ``shared`` stands for the score by the weights of a supernet, which is trained first.
        screen_options: How strictly they choose.
        inherit_weights: Whether a mutated child begins with its parent's weights.
        start_from: What to try first: a run folder (its ten best), a JSON file, or a list.
        scheduler: A scheduler's name, reference or instance; none for what suits the task, mostly
            ``asha``.
        scheduler_options: Its options.
        objective: The metric to optimise, with ``:min`` or ``:max`` where it is not plain; none
            for that of the task. With several, the leaderboard is ranked by the first, and so is
            the winner chosen, unless the searcher recommends another trial.
        epochs: The full length of a trial; none for what suits the task, mostly 9.
        folds: How many divisions of the data a trial trains its architecture on, as in
            cross-validation; its score is the mean. None for what suits the task, mostly 1.
        seeds: How many times a trial trains it on each division, with different training seeds.
        fidelity: What a scheduler saves: ``epochs`` (folds and seeds are trained side by side) or
            ``repeats`` (they are trained one after another, each in full, and it counts them).
        seed: The seed of everything.

    Raises:
        ConfigError: A value is out of range.
    """

    space: Any = None
    space_options: Mapping[str, Any] = field(default_factory=dict)
    priors: Mapping[str, Mapping[Any, float]] = field(default_factory=dict)
    task: Any = "digits"
    task_options: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    tune: Sequence[str] = ()
    searcher: Any = "auto"
    searcher_options: Mapping[str, Any] = field(default_factory=dict)
    method: str | tuple[str, ...] | None = None
    method_options: Mapping[str, Any] = field(default_factory=dict)
    supernet_epochs: int | None = None
    proxies: Sequence[str] = ()
    screen_options: Mapping[str, Any] = field(default_factory=dict)
    inherit_weights: bool = False
    start_from: Any = None
    scheduler: Any = None
    scheduler_options: Mapping[str, Any] = field(default_factory=dict)
    objective: str | tuple[str, ...] | None = None
    epochs: int | None = None
    folds: int | None = None
    seeds: int = 1
    fidelity: str = "epochs"
    seed: int = 0

    def check_parts(self) -> None:
        """Bring lists into one form, and check what needs nothing looked up."""
        for name in ("space", "task", "searcher", "scheduler"):
            given = getattr(self, name)
            needed = name in {"task", "searcher"}  # the task decides the others
            if isinstance(given, bool | int | float) or (given is None and needed):
                raise ConfigError(
                    f"{name} must be a name, a reference or an object, got {given!r}"
                )
        for name in ("tune", "proxies"):
            if isinstance(given := getattr(self, name), str):
                raise ConfigError(f"{name} must be a list of names, got {given!r}")
            object.__setattr__(self, name, tuple(given))
        if not isinstance(self.objective, str | None):
            names = tuple(self.objective)  # one in a list is one
            object.__setattr__(self, "objective", names[0] if len(names) == 1 else names)
        if self.seed < 0:
            raise ConfigError(f"seed must not be negative, got {self.seed}")
        if not isinstance(self.method, str | None):
            object.__setattr__(self, "method", tuple(self.method))
        _at_least_one(self, "epochs", "folds", "seeds", "supernet_epochs")
        if self.fidelity not in FIDELITIES:
            raise ConfigError(unknown("fidelity", str(self.fidelity), FIDELITIES))
        self.objectives  # noqa: B018 - raises on what is malformed

    @property
    def methods(self) -> tuple[str, ...]:
        """The one-shot methods, each once; the first is the usual one if a proxy needs it."""
        named = (self.method,) if isinstance(self.method, str) else self.method or ()
        usual = (USUAL_METHOD,) if self.shares and not named else ()
        return tuple(dict.fromkeys((*named, *usual)))

    @property
    def shares(self) -> bool:
        """Whether the score by shared weights is a proxy."""
        return SHARED_PROXY in self.proxies

    @property
    def zero_cost(self) -> list[str]:
        """The proxies that need no training."""
        return [name for name in self.proxies if name != SHARED_PROXY]

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised; losses and costs are minimised unless said otherwise.

        It is empty if the task decides it.

        Raises:
            ConfigError: A direction is neither ``min`` nor ``max``; or there is no objective, or
                one of them twice.
        """
        if self.objective is None:
            return ()
        texts = (self.objective,) if isinstance(self.objective, str) else self.objective
        objectives = tuple(map(amounts.objective, texts))
        names = [objective.metric for objective in objectives]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"objectives must be one or more metrics, each once, got {names}")
        return objectives


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much a search may take; it may change when a run is resumed.

    Attributes:
        trials: How many trials to train; none for 40 (with a one-shot method, 8) or, with ``time``
            or ``gpu_hours``, for as many as these allow.
        time: How long to search, in seconds or as in ``1h30m``; what lies between an interruption
            and ``resume`` does not count, nor does the winner's training.
        gpu_hours: How many hours of GPUs to hold, all workers together.
        target: The score at which a trial ends the search, as in ``val_accuracy=0.98``.
        finalists: The share of the trials, the last ones, that train the best networks again, on
            other divisions of the data; the winner is chosen by all of their scores. 0 for none.
        max_failures: The number of failed trials that ends the search.
        winner_epochs: How long the winner is trained anew; none for as long as a trial.

    Raises:
        ConfigError: A value is out of range.
    """

    trials: int | None = None
    time: float | str | None = None
    gpu_hours: float | None = None
    target: str | None = None
    finalists: float = 0.0
    max_failures: int | None = None
    winner_epochs: int | None = None

    def check_budget(self) -> None:
        """Check what needs nothing looked up."""
        _at_least_one(self, "trials", "winner_epochs", "max_failures")
        if not 0.0 <= self.finalists < 1.0:
            raise ConfigError(f"0 <= finalists < 1 must hold: got {self.finalists}")
        if self.finalists and self.most_trials == math.inf:
            raise ConfigError("finalists are the last of --trials: give a number of trials, too")
        if self.gpu_hours is not None and not 0 < self.gpu_hours < math.inf:
            raise ConfigError(f"gpu_hours must be more than 0, got {self.gpu_hours}")

    @property
    def most_trials(self) -> float:
        """How many trials to train at most; infinite where time or GPU-hours bound the search."""
        if self.trials is not None:
            return self.trials
        if self.time is not None or self.gpu_hours is not None:
            return math.inf
        proposes = getattr(self, "method", None) and not getattr(self, "shares", False)
        return _CANDIDATES if proposes else _TRIALS


@dataclass(frozen=True, kw_only=True)
class Compute:
    """What trials run on; it may change when a run is resumed.

    Attributes:
        cpus_per_trial: Processor cores of a trial; fractions allowed.
        gpus_per_trial: GPUs of a trial; fractions allowed; ``auto`` for the part that it is
            predicted to need; none for ``auto`` where there is any GPU, and 0 elsewhere.
        max_concurrent: Trials at once; none for as many as fit.
        address: A Ray cluster to join; none for ``RAY_ADDRESS``, or else a new local one.
        verbose: Whether Ray may speak.
        grace: How long trials may take to come to a checkpoint when a signal ends the run, in
            seconds or as in ``30s``.
        trial_timeout: How long a trial may run, in seconds or as in ``10m``: after that it has
            failed, and its worker is replaced; none for a limit on the time without a report, 20
            times the longest epoch so far and at least an hour.

    Raises:
        ConfigError: A value is out of range.
    """

    cpus_per_trial: float = 1.0
    gpus_per_trial: float | Literal["auto"] | None = None
    max_concurrent: int | None = None
    address: str | None = None
    verbose: bool = False
    grace: float | str = 30.0
    trial_timeout: float | str | None = None

    def check_compute(self) -> None:
        """Check what needs nothing looked up."""
        _at_least_one(self, "max_concurrent")
        self.grace_seconds, self.trial_seconds  # noqa: B018 - raise on what is malformed
        gpus = 1.0 if self.gpus_per_trial == "auto" else self.gpus_per_trial or 0.0
        Resources(self.cpus_per_trial, gpus).checked()

    @property
    def grace_seconds(self) -> float:
        """The grace time in seconds; 0 is allowed."""
        return amounts.seconds(self.grace, "grace", zero=True)

    @property
    def trial_seconds(self) -> float | None:
        """How long a trial may run, in seconds; none for a limit on the time without a report."""
        if self.trial_timeout is None:
            return None
        return amounts.seconds(self.trial_timeout, "trial_timeout")


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Where data and results lie; it may change when a run is resumed.

    Attributes:
        output: The run folder.
        data_dir: Where data sets lie.
        download: Whether missing data may be fetched.

    Raises:
        ConfigError: A path is empty, or not on this machine.
    """

    output: Path = Path("runs/first")
    data_dir: Path = Path("data")
    download: bool = False

    def check_storage(self) -> None:
        """Make paths of texts, and refuse those that are not on this machine."""
        for name in ("output", "data_dir"):
            object.__setattr__(self, name, local_path(name, getattr(self, name)))


def _at_least_one(settings: Any, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise ConfigError(f"{name} must be at least 1, got {value}")
