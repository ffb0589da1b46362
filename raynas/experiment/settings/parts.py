"""What is searched, on what data, by which searcher and scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from raynas.errors import ConfigError, unknown
from raynas.experiment import amounts
from raynas.experiment.settings.checks import at_least_one
from raynas.trial import Constraint, Objective, check_together

SHARED_PROXY: Final = "shared"
USUAL_METHOD: Final = "random-ws"
FIDELITIES: Final = ("epochs", "repeats")


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
        tune: Fields of the training recipe to search beside the architecture, such as ``lr``; with
            ``method``, those of the supernets.
        searcher: A searcher's name, reference or instance.
        searcher_options: Its options.
        method: A one-shot method, or several: its supernet is trained first, and the first trials
            train the architectures that it proposes. Beside it, the control ``random-ws`` proposes
            as many. None for a search without a supernet.
        method_options: Options of the method; with several methods, by ``method.option``.
        supernet_epochs: How long a supernet is trained; none for six times ``epochs``.
        supernets: How many supernets of each method are trained, with different seeds and with
            different values of what ``tune`` names. The scheduler may stop some of them early. The
            best one by its shared score proposes.
        candidates: How many trials train what supernets propose; then the searcher proposes, which
            has learnt from them. None for a quarter of the trials, but at least 16.
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
        constraint: A limit on a metric, or several, such as ``params<=1M``. Networks whose costs
            or latency break it are not trained; the winner keeps all of them.
        probe: What measures ``latency_ms`` and ``energy_mj``: ``torch``, ``torch:cuda``, ``onnx``
            or a command with ``{model}``; none for ``torch`` if one of them is asked for.
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
    supernets: int = 1
    candidates: int | None = None
    proxies: Sequence[str] = ()
    screen_options: Mapping[str, Any] = field(default_factory=dict)
    inherit_weights: bool = False
    start_from: Any = None
    scheduler: Any = None
    scheduler_options: Mapping[str, Any] = field(default_factory=dict)
    objective: str | tuple[str, ...] | None = None
    constraint: str | tuple[str, ...] | None = None
    probe: str | None = None
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
        at_least_one(
            self, "epochs", "folds", "seeds", "supernet_epochs", "supernets", "candidates"
        )
        if self.fidelity not in FIDELITIES:
            raise ConfigError(unknown("fidelity", str(self.fidelity), FIDELITIES))
        if not isinstance(self.constraint, str | None):
            object.__setattr__(self, "constraint", tuple(self.constraint) or None)
        self.objectives, self.constraints  # noqa: B018 - raise on what is malformed

    @property
    def methods(self) -> tuple[str, ...]:
        """The one-shot methods, each once; the first is the usual one if a proxy needs it."""
        named = (self.method,) if isinstance(self.method, str) else self.method or ()
        usual = (USUAL_METHOD,) if self.shares and not named else ()
        return tuple(dict.fromkeys((*named, *usual)))

    @property
    def tunes_supernets(self) -> bool:
        """Whether the settings of supernets are searched, not those of trials."""
        return bool(self.methods) and not self.shares

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

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The limits that metrics must keep.

        Raises:
            ConfigError: One is malformed, or they contradict each other.
        """
        texts = (self.constraint,) if isinstance(self.constraint, str) else self.constraint or ()
        constraints = tuple(map(amounts.constraint, texts))
        check_together(constraints)
        return constraints
