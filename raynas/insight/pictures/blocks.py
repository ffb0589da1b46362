"""The boxes and lines of a piece of a graph, in pixels: from left to right, or downwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from raynas.insight.pictures.folding import Piece
from raynas.insight.pictures.layout import Edge, columns, placed
from raynas.insight.pictures.words import Words, words
from raynas.space.graph import Graph

GAP: Final = 24.0  # between columns, for the arrows
LINE: Final = 12.5  # the height of a line of text
_BOLD: Final = 7.3  # the width of a bold character
_CHARACTER: Final = 6.1
PAD: Final = 6.0  # between a frame and the boxes in it
FRAMED: Final = 17.0  # the same above the boxes, with the words
BETWEEN: Final = 14.0  # between layers of a column
_CIRCLE: Final = 17.0
_ROUTED: Final = 250  # columns that connections may pass; with more, they are arcs
_ARC: Final = 280.0  # how far an arc goes aside, at most

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame around layers.

    Attributes:
        text: Its words, inside its upper edge.
        left: Its left edge, as the others in pixels.
        top: Its upper edge.
        right: Its right edge.
        bottom: Its lower edge.
        repeated: Whether it says that its content is there several times.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A layer in the picture.

    Attributes:
        place: Its position in the graph.
        x: Its centre, to the right.
        y: Its centre, downwards.
        width: Its width.
        height: Its height.
        words: What it says.
    """

    place: int
    x: float
    y: float
    width: float
    height: float
    words: Words


