"""The decisions: the linear part, and which network reads the series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from raynas.space import Architecture, Choice, Node, Repeat, Space
from raynas.space.graph import Graph, Layer, chain

_FEATURES: Final = 4  # assumed features of a series, for the masses of layers
_DROPOUT: Final = Choice((0.0, 0.1, 0.2))

_DENSE: Final[Mapping[str, Node]] = {
    "width": Choice((16, 32, 64, 128)),
    "dropout": _DROPOUT,
    "layers": Repeat({"activation": Choice(("relu", "tanh"))}, 1, 3),
}
_CONVOLUTION: Final[Mapping[str, Node]] = {
    "width": Choice((16, 32, 64)),
    "dropout": _DROPOUT,
    # The dilation of a block is twice that of the one before.
    "blocks": Repeat({"kernel": Choice((2, 3, 5, 7))}, 1, 6),
}
_RECURRENCE: Final[Mapping[str, Node]] = {
    "width": Choice((16, 32, 64)),
    "dropout": _DROPOUT,
    "layers": Repeat({"cell": Choice(("gru", "lstm"))}, 1, 3),
}
_ATTENTION: Final[Mapping[str, Node]] = {
    "width": Choice((16, 32, 64)),
    "dropout": _DROPOUT,
    "patch": Choice((2, 4, 8, 16)),  # places that become one token
    "layers": Repeat({"heads": Choice((2, 4)), "expansion": Choice((1, 2, 4))}, 1, 3),
}


def graph(architecture: Architecture) -> Graph:
    """Return the layers that read the series, one after the other.

    A layer's mass is its weights; all else is its variant. The linear part is a variant of the
    outputs.
    """
    kind, decided = body(architecture)
    width: int = decided["width"]
    square = float(width * width)
    dropout = f"dropout {decided['dropout']}"
    layers = [Layer("width", float(width), width)]
    if kind == "attention":
        layers.append(
            Layer("patch", float(decided["patch"] * _FEATURES * width), decided["patch"])
        )
    for part in parts(decided):
        match kind:
            case "dense":
                layers.append(Layer(f"dense {dropout}", square, part["activation"]))
            case "convolution":
                layers.append(
                    Layer(f"conv {dropout}", 2 * part["kernel"] * square, part["kernel"])
                )
            case "recurrence":
                gates = 8 if part["cell"] == "lstm" else 6
                layers.append(Layer("recurrence", gates * square, f"{part['cell']} {dropout}"))
            case _:
                layers.append(Layer("attention", 4 * square, f"{part['heads']} heads"))
                layers.append(Layer("feed", 2 * square * part["expansion"], dropout))
    return chain([*layers, Layer("outputs", float(width), str(architecture["linear"]))])


SPACE: Final = Space(
    {
        "linear": Choice(("mean", "last", "layer")),
        "body": Choice(
            {
                "dense": _DENSE,
                "convolution": _CONVOLUTION,
                "recurrence": _RECURRENCE,
                "attention": _ATTENTION,
            }
        ),
    },
    graph=graph,
)


def body(architecture: Architecture) -> tuple[str, Mapping[str, Any]]:
    """Return the kind of network, and its decisions."""
    kind = str(architecture["body"])
    return kind, architecture.under(f"body.{kind}")


def parts(decided: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the decisions of each block or layer."""
    name = "blocks" if "blocks" in decided else "layers"
    within = Architecture(decided)
    return [within.under(f"{name}.{i}") for i in range(decided[name])]


def draw(architecture: Architecture) -> str:
    """Return one line for the linear part, one for the sizes, and one per block or layer."""
    kind, decided = body(architecture)
    linear = {
        "mean": "outputs = network(series - mean) + mean",
        "last": "outputs = network(series - last value) + last value",
        "layer": "outputs = network(series - last value) + linear(same) + last value",
    }
    sizes = [
        f"{name} {decided[name]}" for name in ("width", "patch", "dropout") if name in decided
    ]
    lines = [linear[str(architecture["linear"])], f"{kind} {', '.join(sizes)}"]
    for part in parts(decided):
        within = ", ".join(f"{name} {value}" for name, value in part.items())
        lines.append(f"  {within}")
    return "\n".join(lines)
