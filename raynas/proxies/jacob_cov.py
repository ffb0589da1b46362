"""Jacobian covariance: how much the input gradients differ between examples."""

from __future__ import annotations

import torch

from raynas.errors import SpaceError, TrialError
from raynas.proxies.subject import Subject, gradients

_K = 1e-5


def jacob_cov(subject: Subject) -> float:
    """Return -Σ log(v + k) + 1/(v + k), v the eigenvalues of the Jacobians' correlation.

    The first version of "Neural Architecture Search without Training" (Mellor et al., 2020,
    arXiv:2006.04647v1), as in Abdelfattah et al., 2021 (arXiv:2101.08134): an example's Jacobian
    is the gradient of the sum of all outputs by its input, and k = 1e-5.

    Raises:
        SpaceError: The inputs are ids, which have no gradient.
        TrialError: For an example, the gradient is zero or equal for all pixels.
    """
    if subject.batch.ids:
        raise SpaceError("jacob_cov needs inputs that have gradients: ids have none")
    inputs = subject.batch.single.clone().requires_grad_()
    (jacobians,) = gradients(subject.total(subject.copy(), inputs), [inputs])
    correlation = torch.corrcoef(jacobians.flatten(1).double())
    if not correlation.isfinite().all():
        raise TrialError(
            "jacob_cov needs gradients that differ between the parts of an input: for at least "
            "one example they are all equal"
        )
    values = torch.linalg.eigvalsh(correlation) + _K
    return -float((values.log() + values.reciprocal()).sum())
