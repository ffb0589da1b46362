"""What a search costs besides training: raynas against plain Ray Tune, written by hand.

The same 40 random NAS-Bench-201 cells (16 channels, one cell per stage) are trained for three
epochs on scikit-learn's digits by two workers of one CPU each, in three ways, each in a process
of its own on a Ray of its own:

- ``raynas``: ``raynas.search``, up to the end of the last trial (the winner is not counted);
- ``function``: a function trainable with ``tune.report`` and Ray Tune's default settings;
- ``class``: a class trainable tuned by hand: ``reuse_actors``, data in the object store, a lazy
  import of torch, no loggers.

The arms run in turn, five times. Printed are medians, and those of the ratios within each turn:
trials per second from before ``ray.init`` to the last trial's end, and utilisation:
seconds spent in training epochs over workers times wall seconds from the start of the first
epoch to the end of the last one; and, in brackets, with everything from before ``ray.init`` on.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --against class  # a minute a turn
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from statistics import median
from typing import Any

import numpy as np

TRIALS, EPOCHS, WORKERS, BATCH = 40, 3, 2, 128
TURNS = 5
GOALS = {"function": 5.0, "class": 1.3}
CELLS = {"channels": 16, "cells": 1}


@dataclass(frozen=True)
class Figures:
    """What an arm measured: trials per second and two utilisations."""

    trials_per_s: float
    utilisation: float
    with_start: float

    @classmethod
    def of(cls, spans: list[tuple[float, float]], began: float, trials: int) -> Figures:
        """Compute them from the epochs' (start, end), in seconds of one clock."""
        busy = sum(end - start for start, end in spans)
        first, last = min(start for start, _ in spans), max(end for _, end in spans)
        return cls(
            trials / (last - began),
            busy / (WORKERS * (last - first)),
            busy / (WORKERS * (last - began)),
        )


def cells(count: int) -> list[dict[str, Any]]:
    """Return the same random cells in every process."""
    from search_spaces.nasbench201 import SPACE

    rng = np.random.default_rng(0)
    return [dict(SPACE.sample(rng)) for _ in range(count)]


def with_raynas(trials: int) -> Figures:
    """Search with raynas, every proposal trained."""
    import raynas
    from raynas.trial import History, Proposal

    proposals = cells(trials)

    class Listed:
        def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
            number = len(history.trials)
            return Proposal(raynas.Architecture(proposals[number]), repeat=True)

    with tempfile.TemporaryDirectory() as output:
        began = time.time()
        result = raynas.search(
            space="nasbench201",
            space_options=CELLS,
            searcher=Listed(),
            scheduler="none",
            trials=trials,
            epochs=EPOCHS,
            training={"batch_size": BATCH},
            output=output,
            max_concurrent=WORKERS,
        )
    reports = [report for trial in result.history.trials.values() for report in trial.reports]
    return Figures.of([(r.at - r.seconds, r.at) for r in reports], began, trials)


def digits() -> tuple[Any, Any, Any, Any]:
    """Return training and validation images and labels, as anyone would."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    order = np.random.default_rng(0).permutation(len(loaded.target))
    images = ((loaded.images - 4.9) / 6.0).astype(np.float32)[order, None]
    labels = loaded.target.astype(np.int64)[order]
    return images[:1079], labels[:1079], images[1079:1438], labels[1079:1438]


def epochs_by_hand(
    cell: Mapping[str, Any], data: tuple[Any, Any, Any, Any]
) -> Iterator[dict[str, float]]:
    """Train a cell in a plain PyTorch loop."""
    import torch
    from torch.nn.functional import cross_entropy

    from raynas.space import Architecture
    from search_spaces.nasbench201 import build

    images, labels, valid_images, valid_labels = (torch.tensor(array) for array in data)
    child = build(Architecture(cell), (1, 8, 8), 10, **CELLS)
    steps = -(-len(images) // BATCH)
    optimizer = torch.optim.SGD(
        child.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * steps)
    for _ in range(EPOCHS):
        start = time.time()
        child.train()
        for rows in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            loss = cross_entropy(child(images[rows]), labels[rows], label_smoothing=0.1)
            loss.backward()
            optimizer.step()
            schedule.step()
        child.eval()
        with torch.no_grad():
            right = (child(valid_images).argmax(1) == valid_labels).float().mean().item()
        yield {"accuracy": right, "start": start, "end": time.time()}


def with_function(trials: int) -> Figures:
    """Search with a function trainable and Tune's defaults."""
    began = time.time()
    import ray
    from ray import tune

    def trainable(config: dict[str, Any]) -> None:
        for result in epochs_by_hand(config["cell"], digits()):
            tune.report(result)

    ray.init(address="local", num_cpus=WORKERS)
    return _tuned(tune.with_resources(trainable, {"cpu": 1}), trials, began)


