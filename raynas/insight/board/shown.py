"""Which trials TensorBoard shows: few enough that its pages work, whatever the length of a run.

TensorBoard selects no run at all if there are more than 500, and each selected run makes every
page slower. So all trials are shown up to a number, then one of some, and each that is among the
best when it ends.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import Final

from raynas.insight.outcome_counts import ranked, ranking_key
from raynas.trial import Trial

ALL: Final = 128
_DOUBLING: Final = 32  # trials that are shown whenever the number of trials has doubled
TOP: Final = 10


def in_sample(number: int) -> bool:
    """Return whether a trial is shown whatever its score: 32 of each doubling after the 128th."""
    if number < ALL:
        return True
    begin = ALL << ((number // ALL).bit_length() - 1)
    return number % (begin // _DOUBLING) == 0


@dataclass(slots=True)
class Best:
    """The best trials so far.

    Attributes:
        trials: At most ten, the best first.
    """

    trials: list[Trial] = field(default_factory=list)

    def add(self, trial: Trial) -> bool:
        """Add a trial that has ended; return whether it is among the best."""
        if not ranked(trial):
            return False
        self.trials = [one for one in self.trials if one.number != trial.number]
        insort(self.trials, trial, key=ranking_key)
        del self.trials[TOP:]
        return any(one.number == trial.number for one in self.trials)
