"""Make the table ``digits``: train every small cell on digits, three times.

    python benchmarks/digits_table.py --output raynas/tables/digits.npz --jobs 2

The task is made hard, so that the ranks of cells mean something: 500 training images with noise,
four channels, six epochs. Each network is trained by the default recipe with batches of 32; its
validation accuracy is noted after each epoch, and its test accuracy after the last. Equivalent
cells are the same network and are trained once. What was trained already is not trained again.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from raynas import costs
from raynas.rng import seed_weights
from raynas.space import Architecture
from raynas.tables.digits import EPOCHS, RECIPE, SEEDS, TASK
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.examples import Examples
from raynas.training.recipe import Recipe
from raynas.training.scores import evaluate
from raynas.training.train import Training
from search_spaces.nasbench201 import small

CPU = torch.device("cpu")


def main() -> None:
    """Train what is missing in the file, and write it after every 20 networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    told = parser.parse_args()
    output = told.output
    space = small.SPACE
    cells = {space.identity(one): one for one in space}
    known = dict(np.load(output)) if output.exists() else {}
    done = {} if not known else _rows(known)
    left = {identity: cell for identity, cell in cells.items() if identity not in done}
    with get_context("spawn").Pool(told.jobs) as pool:
        for identity, row in zip(left, pool.imap(_trained, left.values()), strict=True):
            done[identity] = row
            if len(done) % 20 == 0 or len(done) == len(cells):
                _write(output, done)
                print(f"{len(done)} of {len(cells)}", file=sys.stderr, flush=True)


@cache
def _splits() -> dict[str, Examples]:
    torch.set_num_threads(1)
    data = Digits(**TASK).load(Source(), seed=0)
    parts = ("train", "valid", "test")
    return {name: Examples.of(getattr(data, name), data, CPU) for name in parts}


def _trained(cell: Architecture) -> dict[str, np.ndarray]:
    splits = _splits()
    recipe = Recipe().with_overrides(RECIPE)
    valid, test, seconds = [], [], []
    for seed in range(SEEDS):
        seed_weights(seed)
        child = small.build(cell, (1, 8, 8), 10)
        measured = costs.measure(child, torch.zeros(1, 1, 8, 8)).known
        training = Training(
            child, splits["train"], recipe, epochs=EPOCHS, seed=seed, valid=splits["valid"]
        )
        begun = time.perf_counter()
        valid.append([training.step().metrics["val_accuracy"] for _ in range(EPOCHS)])
        seconds.append((time.perf_counter() - begun) / EPOCHS)
        test.append(evaluate(child, splits["test"]).metrics["accuracy"])
    return {
        "valid": np.array(valid, np.float32),
        "test": np.array(test, np.float32),
        "seconds": np.float32(np.median(seconds)),
        "params": np.float32(measured["params"]),
        "flops": np.float32(measured["flops"]),
    }


def _rows(file: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    names = [name for name in file if name != "identity"]
    return {
        str(identity): {name: file[name][row] for name in names}
        for row, identity in enumerate(file["identity"])
    }


def _write(output: Path, rows: dict[str, dict[str, np.ndarray]]) -> None:
    first = next(iter(rows.values()))
    columns = {name: np.stack([row[name] for row in rows.values()]) for name in first}
    partial = output.with_suffix(".partial.npz")
    np.savez_compressed(partial, identity=np.array([*rows]), **columns)
    partial.replace(output)


if __name__ == "__main__":
    main()