def with_class(trials: int) -> Figures:
    """Search with a class trainable tuned by hand."""
    import os

    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(WORKERS)
    began = time.time()
    import ray
    from ray import tune

    class Trainable(tune.Trainable):
        def setup(self, config: dict[str, Any], data: Any) -> None:
            self.data = data
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.epochs = epochs_by_hand(new_config["cell"], self.data)
            self.left = EPOCHS
            return True

        def step(self) -> dict[str, Any]:
            self.left -= 1
            return {**next(self.epochs), "done": self.left == 0}

    ray.init(address="local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    trainable = tune.with_resources(tune.with_parameters(Trainable, data=digits()), {"cpu": 1})
    return _tuned(trainable, trials, began, reuse_actors=True)


def _tuned(trainable: Any, trials: int, began: float, **config: Any) -> Figures:
    from ray import tune

    spans: list[tuple[float, float]] = []

    class Clock(tune.Callback):
        def on_trial_result(
            self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any
        ) -> None:
            spans.append((result["start"], result["end"]))

    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            trainable,
            param_space={"cell": tune.grid_search(cells(trials))},
            tune_config=tune.TuneConfig(**config),
            run_config=tune.RunConfig(
                storage_path=folder,
                verbose=0,
                callbacks=[Clock()],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    return Figures.of(spans, began, trials)


ARMS: Mapping[str, Callable[[int], Figures]] = {
    "raynas": with_raynas,
    "class": with_class,
    "function": with_function,
}


def measured(arm: str, trials: int) -> Figures:
    """Run one arm in a process of its own."""
    command = [sys.executable, __file__, "--arm", arm, "--trials", str(trials)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{arm} failed:\n{done.stdout}\n{done.stderr}")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def ratios(turns: list[dict[str, Figures]], arm: str) -> list[float]:
    """Return how many times as many trials per second raynas trained as ``arm``, by turn."""
    return [turn["raynas"].trials_per_s / turn[arm].trials_per_s for turn in turns]


def main() -> None:
    """Run all arms in turn, several times, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arm", choices=ARMS)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--against", nargs="+", choices=("class", "function"))
    given = parser.parse_args()
    if given.arm:
        print(json.dumps(asdict(ARMS[given.arm](given.trials))))
        return
    turns, others = [], given.against or ["function", "class"]
    for number in range(given.turns):
        turns.append({arm: measured(arm, given.trials) for arm in ("raynas", *others)})
        rates = ", ".join(f"{arm} {one.trials_per_s:.2f}" for arm, one in turns[-1].items())
        print(f"turn {number + 1}: {rates} trials/s", flush=True)
    print(f"medians of {given.turns}:")
    for arm in turns[0]:
        rate, utilisation, with_start = (
            median(getattr(turn[arm], field.name) for turn in turns) for field in fields(Figures)
        )
        print(
            f"{arm:9} {rate:.2f} trials/s, utilisation {utilisation:.2f} "
            f"({with_start:.2f} with the start counted in)"
        )
    for arm in others:
        print(f"raynas / {arm}: {median(ratios(turns, arm)):.2f} (goal: at least {GOALS[arm]})")
    mine = median(turn["raynas"].utilisation for turn in turns)
    print(f"utilisation: {mine:.2f} (goal: at least 0.90)")


if __name__ == "__main__":
    main()
