"""Tables, texts, language models and series: the search, a network made by hand, and a standard.

One command per task. For each seed the search (default searcher and scheduler, in this process,
its space the one for such data) is given two minutes of one core. Its winner, a sensible
network made by hand and scikit-learn's models (an n-gram with backoff for language models) are
then trained on training and validation data and tested once on the same test data. The networks
are trained by the same loop for the same epochs. A seed divides tables and texts anew; the pieces
of series and of the language model stay.

    python benchmarks/own_tasks.py breast_cancer [--seeds 3] [--seconds 120]

The tasks are the keys of ``CASES``. A table has a row for each model: the mean over the seeds, and
the least and largest value.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
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
        epochs: The full length of a training.
        made: Makes the network by hand, given what ``build`` is told.
        standards: Other models by name: functions of the data that return test metrics.
        shown: The metrics in the table, without ``test_``.
    """

    task: tuple[str, Mapping[str, Any]]
    space: str
    epochs: int
    made: Callable[[Mapping[str, Any]], Any]
    standards: Mapping[str, Callable[[Any], Mapping[str, float]]]
    shown: tuple[str, ...]


def _table(name: str, *shown: str) -> Case:
    models = standard.REGRESSORS if "rmse" in shown else standard.CLASSIFIERS
    tables = {each: partial(standard.table, make) for each, make in models.items()}
    task = "tabular", {"embedded": name}
    return Case(task, "tabular", 30, by_hand.perceptron, tables, shown)


def _series(name: str, season: int, **options: int) -> Case:
    models = {
        "last season": partial(standard.repeated, season),
        "last value": partial(standard.repeated, 1),
        "gradient boosting": standard.boosted,
    }
    task = "series", {"embedded": name, **options}
    return Case(task, "series", 30, by_hand.forecaster, models, ("rmse", "mase"))


CASES = {
    "breast_cancer": _table("breast_cancer", "accuracy", "roc_auc", "macro_f1"),
    "wine": _table("wine", "accuracy", "roc_auc", "macro_f1"),
    "diabetes": _table("diabetes", "rmse", "r2"),
    "text": Case(
        ("text", {}),
        "textnas",
        15,
        by_hand.text_cnn,
        {"TF-IDF + logistic regression": standard.tf_idf},
        ("accuracy", "macro_f1"),
    ),
    "language_model": Case(
        ("language_model", {}),
        "recurrent_cells",
        5,
        by_hand.lstm,
        {"n-gram with backoff": standard.n_gram},
        ("bits_per_token", "perplexity"),
    ),
    "sunspots": _series("sunspots", 11),
    "co2": _series("co2", 52, length=60),
    "elnino": _series("elnino", 12),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120, help="of one core, for the search")
    parser.add_argument("--epochs", type=int, help="the full length of a training")
    parser.add_argument("--space", help="another space")
    told = parser.parse_args()
    case = CASES[told.case]
    settings = {
        "space": told.space or case.space,
        "epochs": told.epochs or case.epochs,
        "seconds": told.seconds,
    }
    rows: dict[str, list[Mapping[str, float]]] = {}
    for seed in range(told.seeds):
        for name, metrics in _compared(case, {**settings, "seed": seed}):
            rows.setdefault(name, []).append(metrics)
            print(f"seed {seed}, {name}: {_said(metrics)}", flush=True)
    _print(case.shown, rows)


def _compared(case: Case, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the name and the test metrics of every model."""
    task, options = case.task
    found = winner_of(task=task, task_options=options, **settings)
    spent = {"search_epochs": found.epochs}
    yield f"search in {settings['space']}", {**found.metrics, **spent}
    yield "network by hand", found.test(partial(case.made, found.data.told))
    for name, model in case.standards.items():
        yield name, model(found.data)


def _said(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def _print(shown: tuple[str, ...], rows: Mapping[str, list[Mapping[str, float]]]) -> None:
    print("\n| model | " + " | ".join(shown) + " |\n|---|" + "---|" * len(shown))
    for name, runs in rows.items():
        cells = []
        for metric in shown:
            values = [run[f"test_{metric}"] for run in runs if f"test_{metric}" in run]
            mean = sum(values) / len(values) if values else float("nan")
            spread = f" ({min(values):.4g} to {max(values):.4g})" if values else ""
            cells.append(f"{mean:.4g}{spread}")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
