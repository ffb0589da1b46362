"""The base class of searchers with an LSTM controller."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from raynas.searchers.controller.learning import Learnt, check_options
from raynas.searchers.controller.policy import Policy
from raynas.searchers.incremental import Incremental
from raynas.searchers.requirements import OneObjective
from raynas.searchers.selection import draw_untried
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class ControllerSearch(OneObjective):
    """Draw from an LSTM that learns a higher probability for decisions of better trials.

    Searchers differ in how the LSTM learns: they define ``_begin`` and ``_step``. The attribute
    ``learnt`` of their states is the controller.

    Attributes:
        space: The search space.
        units: The number of units of the LSTM (100 in NASNet).
        learning_rate: The learning rate of Adam (3.5e-4 in NASNet, 1e-3 and 3.5e-3 in ENAS).
        batch_size: Finished trials per update (20 in NASNet, 10 and 20 in ENAS).
        entropy_weight: The weight of the entropy, for rewards of deviation 1 (1e-5 in NASNet and
            1e-4 in ENAS, for accuracies). It has no effect with a batch size of one.
        temperature: Divides the logits.
        tanh_constant: Bounds the logits to plus and minus this value (1.1 to 2.5 in ENAS); none
            for no bound.
        init_seed: The seed of the initial weights, which are the same in every run.

    Raises:
        ConfigError: An option is out of range.
    """

    breeds: ClassVar = False
    space: Space
    units: int = 32
    learning_rate: float = 0.02
    batch_size: int = 10
    entropy_weight: float = 0.1
    temperature: float = 1.0
    tanh_constant: float | None = 2.5
    init_seed: int = 0
    _policy: Policy = field(init=False, repr=False, compare=False)
    _state: Incremental[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and make the controller."""
        check_options(
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            entropy_weight=self.entropy_weight,
        )
        policy = Policy(self.space, self.units, self.temperature, self.tanh_constant)
        object.__setattr__(self, "_policy", policy)
        object.__setattr__(self, "_state", Incremental(self._begin, self._step))

    def propose(self, history: History, rng: np.random.Generator) -> Proposal:
        """Draw from the controller."""
        draw = self._policy.drawer(self._state.after(history).learnt.parameters)
        return Proposal(draw_untried(self.space, history, lambda: draw(rng)))

    def _untrained(self) -> Learnt:
        return Learnt.nothing(self._policy.initial(np.random.default_rng(self.init_seed)))

    def _begin(self) -> Any:
        """Return the state before anything has finished."""
        raise NotImplementedError

    def _step(self, state: Any, trial: Trial, history: History) -> Any:
        """Return the state after one more trial has finished."""
        raise NotImplementedError
