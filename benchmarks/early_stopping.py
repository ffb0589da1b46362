"""How many epochs early stopping needs for what random search finds with full trainings.

On ``digits`` with the space ``mlp``: random search trains so many networks in full; every other
arm gets as many epochs and the same validation set, and the share is printed after which it had a
fully trained network at least as good on validation as the best that random search has found. One
line per arm: the median over seeds, the quartiles, and in how many runs it got there at all.

    python benchmarks/early_stopping.py [--seeds 10] [--networks 40] [--epochs 27]
    python benchmarks/early_stopping.py --tune lr,weight_decay   # the recipe is searched too
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from typing import Any

from local_run import spend

NEVER = 1e9  # a share; between it and another one quantiles are never reached either
ARMS = {
    "random": {"searcher": "random", "scheduler": "none"},
    "random + asha": {"searcher": "random", "scheduler": "asha"},
    "random + asha_promotion": {"searcher": "random", "scheduler": "asha_promotion"},
    "random + halving": {"searcher": "random", "scheduler": "halving"},
    "random + hyperband": {"searcher": "random", "scheduler": "hyperband"},
    "random + median": {"searcher": "random", "scheduler": "median"},
    "random + extrapolation": {"searcher": "random", "scheduler": "extrapolation"},
    "auto": {"searcher": "auto", "scheduler": "none"},
    "auto + asha": {"searcher": "auto", "scheduler": "asha"},
    "auto + asha from 3 epochs": {
        "searcher": "auto",
        "scheduler": "asha",
        "scheduler_options": {"grace_epochs": 3},
    },
    "bohb + hyperband": {"searcher": "bohb", "scheduler": "hyperband"},
}


@dataclass(frozen=True)
class Divided:
    """``digits``, divided alike whatever the run's seed: 359 images are easier or harder ones."""

    division: int
    name = "digits"
    recipe = {"batch_size": 64}

    def load(self, source: Any, seed: int) -> Any:
        from raynas.tasks.digits import Digits

        return Digits().load(source, self.division)


def told(share: float) -> str:
    return f"{share:.3f}" if share <= 1 else "never"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--tune", default="")
    asked = parser.parse_args()
    budget = asked.networks * asked.epochs
    tune = tuple(asked.tune.split(",")) if asked.tune else ()

    def settings(arm: str, seed: int) -> dict[str, Any]:
        return {"space": "mlp", "task": Divided(seed), "tune": tune, **ARMS[arm]}

    def shares_of(arm: str, bars: dict[int, float]) -> list[float]:
        shares = []
        for seed, bar in bars.items():
            # Another seed than random search had, or random networks would be the same ones.
            spent, best = spend(
                budget, asked.epochs, bar.__ge__, seed=1000 + seed, **settings(arm, seed)
            )
            shares.append(spent / budget if best <= bar else NEVER)
        return shares

    bars = {
        seed: spend(budget, asked.epochs, seed=seed, **settings("random", seed))[1]
        for seed in range(asked.seeds)
    }
    print(f"random search, {asked.networks} networks of {asked.epochs} epochs: {bars}")
    print(f"{'':26} median  quartiles      reached")
    for name in asked.arms.split(","):
        shares = shares_of(name, bars)
        low, middle, high = statistics.quantiles(shares, n=4, method="inclusive")
        reached = sum(share < NEVER for share in shares)
        print(f"{name:26} {told(middle)}  {told(low)} to {told(high)}  {reached} of {len(shares)}")


if __name__ == "__main__":
    main()
