"""The words, the sign and the colour of a layer in a picture."""

from __future__ import annotations

import textwrap
import zlib
from dataclasses import dataclass
from typing import Final

from raynas.space.graph import Layer

_WIDTH: Final = 17  # characters in a line
_MOST: Final = 3  # lines below the kind

# Tints of the colours of Okabe and Ito (2008), which people with any colour vision can tell apart.
# Dark text on them has a contrast above 7 : 1. The words say the kind as well.
_COLOURS: Final = {
    "conv": "#9fd0f0",
    "block": "#9fd0f0",
    "linear": "#f4c267",
    "feed": "#f4c267",
    "pool": "#86d9bd",
    "attention": "#e6b3d1",
    "recurrence": "#f2a778",
    "norm": "#d9d9d9",
}
_ENDS: Final = "#ffffff"
_OTHERS: Final = ("#f3ea9a", "#c3b4e6", "#b9d98f", "#f5b8ae", "#a9cdd0", "#d6c4a4")
_LIKE: Final = {
    "outputs": "linear",
    "dense": "linear",
    "logits": "linear",
    "head": "linear",
    "gru": "recurrence",
    "lstm": "recurrence",
    "rnn": "recurrence",
    "stem": "conv",
    "relu": "norm",
    "activation": "norm",
    "dropout": "norm",
    "embedding": "attention",
}
_SIGNS: Final = {"sum": "+", "add": "+", "product": "×", "mul": "×", "cat": "||", "concat": "||"}  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Words:
    """How a layer is shown.

    Attributes:
        head: Its kind.
        lines: What else is said of it, in lines.
        sign: A sign in a small circle that replaces all words; empty for a box.
        colour: The colour of the box.
    """

    head: str
    lines: tuple[str, ...]
    sign: str
    colour: str


def words(layer: Layer) -> Words:
    """Return the words, the sign and the colour of a layer."""
    kind = _without(layer.group, layer.kind)
    note = layer.note or ("" if layer.variant is None else _text(layer.variant))
    lines = textwrap.wrap(note, _WIDTH, break_on_hyphens=False)
    if len(lines) > _MOST:
        lines = [
            *lines[: _MOST - 1],
            textwrap.shorten(" ".join(lines[_MOST - 1 :]), _WIDTH, placeholder="…"),
        ]
    head = kind if len(kind) <= _WIDTH else f"{kind[: _WIDTH - 1]}…"
    sign = _SIGNS.get(kind, "")
    if sign and lines:
        head, lines, sign = f"{sign} {lines[0]}", lines[1:], ""
    return Words(head, tuple(lines), sign, _colour(kind))


def _without(group: str, kind: str) -> str:
    """Return the kind without what the frame around it says already."""
    for prefix in (f"{group}.", f"{group.partition(' ')[0]} "):
        if group and kind.startswith(prefix):
            return kind.removeprefix(prefix)
    return kind


def _text(variant: str | float) -> str:
    return variant if isinstance(variant, str) else f"{variant:.4g}"


def _colour(kind: str) -> str:
    lower = kind.lower()
    if lower.startswith("input") or lower == "output":
        return _ENDS
    for name, other in (*((one, one) for one in _COLOURS), *_LIKE.items()):
        if name in lower:
            return _COLOURS[other]
    return _OTHERS[zlib.crc32(lower.encode()) % len(_OTHERS)]
