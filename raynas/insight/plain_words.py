"""Words that people gave, as they are shown: nothing hidden, not too long, no mathematics.

A journal may hold any text: names of metrics, options of decisions, reasons of failures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Control characters but tabs and ends of lines; marks of direction and of lines; halves of
# characters: they would change what is shown, or could not be written.
HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_PICTURES: Final = 0x2400  # the block of Unicode with a picture of each control character
_SENTENCE: Final = 90  # characters of a line that is beside nothing else
_LONG: Final = 60  # of a title or the name of an axis
_TICK: Final = 40  # of a tick of a vertical axis
_LOW_TICK: Final = 24  # of a horizontal axis, whose ticks may have to stand upright


def visible(text: str) -> str:
    """Return text in which hidden characters are shown.

    Control characters are not allowed in HTML and in SVG, and marks of direction show text in
    another order than it has.
    """
    return HIDDEN.sub(_shown, text)


def make_plain(figure: Figure) -> None:
    """Let a figure show its words as they are; Matplotlib reads ``$`` as mathematics.

    Words that are so long that nothing else would fit are cut.

    Args:
        figure: The figure, before it is drawn. Ticks that are made while it is drawn are numbers.
    """
    from matplotlib.text import Text  # noqa: PLC0415 - slow to load, and only to draw

    for axes in figure.axes:
        _make_ticks_plain(axes.xaxis, _LOW_TICK)
        _make_ticks_plain(axes.yaxis, _TICK)
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text(_cut(text.get_text(), _SENTENCE if text in figure.texts else _LONG))


def _make_ticks_plain(axis: Axis, most: int) -> None:
    from matplotlib import ticker  # noqa: PLC0415 - see make_plain

    formatter: Any = axis.get_major_formatter()
    if isinstance(formatter, ticker.FuncFormatter):
        func = formatter.func
        formatter.func = lambda value, place: _cut(func(value, place), most)
    if isinstance(formatter, ticker.LogFormatterMathtext):
        axis.set_major_formatter(ticker.LogFormatter())
    if isinstance(axis.get_minor_formatter(), ticker.LogFormatterMathtext):
        axis.set_minor_formatter(ticker.LogFormatter(labelOnlyBase=False))


def _cut(text: str, most: int) -> str:
    lines = [visible(line) for line in text.split("\n")]
    return "\n".join(line if len(line) <= most else f"{line[: most - 1]}…" for line in lines)


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(_PICTURES + code) if code < ord(" ") else f"⟨U+{code:04X}⟩"
