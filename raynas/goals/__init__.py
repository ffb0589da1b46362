"""Goals: what a network learns from its inputs and targets, and how it is scored."""

from raynas.goals.classification import Classification, MultiLabel
from raynas.goals.goal import Goal
from raynas.goals.metric import Metric, OverAll, accuracy_error
from raynas.goals.pixels import Pixels
from raynas.goals.regression import Regression
from raynas.goals.scores import macro_f1, roc_auc
from raynas.goals.tokens import CTC, NextToken, SequenceTagging

__all__ = [
    "CTC",
    "Classification",
    "Goal",
    "Metric",
    "MultiLabel",
    "NextToken",
    "OverAll",
    "Pixels",
    "Regression",
    "SequenceTagging",
    "accuracy_error",
    "macro_f1",
    "roc_auc",
]
