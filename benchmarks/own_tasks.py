"""Tables, texts, language models and series: the search, a network made by hand, and a standard.

For each seed, the search has 16 trials and the defaults of raynas and of the task: searcher,
scheduler, recipe, epochs and folds; only the space for such data is named. It runs in this process
on one core. Its winner, a network made by hand and scikit-learn's models (an n-gram for language
models) are trained on training and validation data and tested once on the same test data. The
network made by hand has the same recipe and epochs as the winner. A seed divides tables and texts
anew; the pieces of series and of the language model stay.

    python benchmarks/own_tasks.py                           # all tasks, five seeds
    python benchmarks/own_tasks.py --tasks wine,co2 --seeds 3

Each row has the mean over the seeds with its standard error, and the paired difference of the
search to the model of the row. In the last column a + says by how much the search is better.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, stdev
from typing import Any

import own_tasks_by_hand as by_hand
import own_tasks_standard as standard
from local_run import winner_of


@dataclass(frozen=True)
class Case:
    """A task, the search in it, and what it is compared with.

    Attributes:
        task: The name of the task, and its options.
        space: The space that is searched.
        made: Makes the network by hand, given what ``build`` is told.
        standards: Other models by name: functions of the data that return test metrics.
        metric: The test metric in the table.
    """

    task: tuple[str, Mapping[str, Any]]
    space: str
    made: Callable[[Mapping[str, Any]], Any]
    standards: Mapping[str, Callable[[Any], Mapping[str, float]]]
    metric: str


def _table(name: str, metric: str) -> Case:
    models = standard.REGRESSORS if metric == "rmse" else standard.CLASSIFIERS
    tables = {each: partial(standard.table, make) for each, make in models.items()}
    task = "tabular", {"embedded": name}
    return Case(task, "tabular", by_hand.perceptron, tables, metric)


def _series(name: str, season: int, **options: int) -> Case:
    models = {
        "last season": partial(standard.repeated, season),
        "last value": partial(standard.repeated, 1),
        "gradient boosting": standard.boosted,
        "ridge on lags": standard.ridge_on_lags,
    }
    task = "series", {"embedded": name, **options}
    return Case(task, "series", by_hand.forecaster, models, "rmse")


CASES = {
    "breast_cancer": _table("breast_cancer", "accuracy"),
    "wine": _table("wine", "accuracy"),
    "diabetes": _table("diabetes", "rmse"),
    "text": Case(
        ("text", {}),
        "textnas",
        by_hand.text_cnn,
        {"TF-IDF + logistic regression": standard.tf_idf},
        "accuracy",
    ),
    "language_model": Case(
        ("language_model", {}),
        "recurrent_cells",
        by_hand.lstm,
        {"n-gram with backoff": standard.n_gram},
        "bits_per_token",
    ),
    "sunspots": _series("sunspots", 11),
    "co2": _series("co2", 52, length=60),
    "elnino": _series("elnino", 12),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default=",".join(CASES), help="some of them, with commas")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=16)
    told = parser.parse_args()
    print("| task | model | score | the search is better by |\n|---|---|---|---|")
    for name in told.tasks.split(","):
        rows: dict[str, list[float]] = {}
        spent: list[float] = []
        for seed in range(told.first_seed, told.first_seed + told.seeds):
            for model, value in _compared(CASES[name], told.trials, seed, spent):
                rows.setdefault(model, []).append(value)
                print(f"{name}, seed {seed}, {model}: {value:.4g}", file=sys.stderr, flush=True)
        print("\n".join(_table_of(name, CASES[name].metric, rows)), flush=True)
        print(f"| | | {fmean(spent):.0f} s of one core | |", flush=True)


def _compared(
    case: Case, trials: int, seed: int, spent: list[float]
) -> Iterator[tuple[str, float]]:
    """Yield the name and the test score of every model; note the seconds of the search."""
    task, options = case.task
    metric = f"test_{case.metric}"
    chosen = {"task": task, "task_options": options, "space": case.space}
    found = winner_of(**chosen, trials=trials, seed=seed)
    spent.append(found.seconds)
    yield "search", found.metrics[metric]
    yield "network by hand", found.test(partial(case.made, found.data.told))[metric]
    for name, model in case.standards.items():
        yield name, model(found.data)[metric]


def _table_of(task: str, metric: str, rows: Mapping[str, Sequence[float]]) -> Iterator[str]:
    sign = 1.0 if metric == "accuracy" else -1.0
    unit, digits = (100.0, 1) if metric == "accuracy" else (1.0, 3)
    for name, values in rows.items():
        gaps = [sign * (one - other) for one, other in zip(rows["search"], values, strict=True)]
        gap = "" if name == "search" else f"{_mean(gaps, unit, digits, '+')}"
        yield f"| {task}, {metric} | {name} | {_mean(values, unit, digits)} | {gap} |"


def _mean(values: Sequence[float], unit: float, digits: int, sign: str = "") -> str:
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{unit * fmean(values):{sign}.{digits}f} ± {unit * error:.{digits}f}"


if __name__ == "__main__":
    main()
