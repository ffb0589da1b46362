"""The decisions: sizes and kinds of a decoder's parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from raynas.space import Architecture, Choice, Space
from raynas.space.graph import Graph, Layer, chain

_IDS: Final = 64  # assumed ids of the vocabulary, for the masses of layers


def graph(architecture: Architecture) -> Graph:
    """Return the embedding, the layers and the logits, one after the other.

    A layer's mass is its weights; all else is its variant.
    """
    decided: Mapping[str, Any] = architecture
    width: int = decided["width"]
    norm = f"{decided['norm.place']} {decided['norm.kind']} {decided['dropout']}"
    attention = f"{decided['heads']} heads, {decided['position']}, {norm}"
    feed = f"{decided['feed_forward.activation']}, {norm}"
    layer = [
        Layer("attention", 4.0 * width * width, attention),
        Layer("feed", 2.0 * width * width * decided["feed_forward.ratio"], feed),
    ]
    shared = "shared" if decided["tied"] else "own"
    return chain(
        [
            Layer("embedding", float(_IDS * width), str(decided["position"])),
            *layer * decided["depth"],
            Layer("logits", float(_IDS * width), shared),
        ]
    )


SPACE: Final = Space(
    {
        "depth": Choice((1, 2, 3, 4)),
        "width": Choice((32, 64, 96, 128)),
        "heads": Choice((2, 4, 8)),
        "feed_forward": {
            "ratio": Choice((1, 2, 4)),
            "activation": Choice(("gelu", "swiglu", "relu_squared")),
        },
        "norm": {"kind": Choice(("layer", "rms")), "place": Choice(("pre", "post"))},
        "position": Choice(("learned", "rotary", "none")),
        "tied": Choice((False, True)),
        "dropout": Choice((0.0, 0.1, 0.2)),
    },
    graph=graph,
)


def draw(architecture: Architecture) -> str:
    """Return one line for the sizes, one for the kinds of parts, one for the embeddings."""
    decided: Mapping[str, Any] = architecture
    activation, ratio = decided["feed_forward.activation"], decided["feed_forward.ratio"]
    return (
        f"{decided['depth']} layers, {decided['width']} wide, {decided['heads']} heads, "
        f"{decided['norm.place']}-{decided['norm.kind']} norm, dropout {decided['dropout']}\n"
        f"feed-forward {activation}, {ratio} times as wide\n"
        f"positions {decided['position']}, ids and logits have "
        f"{'one embedding' if decided['tied'] else 'embeddings of their own'}"
    )
