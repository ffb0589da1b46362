"""The plots of a run, as methods of its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from raynas.space import Decision
from raynas.trial import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from raynas.insight.plots.best_so_far import By


class Recorded(Protocol):
    """What the plots are made of."""

    @property
    def history(self) -> History:
        """All events of the run."""

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """The decisions of the space, by path."""


class Plots:
    """Each plot is a Matplotlib figure: a notebook shows it, ``savefig("name.png")`` writes it.

    Without anything to draw, the figure holds a sentence that says why.
    """

    __slots__ = ()

    def plot_curves(self: Recorded) -> Figure:
        """Draw the objective of each trial after each epoch."""
        from raynas.insight.plots import curves  # noqa: PLC0415 - as for all plots: seldom needed

        return curves(self.history)

    def plot_best(self: Recorded, by: By = "trials") -> Figure:
        """Draw the best score so far.

        Args:
            by: What the horizontal axis counts: ``trials``, ``epochs`` or ``seconds``.
        """
        from raynas.insight.plots import best_so_far  # noqa: PLC0415

        return best_so_far(self.history, by)

    def plot_regret(self: Recorded, by: By = "trials") -> Figure:
        """Draw how far the best score so far is from the best one, if that is known.

        Args:
            by: As for ``plot_best``.
        """
        from raynas.insight.plots import regret_so_far  # noqa: PLC0415

        return regret_so_far(self.history, by)

    def plot_front(self: Recorded) -> Figure:
        """Draw the Pareto front; with one objective, the number of parameters is the second."""
        from raynas.insight.plots import pareto  # noqa: PLC0415

        return pareto(self.history)

    def plot_importance(self: Recorded) -> Figure:
        """Draw how much each decision distinguishes the best networks from all (PED-ANOVA)."""
        from raynas.insight.plots import importances  # noqa: PLC0415

        return importances(self.history, self.decisions)

    def plot_marginals(self: Recorded) -> Figure:
        """Draw the scores by value, for each of the most important decisions."""
        from raynas.insight.plots import marginals  # noqa: PLC0415

        return marginals(self.history, self.decisions)

    def plot_explored(self: Recorded) -> Figure:
        """Draw which values were tried over time, for the most important decisions."""
        from raynas.insight.plots import explored  # noqa: PLC0415

        return explored(self.history, self.decisions)

    def plot_lineage(self: Recorded) -> Figure:
        """Draw which trial was derived from which."""
        from raynas.insight.plots import lineage_tree  # noqa: PLC0415

        return lineage_tree(self.history)

    def plot_rungs(self: Recorded) -> Figure:
        """Draw how many trials were trained how long."""
        from raynas.insight.plots import rungs  # noqa: PLC0415

        return rungs(self.history)

    def plot_workers(self: Recorded) -> Figure:
        """Draw what each worker did when."""
        from raynas.insight.plots import workers  # noqa: PLC0415

        return workers(self.history)

    def plot_outcomes(self: Recorded) -> Figure:
        """Draw how many trials ended in which way."""
        from raynas.insight.plots import outcomes  # noqa: PLC0415

        return outcomes(self.history)
