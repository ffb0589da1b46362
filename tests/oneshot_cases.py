"""Supernets that one process trains, or two together, with the same result."""

from dataclasses import dataclass, field, replace

import numpy as np
from torch import nn

from raynas.data import Loop
from raynas.execution.packing import Resources
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.oneshot.loop import SupernetLoop, method_of
from raynas.oneshot.methods import METHODS
from raynas.oneshot.relaxation import plain
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.space import Choice, Space
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.recipe import Recipe
from raynas.trial import Objective
from search_spaces import mlp, nasbench201

CPUS = Resources(cpus=1.0, gpus=0.0, workers=2)
DIGITS = Digits().load(Source(), seed=0)
FEW = {part: getattr(DIGITS, part).take(np.arange(50)) for part in ("train", "valid")}
DATA = replace(DIGITS, **FEW, norm=None)
EPOCHS = 2


class Exact(nn.Module):
    """A network that computes in float64, so that the order of a sum does not matter."""

    def __init__(self, network):
        super().__init__()
        self.network = network.double()

    def forward(self, x):
        return self.network(x.double())


def normalised(architecture):
    return Exact(nasbench201.build(architecture, (1, 8, 8), 10, channels=4, cells=1))


def cell(architecture):
    """Return a network whose output for an example does not depend on the other examples."""
    network = normalised(architecture)
    for layer in [*network.modules()]:
        for name, part in layer.named_children():
            if isinstance(part, nn.BatchNorm2d):
                setattr(layer, name, nn.GroupNorm(1, part.num_features).double())
    return network


def perceptron(architecture):
    return Exact(mlp.build(architecture, (1, 8, 8), 10))


PLAIN_MLP = Space({**mlp.SPACE.tree, "norm": Choice(("none",)), "dropout": Choice((0.0,))})


@dataclass(frozen=True)
class Case:
    method: str
    options: dict = field(default_factory=dict)
    recipe: dict = field(default_factory=dict)
    build: object = cell
    space: Space = nasbench201.SPACE
    mixes: bool = True


OPTIONS = {"enas": {"steps": 3, "aggregate": 3}}
CASES = {
    **{name: Case(name, OPTIONS.get(name, {})) for name in METHODS},
    "darts of second order": Case("darts", {"order": 2}),
    "single paths": Case("spos", build=perceptron, space=PLAIN_MLP, mixes=False),
    "mixed images": Case("random-ws", recipe={"mixup": 0.4, "cutmix": 0.5, "grad_clip": 0.5}),
    "batches that are not divided": Case("random-ws", recipe={"batch_size": 3}),
    "batch normalisation": Case("random-ws", build=normalised),
}


def together(name):
    """Return what two processes train together, if they have joined a group."""
    case = CASES[name]
    loop = SupernetLoop(
        Objective("accuracy"), {case.method: case.options}, {"batch_size": 20, **case.recipe}
    )
    share = method_of(case.method, {}).share if case.mixes else 0
    relaxation = nasbench201.RELAXATION if case.space is nasbench201.SPACE else plain(case.space)
    build = SupernetBuild(case.build, case.space, relaxation, {case.method: share})
    return TrainingContext(build, Recipe(), DATA, "cpu", loop=Loop(loop.fit))


def spec(folder, name, epochs=EPOCHS):
    path = str(folder / f"{name}.pt")
    return TrialSpec(0, {"method": CASES[name].method}, epochs, 3, path, keep=True)
