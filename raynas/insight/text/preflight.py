"""The results of ``raynas check``: as values, and as text."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from rich import box
from rich.console import Console
from rich.table import Table

from raynas.insight.wording import count, duration, plural, say, span

_SHOWN: Final = 3  # the most reasons of failures that are shown
_NEARLY: Final = 0.999  # tolerance for rounding: from this fraction on, the time limit is reached


@dataclass(frozen=True, slots=True)
class Spread:
    """The range of a quantity over the architectures on which it was measured.

    Attributes:
        least: The smallest value.
        median: The median.
        most: The largest value.
        measured: The number of architectures.
    """

    least: float
    median: float
    most: float
    measured: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Summarise the measured values, at least one."""
        return cls(min(values), statistics.median(values), max(values), len(values))


@dataclass(frozen=True, slots=True)
class Forecast:
    """The estimated costs of a search.

    Attributes:
        trials: The most trials of the search; none if only the time limits it.
        epochs: The full length of a trial.
        scheduler: The name of the scheduler.
        workers: The number of trials that run at once.
        time: The time limit in seconds; none if there is none.
        full_trials: The number of trials within the limits, if none is stopped early.
        full_epochs: The epochs of these trials.
        full_seconds: The time of these trials.
        trials_expected: The number of trials with this scheduler: the mean over simulated
            searches with random learning curves.
        epochs_expected: The epochs of these trials.
        seconds_expected: The time of these trials.
    """

    trials: int | None
    epochs: int
    scheduler: str
    workers: int
    time: float | None
    full_trials: int
    full_epochs: int
    full_seconds: float
    trials_expected: float
    epochs_expected: float
    seconds_expected: float


@dataclass(frozen=True, slots=True)
class Preflight:
    """The results of a check of a sample of architectures.

    Attributes:
        space: The name of the space.
        size: The exact number of architectures; infinite if the space has a real number.
        task: The name of the task.
        examples: The number of training examples; none if it is unknown.
        brief: What the task tells ``build``, such as ``input_shape`` and ``classes``.
        device: The device on which architectures were trained.
        asked: The number of architectures that were requested.
        tried: The number of architectures that were built within the time limit.
        reasons: The reasons why architectures could not be built or trained, and how many failed
            for each reason; the most common first.
        params: The number of trainable parameters.
        flops: The multiply-adds of one example.
        memory: The memory of a training step, in bytes.
        epoch_seconds: The time of an epoch, including the validation; none if the number of
            examples is unknown.
        loss: The loss of the first training step, in nats.
        forecast: The estimated costs of the search; none if the time of an epoch is unknown.
        seconds: The time that the check took.
    """

    space: str
    size: float
    task: str
    examples: int | None
    brief: Mapping[str, Any]
    device: str
    asked: int
    tried: int
    reasons: tuple[tuple[str, int], ...]
    params: Spread
    flops: Spread
    memory: Spread
    epoch_seconds: Spread | None
    loss: float
    forecast: Forecast | None
    seconds: float

    @property
    def memory_measured(self) -> bool:
        """Whether the memory was measured on the device; otherwise it is an estimate."""
        return self.device == "cuda"

    @property
    def failed(self) -> int:
        """The number of architectures that could not be built or trained."""
        return sum(number for _, number in self.reasons)

    def as_data(self) -> dict[str, Any]:
        """Return the results as data for JSON; an infinite size is none."""
        return {
            **asdict(self),
            "size": self.size if self.size != math.inf else None,
            "reasons": [{"reason": reason, "number": number} for reason, number in self.reasons],
            "failed": self.failed,
            "memory_measured": self.memory_measured,
        }


def print_preflight(console: Console, found: Preflight) -> None:
    """Print the results of a check."""
    for line in _heading(found):
        say(console, line)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for column in ("least", "median", "most", "measured on"):
        table.add_column(column, justify="right", no_wrap=True)
    memory = "measured" if found.memory_measured else "estimated"
    rows: tuple[tuple[str, Spread | None, Callable[[float], str]], ...] = (
        ("parameters", found.params, count),
        ("FLOPs of an example", found.flops, count),
        (f"memory of a step, {memory}", found.memory, _size),
        ("time of an epoch", found.epoch_seconds, _time),
    )
    for name, spread, words in rows:
        if spread is None:
            table.add_row(name, *["unknown"] * 3, "")
            continue
        numbers = (words(spread.least), words(spread.median), words(spread.most))
        table.add_row(name, *numbers, str(spread.measured))
    console.print()
    console.print(table)
    console.print()
    for line in _ending(found):
        say(console, line)


def _examples(found: Preflight) -> str:
    """Return the number of examples, and what the task tells ``build``."""
    brief = dict(found.brief)
    count = "" if found.examples is None else f"{found.examples:,} training examples"
    shape = brief.pop("input_shape", None)
    if isinstance(shape, tuple | list):
        count += f" of {' x '.join(map(str, shape))}"
    if "classes" in brief:
        brief.pop("outputs", None)
        count += f", {brief.pop('classes')} classes"
    return ", ".join([part for part in (count,) if part] + [f"{k} {v}" for k, v in brief.items()])


def _heading(found: Preflight) -> Iterator[str]:
    size = "infinitely many" if found.size == math.inf else f"{found.size:,}"
    yield f"space {found.space}: {size} architectures"
    yield f"task {found.task}: {_examples(found)}"
    looked = f"{plural(found.tried, 'architecture')} sampled at random"
    if found.tried < found.asked:
        looked += f" ({found.asked} were asked for, but time was up: see --time-limit)"
    yield f"{looked}; {_failures(found)}"
    for reason, number in found.reasons[:_SHOWN]:
        yield f"  {number} x {reason}"
    yield (
        f"forward and backward pass work on {found.device}: the loss of the first training step "
        f"is {found.loss:.3g}"
    )


def _failures(found: Preflight) -> str:
    if not found.failed:
        return "all of them can be built"
    share = 100 * found.failed / found.tried
    return f"{found.failed} ({share:.3g} %) cannot be built or trained"


def _ending(found: Preflight) -> Iterator[str]:
    cast = found.forecast
    if cast is None:
        yield (
            "the time of the search is unknown, because the training or validation data do not "
            f"tell their length (this check took {duration(found.seconds)})"
        )
        return
    trials = "trials" if cast.trials is None else _many(cast.trials, "trial")
    bound = "" if cast.time is None else f" for at most {span(round(cast.time))}"
    yield f"{trials} of {_many(cast.epochs, 'epoch')}{bound}, {cast.workers} at once:"
    full = _many(cast.full_epochs, "epoch")
    if cast.time is not None and cast.full_seconds >= _NEARLY * cast.time:
        yield f"  time for about {_many(cast.full_trials, 'trial')} to their end, {full}"
    else:
        yield f"  at most {full}, about {duration(cast.full_seconds)}"
    begun, epochs = round(cast.trials_expected), _many(round(cast.epochs_expected), "epoch")
    likely = epochs if begun == cast.trials else f"{_many(begun, 'trial')}, {epochs}"
    yield f"  with scheduler {cast.scheduler} about {likely}, {duration(cast.seconds_expected)}"
    took = duration(found.seconds)
    yield f"then the winner is trained again, as long as a trial (this check took {took})"


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 0.95 else duration(seconds)


def _size(number: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number / 1e3:.3g} kB"
