"""What each option of the training recipe brings on digits: test accuracy with and without it.

    python benchmarks/recipe.py                 # six seeds, 9 epochs
    python benchmarks/recipe.py --epochs 30

Each row trains the same network (cells of NAS-Bench-201, 8 channels) with the same seeds, each on
a division of the data of its own, so the differences to the default are paired.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import torch

from raynas.rng import seed_weights
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.examples import Examples
from raynas.training.recipe import Recipe
from raynas.training.train import Training
from search_spaces import nasbench201

CELL = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
ROWS: Mapping[str, Mapping[str, Any]] = {
    "sgd (the default)": {},
    "adamw": {"optimizer": "adamw"},
    "adamw, lr 0.01": {"optimizer": "adamw", "lr": 0.01},
    "lion": {"optimizer": "lion"},
    "lion, lr 0.001": {"optimizer": "lion", "lr": 0.001, "weight_decay": 0.05},
    "decay_norms false": {"decay_norms": False},
    "accumulate 2": {"accumulate": 2},
    "ema 0.99": {"ema": 0.99},
    "patience 2": {"patience": 2},
    "mixup 0.2": {"mixup": 0.2},
    "cutmix 1": {"cutmix": 1.0},
    "crop 1": {"crop": 1},
    "randaugment 1": {"randaugment": 1},
    "schedule linear": {"schedule": "linear"},
    "schedule step": {"schedule": "step"},
    "schedule exponential": {"schedule": "exponential"},
    "precision bfloat16": {"precision": "bfloat16"},
}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--rows", default="", help="only rows whose names contain this")
    args = parser.parse_args()
    torch.set_num_threads(1)
    usual = [scores({}, args.epochs, seed) for seed in range(args.seeds)]
    print(
        f"{args.seeds} seeds, {args.epochs} epochs; means, and paired differences to the default"
    )
    print(f"{'':22} {'test accuracy, %':>24} {'test loss, nats':>26}")
    for name, options in ROWS.items():
        if args.rows not in name:
            continue
        found = [scores(options, args.epochs, seed) for seed in range(args.seeds)]
        cells = [compared(*(column(part, at) for part in (found, usual))) for at in (0, 1)]
        print(f"{name:22} {cells[0]:>24} {cells[1]:>26}", flush=True)


def column(pairs: Sequence[tuple[float, float]], at: int) -> list[float]:
    """Return the accuracies or the losses of several trainings."""
    return [pair[at] for pair in pairs]


def compared(found: Sequence[float], usual: Sequence[float]) -> str:
    """Return a mean, and its difference to that of the default with its standard error."""
    gaps = [one - other for one, other in zip(found, usual, strict=True)]
    error = stdev(gaps) / len(gaps) ** 0.5
    return f"{fmean(found):.3f}  {fmean(gaps):+.3f} ± {error:.3f}"


def scores(options: Mapping[str, Any], epochs: int, seed: int) -> tuple[float, float]:
    """Return the test accuracy (%) and the test loss (nats) of one training."""
    data = Digits().load(Source(), seed=seed)
    recipe = Recipe().with_overrides(Digits.recipe).with_overrides(options)
    train, valid, test = (
        Examples.of(part, data, torch.device("cpu"))
        for part in (data.train, data.valid, data.test)
    )
    seed_weights(seed)
    architecture = nasbench201.from_string(CELL)
    child = nasbench201.build(architecture, (1, 8, 8), 10, channels=8, cells=1)
    scored = valid if recipe.patience else None
    training = Training(child, train, recipe, epochs=epochs, seed=seed, valid=scored)
    while training.epoch < epochs:
        training.step()
    metrics = training.test(lambda: test)
    return 100 * metrics["test_accuracy"], metrics["test_loss"]


if __name__ == "__main__":
    main()
