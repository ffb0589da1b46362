"""Trials that one process trains, or two together, with the same result."""

import os
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from oneshot_cases import DATA, Exact
from torch import nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset

from raynas.data import Data, Loop, Split
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import ONCE, Repeats, TrialSpec
from raynas.goals import Classification, NextToken
from raynas.goals.tokens import PADDING
from raynas.training.recipe import Recipe

EPOCHS = 2
IDS = np.random.default_rng(0).integers(0, 5, (30, 6))
LENGTHS = np.random.default_rng(1).integers(1, 7, (30, 1))
PADDED = Split(IDS, np.where(np.arange(6) < LENGTHS, IDS, PADDING))
TOKENS = Data(PADDED, PADDED, PADDED, goal=NextToken())
IMAGES = torch.from_numpy(DATA.train.inputs), torch.from_numpy(DATA.train.targets)


class Lists(Dataset):
    """Examples that are changed at random when they are loaded."""

    def __len__(self):
        return len(IMAGES[0])

    def __getitem__(self, at):
        return IMAGES[0][at] + torch.rand(()), IMAGES[1][at]


class Stream:
    """Batches in an order of their own, and of a number of their own, in each process."""

    rank = 0

    def __iter__(self):
        rng = np.random.default_rng(self.rank)
        for _ in range(3 + self.rank):
            rows = rng.permutation(50)[:11]
            yield IMAGES[0][rows], IMAGES[1][rows]


def own(part, **more):
    return Data(part, part, part, goal=Classification(classes=10), **more)


def perceptron(_):
    return Exact(nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)))


def normalised(_):
    layers = nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Dropout(0.5)
    return Exact(nn.Sequential(*layers, nn.Linear(16, 10)))


def speaker(_):
    return nn.Embedding(5, 5).double()


def of_its_own(_):
    """Return a network whose first weights differ from process to process."""
    child, drawn = perceptron(_), torch.Generator().manual_seed(os.getpid())
    with torch.no_grad():
        child.network[1].weight.add_(torch.rand(16, 64, generator=drawn))
    return child


def by_hand(child, context):
    """Train as a user may, with what the context offers."""
    peers, optimizer = context.peers, torch.optim.SGD(child.parameters(), lr=0.1)
    context.track(optimizer=optimizer)
    for _ in context.epochs():
        for batch in context.batches("train").training(context.recipe, torch.Generator()):
            (inputs, targets), factor = peers.part(batch)
            optimizer.zero_grad()
            (functional.cross_entropy(child(inputs), targets) * factor).backward()
            peers.mean_gradients(child.parameters())
            optimizer.step()
        inputs, targets = context.batches("valid").some(50)
        yield {"val_loss": functional.cross_entropy(child(inputs), targets)}


def by_torch(child, context):
    """Do the same by a function that reports, with torch's own class."""
    rank, ranks = context.peers.rank, context.peers.count
    child = DistributedDataParallel(child) if ranks > 1 else child
    optimizer = torch.optim.SGD(child.parameters(), lr=0.1)
    for _ in context.epochs():
        rows = np.arange(50)[rank::ranks]
        optimizer.zero_grad()
        functional.cross_entropy(child(IMAGES[0][rows]), IMAGES[1][rows]).backward()
        optimizer.step()
        loss = functional.cross_entropy(child(IMAGES[0]), IMAGES[1]).item()
        if not context.report({"val_loss": loss}):
            return


def alike(child, context):
    """Do in all processes the same."""
    for _ in context.epochs():
        yield {"val_loss": child.network[1].weight.detach().mean()}


@dataclass(frozen=True)
class Case:
    recipe: dict = field(default_factory=dict)
    build: object = perceptron
    data: object = DATA
    fit: object = None
    repeats: Repeats = ONCE
    epochs: int = EPOCHS


CASES = {
    "batches that are not even": Case(),
    "added and clipped": Case({"accumulate": 2, "grad_clip": 0.5}),
    "averaged weights": Case({"ema": 0.9, "optimizer": "adamw"}),
    "an early end": Case({"patience": 1, "lr": 5.0, "warmup": 0.0}, epochs=4),
    "mixed images": Case({"mixup": 0.4, "cutmix": 0.5, "label_smoothing": 0.1}),
    "tokens of padded rows": Case(build=speaker, data=TOKENS),
    "folds": Case(repeats=Repeats(2, 1)),
    "trainings in turn": Case(repeats=Repeats(2, 1, epochs=1)),
    "a final training": Case(repeats=Repeats(final=True)),
    "a data set": Case(data=own(Lists())),
    "batches in an order of their own": Case(data=own(Stream(), batched=True)),
    "a loop": Case(fit=by_hand),
    "a loop of torch": Case(fit=by_torch),
}
OTHERS = {
    "normalisation": Case({"ema": 0.5}, build=normalised),
    "other weights": Case(build=of_its_own),
    "an idle loop": Case(fit=alike),
    "small batches": Case({"batch_size": 3}),
    "continued": Case(),
    "inherited": Case(),
    "winner": Case(),
    "left": Case(),
}


def context(name):
    """Return what two processes train together, if they have joined a group."""
    case = {**CASES, **OTHERS}[name]
    recipe = Recipe().with_overrides({"batch_size": 20, **case.recipe})
    loop = Loop(case.fit) if case.fit else None
    return TrainingContext(case.build, recipe, case.data, "cpu", loop=loop, repeats=case.repeats)


def spec(folder, name, **more):
    path, epochs = str(folder / f"{name}.pt"), {**CASES, **OTHERS}[name].epochs
    return replace(TrialSpec(0, {}, epochs, 3, path, keep=True), **more)


def with_parent(folder, **more):
    """Return a trial that begins with the weights of another one, after its first epoch."""
    return spec(folder, "inherited", parent=str(folder / "parent.pt"), begin=1, **more)
