"""What leading very short trials costs: how busy workers are, and how the driver's memory grows.

1,000 trials of about 50 ms, which a child sleeps away, on two workers of one CPU each. Printed are
utilisation (seconds spent in epochs over workers times wall seconds, from the start of the first
epoch to the end of the last), trials per second, and how much the driver's resident memory grew
per trial, from the hundredth trial to the last: what was loaded or allocated once is not counted.

    python benchmarks/orchestration.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

TRIALS, WORKERS, SECONDS, WARM = 1000, 2, 0.05, 100


def build(_: Any, input_shape: tuple[int, ...], classes: int, seconds: float) -> Any:
    """Make a child that sleeps half of ``seconds`` in each of its two passes, then guesses."""
    import math

    import torch
    from torch import nn

    class Sleeper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.guess = nn.Linear(math.prod(input_shape), classes)

        def forward(self, inputs: Any) -> Any:
            # Neither of the two holds where the child's costs are measured.
            if torch.is_grad_enabled() or torch.is_inference_mode_enabled():
                time.sleep(seconds / 2)
            return self.guess(inputs.flatten(1))

    return Sleeper()


class Few:
    """A task of one batch."""

    name = "few"
    recipe = {"batch_size": 64}

    def load(self, source: Any, seed: int) -> Any:
        from raynas.data import Data, Split

        rng = np.random.default_rng(seed)
        inputs = rng.normal(size=(160, 4)).astype(np.float32)
        return Data.split(Split.of(inputs, np.arange(160) % 2), seed=seed, valid=0.3, test=0.3)


def resident() -> int:
    """Return the memory this process holds, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Scales:
    """Weighs the driver at every trial's end."""

    def __init__(self) -> None:
        self.weights: list[int] = []

    def write(self, event: Any, history: Any) -> None:
        if type(event).__name__ == "Finished":
            self.weights.append(resident())


def main() -> None:
    """Search and print the figures."""
    import raynas
    from raynas import Float, Space

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=TRIALS)
    trials = parser.parse_args().trials
    scales = Scales()
    space = SimpleNamespace(SPACE=Space({"x": Float(0, 1)}), build=build)
    with tempfile.TemporaryDirectory() as output:
        result = raynas.search(
            watchers=[scales],
            space=space,
            space_options={"seconds": SECONDS},
            task=Few(),
            searcher="random",
            scheduler="none",
            trials=trials,
            epochs=1,
            output=output,
            max_concurrent=WORKERS,
        )
    reports = [report for trial in result.history.trials.values() for report in trial.reports]
    busy = sum(report.seconds for report in reports)
    wall = max(r.at for r in reports) - min(r.at - r.seconds for r in reports)
    grown = (scales.weights[-1] - scales.weights[WARM]) / (len(scales.weights) - 1 - WARM) / 1024
    print(
        f"{len(reports)} trials of {1000 * busy / len(reports):.0f} ms in {wall:.1f} s: "
        f"{len(reports) / wall:.1f} trials/s"
    )
    print(f"utilisation: {busy / (WORKERS * wall):.2f} (goal: at least 0.80)")
    print(f"driver memory: {grown:+.1f} KiB per trial (goal: at most 10)")


if __name__ == "__main__":
    main()
