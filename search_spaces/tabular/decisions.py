"""The decisions: how numbers are embedded, and which network reads the embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from raynas.space import Architecture, Choice, Node, Repeat, Space
from raynas.space.graph import Graph, Layer, chain

_COLUMNS: Final = 30  # assumed columns of a table, for the masses of layers

_FEED: Final[Mapping[str, Node]] = {
    "expansion": Choice((1, 2)),  # hidden units per unit that enters
    "dropout": Choice((0.0, 0.1, 0.2, 0.4)),
}
_RESNET: Final[Mapping[str, Node]] = {
    "embedding": Choice((4, 8, 16)),  # numbers per column
    "width": Choice((32, 64, 128, 256)),
    "blocks": Repeat(_FEED, 1, 4),
}
_TRANSFORMER: Final[Mapping[str, Node]] = {
    "width": Choice((16, 24, 32)),  # numbers per token
    "blocks": Repeat({"heads": Choice((2, 4)), **_FEED}, 1, 3),
}


def graph(architecture: Architecture) -> Graph:
    """Return the embedding, the layers and the outputs, one after the other.

    A layer's mass is its weights; all else is its variant. A block of the residual MLP and a
    feed-forward part of the transformer are layers of one kind.
    """
    kind, decided = backbone(architecture)
    if kind == "linear":
        return chain([Layer("linear", float(_COLUMNS), numbers(architecture))])
    width: int = decided["width"]
    columns = float(_COLUMNS * decided.get("embedding", width))
    layers = [Layer("embedding", columns, numbers(architecture))]
    if kind == "resnet":
        layers.append(Layer("linear", columns * width))
    for block in blocks(decided):
        if kind == "transformer":
            layers.append(Layer("attention", 4.0 * width * width, f"{block['heads']} heads"))
        hidden = width * block["expansion"]
        layers.append(Layer("feed", 2.0 * width * hidden, f"dropout {block['dropout']}"))
    return chain(layers)


SPACE: Final = Space(
    {
        "numbers": Choice(
            {
                "plain": None,
                "piecewise": {"bins": Choice((4, 8, 16))},
                "periodic": {
                    "frequencies": Choice((4, 8, 16)),
                    "scale": Choice((0.03, 0.1, 0.3, 1.0)),  # of the first frequencies
                },
            }
        ),
        "backbone": Choice({"linear": None, "resnet": _RESNET, "transformer": _TRANSFORMER}),
    },
    graph=graph,
)


def backbone(architecture: Architecture) -> tuple[str, Mapping[str, Any]]:
    """Return the kind of network, and its decisions."""
    kind = str(architecture["backbone"])
    return kind, architecture.under(f"backbone.{kind}")


def blocks(decided: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the decisions of each block."""
    return [
        {
            name: decided[f"blocks.{i}.{name}"]
            for name in ("heads", *_FEED)
            if f"blocks.{i}.{name}" in decided
        }
        for i in range(decided.get("blocks", 0))
    ]


def numbers(architecture: Architecture) -> str:
    """Return in words how numbers are embedded."""
    kind = str(architecture["numbers"])
    sizes = architecture.under(f"numbers.{kind}").items()
    return " ".join([kind, *(f"{name} {value}" for name, value in sizes)])


def draw(architecture: Architecture) -> str:
    """Return one line for the embedding of numbers, one for the sizes, and one per block."""
    kind, decided = backbone(architecture)
    sizes = [f"{name} {decided[name]}" for name in ("embedding", "width") if name in decided]
    lines = [f"numbers {numbers(architecture)}", f"{kind} {', '.join(sizes)}".strip()]
    for block in blocks(decided):
        within = ", ".join(f"{name} {value}" for name, value in block.items())
        lines.append(f"  block {within}")
    return "\n".join(lines)
