"""Multi-layer perceptrons: a small space for tabular data, and for tests.

This space holds only decisions about the network. To search a training hyper-parameter with it,
add the hyper-parameter under ``training`` in your own space; ``build`` ignores it::

    from raynas.space import Float, Space
    from search_spaces import mlp

    tree = {**mlp.SPACE.tree, "training": {"lr": Float(1e-3, 1.0, log=True)}}
    SPACE = Space(tree, graph=mlp.graph)
    build = mlp.build
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from raynas.space import Architecture, Choice, Repeat, Space
from raynas.space.graph import Graph, Layer, chain

if TYPE_CHECKING:
    from torch import nn

_FEATURES: Final = 64  # assumed features of an example, for the mass of the first layer


def graph(architecture: Architecture) -> Graph:
    """Return the hidden layers, one after the other.

    A layer's mass is its units times the incoming units, as in NASBOT. Its activation,
    normalisation and dropout are its variant; their mass is negligible.

    Args:
        architecture: An architecture of ``SPACE``, or of a space that extends it.
    """
    variant = _extras(architecture)
    widths = _widths(architecture)
    sizes = zip([_FEATURES, *widths], widths, strict=False)
    return chain(
        [
            Layer("linear", float(one * other), variant, f"{other}, {variant}")
            for one, other in sizes
        ]
    )


SPACE: Final = Space(
    {
        "layers": Repeat({"width": Choice((16, 32, 64, 128, 256))}, 1, 4),
        "activation": Choice(("ReLU", "GELU", "SiLU", "Tanh")),  # torch's own names
        "norm": Choice(("none", "batch")),
        "dropout": Choice((0.0, 0.1, 0.3)),
    },
    graph=graph,
)


def build(architecture: Architecture, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """Return the network: hidden layers, then a linear one.

    Args:
        architecture: An architecture of ``SPACE``, or of a space that extends it.
        input_shape: The shape of one example; images are flattened.
        outputs: How many numbers the network returns per example, such as one logit per class.

    Returns:
        A module from ``[batch, *input_shape]`` to ``[batch, outputs]``.
    """
    from torch import nn  # noqa: PLC0415 - deciding must not load torch

    decided: Mapping[str, Any] = architecture
    # By name, not by number: a layer keeps its name if other layers are added or removed.
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    width = math.prod(input_shape)
    for i, wider in enumerate(_widths(architecture)):
        layers[f"linear_{i}"] = nn.Linear(width, wider, bias=decided["norm"] == "none")
        if decided["norm"] == "batch":
            layers[f"norm_{i}"] = nn.BatchNorm1d(wider)
        layers[f"activation_{i}"] = getattr(nn, decided["activation"])()
        if decided["dropout"]:
            layers[f"dropout_{i}"] = nn.Dropout(decided["dropout"])
        width = wider
    layers["logits"] = nn.Linear(width, outputs)
    return nn.Sequential(layers)


def draw(architecture: Architecture) -> str:
    """Return the network in one line, such as ``input - 64 - 16 - outputs  (ReLU)``."""
    widths = " - ".join(map(str, _widths(architecture)))
    return f"input - {widths} - outputs  ({_extras(architecture)})"


def _extras(architecture: Architecture) -> str:
    """Return the layers after each linear layer."""
    extras = [str(architecture["activation"])]
    if architecture["norm"] != "none":
        extras.append(f"{architecture['norm']} norm")
    if architecture["dropout"]:
        extras.append(f"dropout {architecture['dropout']}")
    return ", ".join(extras)


def _widths(architecture: Architecture) -> list[int]:
    decided: Mapping[str, Any] = architecture
    return [decided[f"layers.{i}.width"] for i in range(decided["layers"])]
