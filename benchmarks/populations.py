"""Population based training over architectures, against what it adds to, at equal epochs.

On ``digits``, networks of the space named: every arm spends as many epochs as a population of
eight that trains to the full length. The score is the least validation loss (nats) of a network of
full length; accuracies are too close to 100 % to tell arms apart. One line per arm: the mean over
seeds, and how much less ``pbt`` reached on the same seeds, with a 95 % interval (Student's).

    python benchmarks/populations.py [--seeds 10] [--epochs 12] [--space mlp]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any

from local_run import spend

PBT = {"searcher": "random", "scheduler": "pbt"}
ARMS: dict[str, dict[str, Any]] = {
    "pbt": PBT,
    "pbt, training alone": {**PBT, "scheduler_options": {"architecture_rate": 0.0}},
    "pbt, fresh weights": {**PBT, "scheduler": "fresh"},
    "evolution + asha": {"searcher": "evolution", "scheduler": "asha"},
    "evolution + asha, inherited": {
        "searcher": "evolution",
        "scheduler": "asha",
        "inherit_weights": True,
    },
    "random + asha": {"searcher": "random", "scheduler": "asha"},
}


@dataclass(frozen=True)
class Fresh:
    """PBT whose children begin with fresh weights, where their parents were in training."""

    pbt: Any

    def check(self, epochs: int) -> None:
        self.pbt.check(epochs)

    def decide(self, report: Any, history: Any) -> Any:
        return self.pbt.decide(report, history)

    def keeps(self, history: Any) -> Any:
        return self.pbt.keeps(history)

    def direct(self, history: Any, space: Any, rng: Any, *, closed: bool) -> Any:
        from raynas.trial import Proposal

        directive = self.pbt.direct(history, space, rng, closed=closed)
        return replace(directive, inherits=False) if isinstance(directive, Proposal) else directive


def main() -> None:
    import numpy as np
    from scipy.stats import t as student

    from raynas.schedulers import pbt

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--space", default="mlp")
    parser.add_argument("--tune", default="lr,weight_decay")
    asked = parser.parse_args()
    tune = asked.tune.split(",")
    common = {"space": asked.space, "task": "digits", "tune": tune, "objective": "val_loss:min"}
    population = pbt.PBT()
    budget = population.population_size * asked.epochs
    losses = {}
    for name, arm in ARMS.items():
        settings = {**common, **arm}
        if arm["scheduler"] == "fresh":
            settings["scheduler"] = Fresh(population)
        runs = [spend(budget, asked.epochs, seed=s, **settings)[1] for s in range(asked.seeds)]
        losses[name] = np.array(runs)
        gain = losses[name] - losses["pbt"]
        half = student.ppf(0.975, asked.seeds - 1) * gain.std(ddof=1) / np.sqrt(asked.seeds)
        print(
            f"{name:28} {losses[name].mean():.4f} ± {losses[name].std(ddof=1):.4f}"
            f"   pbt less by {gain.mean():+.4f} ± {half:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
