"""The plots of a run: each is a function that returns a Matplotlib figure.

A run without anything to draw gives a small figure with a sentence that says why.
"""

from raynas.insight.plots.best_so_far import best_so_far, regret_so_far
from raynas.insight.plots.curves import curves
from raynas.insight.plots.explored import explored
from raynas.insight.plots.importances import importances
from raynas.insight.plots.lineage_tree import lineage_tree
from raynas.insight.plots.marginals import marginals
from raynas.insight.plots.outcomes import outcomes
from raynas.insight.plots.pareto import pareto
from raynas.insight.plots.rungs import rungs
from raynas.insight.plots.workers import workers

__all__ = [
    "best_so_far",
    "curves",
    "explored",
    "importances",
    "lineage_tree",
    "marginals",
    "outcomes",
    "pareto",
    "regret_so_far",
    "rungs",
    "workers",
]
