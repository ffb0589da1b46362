"""What packing brings: small children side by side on one GPU against one after another.

The same random NAS-Bench-201 cells (16 channels, one per stage) are trained twice on
scikit-learn's digits: with a share of the GPU each, side by side, and with all of it, one after
another. Compared is the time from the start of the first epoch to the end of the last one. Side
by side, the workers that are up first wait for nobody, so what their different starts cost is
counted in.

    python benchmarks/packing.py              # 8 children, an eighth of a GPU each
    python benchmarks/packing.py --counted    # on CPUs, two at a time, on a GPU that is only
                                              # counted: shows that it works, not what it brings
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

CELLS = {"channels": 16, "cells": 1}
GOAL = 3.0


class Listed:
    """Proposes the same random cells every time, and has each of them trained."""

    def propose(self, history: Any, rng: np.random.Generator) -> Any:
        from raynas.trial import Proposal
        from search_spaces.nasbench201 import SPACE

        number = len(history.trials)
        return Proposal(SPACE.sample(np.random.default_rng(number)), repeat=True)


def seconds(children: int, epochs: int, gpus: float) -> tuple[float, float]:
    """Train the children with that share each; return the time, and how many ran at once."""
    import raynas

    cpus = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as output:
        result = raynas.search(
            space="nasbench201",
            space_options=CELLS,
            searcher=Listed(),
            scheduler="none",
            trials=children,
            epochs=epochs,
            winner_epochs=1,
            cpus_per_trial=min(1.0, cpus / children),
            gpus_per_trial=gpus,
            output=output,
        )
    reports = [report for trial in result.history.finished for report in trial.reports]
    wall = max(r.at for r in reports) - min(r.at - r.seconds for r in reports)
    return wall, sum(r.seconds for r in reports) / wall


@contextmanager
def counted() -> Iterator[None]:
    """Begin a Ray with a GPU that does not exist; who gets a share of it computes on the CPU."""
    from raynas.execution.ray_tune import session, trainable

    import ray  # isort: skip - raynas sets how quiet it is

    class OnTheCPU(trainable.PackedContext):
        @classmethod
        def of(cls, build: Any, home: Any, recipe: Any, device: str) -> trainable.PackedContext:
            assert device == "cuda"
            return trainable.PackedContext.of(build, home, recipe, "cpu")

    session.PackedContext = OnTheCPU  # type: ignore[misc]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        ray.init("local", num_gpus=1, include_dashboard=False, log_to_driver=False)
        try:
            yield
        finally:
            ray.shutdown()


def compare(children: int, epochs: int, share: float) -> float:
    """Measure both ways, print them, return the ratio."""
    times = {}
    for gpus in (share, 1.0):
        times[gpus], at_once = seconds(children, epochs, gpus)
        print(
            f"{children} children, {gpus:g} GPU each: {times[gpus]:.1f} s, {at_once:.1f} at once"
        )
    return times[1.0] / times[share]


def main() -> None:
    """Compare, or say why not."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counted", action="store_true")
    if parser.parse_args().counted:
        with counted():
            print(f"one after another / side by side: {compare(4, 3, 0.5):.2f} (no goal: no GPU)")
        return
    if not torch.cuda.is_available():
        sys.exit("this machine has no GPU to share; --counted shows that it would work")
    ratio = compare(8, 60, 1 / 8)
    print(f"one after another / side by side: {ratio:.2f} (goal: at least {GOAL})")


if __name__ == "__main__":
    main()
