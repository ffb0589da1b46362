r"""Fronts of accuracy and measured latency (and energy): how much of the true front is found.

The trainings are those of NAS-Bench-201 (mean validation error in percent after 200 epochs), the
latencies and energies those of HW-NAS-Bench. Both are known only of networks that were trained.
What a run has found is the volume that the trained networks dominate, as a share of what all
cells dominate; the corner is an error of 20 % and the slowest (hungriest) cell.

    python benchmarks/hardware_fronts.py nb201.npz nb201_hw.npz
    python benchmarks/hardware_fronts.py nb201.npz nb201_hw.npz \
        --costs edgegpu_latency edgegpu_energy
    python benchmarks/hardware_fronts.py nb201.npz nb201_hw.npz \
        --data c100 --worst 60 --costs raspi4_latency

It prints for each searcher, after 100 and after 200 trainings: the mean, the standard error, and
the least and the largest share over the seeds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raynas import pareto
from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers import make
from raynas.space import Architecture, Space
from raynas.tables import Recorded, Scores
from raynas.trial import Objective
from search_spaces.nasbench201 import SPACE as MERGED

SPACE = Space(MERGED.tree, graph=MERGED.graph)
"""All cells; cells that compute the same function differ in latency, up to a factor of 3.9."""

Floats = NDArray[np.float64]

SEARCHERS = "auto,optuna:tpe,optuna:nsgaii,random"
AT = (100, 200)


@dataclass(frozen=True)
class HardwareTable:
    """Errors and costs of all cells.

    Attributes:
        losses: ``[cells, objectives]``: the error in percent, then the costs.
        names: The metrics, one per objective.
        rows: The row of a cell, by the operations on its edges.
    """

    losses: Floats
    names: Sequence[str]
    rows: dict[tuple[Any, ...], int] = field(repr=False)
    space: Space = SPACE
    lengths: Sequence[int] = (200,)
    best: float = 1.0

    def answer(self, architecture: Architecture, epochs: int, draw: int) -> list[Recorded]:
        """Return the only training of a cell."""
        values = self.losses[self.row(architecture)].tolist()
        return [Recorded(epochs, dict(zip(self.names, values, strict=True)), 1.0)]

    def scores(self, architecture: Architecture) -> Scores:
        """Return the accuracy, as a fraction."""
        accuracy = 1 - self.losses[self.row(architecture), 0] / 100
        return Scores(accuracy, accuracy)

    def row(self, architecture: Architecture) -> int:
        """Return the row of a cell."""
        return self.rows[tuple(architecture.values())]


def table(accuracies: str, costs: str, data: str, names: Sequence[str]) -> HardwareTable:
    """Read both files."""
    options = [decision.domain.values() for decision in SPACE.decisions.values()]
    with np.load(accuracies) as file:
        error = 100 - file[f"{data}_valid_200"].astype(float)
        ops = file["ops"].tolist()
    with np.load(costs) as file:
        found = [np.asarray(file[_column(file, data, name)], float) for name in names]
    cells = (tuple(one[code] for one, code in zip(options, codes, strict=True)) for codes in ops)
    rows = {cell: row for row, cell in enumerate(cells)}
    return HardwareTable(np.stack([error, *found], axis=1), ("val_error", *names), rows)


def _column(file: Any, data: str, name: str) -> str:
    return name if name in file else f"hwnb_{data}_{name}"


def volume(losses: Floats, corner: Floats) -> float:
    """Return the volume between points ``[n, 2 or 3]``, to be minimised, and a corner."""
    inside = losses[(losses < corner).all(1)]
    if not len(inside):
        return 0.0
    inside = inside[np.argsort(inside[:, -1], kind="stable")]
    if losses.shape[1] == 2:
        reached, total = corner[0], 0.0
        for first, last in inside.tolist():
            total += max(0.0, reached - first) * (corner[1] - last)
            reached = min(reached, first)
        return total
    heights = np.append(inside[1:, -1], corner[-1]) - inside[:, -1]
    slices = (volume(inside[: at + 1, :-1], corner[:-1]) for at in range(len(inside)))
    return float(sum(height * area for height, area in zip(heights, slices, strict=True)))


def shares(found: HardwareTable, corner: Floats, name: str, seed: int) -> Iterator[float]:
    """Yield the share of the volume after each number of trainings in ``AT``."""
    name, _, sampler = name.partition(":")
    options = {"sampler": sampler} if sampler else {}
    searcher = make(name, SPACE, options)
    plan = Plan(SPACE, searcher, RunToEnd(), 10**6, 200, seed)
    objectives = tuple(Objective(metric, "min") for metric in found.names)
    simulation = Simulation(plan, Cluster(found, 1, ()), Budget(AT[-1]), objectives)
    whole = volume(front(found.losses), corner)
    due = [*AT]
    for moment in simulation:
        if due and moment.trainings >= due[0]:
            yield _share(simulation, corner, whole)
            del due[0]
    for _ in due:  # it proposed only what was trained already
        yield _share(simulation, corner, whole)


def _share(simulation: Simulation, corner: Floats, whole: float) -> float:
    losses = np.array([trial.losses for trial in simulation.history.finished])
    return volume(front(losses), corner) / whole


def front(losses: Floats) -> Floats:
    """Return the points that no other dominates, each once."""
    for column in range(losses.shape[1]):  # the whole table at once is too large
        bound = losses[losses[:, column].argmin()]
        losses = losses[~((bound <= losses).all(1) & (bound < losses).any(1))]
    losses = np.unique(losses, axis=0)
    return losses[~pareto.dominance(losses).any(0)]


def main() -> None:
    """Print a row for each searcher."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("accuracies", help="nb201.npz")
    parser.add_argument("hardware", help="nb201_hw.npz")
    parser.add_argument("--data", default="c10", choices=("c10", "c100", "in16"))
    parser.add_argument("--costs", nargs="+", default=["edgegpu_latency"])
    parser.add_argument("--worst", type=float, default=20.0, help="the corner's error, in percent")
    parser.add_argument("--searchers", default=SEARCHERS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    told = parser.parse_args()
    found = table(told.accuracies, told.hardware, told.data, told.costs)
    corner = np.array([told.worst, *found.losses[:, 1:].max(0)])
    print(f"{len(front(found.losses))} cells on the true front of {', '.join(found.names)}")
    for name in told.searchers.split(","):
        begun = time.perf_counter()
        seeds = range(told.first_seed, told.first_seed + told.seeds)
        reached = np.array([[*shares(found, corner, name, seed)] for seed in seeds])
        seconds = (time.perf_counter() - begun) / told.seeds
        cells = (
            f"{mean:.4f} ±{error:.4f} ({least:.3f} to {most:.3f})"
            for mean, error, least, most in zip(
                reached.mean(0),
                reached.std(0, ddof=1) / np.sqrt(told.seeds) if told.seeds > 1 else (0, 0),
                reached.min(0),
                reached.max(0),
                strict=True,
            )
        )
        print(f"{name:16} {'   '.join(cells)}   {seconds:.0f} s a run", flush=True)


if __name__ == "__main__":
    main()