@dataclass(frozen=True, slots=True)
class Wire:
    """A line between layers; it is smooth through all its points.

    Attributes:
        points: Where it begins, passes and ends.
        down: Whether it leads downwards, and not to the right.
        bulge: How far it goes aside, to the right or (negative) to the left.
        arrow: Whether it ends in an arrow head.
    """

    points: tuple[Point, ...]
    down: bool = False
    bulge: float = 0.0
    arrow: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the picture; everything enters at its left (or upper) end, at height 0.

    Attributes:
        boxes: Its layers.
        wires: Its connections.
        width: Its width, with the gap before it.
        up: How far it reaches above the height of its entry; negative.
        down: How far it reaches below.
        frames: The frames in it.
        upright: Whether it leads downwards; it then has a row of its own.
    """

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    width: float
    up: float
    down: float
    frames: tuple[Frame, ...] = ()
    upright: bool = False

    def moved(self, right: float, down: float) -> Block:
        """Return the block at another place."""
        boxes = (replace(one, x=one.x + right, y=one.y + down) for one in self.boxes)
        wires = (
            replace(one, points=tuple((x + right, y + down) for x, y in one.points))
            for one in self.wires
        )
        frames = (
            Frame(one.text, one.left + right, one.top + down, one.right + right, one.bottom + down)
            for one in self.frames
        )
        return replace(self, boxes=tuple(boxes), wires=tuple(wires), frames=tuple(frames))


def frame(text: str, blocks: Sequence[Block], pad: float, above: float) -> Frame:
    """Return the frame around successive blocks, with so many pixels above them for words."""
    boxes = [box for one in blocks for box in one.boxes]
    heights = [y for one in blocks for wire in one.wires for _, y in wire.points[1:]]
    tops = [box.y - box.height / 2 for box in boxes]
    bottoms = [box.y + box.height / 2 for box in boxes]
    return Frame(
        text,
        min(box.x - box.width / 2 for box in boxes) - pad,
        min([*tops, *heights]) - above,
        max(box.x + box.width / 2 for box in boxes) + pad,
        max([*bottoms, *heights]) + pad,
    )


def block(graph: Graph, piece: Piece, page: float) -> Block:
    """Return a piece from left to right; downwards if it would be wider than the page.

    Args:
        graph: The graph.
        piece: The piece of it.
        page: The width of the page, in pixels.
    """
    boxes = [_box(graph, place) for place in piece.layers]
    column = columns(len(boxes), piece.edges)
    if cells := _cells(graph, piece):
        beside = _parallel(boxes, cells, piece.edges)
        if beside.width <= page:
            return beside
    if sum(_widths(boxes, column)) + GAP * max(column.values()) <= page:
        return _level(boxes, column, piece.edges)
    return _upright(boxes, column, piece.edges, page)


def _cells(graph: Graph, piece: Piece) -> dict[str, list[int]]:
    """Return the layers of each group, by number in the piece; empty if the groups are connected.

    All layers but the last one must be in a group, and there must be several.
    """
    groups = [graph.layers[place].group for place in piece.layers[:-1]]
    own = all(s < 0 or t == len(groups) or groups[s] == groups[t] for s, t in piece.edges)
    if not own or not all(groups) or len({*groups}) < 2:
        return {}
    return {name: [n for n, one in enumerate(groups) if one == name] for name in groups}


def _box(graph: Graph, place: int) -> Box:
    said = words(graph.layers[place])
    if said.sign:
        return Box(place, 0, 0, _CIRCLE, _CIRCLE, said)
    width = max(_BOLD * len(said.head), *(_CHARACTER * len(line) for line in said.lines), 26.0)
    return Box(place, 0, 0, width + 10, LINE * (1 + len(said.lines)) + 9, said)


def _widths(boxes: Sequence[Box], column: Mapping[int, int]) -> list[float]:
    found = [0.0] * (1 + max(column.values()))
    for number, box in enumerate(boxes):
        found[column[number]] = max(found[column[number]], box.width)
    return found


def _level(boxes: Sequence[Box], column: Mapping[int, int], edges: Sequence[Edge]) -> Block:
    put = placed([box.height for box in boxes], column, edges, BETWEEN)
    widths = _widths(boxes, column)
    left = [0.0]
    for width in widths:
        left.append(left[-1] + width + GAP)
    centres = [at + width / 2 for at, width in zip(left, widths, strict=False)]
    done = [
        replace(box, x=centres[column[number]], y=put.across[number])
        for number, box in enumerate(boxes)
    ]
    wires = []
    for source, target in edges:
        begin = (0.0, 0.0) if source < 0 else _right(done[source])
        ends = left[column[source]] + widths[column[source]] if source >= 0 else 0.0
        points = [begin, (ends, begin[1])]
        for at, y in enumerate(put.routes[source, target], start=column[source] + 1):
            points += [(left[at], y), (left[at] + widths[at], y)]
        x, y = done[target].x - done[target].width / 2, done[target].y
        points += [(left[column[target]] - 6, y), (x, y)]
        wires.append(Wire(tuple(dict.fromkeys(points))))
    return Block(tuple(done), tuple(wires), left[-1] - GAP, put.low, put.high)


def _right(box: Box) -> Point:
    return box.x + box.width / 2, box.y


def _parallel(
    boxes: Sequence[Box], cells: Mapping[str, Sequence[int]], edges: Sequence[Edge]
) -> Block:
    """Return groups above each other, each in a frame, between the entry and the last layer."""
    end = Box(boxes[-1].place, 0.0, 0.0, 0.0, 0.0, boxes[-1].words)
    parts = []
    for numbers in cells.values():
        new = {-1: -1, len(boxes) - 1: len(numbers)} | {n: at for at, n in enumerate(numbers)}
        own = [(new[s], new[t]) for s, t in edges if s in new and t in new and {s, t} & {*numbers}]
        inside = [*(boxes[n] for n in numbers), end]
        parts.append(_level(inside, columns(len(inside), own), own))
    height = sum(one.down - one.up + FRAMED for one in parts) + BETWEEN * (len(parts) - 1)
    width, top = max(one.width for one in parts), -height / 2
    last = replace(boxes[-1], x=width + 2 * GAP + boxes[-1].width / 2)
    done, wires, frames = [last], [], []
    for name, part in zip(cells, parts, strict=True):
        at = part.moved(GAP, top + FRAMED - part.up)
        *inside, out = at.boxes
        frames.append(frame(name, [replace(at, boxes=tuple(inside))], PAD, FRAMED))
        done += inside
        y = out.y
        wires += [replace(one, arrow=one.points[-1][0] < out.x) for one in at.wires]
        wires.append(Wire(((0.0, 0.0), (GAP, y)), arrow=False))
        wires.append(Wire(((out.x, y), (width + GAP, y), (width + 2 * GAP, 0.0))))
        top += part.down - part.up + FRAMED + BETWEEN
    return Block(
        (*done[1:], last),
        tuple(wires),
        width + 2 * GAP + last.width,
        -height / 2,
        height / 2,
        tuple(frames),
    )


def _upright(
    boxes: Sequence[Box], column: Mapping[int, int], edges: Sequence[Edge], page: float
) -> Block:
    near = [edge for edge in edges if column[edge[1]] - column[edge[0]] == 1]
    widths = [box.width for box in boxes]
    arcs = sum(column[t] - column[s] for s, t in edges) > _ROUTED
    put = placed(widths, column, near if arcs else edges, BETWEEN)
    if put.high - put.low > page:
        arcs, put = True, placed(widths, column, near, BETWEEN)
    heights = [0.0] * (1 + max(column.values()))
    for number, box in enumerate(boxes):
        heights[column[number]] = max(heights[column[number]], box.height)
    top = [0.0]
    for height in heights:
        top.append(top[-1] + height + GAP)
    middle = page / 2 - (0.0 if arcs else (put.low + put.high) / 2)
    done = [
        replace(
            box,
            x=middle + put.across[number],
            y=top[column[number]] + heights[column[number]] / 2,
        )
        for number, box in enumerate(boxes)
    ]
    entry = Box(-1, middle, 0.0, 0.0, 0.0, done[0].words)
    wires = []
    for source, target in edges:
        one, other = done[source] if source >= 0 else entry, done[target]
        if (source, target) in put.routes:
            begin = (one.x, one.y + one.height / 2)
            points = [begin, (one.x, top[column[source]] + heights[column[source]])]
            for at, x in enumerate(put.routes[source, target], start=column[source] + 1):
                points += [(middle + x, top[at]), (middle + x, top[at] + heights[at])]
            points += [(other.x, top[column[target]] - 6), (other.x, other.y - other.height / 2)]
            wires.append(Wire(tuple(dict.fromkeys(points)), down=True))
        else:
            wires.append(_arc(one, other, column[target] - column[source]))
    return Block(tuple(done), tuple(wires), page, 0.0, top[-1] - GAP, upright=True)


def _arc(one: Box, other: Box, span: int) -> Wire:
    side = 1 if one.place % 2 else -1
    begin = (one.x + side * one.width / 2, one.y + 3)
    end = (other.x + side * other.width / 2, other.y - 3)
    return Wire((begin, end), bulge=side * min(_ARC, 24.0 + 11.0 * span))
