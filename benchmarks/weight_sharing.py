"""One-shot methods against the truth: the table ``digits``, in which every network is trained.

Each method trains its supernet on the data of the table, by its own recipe, and proposes networks,
which are then trained from scratch: their results are in the table. Networks of the space are
scored by the shared weights too.

    python benchmarks/weight_sharing.py                                # all methods, ten seeds
    python benchmarks/weight_sharing.py --methods spos,darts --seeds 3 --jobs 2

Columns: Kendall's tau of the shared scores with the mean validation accuracy of the trainings from
scratch; the true test accuracy, and the share of networks that are better by it, of the network
that the method proposes first, and of the winner: the first trials train candidates of the method,
then ``auto`` proposes, and hands over. How many winners are among the best 5 %; the share of skips
in the first network; seconds of one core for training and for proposing.

Below: the ceiling of tau, that is one training against the mean of the two others; and searchers
without a supernet, which have as many epochs in all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

from raynas.data import Loop
from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.loop import SupernetLoop
from raynas.oneshot.methods import METHODS
from raynas.oneshot.search import METHOD, Candidates
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.rng import path_rng, seed_weights
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers import make
from raynas.space import Architecture
from raynas.tables.digits import EPOCHS, RECIPE, SEEDS, TASK, DigitsTable, digits
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.loading import batches_of
from raynas.training.loop import OwnLoop
from raynas.training.loop_context import LoopContext
from raynas.training.recipe import Recipe
from raynas.trial import Objective, Trial
from search_spaces.nasbench201 import small
from search_spaces.nasbench201.cell import SKIP

CPU = torch.device("cpu")
SPACE = small.SPACE
_BEST = 5.0  # per cent
LOOP = SupernetLoop(Objective("accuracy"), recipe=RECIPE)


@dataclass(frozen=True)
class Found:
    """What one supernet brought; accuracies and shares in per cent."""

    tau: float
    first: float
    first_better: float
    winner: float
    winner_better: float
    skips: float
    training_s: float
    proposing_s: float


@dataclass(frozen=True)
class Task:
    """A supernet to train, and what to ask of it."""

    method: str
    seed: int
    epochs: int
    trials: int
    candidates: int
    networks: int
    keep: Path | None


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=60, help="of a supernet")
    parser.add_argument("--trials", type=int, default=50, help="trainings from scratch")
    parser.add_argument("--candidates", type=int, default=16, help="the first of the trials")
    parser.add_argument("--networks", type=int, default=496, help="that are scored for tau")
    parser.add_argument("--keep", type=Path, help="a folder for the scores of all networks")
    parser.add_argument("--jobs", type=int, default=1)
    told = parser.parse_args()
    methods = told.methods.split(",")
    asked = told.epochs, told.trials, told.candidates, told.networks, told.keep
    seeds = range(told.first_seed, told.first_seed + told.seeds)
    tasks = [Task(name, seed, *asked) for name, seed in product(methods, seeds)]
    print(
        "| method | tau | first: test | better, % | winner: test | better, % | in the best 5 % "
        "| skips, % | training, s | proposing, s |"
    )
    print(f"|{'---|' * 10}", flush=True)
    with get_context("spawn").Pool(told.jobs) as pool:
        results = pool.imap(run, tasks)
        for name in methods:
            found = []
            for seed in seeds:
                found.append(next(results))
                print(f"{name}, seed {seed}: {found[-1]}", file=sys.stderr, flush=True)
            print(_row(name, found), flush=True)
    print(f"\nceiling of tau: {_ceiling():.2f}")
    trainings = told.trials + told.epochs // EPOCHS
    print(f"with as many epochs, {trainings} trainings:")
    for name in ("random", "auto"):
        print(f"{name}: {_alone(name, trainings, told.seeds)}")


def run(task: Task) -> Found:
    """Train the supernet of a method, and compare it with the table."""
    torch.set_num_threads(1)
    table, method = digits(SPACE), LOOP.method(task.method)
    tests = np.array([table.scores(one).test for one in _networks()])
    begun = time.process_time()
    learner = _learner(task.method, task.seed, task.epochs, method.share)
    for _ in range(task.epochs):
        learner.step()
    trained = time.process_time()
    method.load_state_dict(learner.context.state()["tracked"]["method"])
    scorer = LOOP.scores(learner.child, learner.context)
    rng = path_rng(task.seed, task.epochs)
    found = method.candidates(scorer, small.RELAXATION, task.candidates, rng)
    proposed = time.process_time()
    best = found[0].architecture
    first = table.scores(best).test
    winner = table.scores(_winner(found, table, task)).test
    return Found(
        _tau(task, scorer, table),
        100 * first,
        100 * float((tests > first).mean()),
        100 * winner,
        100 * float((tests > winner).mean()),
        100 * fmean(value == SKIP for value in best.values()),
        trained - begun,
        proposed - trained,
    )


def _winner(found: Sequence[Candidate], table: DigitsTable, task: Task) -> Architecture:
    """Search as raynas does: candidates first, then ``auto``, which hands over."""
    searcher = Candidates(make("auto", SPACE), [found], task.candidates)
    plan = Plan(SPACE, searcher, RunToEnd(), task.trials, EPOCHS, task.seed)
    return _ended(plan, table).architecture


def _tau(task: Task, scorer: Any, table: DigitsTable) -> float:
    """Score networks, the same for all methods, and keep their scores if asked for."""
    every = _networks()
    drawn = np.random.default_rng(0).permutation(len(every))[: task.networks]
    networks = [every[at] for at in sorted(drawn)]
    shared = scorer.many(networks)
    if task.keep:
        task.keep.mkdir(parents=True, exist_ok=True)
        names = [SPACE.identity(one) for one in networks]
        path = task.keep / f"{task.method}-{task.epochs}-{task.seed}.npz"
        np.savez_compressed(path, identity=names, score=shared)
    truth = [table.scores(one).valid for one in networks]
    return float(kendalltau(shared, truth).statistic)


def _learner(name: str, seed: int, epochs: int, share: int) -> OwnLoop:
    data = Digits(**TASK).load(Source(), seed=0)

    def batches(part: str) -> Any:
        return batches_of(getattr(data, part), data, CPU, 32)

    build = SupernetBuild(_build, SPACE, small.RELAXATION, {name: share})
    architecture = Architecture({METHOD: name})
    seed_weights(seed)
    told = LoopContext(architecture, Recipe(), data, CPU, seed, epochs, batches)
    return OwnLoop(build(architecture), Loop(LOOP.fit), told)


def _build(architecture: Any) -> Any:
    return small.build(architecture, (1, 8, 8), 10)


def _networks() -> list[Architecture]:
    return [*{SPACE.identity(one): one for one in SPACE}.values()]


def _row(name: str, found: Sequence[Found]) -> str:
    best = sum(one.winner_better <= _BEST for one in found)
    cells = [
        _mean([one.tau for one in found], 2),
        _mean([one.first for one in found], 1),
        _mean([one.first_better for one in found], 1),
        _mean([one.winner for one in found], 1),
        _mean([one.winner_better for one in found], 1),
        f"{best} of {len(found)}",
        _mean([one.skips for one in found], 0),
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


def _alone(name: str, trainings: int, seeds: int) -> str:
    """Return how well a searcher ends without a supernet."""
    table = digits(SPACE)
    tests = np.array([table.scores(one).test for one in _networks()])
    found = []
    for seed in range(seeds):
        plan = Plan(SPACE, make(name, SPACE), RunToEnd(), trainings, EPOCHS, seed)
        found.append(table.scores(_ended(plan, table).architecture).test)
    better = [100 * float((tests > test).mean()) for test in found]
    return (
        f"test accuracy {_mean([100 * one for one in found], 1)}, better networks "
        f"{_mean(better, 1)} %, {sum(one <= _BEST for one in better)} of {seeds} in the best "
        f"{_BEST:.0f} %"
    )


def _ended(plan: Plan, table: DigitsTable) -> Trial:
    """Search on the table; return what is handed over."""
    simulation = Simulation(plan, Cluster(table), Budget(trainings=plan.trials))
    for _ in simulation:
        pass
    trial = simulation.conductor.recommended
    assert trial is not None
    return trial


if __name__ == "__main__":
    main()
