"""Score architectures by proxies on a worker; this module does not use Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raynas.data import LoopData
from raynas.errors import ConfigError
from raynas.execution.training_context import TrainingContext
from raynas.proxies import Batch, Scores, score_all
from raynas.searchers.screened import Assessment
from raynas.space import Architecture


@dataclass(frozen=True, slots=True)
class Assessor:
    """Scores architectures by fixed proxies on fixed examples.

    Attributes:
        context: Builds children.
        batch: The examples.
        names: The names of the proxies.
        seed: The run's seed.
    """

    context: TrainingContext
    batch: Batch
    names: Sequence[str]
    seed: int

    @classmethod
    def of(cls, context: TrainingContext, names: Sequence[str], seed: int) -> Assessor:
        """Take the examples from a task's training data.

        Raises:
            ConfigError: The task's own loop has no examples with targets.
        """
        if isinstance(context.data, LoopData):
            raise ConfigError(
                "proxies need examples with targets, and the task's own loop has none to give: "
                "leave proxies out"
            )
        return cls(context, Batch.of(context.data, seed=seed, device="cpu"), names, seed)

    def scores(self, architectures: Sequence[Architecture]) -> list[Scores]:
        """Return the scores of each architecture, or the reason why a proxy has none."""
        build = self.context.build
        return score_all(build, architectures, self.batch, self.names, seed=self.seed)

    def assess(self, architectures: Sequence[Architecture]) -> list[Assessment]:
        """Return the assessment of each architecture."""
        return [
            Assessment(
                scores.values,
                {name: scores.refusals[name] for name in scores.tracebacks},
                scores.tracebacks,
            )
            for scores in self.scores(architectures)
        ]
