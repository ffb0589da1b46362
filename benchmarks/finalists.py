"""Finalists: is the winner better if the last trials train the best networks again?

Two searches with the same seed and the same number of trials, all of full length: one proposes a
new network in every trial, the other uses its last trials for finalists on other divisions of the
same data. Both winners are trained on training and validation data and tested on the same
examples. There are few validation examples: 60 digits, and a fifth of small tables.

    python benchmarks/finalists.py                             # all tasks, 20 seeds
    python benchmarks/finalists.py --tasks wine --seeds 5

Printed are mean test accuracies with standard errors, and the mean of the paired differences.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

from local_run import winner_of

_DIGITS = 1797  # images of scikit-learn

CASES: dict[str, Mapping[str, Any]] = {
    "digits": {
        "task": "digits",
        "task_options": {"valid": 60 / _DIGITS, "train": 500, "noise": 2.0},
        "space": "mlp",
        "epochs": 8,
    },
    "wine": {"task": "tabular", "task_options": {"embedded": "wine"}, "space": "tabular"},
    "breast_cancer": {
        "task": "tabular",
        "task_options": {"embedded": "breast_cancer"},
        "space": "tabular",
    },
}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", default=",".join(CASES), help="some of them, with commas")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--finalists", type=float, default=0.25)
    told = parser.parse_args()
    print("| task | without | with finalists | better by, points |\n|---|---|---|---|")
    for name in told.tasks.split(","):
        pairs = []
        for seed in range(told.seeds):
            common = {**CASES[name], "seed": seed, "trials": told.trials, "scheduler": "none"}
            tested = [
                100 * winner_of(**common, finalists=share).metrics["test_accuracy"]
                for share in (0.0, told.finalists)
            ]
            pairs.append(tested)
            print(f"{name}, seed {seed}: {tested}", file=sys.stderr, flush=True)
        without, with_them = zip(*pairs, strict=True)
        gaps = [after - before for before, after in pairs]
        print(
            f"| {name} | {_mean(without)} | {_mean(with_them)} | {_mean(gaps, '+')} |", flush=True
        )


def _mean(values: Any, sign: str = "") -> str:
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{fmean(values):{sign}.2f} ± {error:.2f}"


if __name__ == "__main__":
    main()
