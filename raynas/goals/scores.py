"""Scores of a classifier that need all examples at once.

They are functions for ``extra`` of ``Classification``: of logits ``[examples, classes]`` and
labels ``[examples]``, tensors on the CPU. scikit-learn has the same scores, but a worker would
need seconds to import it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def roc_auc(logits: Tensor, labels: Tensor) -> float:
    """Return the area under the ROC curve, a fraction, as ``sklearn.metrics.roc_auc_score``.

    For more than two classes it is the mean over the classes of one class against the rest
    (``multi_class="ovr"``). A class without examples, or without others, does not count; if none
    counts, the area is 0.5. It is NaN if a logit is not finite.
    """
    if not logits.isfinite().all():
        return math.nan
    shares = logits.double().softmax(1)
    classes = [1] if logits.shape[1] == 2 else range(logits.shape[1])
    areas = [
        _area(shares[:, each], member)
        for each in classes
        if 0 < (member := labels == each).sum() < len(labels)
    ]
    return sum(areas) / len(areas) if areas else 0.5


def _area(scores: Tensor, member: Tensor) -> float:
    """Return the share of pairs, of a member and another, in which the member scores higher.

    An equal score counts as half. The ranks of the members tell it (Mann and Whitney, 1947).
    """
    _, place, counts = scores.unique(  # type: ignore[no-untyped-call]
        return_inverse=True, return_counts=True
    )
    ranks = counts.cumsum(0) - (counts - 1) / 2  # equal scores share their mean rank
    members = int(member.sum())
    above = float(ranks[place][member].double().sum()) - members * (members + 1) / 2
    return above / (members * (len(member) - members))


def macro_f1(logits: Tensor, labels: Tensor) -> float:
    """Return the mean over the classes of the F1 score, as ``sklearn.metrics.f1_score``.

    A class that is neither there nor predicted does not count.
    """
    classes = logits.shape[1]
    found = logits.argmax(1)
    right = found[found == labels].bincount(minlength=classes)
    seen = found.bincount(minlength=classes) + labels.bincount(minlength=classes)
    return float((2.0 * right / seen)[seen > 0].mean())
