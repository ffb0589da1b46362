"""Fisher: how much the loss depends on each channel."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from raynas.errors import SpaceError
from raynas.proxies.subject import Subject, gradients


def fisher(subject: Subject) -> float:
    """Return the sum over channels of half the mean, over examples, of (Σ a ∂L/∂a)².

    a are a channel's activations in one example: outputs of convolutions and linear layers.
    Saliency as in Fisher pruning (Theis et al., 2018, arXiv:1801.05787), as a proxy by Turner et
    al., 2020 (arXiv:1906.04113), and as in Abdelfattah et al., 2021 (arXiv:2101.08134).

    Raises:
        SpaceError: The network has no such layers, or they have no gradients.
    """
    child = subject.copy()
    activations: list[Tensor] = []

    def keep(_layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        activations.append(output)
        return output.clone()  # the next layer may write into it

    for layer in child.modules():
        if isinstance(layer, _ConvNd | nn.Linear):
            layer.register_forward_hook(keep)
    loss = subject.loss(child)
    if not activations:
        raise SpaceError(
            "fisher needs convolutions or linear layers that are modules: the network has none"
        )
    activations = [one for one in activations if one.requires_grad]
    slopes = gradients(loss, activations)
    pairs = zip(activations, slopes, strict=True)
    return sum(float(_saliency(activation, slope)) for activation, slope in pairs)


def _saliency(activation: Tensor, slope: Tensor) -> Tensor:
    """Return one layer's sum; ``[examples, channels, *pixels]`` each."""
    felt = activation.detach() * slope
    if felt.ndim > 2:
        felt = felt.flatten(2).sum(2)
    return felt.square().mean(0).sum() / 2
