"""Successive halving and Hyperband, synchronous: a rung is judged when all have reached it.

Successive halving: Jamieson & Talwalkar, 2016, arXiv:1502.07943. Hyperband: Li et al., 2018,
arXiv:1603.06560, Algorithm 1.

Differs from the papers: while a rung waits for its last trials, the next bracket begins, so that
no worker is idle while new trials can begin; brackets are repeated until there are no more trials;
the place of a failed trial stays empty. A trial's number determines its bracket.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, count
from typing import ClassVar

import numpy as np

from raynas.errors import ConfigError
from raynas.schedulers.memo import Memo
from raynas.schedulers.rungs import Rungs, best_first
from raynas.schedulers.verdict import Resume, Verdict
from raynas.space import Space
from raynas.trial import History, Report, Trial


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a bracket.

    Attributes:
        size: How many trials start.
        rungs: Epochs after which its trials are compared, and how many of them then continue.
    """

    size: int
    rungs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """The progress of a bracket.

    Attributes:
        left: Its trials that may still continue, running ones included.
        ready: The paused trials among them that are to continue now, best first.
    """

    left: Sequence[Trial]
    ready: Sequence[Trial]


class Unfinished:
    """The brackets in which a trial may still continue."""

    def __init__(self) -> None:
        """Begin without any."""
        self._left: dict[int, Shape] = {}  # by their first trials
        self._next = self._begun = 0

    def stages(
        self, history: History, shapes: Sequence[Shape], *, closed: bool
    ) -> Iterator[Stage]:
        """Yield the progress of each bracket, the earliest first."""
        while self._next < len(history.trials):
            shape = shapes[self._begun % len(shapes)]
            self._left[self._next] = shape
            self._next, self._begun = self._next + shape.size, self._begun + 1
        for first, shape in [*self._left.items()]:
            one = stage(first, shape, history, closed)
            if not one.left and first + shape.size <= len(history.trials):
                del self._left[first]
            yield one


@dataclass(frozen=True, slots=True)
class _Brackets:
    """The base class of synchronous schedulers; each defines the shapes of its brackets."""

    one_length: ClassVar = True
    _unfinished: Memo[Unfinished] = field(
        default_factory=lambda: Memo(Unfinished), init=False, repr=False, compare=False
    )

    def shapes(self, epochs: int) -> Sequence[Shape]:
        """Return the shapes of one round of brackets for trials of ``epochs``; rounds repeat."""
        raise NotImplementedError

    def decide(self, report: Report, history: History) -> Verdict:
        """Pause at every rung."""
        shapes = self._shapes(history)
        place = report.number % sum(shape.size for shape in shapes)
        ends = accumulate(shape.size for shape in shapes)
        shape = next(shape for shape, end in zip(shapes, ends, strict=True) if place < end)
        return Verdict.STOP if report.epoch in dict(shape.rungs) else Verdict.GO

    def direct(
        self,
        history: History,
        space: Space,  # noqa: ARG002 - by contract
        rng: np.random.Generator,  # noqa: ARG002 - by contract
        *,
        closed: bool,
    ) -> Resume | None:
        """Continue a trial that has won a rung; else let a new trial begin."""
        for stage in self._stages(history, closed=closed):
            if stage.ready:
                return Resume(stage.ready[0].number)
        return None

    def keeps(self, history: History) -> Collection[int]:
        """Return the paused trials that may still win a rung."""
        stages = self._stages(history, closed=False)
        return [trial.number for stage in stages for trial in stage.left if trial.resumable]

    def _shapes(self, history: History) -> Sequence[Shape]:
        return self.shapes(history.trials[0].started.epochs) if history.trials else ()

    def _stages(self, history: History, *, closed: bool) -> Iterator[Stage]:
        return self._unfinished.of(history).stages(history, self._shapes(history), closed=closed)


def stage(first: int, shape: Shape, history: History, closed: bool) -> Stage:  # noqa: FBT001
    """Return how far the bracket has come whose first trial has the number ``first``.

    Args:
        first: A trial's number.
        shape: The bracket's.
        history: What happened.
        closed: Whether no more trials will begin, so that a bracket may stay too small.
    """
    numbers = range(first, first + shape.size)
    left = [history.trials[number] for number in numbers if number in history.trials]
    begun = len(left)
    for rung, keep in shape.rungs:
        reached = history.at(rung)
        below = [trial for trial in left if trial.number not in reached and _alive(trial)]
        if below or (begun < shape.size and not closed):
            return Stage(left, [trial for trial in below if trial.resumable])
        arrived = {
            trial.number: reached[trial.number] for trial in left if trial.number in reached
        }
        most = max(1, keep * begun // shape.size)
        left = [history.trials[number] for number in best_first(arrived)[:most]]
    left = [trial for trial in left if _alive(trial)]
    return Stage(left, [trial for trial in left if trial.resumable])


def _alive(trial: Trial) -> bool:
    return trial.outcome is None or trial.resumable


@dataclass(frozen=True, slots=True)
class SuccessiveHalving(_Brackets):
    """Train many a little, the best 1/eta longer, and so on to the full length.

    Attributes:
        grace_epochs: The first rung, in epochs.
        eta: Factor between rungs; one in ``eta`` goes on.

    Raises:
        ConfigError: ``grace_epochs`` is below one, or ``eta`` below two.
    """

    grace_epochs: int = 1
    eta: int = 3

    def __post_init__(self) -> None:
        """Check the options."""
        Rungs(self.grace_epochs, self.eta).check("halving")

    def check(self, epochs: int) -> None:
        """Refuse runs that would end before the first rung."""
        Rungs(self.grace_epochs, self.eta).check("halving", epochs)

    def shapes(self, epochs: int) -> Sequence[Shape]:
        """Return one shape, of which one trial is left at the end."""
        rungs = Rungs(self.grace_epochs, self.eta).below(epochs)
        size = self.eta ** len(rungs)
        return [Shape(size, tuple((r, size // self.eta ** (k + 1)) for k, r in enumerate(rungs)))]


@dataclass(frozen=True, slots=True)
class Hyperband(_Brackets):
    """Successive halving from many short trainings, from fewer longer ones, … in turn.

    Attributes:
        eta: Factor between rungs; one in ``eta`` goes on.

    Raises:
        ConfigError: ``eta`` is below two.
    """

    eta: int = 3

    def __post_init__(self) -> None:
        """Check the option."""
        if self.eta < 2:
            raise ConfigError(f"hyperband needs eta >= 2, got {self.eta}")

    def check(self, epochs: int) -> None:
        """Refuse runs without a single rung."""
        if epochs < self.eta:
            raise ConfigError(
                f"hyperband needs epochs >= eta, got trials of {epochs} epochs and eta "
                f"{self.eta}: lower eta, or raise epochs"
            )

    def shapes(self, epochs: int) -> Sequence[Shape]:
        """Return the brackets s_max, …, 0: n = ceil((s_max+1) eta^s / (s+1)), r = R eta^-s."""
        most = next(s for s in count() if self.eta ** (s + 1) > epochs)
        shapes = []
        for s in range(most, -1, -1):
            size = math.ceil((most + 1) * self.eta**s / (s + 1))
            rungs = (
                (epochs // self.eta ** (s - i), max(1, size // self.eta ** (i + 1)))
                for i in range(s)
            )
            shapes.append(Shape(size, tuple(rungs)))
        return shapes
