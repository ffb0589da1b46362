"""Files as users write them: what workers cannot import, nor look anything up in."""

# A space whose build returns what it was given, instead of a network.
PLAIN_SPACE = """
from raynas import Choice, Space

SPACE = Space({"op": Choice(["a", "b"])})


def width():
    return 16


def build(architecture, input_shape, classes, depth=1, *, bias=True):
    return [architecture["op"], width(), classes, depth, bias]
"""

# The same spread over a package, "mine".
INNER_SPACE = """
from mine.nets import build
from raynas import Int, Space
SPACE = Space({"n": Int(1, 3)})
"""

NETS = """
from mine.inner import depth

def build(architecture, input_shape, classes):
    return depth.D
"""

# A task, searchers and a scheduler.
WINE_AND_MORE = """
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sklearn.datasets import load_wine

from raynas.data import Data, Split
from raynas.schedulers import Verdict
from raynas.trial import Proposal

if TYPE_CHECKING:
    from raynas.space import Space


class Wine:
    name = "wine"
    recipe = {"batch_size": 32}

    def __init__(self, valid=0.2):
        self.valid = valid

    def load(self, source, seed):
        wine = load_wine()
        return Data.split(Split.of(wine.data, wine.target), seed=seed, valid=self.valid)


TASK = Wine


@dataclass(frozen=True)
class Mine:
    space: Space

    def propose(self, history, rng):
        return Proposal(self.space.sample(rng))


class Plain:
    def __init__(self, space, greed=1):
        self.space, self.greed = space, greed

    propose = Mine.propose


SEARCHER = Mine


class Never:
    def check(self, epochs):
        pass

    def decide(self, report, history):
        return Verdict.GO


READY = Never()
"""

# A space of children that fail in every way there is; {folder} is where they leave notes.
MOODY_SPACE = """
import os
import time
from pathlib import Path

from torch import nn

from raynas.space import Choice, Space

HERE = Path({folder!r})
SPACE = Space({{"kind": Choice(["plain", "meets", "refuses", "raises", "misfits", "diverges",
    "dies", "dies once", "once", "looks"]), "twin": Choice([0, 1])}})


class Child(nn.Module):
    def __init__(self, features, classes, kind):
        super().__init__()
        self.kind, self.net = kind, nn.Linear(features, classes)

    def forward(self, inputs):
        if self.training and self.kind.startswith("dies"):
            self.die()
        outputs = self.net(inputs.flatten(1))
        if self.kind == "looks" and outputs.max() > 1e6:  # what torch.export cannot follow
            return outputs.clamp(max=1e6)
        return outputs * 1e30 * 1e30 if self.kind == "diverges" else outputs

    def die(self):
        died = HERE / self.kind
        if self.kind == "dies" or (HERE / "half trained").exists() and not died.read_text():
            with died.open("a") as file:
                file.write("x")
            os._exit(1)


def build(architecture, input_shape, classes, *, features=64):
    kind = architecture["kind"]
    with (HERE / "workers").open("a") as file:
        file.write(f"{{os.getpid()}}\\n")
    if kind == "meets":
        meet(str(architecture["twin"]), str(1 - architecture["twin"]))
    if kind == "refuses":
        raise ValueError(f"nothing can be built on {{input_shape}}")
    if kind == "raises" or kind == "once" and (HERE / "once").exists():
        return [][features]
    (HERE / kind).touch()
    return Child(features, classes + (kind == "misfits"), kind)


def meet(me, other):
    "Wait for the worker that builds the twin."
    (HERE / f"met {{me}}").touch()
    deadline = time.monotonic() + 1200
    while not (HERE / f"met {{other}}").exists():
        if time.monotonic() > deadline:
            raise ValueError("the other never came")
        time.sleep(0.01)
"""

FEW_DIGITS = """
from sklearn.datasets import load_digits

from raynas.data import Data, Split


class Few:
    name = "few digits"
    recipe = {"batch_size": 32}

    def __init__(self, count=300):
        self.count = count

    def load(self, source, seed):
        digits = load_digits()
        examples = Split.of(digits.images[: self.count], digits.target[: self.count])
        return Data.split(examples, seed=seed)
"""
