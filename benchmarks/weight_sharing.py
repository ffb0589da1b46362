"""One-shot methods against the truth: the table ``digits``, in which every network is trained.

Each method trains its supernet on the data of the table, by its own recipe, and proposes networks.
All networks of the space are scored by the shared weights too.

    python benchmarks/weight_sharing.py                                # all methods, ten seeds
    python benchmarks/weight_sharing.py --methods spos,darts --seeds 3 --jobs 2

Columns: Kendall's tau of the shared scores with the mean validation accuracy of the trainings from
scratch; the true test accuracy of the network that the method proposes first; the share of
networks that are better by it, in per cent; seconds of one core for training and for proposing.
Below: the ceiling of tau, that is one training against the mean of the two others; and random
search with as many epochs as a supernet, which hands over the best validation score.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

from raynas.data import Loop
from raynas.oneshot.loop import SupernetLoop
from raynas.oneshot.methods import METHODS
from raynas.oneshot.relaxation import plain
from raynas.oneshot.search import METHOD
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.rng import path_rng, seed_weights
from raynas.space import Architecture
from raynas.tables.digits import EPOCHS, RECIPE, SEEDS, TASK, digits
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.loading import batches_of
from raynas.training.loop import OwnLoop
from raynas.training.loop_context import LoopContext
from raynas.training.recipe import Recipe
from raynas.trial import Objective
from search_spaces.nasbench201 import small

CPU = torch.device("cpu")
SPACE = small.SPACE
LOOP = SupernetLoop(Objective("accuracy"), recipe=RECIPE)


@dataclass(frozen=True)
class Found:
    """What one supernet brought."""

    tau: float
    test: float
    better: float
    training_s: float
    proposing_s: float


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=60, help="of a supernet")
    parser.add_argument("--jobs", type=int, default=1)
    told = parser.parse_args()
    methods = told.methods.split(",")
    tasks = [(name, seed, told.epochs) for name, seed in product(methods, range(told.seeds))]
    print("| method | tau | test accuracy | better networks, % | training, s | proposing, s |")
    print("|---|---|---|---|---|---|", flush=True)
    with get_context("spawn").Pool(told.jobs) as pool:
        results = pool.imap(run, tasks)
        for name in methods:
            found = []
            for seed in range(told.seeds):
                found.append(next(results))
                print(f"{name}, seed {seed}: {found[-1]}", file=sys.stderr, flush=True)
            print(_row(name, found), flush=True)
    print(f"\nceiling of tau: {_ceiling():.2f}")
    print(f"random search, {told.epochs // EPOCHS} trainings: {_random(told.epochs // EPOCHS)}")


def run(task: tuple[str, int, int]) -> Found:
    """Train the supernet of a method, and compare it with the table."""
    name, seed, epochs = task
    torch.set_num_threads(1)
    table, method = digits(SPACE), LOOP.method(name)
    begun = time.perf_counter()
    learner = _learner(name, seed, epochs, method.share)
    for _ in range(epochs):
        learner.step()
    trained = time.perf_counter()
    method.load_state_dict(learner.context.state()["tracked"]["method"])
    scorer = LOOP.scores(learner.child, learner.context)
    first, *_ = method.candidates(scorer, plain(SPACE), 1, path_rng(seed, epochs))
    proposed = time.perf_counter()
    networks = _networks()
    shared = scorer.many(networks)
    truth = [table.scores(one) for one in networks]
    test = table.scores(first.architecture).test
    return Found(
        kendalltau(shared, [one.valid for one in truth]).statistic,
        test,
        100 * fmean(one.test > test for one in truth),
        trained - begun,
        proposed - trained,
    )


def _learner(name: str, seed: int, epochs: int, share: int) -> OwnLoop:
    data = Digits(**TASK).load(Source(), seed=0)

    def batches(part: str) -> Any:
        return batches_of(getattr(data, part), data, CPU, 32)

    build = SupernetBuild(_build, SPACE, plain(SPACE), {name: share})
    architecture = Architecture({METHOD: name})
    seed_weights(seed)
    told = LoopContext(architecture, Recipe(), data, CPU, seed, epochs, batches)
    return OwnLoop(build(architecture), Loop(LOOP.fit), told)


def _build(architecture: Any) -> Any:
    return small.build(architecture, (1, 8, 8), 10)


def _networks() -> list[Architecture]:
    return [*{SPACE.identity(one): one for one in SPACE}.values()]


def _row(name: str, found: Sequence[Found]) -> str:
    cells = [
        _mean([one.tau for one in found], 2),
        _mean([100 * one.test for one in found], 2),
        _mean([one.better for one in found], 1),
        _mean([one.training_s for one in found], 0),
        _mean([one.proposing_s for one in found], 0),
    ]
    return f"| {name} | {' | '.join(cells)} |"


def _mean(values: Sequence[float], digits: int) -> str:
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{fmean(values):.{digits}f} ± {error:.{digits}f}"


def _ceiling() -> float:
    last = digits(SPACE).seen[:, :, -1]
    return fmean(
        kendalltau(last[:, seed], np.delete(last, seed, 1).mean(1)).statistic
        for seed in range(SEEDS)
    )


def _random(trainings: int, runs: int = 2000) -> str:
    table, rng = digits(SPACE), np.random.default_rng(0)
    means = table.tested.mean(1)

    def once() -> float:
        rows = rng.choice(len(means), trainings, replace=False)
        seen = table.seen[rows, rng.integers(SEEDS, size=trainings), -1]
        return float(means[rows[seen.argmax()]])

    tests = [once() for _ in range(runs)]
    better = fmean(100 * float((means > test).mean()) for test in tests)
    return f"test accuracy {100 * fmean(tests):.2f}, better networks {better:.1f} %"


if __name__ == "__main__":
    main()
