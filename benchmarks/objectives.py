"""How much of the Pareto front searchers for several objectives find, on recorded trainings.

NAS-Bench-201 on CIFAR-10: validation accuracy, of which each training shows one noisy seed,
against a cost of the network. What a run has found is the front that its searcher hands over, or
of what it has seen if it hands over none; it is judged by the means over seeds: the share of the
area that the front of all cells dominates, above the median accuracy and within the largest cost.
Mean and standard deviation over runs, after so many trainings.

    python benchmarks/objectives.py nb201.npz [--cost flops] [--seeds 20] [--searchers auto,nsga2]

The same on a made-up table (see ``made_up.py``), judged by what networks are worth:

    python benchmarks/objectives.py '{"examples": 1000}'
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import numpy as np

SEARCHERS = "auto,nsga2,optuna:tpe,optuna:gp,optuna:nsgaii,random"
AT = (25, 50, 100)


@dataclass(frozen=True)
class Case:
    """One searcher's run."""

    data: str
    cost: str
    searcher: str
    seed: int


@lru_cache(maxsize=1)
def _table(data: str) -> Any:
    if data.startswith("{"):
        from made_up import MadeUp

        return MadeUp(**json.loads(data))
    from raynas.tables import TABLES
    from search_spaces.nasbench201 import SPACE

    return TABLES["nasbench201"](SPACE, data)


@lru_cache(maxsize=1)
def _truth(case_data: str, cost: str) -> Any:
    """Return accuracy and cost of every network."""
    table = _table(case_data)
    found = {}
    for one in table.space:
        scores, metrics = table.scores(one), table.answer(one, table.lengths[-1], 0)[-1].metrics
        accuracy = scores.test if case_data.startswith("{") else scores.valid
        found[one] = accuracy, metrics[cost]
    return found


def area(accuracy: Any, cost: Any, worst: tuple[float, float]) -> float:
    """Return the area dominated between points ``[n]`` and the worst accuracy and cost."""
    found, reached = 0.0, worst[0]
    for at in np.lexsort((-accuracy, cost)):  # cheapest first
        if accuracy[at] > reached and cost[at] < worst[1]:
            found += (accuracy[at] - reached) * (worst[1] - cost[at])
            reached = accuracy[at]
    return found


def shares(case: Case) -> list[float]:
    """Return the share of the area found after each number of trainings."""
    from raynas.execution.plan import Plan
    from raynas.execution.simulate import Budget, Cluster, Simulation
    from raynas.insight.front import front
    from raynas.schedulers.run_to_end import RunToEnd
    from raynas.searchers import make
    from raynas.trial import Objective

    table, truth = _table(case.data), _truth(case.data, case.cost)
    accuracy, costs = np.array([*truth.values()]).T
    worst = float(np.median(accuracy)), float(costs.max())
    name, _, sampler = case.searcher.partition(":")
    searcher = make(name, table.space, {"sampler": sampler} if sampler else {})
    plan = Plan(table.space, searcher, RunToEnd(), 10**6, table.lengths[-1], case.seed)
    objectives = (Objective("val_accuracy"), Objective(case.cost, "min"))
    simulation = Simulation(plan, Cluster(table, 1, ()), Budget(AT[-1]), objectives)
    found = {}
    for moment in simulation:
        if moment.trainings in AT:
            history, handed_over = simulation.history, simulation.conductor.recommendation
            numbers = (handed_over.front if handed_over else ()) or front(history)
            seen = np.array([truth[history.trials[number].architecture] for number in numbers])
            found[moment.trainings] = area(*seen.T, worst)
    return [found[at] / area(accuracy, costs, worst) for at in AT]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="nb201.npz, or options of a made-up table as JSON")
    parser.add_argument("--cost", default="params", choices=("params", "flops"))
    parser.add_argument("--searchers", default=SEARCHERS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    print(f"{'':16}" + "".join(f"{at:>16}" for at in AT))
    with ProcessPoolExecutor(asked.jobs, get_context("spawn")) as pool:
        for name in asked.searchers.split(","):
            cases = [Case(asked.data, asked.cost, name, seed) for seed in range(asked.seeds)]
            found = np.array([*pool.map(shares, cases)])
            columns = zip(found.mean(0), found.std(0, ddof=1), strict=True)
            row = "".join(f"{mean:9.4f} ±{deviation:.3f}" for mean, deviation in columns)
            print(f"{name:16}{row}", flush=True)


if __name__ == "__main__":
    main()
