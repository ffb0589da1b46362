"""Groups of parameters that are trained alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from raynas.errors import SpaceError
from raynas.training.recipe import Recipe

_BARE: Final = (_NormBase, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.Embedding, nn.EmbeddingBag)


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters that are trained alike.

    Attributes:
        parameters: The parameters by name; all of them have gradients.
        lr_scale: Their learning rate as a share of the recipe's.
        weight_decay: Their weight decay.
    """

    parameters: Mapping[str, Tensor]
    lr_scale: float = 1.0
    weight_decay: float = 0.0


def groups_of(child: nn.Module, recipe: Recipe) -> list[Group]:
    """Return the groups of a child's parameters; frozen parameters are in none.

    A child can ask for smaller learning rates by an attribute or a method ``parameter_groups``, a
    list such as ``[{"params": self.backbone.parameters(), "lr_scale": 0.1}]``. All other
    parameters have the learning rate of the recipe.

    Raises:
        SpaceError: There is no parameter to train, or ``parameter_groups`` cannot be used.
    """
    trained = {name: part for name, part in child.named_parameters() if part.requires_grad}
    if not trained:
        raise SpaceError("a network must have parameters to train: it has none")
    scales = _scales(child)
    bare = set() if recipe.decay_norms else _bare(child)
    groups: dict[tuple[float, float], dict[str, Tensor]] = {}
    for name, parameter in trained.items():
        decay = 0.0 if id(parameter) in bare else recipe.weight_decay
        groups.setdefault((scales.get(id(parameter), 1.0), decay), {})[name] = parameter
    return [Group(parameters, *alike) for alike, parameters in groups.items()]


def _bare(child: nn.Module) -> set[int]:
    """Return the parameters of normalisations and embeddings, and those of one dimension."""
    layers = (layer for layer in child.modules() if isinstance(layer, _BARE))
    inside = (id(parameter) for layer in layers for parameter in layer.parameters())
    return {*inside, *(id(one) for one in child.parameters() if one.ndim <= 1)}


def _scales(child: nn.Module) -> dict[int, float]:
    """Return the scales of the learning rate that the child asks for, by parameter."""
    given = getattr(child, "parameter_groups", None)
    known = {id(parameter) for parameter in child.parameters()}
    scales: dict[int, float] = {}
    for group in (given() if callable(given) else given) or ():
        scale = _scale(group)
        for parameter in _parameters(group):
            if id(parameter) not in known or id(parameter) in scales:
                raise SpaceError(
                    "parameter_groups must contain parameters of the network, each in one group: "
                    f"one of shape {tuple(parameter.shape)} is "
                    f"{'in two' if id(parameter) in scales else 'not of the network'}"
                )
            scales[id(parameter)] = scale
    return scales


def _scale(group: Any) -> float:
    if not isinstance(group, Mapping) or not {"params"} <= group.keys() <= {"params", "lr_scale"}:
        raise SpaceError(
            "parameter_groups must be a list of dictionaries with params and lr_scale: "
            f"got {group!r:.80}"
        )
    scale = group.get("lr_scale", 1.0)
    if not isinstance(scale, int | float) or not 0.0 < scale < float("inf"):
        raise SpaceError(
            f"lr_scale must be a number above 0: got {scale!r}; to train parameters not at all, "
            "call requires_grad_(False) in build"
        )
    return float(scale)


def _parameters(group: Mapping[str, Any]) -> Iterator[Tensor]:
    params = group["params"]
    yield from [params] if isinstance(params, Tensor) else params
