"""An experiment, described once: in Python, in a YAML file, or on the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, get_type_hints

import yaml

from raynas.errors import ConfigError, unknown
from raynas.execution.limits import Limits
from raynas.execution.packing import Resources
from raynas.experiment import budget
from raynas.trial import Objective

# What may change when a run is taken up again: how much of it, where, and how loud.
_FREE: Final = frozenset(
    {
        "trials",
        "time",
        "gpu_hours",
        "target",
        "max_failures",
        "winner_epochs",
        "output",
        "data_dir",
        "download",
        "cpus_per_trial",
        "gpus_per_trial",
        "max_concurrent",
        "address",
        "verbose",
    }
)

_TRIALS: Final = 40  # where nothing else says how much


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A search and all it needs; what is left out has a default.

    Attributes:
        space: A shipped space's name, ``package.module``, a file's path or module.
        space_options: Keyword arguments of the space's ``build``, such as ``channels``.
        priors: Which options are likely to be good, as for ``raynas.space.with_priors``.
        task: A shipped task's name, ``package.module:attribute``, ``file.py:Class``, or a task.
        task_options: Options of the task.
        training: Fields of the training recipe that differ from the task's.
        tune: Fields of the training recipe to search beside the architecture, such as ``lr``.
        searcher: A searcher's name, reference or instance.
        searcher_options: Its options.
        proxies: Zero-cost proxies that choose which proposals are trained; none for all.
        screen_options: How strictly they choose.
        inherit_weights: Whether a mutated child begins with its parent's weights.
        start_from: What to try first: a run folder (its ten best), a JSON file, or a list.
        scheduler: A scheduler's name, reference or instance.
        scheduler_options: Its options.
        trials: How many trials to train; none for 40 or, with ``time`` or ``gpu_hours``, for as
            many as these allow.
        time: How long to search, in seconds or as in ``1h30m``; what lies between an interruption
            and ``resume`` does not count, nor does the winner's training.
        gpu_hours: How many hours of GPUs to hold, all workers together.
        target: The score at which a trial ends the search, as in ``val_accuracy=0.98``.
        max_failures: The number of failed trials that ends the search.
        epochs: The full length of a trial.
        winner_epochs: How long the winner is trained anew; none for as long as a trial.
        seed: The seed of everything.
        objective: The metric to optimise, with ``:min`` or ``:max`` where it is not plain; or
            several: the leaderboard is then ranked by the first, and so is the winner chosen,
            unless the searcher recommends another trial.
        output: The run folder.
        data_dir: Where data sets lie.
        download: Whether missing data may be fetched.
        cpus_per_trial: Processor cores of a trial; fractions allowed.
        gpus_per_trial: GPUs of a trial; fractions allowed; ``auto`` for the part that it is
            predicted to need; none for one GPU where there is any.
        max_concurrent: Trials at once; none for as many as fit.
        address: A Ray cluster to join; none for ``RAY_ADDRESS``, or else a new local one.
        verbose: Whether Ray may speak.
    """

    space: Any = "nasbench201"
    space_options: Mapping[str, Any] = field(default_factory=dict)
    priors: Mapping[str, Mapping[Any, float]] = field(default_factory=dict)
    task: Any = "digits"
    task_options: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    tune: Sequence[str] = ()
    searcher: Any = "auto"
    searcher_options: Mapping[str, Any] = field(default_factory=dict)
    proxies: Sequence[str] = ()
    screen_options: Mapping[str, Any] = field(default_factory=dict)
    inherit_weights: bool = False
    start_from: Any = None
    scheduler: Any = "asha"
    scheduler_options: Mapping[str, Any] = field(default_factory=dict)
    trials: int | None = None
    time: float | str | None = None
    gpu_hours: float | None = None
    target: str | None = None
    max_failures: int | None = None
    epochs: int = 9
    winner_epochs: int | None = None
    seed: int = 0
    objective: str | tuple[str, ...] = "val_accuracy"
    output: Path = Path("runs/first")
    data_dir: Path = Path("data")
    download: bool = False
    cpus_per_trial: float = 1.0
    gpus_per_trial: float | Literal["auto"] | None = None
    max_concurrent: int | None = None
    address: str | None = None
    verbose: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without looking anything up."""
        object.__setattr__(self, "output", Path(self.output))
        for name in ("tune", "proxies"):
            if isinstance(given := getattr(self, name), str):
                raise ConfigError(f"{name} must be a list of names, got {given!r}")
            object.__setattr__(self, name, tuple(given))
        object.__setattr__(self, "data_dir", Path(self.data_dir))
        if not isinstance(self.objective, str):
            names = tuple(self.objective)  # one in a list is one
            object.__setattr__(self, "objective", names[0] if len(names) == 1 else names)
        for name in ("trials", "epochs", "winner_epochs", "max_concurrent", "max_failures"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}")
        if self.seed < 0:
            raise ConfigError(f"seed must not be negative, got {self.seed}")
        if self.gpu_hours is not None and not 0 < self.gpu_hours < math.inf:
            raise ConfigError(f"gpu_hours must be more than 0, got {self.gpu_hours}")
        if self.gpu_hours is not None and self.gpus_per_trial == 0:
            raise ConfigError(
                "trials without a GPU never use up gpu_hours, given as "
                f"{self.gpu_hours}: leave it out, or gpus_per_trial=0"
            )
        gpus = 1.0 if self.gpus_per_trial == "auto" else self.gpus_per_trial or 0.0
        Resources(self.cpus_per_trial, gpus).checked()
        self.objectives, self.limits  # noqa: B018 - raise on what is malformed

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised; losses and costs are minimised unless said otherwise.

        Raises:
            ConfigError: A direction is neither ``min`` nor ``max``; or there is no objective, or
                one of them twice.
        """
        texts = (self.objective,) if isinstance(self.objective, str) else self.objective
        objectives = tuple(map(budget.objective, texts))
        names = [objective.metric for objective in objectives]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"objectives must be one or more metrics, each once, got {names}")
        return objectives

    @property
    def most_trials(self) -> float:
        """How many trials to train at most; infinite where time or GPU-hours bound the search."""
        if self.trials is not None:
            return self.trials
        return _TRIALS if self.time is None and self.gpu_hours is None else math.inf

    @property
    def limits(self) -> Limits:
        """What ends the search before there have been so many trials.

        Raises:
            ConfigError: The time, or the target, is malformed.
        """
        return Limits(
            time=math.inf if self.time is None else budget.seconds(self.time),
            gpu_hours=self.gpu_hours or math.inf,
            target=None if self.target is None else budget.target(self.target, self.objectives),
            max_failures=self.max_failures or math.inf,
        )

    def described(self) -> dict[str, Any]:
        """Return the fields as JSON-ready data; an object is described by its ``repr``."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    def differences(self, recorded: Mapping[str, Any]) -> list[str]:
        """Return what keeps this experiment from taking up a recorded one, a sentence each."""
        mine = self.described()
        # What a run was begun without, by an older raynas, was as it is by default.
        known = {**Experiment().described(), **recorded}
        return [
            f"{name} is {known[name]!r} there and {mine[name]!r} here"
            for name in mine
            if name not in _FREE and mine[name] != known[name]
        ]


def experiment_from(values: Mapping[str, Any], base: Experiment | None = None) -> Experiment:
    """Make an experiment of fields by name; those left out come from ``base``.

    Raises:
        ConfigError: A field is unknown, or a value is of the wrong kind.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - slow to load

    known = {item.name: item for item in fields(Experiment)}
    for name in values:
        if name not in known:
            raise ConfigError(unknown("setting", str(name), known))
    hints = get_type_hints(Experiment)
    read: dict[str, Any] = {}
    for name, value in values.items():
        try:
            read[name] = TypeAdapter(hints[name]).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].lower()
            raise ConfigError(f"{name}: {reason}, got {value!r}") from None
    return replace(base or Experiment(), **read)


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a YAML file.

    Raises:
        ConfigError: It is not there, is no YAML, or holds no mapping.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the configuration {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"the configuration {path} is no YAML: {said}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"the configuration {path} must hold settings, 'name: value' a line")
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    said = getattr(value, "__name__", None) or repr(value)
    return {"object": re.sub(r" at 0x[0-9a-f]+", "", said)}  # the same in another process
