"""The made-up search that ``growth.py`` measures: a table, and a searcher that is watched."""

from __future__ import annotations

import statistics
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.schedulers import make as make_scheduler
from raynas.searchers import make
from raynas.space import Architecture, Choice, Space
from raynas.tables import Recorded, Scores
from raynas.trial import History, Screening

SPACE = Space({f"layer{at}": Choice(("a", "b", "c", "d")) for at in range(12)})
EPOCHS, PAST = 9, 20_000
PROXIES = ("synflow", "naswot", "snip", "zen")


class Made:
    """A table in which every decision has an effect, and training reveals it slowly."""

    space = SPACE
    lengths = (EPOCHS,)
    best = 1.0

    def answer(self, architecture: Architecture, epochs: int, draw: int) -> Sequence[Recorded]:
        """Return a report per epoch."""
        del draw
        quality = worth(architecture)
        return [Recorded(epoch, *measured(quality, epoch)) for epoch in range(1, epochs + 1)]

    def scores(self, architecture: Architecture) -> Scores:
        """Return the worth."""
        return Scores(worth(architecture), worth(architecture))


class Counting:
    """Random search that never proposes a network twice, and counts recommendations."""

    space = SPACE
    asked = 0
    random = make("random", SPACE)

    def propose(self, history: History, rng: Any) -> Any:
        """Let random search propose."""
        proposal: Any = self.random.propose(history, rng)
        return replace(proposal, screening=screening(proposal.architecture))

    def recommend(self, history: History) -> Any:
        """Count."""
        self.asked += 1
        return history.best


class Instead:
    """Another object, with some methods of one's own."""

    def __init__(self, other: Any, **methods: Callable[..., Any]) -> None:
        self._other = other
        self.__dict__.update(methods)
        for name in ("direct", "keeps"):  # which schedulers are looked at for
            if hasattr(other, name):
                setattr(self, name, getattr(other, name))

    def __getattr__(self, name: str) -> Any:
        """Return what the other object has."""
        return getattr(self._other, name)


def worth(architecture: Architecture) -> float:
    """Return the mean of the effects of all decisions."""
    effects = [zlib.crc32(repr(made).encode()) / 2**32 for made in architecture.items()]
    return statistics.fmean(effects)


def screening(architecture: Architecture) -> Screening:
    """Return the scores of proxies that know something."""
    noise = zlib.crc32(architecture.to_json().encode()) / 2**32
    scores = {name: worth(architecture) + noise * at for at, name in enumerate(PROXIES)}
    return Screening("chosen", scores, dropped=3)


def measured(quality: float, epoch: int) -> tuple[dict[str, float], float, dict[str, float]]:
    """Return metrics, seconds and errors as a worker reports them."""
    accuracy = quality * (1 - 0.5**epoch)
    loss = 2.5 - 2 * accuracy
    metrics = {
        "train_loss": 0.9 * loss,
        "val_loss": loss,
        "val_accuracy": accuracy,
        "lr": 0.1 / epoch,
        "params": 1_234_567,
        "flops": 98_765_432,
    }
    return metrics, 1.0 + quality / 7, {"val_accuracy": accuracy / 99, "val_loss": loss / 99}


def simulated(searcher: Any, scheduler: str, workers: int = 8) -> Simulation:
    """Return a search that goes on for as long as it is asked to."""
    plan = Plan(SPACE, searcher, make_scheduler(scheduler), PAST, EPOCHS, seed=0)
    return Simulation(plan, Cluster(Made(), workers), Budget(trainings=PAST))


class Stopwatch:
    """Notes how long calls take, in milliseconds, by what they do."""

    def __init__(self) -> None:
        self.times: defaultdict[str, list[float]] = defaultdict(list)

    def of(self, what: str, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Call and note."""
        began = time.process_time()
        said = call(*arguments, **more)
        self.times[what].append(1000 * (time.process_time() - began))
        return said

    def medians(self) -> dict[str, float]:
        """Return the median of each."""
        return {what: statistics.median(times) for what, times in self.times.items()}
