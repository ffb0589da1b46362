"""What is known of a search before it is launched, as values and in words."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.table import Table

from raynas.insight.wording import count, duration, plural, say

_SHOWN = 3  # reasons of failures


@dataclass(frozen=True, slots=True)
class Spread:
    """How much something varies over the architectures on which it was measured.

    Attributes:
        least: The smallest.
        median: The one in the middle.
        most: The largest.
        measured: On how many.
    """

    least: float
    median: float
    most: float
    measured: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Summarise what was measured, at least once."""
        return cls(min(values), statistics.median(values), max(values), len(values))


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a search is going to take.

    Attributes:
        trials: Trials of the search.
        epochs: The full length of each.
        scheduler: What stops them early.
        workers: Trials at once.
        full_epochs: Epochs, if no trial stopped early.
        full_seconds: The time for these.
        epochs_expected: Epochs with that scheduler, in the mean over searches played through
            with random learning curves.
        seconds_expected: The time for these.
    """

    trials: int
    epochs: int
    scheduler: str
    workers: int
    full_epochs: int
    full_seconds: float
    epochs_expected: float
    seconds_expected: float


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a look at a sample of a space has shown.

    Attributes:
        space: What people call it.
        size: The exact number of architectures; infinite with a real number in it.
        task: What they are trained on.
        examples: Training examples.
        input_shape: The shape of one.
        classes: How many labels there are.
        device: Where they were trained.
        asked: Architectures that were to be looked at.
        tried: Those that the time was enough for.
        reasons: Why some could not be built or trained, with how many did so; the most common
            first.
        params: Numbers that training fits.
        flops: Multiply-adds of one example.
        memory: Bytes of a training step.
        epoch_seconds: Time of an epoch, validation included.
        loss: The loss (nats) of the first real step of training.
        forecast: What the search is going to take.
        seconds: Time this took.
    """

    space: str
    size: float
    task: str
    examples: int
    input_shape: tuple[int, ...]
    classes: int
    device: str
    asked: int
    tried: int
    reasons: tuple[tuple[str, int], ...]
    params: Spread
    flops: Spread
    memory: Spread
    epoch_seconds: Spread
    loss: float
    forecast: Forecast
    seconds: float

    @property
    def memory_measured(self) -> bool:
        """Whether the memory was measured on the device, rather than added up."""
        return self.device == "cuda"

    @property
    def failed(self) -> int:
        """How many could not be built or trained."""
        return sum(number for _, number in self.reasons)

    def as_data(self) -> dict[str, Any]:
        """Return all of it ready for JSON; an infinite size is none."""
        return {
            **asdict(self),
            "size": self.size if self.size != math.inf else None,
            "reasons": [{"reason": reason, "number": number} for reason, number in self.reasons],
            "failed": self.failed,
            "memory_measured": self.memory_measured,
        }


def print_preflight(console: Console, found: Preflight) -> None:
    """Print it for people."""
    for line in _heading(found):
        say(console, line)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for column in ("least", "median", "most", "measured on"):
        table.add_column(column, justify="right", no_wrap=True)
    memory = "measured" if found.memory_measured else "estimated"
    rows: tuple[tuple[str, Spread, Callable[[float], str]], ...] = (
        ("parameters", found.params, count),
        ("FLOPs of an example", found.flops, count),
        (f"memory of a step, {memory}", found.memory, _size),
        ("time of an epoch", found.epoch_seconds, _time),
    )
    for name, spread, words in rows:
        numbers = (words(spread.least), words(spread.median), words(spread.most))
        table.add_row(name, *numbers, str(spread.measured))
    console.print()
    console.print(table)
    console.print()
    for line in _ending(found):
        say(console, line)


def _heading(found: Preflight) -> Iterator[str]:
    size = "no end of" if found.size == math.inf else f"{found.size:,}"
    yield f"space {found.space}: {size} architectures"
    shape = " x ".join(map(str, found.input_shape))
    yield (
        f"task {found.task}: {found.examples:,} training examples of {shape}, "
        f"{found.classes} classes"
    )
    looked = f"{plural(found.tried, 'architecture')} sampled at random"
    if found.tried < found.asked:
        looked += f" ({found.asked} were asked for, but time was up: see --time-limit)"
    yield f"{looked}; {_failures(found)}"
    for reason, number in found.reasons[:_SHOWN]:
        yield f"  {number} x {reason}"
    yield (
        f"forward and backward on {found.device} work: the first step of training had loss "
        f"{found.loss:.3g}"
    )


def _failures(found: Preflight) -> str:
    if not found.failed:
        return "all of them can be built"
    share = 100 * found.failed / found.tried
    return f"{found.failed} ({share:.3g} %) cannot be built or trained"


def _ending(found: Preflight) -> Iterator[str]:
    cast = found.forecast
    trials, epochs = plural(cast.trials, "trial"), plural(cast.epochs, "epoch")
    yield f"{trials} of {epochs}, {plural(cast.workers, 'worker')}:"
    yield f"  at most {cast.full_epochs:,} epochs, about {duration(cast.full_seconds)}"
    yield (
        f"  with scheduler {cast.scheduler} about {cast.epochs_expected:,.0f} epochs, "
        f"{duration(cast.seconds_expected)}"
    )
    took = duration(found.seconds)
    yield f"then the winner, trained anew for as long as a trial (this look took {took})"


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 0.95 else duration(seconds)


def _size(number: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number / 1e3:.3g} kB"
