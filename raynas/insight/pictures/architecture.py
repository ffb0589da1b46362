"""Draw an architecture: layers as boxes, connections as arrows, stages and cells in frames.

A chain runs from left to right and is broken into rows, like a text. Layers and blocks that repeat
are drawn once, with their number. A part that is too wide for a page runs downwards.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from raynas.insight.pictures.blocks import LINE, Box, Frame, Point, Wire
from raynas.insight.pictures.flow import WIDTH, page
from raynas.space.graph import Graph

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI: Final = 100
_HEAD: Final = 8.0  # the size of letters, in points
_SMALL: Final = 7.0
_TITLE: Final = 26.0  # pixels above the picture for its title
_INK: Final = "#1a1a1a"  # words in boxes, which stay light on a dark page
_LINE: Final = "#7a7a7a"  # visible on light and on dark pages
_MARK: Final = "#d55e00"
_LETTER: Final = 8.2  # pixels of a character of the title
_BEND: Final = 0.5  # how soon a curve leaves its direction, as a share of its length


def picture(
    graph: Graph, title: str = "", marked: Collection[int] = (), width: float = WIDTH
) -> Figure:
    """Return an architecture as a figure.

    Args:
        graph: Its layers and their connections.
        title: A line above it.
        marked: Positions of layers to highlight, such as those that differ from a parent's.
        width: The width of the figure at most, in pixels. Layers side by side may need more.

    Returns:
        The figure, which needs no window: see ``raynas.insight.figures``.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and only to draw

    laid = page(graph, marked, width)
    above = _TITLE if title else 0.0
    across = max(laid.width, min(_TITLE + _LETTER * len(title), width))
    height = laid.height + above
    figure = Figure(figsize=(across / _DPI, height / _DPI), dpi=_DPI)
    figure.set_label(title or f"An architecture of {len(graph.layers)} layers")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0.0, across)
    axes.set_ylim(laid.height, -above)
    inner = (frame for block in laid.blocks for frame in block.frames)
    for frame in (*laid.frames, *inner):
        _draw_frame(axes, frame)
    _draw_wires(axes, [wire for block in laid.blocks for wire in block.wires], laid.turns)
    for block in laid.blocks:
        for box in block.boxes:
            _draw_box(axes, box, marked=box.place in marked)
    if title:
        axes.text(12.0, -above / 2, title, fontsize=10, va="center", parse_math=False)
    return figure


def _draw_frame(axes: Axes, frame: Frame) -> None:
    from matplotlib.patches import FancyBboxPatch  # noqa: PLC0415

    size = frame.right - frame.left, frame.bottom - frame.top
    axes.add_patch(
        FancyBboxPatch(
            (frame.left, frame.top),
            *size,
            boxstyle="round,pad=0,rounding_size=6",
            facecolor="#80808014",
            edgecolor=_LINE,
            linewidth=0.8,
            clip_on=False,
            linestyle=(0, (4, 3)) if frame.repeated else "solid",
        )
    )
    weight = "bold" if frame.repeated else "normal"
    axes.text(
        frame.left + 6,
        frame.top + 9,
        frame.text,
        fontsize=_SMALL,
        va="center",
        weight=weight,
        parse_math=False,
    )


def _draw_box(axes: Axes, box: Box, *, marked: bool) -> None:
    from matplotlib.patches import FancyBboxPatch  # noqa: PLC0415

    radius = box.width / 2 if box.words.sign else 4.0
    axes.add_patch(
        FancyBboxPatch(
            (box.x - box.width / 2, box.y - box.height / 2),
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={radius}",
            facecolor=box.words.colour,
            edgecolor=_MARK if marked else "#4d4d4d",
            linewidth=2.4 if marked else 0.7,
            zorder=3,
            clip_on=False,
        )
    )
    lines = [box.words.sign or box.words.head, *box.words.lines]
    top = box.y - LINE * (len(lines) - 1) / 2
    for number, line in enumerate(lines):
        axes.text(
            box.x,
            top + LINE * number,
            line,
            ha="center",
            va="center_baseline" if box.words.sign else "center",
            color=_INK,
            fontsize=_SMALL if number else _HEAD,
            weight="normal" if number else "bold",
            zorder=4,
            parse_math=False,
        )


def _draw_wires(axes: Axes, wires: Sequence[Wire], turns: Sequence[Wire]) -> None:
    from matplotlib.collections import PathCollection, PolyCollection  # noqa: PLC0415
    from matplotlib.path import Path  # noqa: PLC0415

    paths = [Path(*_curved(wire)) for wire in wires]
    paths += [Path(*_cornered(wire.points)) for wire in turns]
    axes.add_collection(
        PathCollection(
            paths, facecolors="none", edgecolors=_LINE, linewidths=1.1, zorder=2, clip_on=False
        )
    )
    heads = [_head(wire) for wire in wires if wire.arrow]
    axes.add_collection(
        PolyCollection(heads, facecolors=_LINE, edgecolors="none", zorder=2, clip_on=False)
    )


def _curved(wire: Wire) -> tuple[list[Point], list[int]]:
    """Return a path that leaves and enters each point in the direction of the wire."""
    from matplotlib.path import Path  # noqa: PLC0415

    points, codes = [wire.points[0]], [int(Path.MOVETO)]
    for (x0, y0), (x1, y1) in zip(wire.points, wire.points[1:], strict=False):
        if wire.bulge:
            aside = (max if wire.bulge > 0 else min)(x0, x1) + wire.bulge
            between = [(aside, y0), (aside, y1)]
        elif wire.down:
            bend = _BEND * (y1 - y0)
            between = [(x0, y0 + bend), (x1, y1 - bend)]
        else:
            bend = _BEND * (x1 - x0)
            between = [(x0 + bend, y0), (x1 - bend, y1)]
        points += [*between, (x1, y1)]
        codes += [int(Path.CURVE4)] * 3
    return points, codes


def _cornered(corners: Sequence[Point], radius: float = 6.0) -> tuple[list[Point], list[int]]:
    """Return a path along straight lines, with round corners."""
    from matplotlib.path import Path  # noqa: PLC0415

    points, codes = [corners[0]], [int(Path.MOVETO)]
    for before, at, after in zip(corners, corners[1:], corners[2:], strict=False):
        points += [_towards(at, before, radius), at, _towards(at, after, radius)]
        codes += [int(Path.LINETO), int(Path.CURVE3), int(Path.CURVE3)]
    return [*points, corners[-1]], [*codes, int(Path.LINETO)]


def _towards(one: Point, other: Point, distance: float) -> Point:
    """Return the point at a distance from one on the way to the other, at most half way."""
    (x0, y0), (x1, y1) = one, other
    length = max(abs(x1 - x0), abs(y1 - y0), 1e-9)
    share = min(distance / length, 0.5)
    return x0 + share * (x1 - x0), y0 + share * (y1 - y0)


def _head(wire: Wire) -> list[Point]:
    """Return the corners of the arrow head."""
    x, y = wire.points[-1]
    if wire.bulge:
        back = 6.0 if wire.bulge > 0 else -6.0
        return [(x, y), (x + back, y - 3), (x + back, y + 3)]
    if wire.down:
        return [(x, y), (x - 3, y - 6), (x + 3, y - 6)]
    return [(x, y), (x - 6, y - 3), (x - 6, y + 3)]
