"""Optuna's samplers, by its ask-and-tell interface (Akiba et al., 2019, arXiv:1907.10902).

Every proposal makes a new sampler, seeded from the generator, and a study that is replayed from
the history. So a sampler keeps no state of its own between proposals.

Differs from Optuna's own loop: trials count in the order they finish; trials that were stopped
early are told as pruned, and failed trials as pruned before their first report, so that TPE
avoids similar networks; for samplers that store data in the study (CMA-ES, NSGA-II, NSGA-III),
this data is made again while the history is replayed, one trial after another. Prior weights are
used only while Optuna draws at random, at the start (``random``: always). Optuna does not learn
them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from raynas.errors import ConfigError, SpaceError, unknown
from raynas.searchers.foreign import tell_of_weights, weighted
from raynas.searchers.requirements import Requirements
from raynas.space import Architecture, Choice, Space
from raynas.trial import History, Proposal

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

# The others want their own description of the space, or to run the loop.
_SAMPLERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tpe": "TPESampler",
        "gp": "GPSampler",
        "cmaes": "CmaEsSampler",
        "nsgaii": "NSGAIISampler",
        "nsgaiii": "NSGAIIISampler",
        "random": "RandomSampler",
    }
)
_BEGINNINGS: Final = ("n_startup_trials", "population_size")  # what a sampler calls them
_KEEP_NOTES: Final = frozenset({"cmaes", "nsgaii", "nsgaiii"})


@dataclass(frozen=True, slots=True)
class OptunaSearch:
    """Let one of Optuna's samplers propose.

    Samplers that support several objectives minimise all of them together.

    Attributes:
        space: The search space.
        sampler: Which sampler: ``tpe``, ``gp``, ``cmaes``, ``nsgaii``, ``nsgaiii`` or ``random``,
            or Optuna's name of the class, such as ``TPESampler``.
        sampler_options: The sampler's arguments, such as ``{"n_startup_trials": 20}``.

    Raises:
        SpaceError: Optuna, or this sampler, cannot express the space.
        ConfigError: There is no such sampler, or it refuses these options.
    """

    breeds: ClassVar = False
    space: Space
    sampler: str = "tpe"
    sampler_options: Mapping[str, Any] = field(default_factory=dict)
    _replay: Any = field(init=False, repr=False, compare=False)  # its type would load Optuna

    def __post_init__(self) -> None:
        """Check the sampler, its options and the space."""
        from raynas.searchers.optuna_replay import Replay, quiet  # noqa: PLC0415 - loads Optuna

        name = self._name
        if name not in _SAMPLERS:
            raise ConfigError(unknown("Optuna sampler", self.sampler, _SAMPLERS))
        _check_space(self.space, name)
        make = partial(_make, name, self.sampler_options)
        with quiet():
            make(0)
        replay = Replay(self.space, make, relives=name in _KEEP_NOTES)
        object.__setattr__(self, "_replay", replay)

    def check(self, requirements: Requirements) -> None:
        """Refuse what the sampler cannot do; warn of ignored prior weights.

        Raises:
            ConfigError: There are several objectives, and the sampler takes one; or there are
                constraints that are learnt, and the sampler or this version learns none.
        """
        if requirements.learns_constraints:
            self._check_constraints(requirements)
        if self._begins < math.inf:
            tell_of_weights(self.space, "Optuna", " after its random trials at the start")
        if self._name == "cmaes" and len(requirements.objectives) > 1:
            raise ConfigError(
                f"CMA-ES takes one objective, got {len(requirements.objectives)}: "
                "use another sampler, such as nsgaii"
            )

    def propose(self, history: History, rng: np.random.Generator) -> Proposal:
        """Return the sampler's proposal, given all trials that ended or still run."""
        if len(history.finished) + len(history.failed) < self._begins and weighted(self.space):
            return Proposal(self.space.sample(rng), random=True)
        architecture: Architecture = self._replay.propose(history, int(rng.integers(2**31)))
        return Proposal(architecture, random=len(history.trials) < self._begins)

    def _check_constraints(self, requirements: Requirements) -> None:
        import optuna  # noqa: PLC0415 - slow to load, and only this searcher needs it

        if self._name == "cmaes":
            requirements.refuse_constraints("CMA-ES")
        if "constraints" not in inspect.signature(optuna.trial.create_trial).parameters:
            requirements.refuse_constraints(f"Optuna {optuna.__version__}, before version 5,")

    @property
    def _begins(self) -> float:
        """How many trials the sampler draws at random before it learns."""
        known = inspect.signature(_sampler(self._name)).parameters
        for option in _BEGINNINGS:
            if option in known:
                return float(self.sampler_options.get(option, known[option].default))
        return math.inf

    @property
    def _name(self) -> str:
        return self.sampler.lower().removesuffix("sampler")


def _check_space(space: Space, sampler: str) -> None:
    for decision in space.decisions.values():
        domain = decision.domain
        if sampler == "cmaes" and (isinstance(domain, Choice) or decision.parent is not None):
            what = "a Choice" if isinstance(domain, Choice) else "conditional"
            raise SpaceError(
                "CMA-ES needs decisions that are numbers and always active, and "
                f"{decision.path} is {what}: use another sampler, such as tpe"
            )


def _sampler(name: str) -> type[BaseSampler]:
    import optuna  # noqa: PLC0415 - slow to load, and only this searcher needs it

    sampler: type[BaseSampler] = getattr(optuna.samplers, _SAMPLERS[name])
    return sampler


def _make(name: str, options: Mapping[str, Any], seed: int) -> BaseSampler:
    cls = _sampler(name)
    known = inspect.signature(cls).parameters.keys() - {"seed"}
    for option in options:
        if option not in known:
            raise ConfigError(unknown(f"option of Optuna's {_SAMPLERS[name]}", option, known))
    # Optuna before 5 does not spread what runs at once unless it is told to.
    spread = {"constant_liar": True} if "constant_liar" in known else {}
    try:
        return cls(**(spread | dict(options)), seed=seed)  # type: ignore[call-arg]
    except (ImportError, TypeError, ValueError) as error:
        raise ConfigError(f"Optuna's {_SAMPLERS[name]} cannot be created: {error}") from error
