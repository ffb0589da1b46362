"""Run folders for the tests of the report: journals with made-up trials, written in no time."""

import json
from contextlib import closing
from dataclasses import asdict

import numpy as np

from raynas.experiment.experiment import Experiment
from raynas.journal import Journal
from raynas.space.codec import to_data
from raynas.trial import Failed, Finished, Opened, Report, Started, Winner
from search_spaces import mlp

REASONS = ("the loss is not finite", "the network does not fit into memory", "a worker was lost")
EPOCHS = 9


def write(folder, events, settings=None, space=mlp.SPACE, **described):
    """Write a run into a folder, as a search does."""
    experiment = Experiment(
        **{"space": "mlp", "objective": "val_accuracy", "output": folder} | (settings or {})
    )
    run = {
        "raynas": "0.1.0",
        "experiment": experiment.described(),
        "folder": "/home/user",
        "objectives": [asdict(one) for one in experiment.objectives],
        "space": to_data(space.tree),
        "data": {"classes": 10, "train": {"examples": 1079}},
        **described,
    }
    with closing(Journal(folder)) as journal:
        journal.begin(json.loads(json.dumps(run)))
        for event in events:
            journal.append(event)
    return folder


def made_up(count, seed=0, workers=4, space=mlp.SPACE):
    """Yield a search of random and derived trials, of which some are stopped and some fail."""
    rng = np.random.default_rng(seed)
    yield Opened(1.7e9, slots=workers)
    clocks, scored = np.full(workers, 1.7e9), []
    for number in range(count):
        worker = int(clocks.argmin())
        parent = scored[int(rng.integers(len(scored)))] if number % 2 and len(scored) > 4 else None
        decided = space.mutate(parent[1], rng) if parent else space.sample(rng)
        at, identity = float(clocks[worker]), space.identity(decided)
        yield Started(
            number, decided, identity, EPOCHS, number, parent=parent and parent[0], at=at
        )
        last = EPOCHS if rng.random() < 0.3 else int(rng.choice((1, 3)))
        level = 0.7 + 0.06 * decided.get("layers", 2) + 0.02 * rng.standard_normal()
        for epoch in range(1, last + 1):
            at += 2.0
            score = float(np.clip(level * (1 - 0.5**epoch), 0, 1))
            metrics = {"val_accuracy": score, "val_loss": 1 - score, "params": 1000.0 + number}
            told = {"val_accuracy": 0.01}
            yield Report(number, epoch, metrics, 2.0, at, f"host:{worker}", told)
        clocks[worker] = at
        if number % 17 == 3:
            yield Failed(number, REASONS[number % 3], "Traceback: made up", at=at)
        else:
            yield Finished(number, stopped=last < EPOCHS, at=at)
            scored.append((number, decided))


def winner(number):
    """Return the winner, tested and exported."""
    return Winner(number, {"test_accuracy": 0.9, "test_loss": 0.3}, "winner", at=1.8e9)
