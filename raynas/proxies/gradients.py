"""Proxies from the gradient of the loss: snip, grasp and its plain norm.

As in Abdelfattah et al., 2021 (arXiv:2101.08134), on weights of convolutions and linear layers.
"""

from __future__ import annotations

from raynas.proxies.subject import Subject, gradients, weights


def grad_norm(subject: Subject) -> float:
    """Return the sum over layers of the Euclidean norm of the gradient of the weights."""
    return sum(float(gradient.norm()) for _, gradient in subject.slopes)


def snip(subject: Subject) -> float:
    """Return the sum of |w ∂L/∂w|: how much the loss depends on each weight (arXiv:1810.02340).

    It is the gradient of the loss with respect to a mask over the weights, at a mask of ones.
    """
    return sum(
        float((weight.detach() * gradient).abs().sum()) for weight, gradient in subject.slopes
    )


def grasp(subject: Subject) -> float:
    """Return the sum of -w · (Hg), H being the loss's Hessian, g its gradient (arXiv:2002.07376).

    To first order, this is the loss of squared gradient norm if each weight is removed (up to a
    factor of two).

    Differs from the paper: one batch, at temperature 1, as in Abdelfattah et al.
    """
    child = subject.copy()
    found = list(weights(child).values())
    slopes = gradients(subject.loss(child), found, create_graph=True)
    along = sum((slope.detach() * slope).sum() for slope in slopes)
    curvatures = gradients(along, found)  # type: ignore[arg-type]  # weights are never empty
    return sum(
        -float((weight.detach() * curvature).sum())
        for weight, curvature in zip(found, curvatures, strict=True)
    )
