"""The settings of an experiment, in groups: each group checks its own."""

from raynas.experiment.settings.budget import Budget
from raynas.experiment.settings.compute import Compute
from raynas.experiment.settings.parts import SHARED_PROXY, USUAL_METHOD, Parts
from raynas.experiment.settings.shown import Shown
from raynas.experiment.settings.storage import Storage

__all__ = ["SHARED_PROXY", "USUAL_METHOD", "Budget", "Compute", "Parts", "Shown", "Storage"]
