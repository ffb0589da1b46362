"""FairNAS: each option of each decision is trained equally often (Chu et al., 2021).

arXiv:1907.01845, Algorithm 1, strict fairness. Differs from the paper: the weights change by the
mean of the gradients of the paths, not by their sum, so that the learning rate means the same as
for other methods; architectures are searched by the evolution of SPOS for one objective, not by
NSGA-II for three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from raynas.errors import SpaceError
from raynas.oneshot.methods.spos import SPOS
from raynas.oneshot.mixed import as_mixed
from raynas.oneshot.mixture import Only
from raynas.oneshot.supernet import Supernet
from raynas.oneshot.training import MeanLoss, SupernetTraining


@dataclass(slots=True)
class FairNAS(SPOS):
    """In each step, train as many paths as a decision has options, so that each is used once.

    The weights change by the mean gradient of these paths. A step costs as much as one step per
    path of other methods. Options are those of SPOS.
    """

    name: ClassVar[str] = "fairnas"
    mixes: ClassVar[bool] = True

    def check(self, supernet: Supernet, inputs: Any) -> None:
        """Check that all decisions have equally many options.

        Raises:
            SpaceError: Some have more than others, or the supernet has no mixtures.
            ConfigError: No network keeps the constraints.
        """
        SPOS.check(self, supernet, inputs)
        counts = as_mixed(supernet).options
        some, *_ = counts
        for path, count in counts.items():
            if count != counts[some]:
                raise SpaceError(
                    "fairnas needs decisions with equally many options, because a step uses each "
                    f"option once: {some} has {counts[some]}, {path} has {count}; spos has no "
                    "such limit"
                )

    def train(self, training: SupernetTraining, epoch: int) -> Mapping[str, float]:
        """Train on all examples once, each batch on several paths."""
        rng, losses = training.rng(epoch), MeanLoss()
        counts = training.mixed.options
        for inputs, targets, lr in training.batches(epoch):
            orders = {path: rng.permutation(count) for path, count in counts.items()}
            paths = min(counts.values())
            for at in range(paths):
                routes = {path: Only(int(order[at])) for path, order in orders.items()}
                training.mixed.mix(routes)
                losses.add(training.add((inputs, targets), 1 / paths), targets)
            training.change(lr)
        return {"train_loss": losses.value}
