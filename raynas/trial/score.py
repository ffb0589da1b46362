"""What schedulers compare trials by."""

from __future__ import annotations

from typing import NamedTuple

from raynas.trial.trial import Losses


class Score(NamedTuple):
    """What a trial has after one epoch; scores compare like tuples, and the lower one is better.

    So the rule is that of Deb (2000, CMAME 186, section 3; for several objectives Deb et al.,
    2002, NSGA-II, section VI): a trial that breaks the constraints of the run less is better,
    whatever its losses are. Of trials that keep them, the losses decide.

    Attributes:
        violation: By how much the report breaks the constraints; 0 if it keeps them.
        losses: The objectives, each to be minimised.
    """

    violation: float
    losses: Losses

    @property
    def first(self) -> tuple[float, float]:
        """The violation and the first loss: the score for schedulers of one objective."""
        return self.violation, self.losses[0]
