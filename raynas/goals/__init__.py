"""Goals: what a network learns from its inputs and targets, and how it is scored."""

from raynas.goals.classification import Classification, MultiLabel
from raynas.goals.goal import Goal
from raynas.goals.metric import Metric, OverAll, accuracy_error
from raynas.goals.regression import Regression

__all__ = [
    "Classification",
    "Goal",
    "Metric",
    "MultiLabel",
    "OverAll",
    "Regression",
    "accuracy_error",
]
