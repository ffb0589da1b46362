"""What properties are tried on: random spaces, and whole searches on a task that takes no time."""

import heapq
import math
import zlib
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules

import numpy as np
from hypothesis import strategies as st

import search_spaces
from raynas.execution.conductor import Conductor
from raynas.execution.limits import Limits
from raynas.execution.plan import Plan
from raynas.schedulers import SCHEDULERS, Verdict
from raynas.space import Choice, Float, Int, Repeat, Space
from raynas.trial import History, Objective, Report

ACCURACY = (Objective("val_accuracy", "max"),)
ACCURACY_AND_SIZE = (*ACCURACY, Objective("params", "min"))

# Spaces, random and given


def seeds():
    return st.integers(0, 2**32 - 1)


def names():
    return st.text("abcxyz019_-é", min_size=1, max_size=4)


def scalars():
    text = st.text(max_size=3)
    numbers = st.integers(-9, 9) | st.floats(-9, 9, allow_subnormal=False)
    plain = st.none() | st.booleans() | text | numbers
    return plain | st.lists(plain, max_size=3).map(tuple)


@st.composite
def choices(draw, options):
    options = draw(options)
    share = st.floats(0.01, 100)
    weights = draw(st.none() | st.lists(share, min_size=len(options), max_size=len(options)))
    return Choice(options, weights)


@st.composite
def numbers(draw, kind, bounds):
    low, high = sorted(draw(st.tuples(bounds, bounds)))
    return kind(low, high, log=low > 0 and draw(st.booleans()))


@st.composite
def steps(draw):
    low, high = sorted(draw(st.tuples(st.integers(-9, 9), st.integers(-9, 9))))
    return Int(low, high, step=draw(st.integers(1, 5)))


def integers():
    return numbers(Int, st.integers(-5, 5)) | steps()


def reals():
    return numbers(Float, st.floats(-1e6, 1e6, allow_subnormal=False) | st.floats(1e-9, 1))


@st.composite
def repeats(draw, bodies):
    low, high = sorted(draw(st.tuples(st.integers(0, 3), st.integers(0, 3))))
    return Repeat(draw(bodies), low, high)


def branches(nodes):
    subspaces = st.none() | nodes | st.just({})
    return choices(st.dictionaries(names(), subspaces, min_size=1, max_size=3))


def groups(nodes, **size):
    return st.dictionaries(names(), nodes, **size)


@st.composite
def spaces(draw, *, finite=False):
    """Any space of at most 40 decisions; ``finite`` ones hold no real number."""
    plain = choices(st.lists(scalars(), min_size=1, max_size=4, unique=True)) | integers()
    nodes = st.recursive(
        plain if finite else plain | reals(),
        lambda below: branches(below) | repeats(below) | groups(below, min_size=1, max_size=3),
        max_leaves=6,
    )
    trees = groups(nodes, min_size=1, max_size=3).map(Space)
    return draw(trees.filter(lambda space: len(space.decisions) <= 40))


def shipped_spaces():
    """Every module of ``search_spaces`` that has a space, by name."""
    modules = iter_modules(search_spaces.__path__, "search_spaces.")
    found = {module.name: import_module(module.name) for module in modules}
    return {name: module.SPACE for name, module in found.items() if hasattr(module, "SPACE")}


# Searches


@dataclass(frozen=True)
class Toy:
    """A task that takes no time.

    Every decision has an effect of its own, drawn from ``seed``; accuracy rises with the epochs
    towards their mean. A tenth of all architectures fails, always after the same epoch.
    """

    space: Space
    seed: int = 0
    failing: float = 0.1

    def quality(self, architecture):
        """The accuracy that endless training would reach."""
        effects = [self._effect(path, value) for path, value in architecture.items()]
        return math.fsum(effects) / len(effects)

    def metrics(self, architecture, epoch):
        accuracy = self.quality(architecture) * (1 - 0.5**epoch)
        return {"val_accuracy": accuracy, "params": 1000 * len(architecture), "constant": 0.5}

    def seconds(self, architecture):
        """How long an epoch takes, from one to two."""
        return 1 + self._draw("seconds", architecture.to_json())

    def fails_after(self, architecture):
        """After which epoch it fails (0 or 1); never for most."""
        fails = self._draw("fails", architecture.to_json()) < self.failing
        return round(self._draw("when", architecture.to_json())) if fails else math.inf

    def _effect(self, path, value):
        domain = self.space.decisions[path].domain
        if isinstance(domain, Choice):
            return self._draw(path, repr(value))
        return 1 - abs(domain.unit(value) - self._draw(path, "optimum"))

    def _draw(self, *key):
        return zlib.crc32(repr((self.seed, *key)).encode()) / 2**32


@dataclass
class Search:
    """A search on virtual workers, led by the same conductor that leads real ones.

    Trials take their time, so that they finish out of order; some fail, a scheduler may stop some.

    Attributes:
        searcher: Who proposes.
        seed: The run's seed.
        trials: How many to start.
        workers: How many run at once.
        epochs: The length of a trial.
        scheduler: The scheduler's name.
        objectives: What is optimised.
        before: Events of an earlier process, which this one continues.
    """

    searcher: object
    seed: int = 0
    trials: int = 24
    workers: int = 3
    epochs: int = 3
    scheduler: str = "none"
    objectives: tuple = ACCURACY
    failing: float = 0.1
    before: tuple = ()
    events: list = field(init=False)
    history: History = field(init=False)

    def __post_init__(self):
        self.toy = Toy(self.searcher.space, self.seed, self.failing)
        self.events = list(self.before)
        self.history = replay(self.before, self.objectives)
        self.now = max((event.at for event in self.before), default=0.0)

    def run(self):
        """Run to the end; return all events, earlier ones included."""
        space, scheduler = self.searcher.space, SCHEDULERS[self.scheduler]()
        # Toys fail by chance: in a small space the first trials may all fail.
        limits = Limits(max_failures=self.trials + 1)
        plan = Plan(space, self.searcher, scheduler, self.trials, self.epochs, self.seed, limits)
        conductor = Conductor(plan, self.history, self._record, lambda: self.now)
        busy = []
        while True:
            while len(busy) < self.workers and (trial := conductor.next()):
                heapq.heappush(busy, (self._done(trial), trial.number))
            if not busy:
                return self.events
            self.now, number = heapq.heappop(busy)
            if self._step(conductor, number):
                heapq.heappush(busy, (self._done(self.history.trials[number]), number))

    def _step(self, conductor, number):
        trial = self.history.trials[number]
        if trial.epoch >= self.toy.fails_after(trial.architecture):
            conductor.fail(number, "the toy fails here")
            return False
        epoch = trial.epoch + 1
        metrics = self.toy.metrics(trial.architecture, epoch)
        seconds = self.toy.seconds(trial.architecture)
        return conductor.report(Report(number, epoch, metrics, seconds)) is Verdict.GO

    def _done(self, trial):
        return self.now + self.toy.seconds(trial.architecture)

    def _record(self, event):
        self.events.append(event)
        self.history.apply(event)


def replay(events, objectives=ACCURACY):
    history = History(objectives)
    for event in events:
        history.apply(event)
    return history


def generator(seed):
    return np.random.default_rng(seed)
