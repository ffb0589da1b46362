"""Shared weights as rung 0 of another searcher, on the table ``digits``: do they save epochs?

    python benchmarks/weight_sharing.py --methods random-ws --epochs 24 --keep scores
    python benchmarks/rung_zero.py scores --epochs 24

The goal is the test accuracy that random search hands over after 40 full trainings, the median of
all seeds. Printed is, for each way to search, the median number of epochs until what it would hand
over is as good, and in how many seeds this happened within the budget. The epochs of the supernet
count. All searches are simulated on the recorded trainings, one trial after another.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.schedulers import make as make_scheduler
from raynas.searchers import Searcher, make
from raynas.searchers.screened import Assess, Assessment, Screened
from raynas.space import Architecture
from raynas.tables.digits import EPOCHS, DigitsTable, digits
from search_spaces.nasbench201.small import SPACE

GOAL_TRAININGS, MOST = 40, 120  # trainings

Way = Callable[[int], tuple[Searcher, str, int]]
"""Returns the searcher of a seed, its scheduler, and the epochs that were spent before."""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="shared scores of all networks")
    parser.add_argument("--method", default="random-ws")
    parser.add_argument("--epochs", default="12,24,60", help="of supernets")
    parser.add_argument("--seeds", type=int, default=10)
    told = parser.parse_args()
    table = digits(SPACE)
    seeds = range(told.seeds)
    random = [curve(table, (make("random", SPACE), "none", 0), seed) for seed in seeds]
    goal = median(at(one, GOAL_TRAININGS * EPOCHS) for one in random)
    print(f"random search after {GOAL_TRAININGS} trainings: test accuracy {100 * goal:.2f}\n")
    print("| search | epochs to it, median | seeds that reached it |\n|---|---|---|")
    ways: dict[str, Way] = {
        "random": lambda _: (make("random", SPACE), "none", 0),
        "auto": lambda _: (make("auto", SPACE), "none", 0),
        "random, asha": lambda _: (make("random", SPACE), "asha", 0),
        "auto, asha": lambda _: (make("auto", SPACE), "asha", 0),
    }
    for epochs in map(int, told.epochs.split(",")):
        for name, scheduler in (("random", "none"), ("auto", "none"), ("auto", "asha")):
            said = f"{name}, {'asha, ' * (scheduler == 'asha')}shared scores of {epochs} epochs"
            ways[said] = screened(told.folder / f"{told.method}-{epochs}", name, scheduler, epochs)
    for said, way in ways.items():
        needed = [first(curve(table, way(seed), seed), goal) for seed in seeds]
        reached = sum(one < inf for one in needed)
        print(f"| {said} | {median(needed):.0f} | {reached} of {len(needed)} |", flush=True)


def screened(prefix: Path, name: str, scheduler: str, epochs: int) -> Way:
    """Return a searcher whose proposals are chosen by shared scores, for each seed."""

    def way(seed: int) -> tuple[Searcher, str, int]:
        with np.load(f"{prefix}-{seed}.npz") as file:
            known = dict(zip(file["identity"].tolist(), file["score"].tolist(), strict=True))
        return Screened(make(name, SPACE), _assess(known)), scheduler, epochs

    return way


def _assess(known: dict[str, float]) -> Assess:
    def assess(networks: Sequence[Architecture]) -> list[Assessment]:
        return [Assessment({"shared": known[SPACE.identity(one)]}) for one in networks]

    return assess


def curve(
    table: DigitsTable, way: tuple[Searcher, str, int], seed: int
) -> Iterator[tuple[int, float]]:
    """Yield how many epochs were trained whenever one ended, and what would be handed over."""
    searcher, scheduler, spent = way
    plan = Plan(SPACE, searcher, make_scheduler(scheduler), MOST, EPOCHS, seed)
    simulation = Simulation(plan, Cluster(table), Budget(trainings=MOST))
    for _ in simulation:
        epochs = sum(trial.epoch for trial in simulation.history.trials.values())
        trial: Any = simulation.conductor.recommended
        if trial is not None:
            yield spent + epochs, table.scores(trial.architecture).test


def at(points: Iterable[tuple[int, float]], epochs: int) -> float:
    """Return what is handed over after so many epochs."""
    return [test for spent, test in points if spent <= epochs][-1]


def first(points: Iterable[tuple[int, float]], goal: float) -> float:
    """Return the epochs after which the goal is reached."""
    return next((spent for spent, test in points if test >= goal), inf)


if __name__ == "__main__":
    main()
