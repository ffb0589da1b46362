"""Put the blocks of a picture into rows, as words into lines, with frames around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, takewhile
from typing import Final

from raynas.insight.pictures.blocks import (
    BETWEEN,
    FRAMED,
    GAP,
    PAD,
    Block,
    Frame,
    Wire,
    block,
    frame,
)
from raynas.insight.pictures.folding import Piece, folds
from raynas.space.graph import Graph

WIDTH: Final = 800.0
_MARGIN: Final = 12.0
_ROWS: Final = 26.0  # between rows
_TITLE: Final = 15.0  # for the words of a frame around another
_TURN: Final = 15.0  # how far a line runs on before it turns to the next row


@dataclass(frozen=True, slots=True)
class Page:
    """A whole picture, in pixels.

    Attributes:
        blocks: The blocks at their places.
        turns: Lines from the end of a row to the beginning of the next: their corners.
        frames: The frames.
        width: The width.
        height: The height.
    """

    blocks: tuple[Block, ...]
    turns: tuple[Wire, ...]
    frames: tuple[Frame, ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Item:
    """A block, with its group, the number and times of its fold, and whether anything enters."""

    block: Block
    group: str
    fold: int
    times: int
    entered: bool


def page(graph: Graph, marked: Iterable[int] = (), width: float = WIDTH) -> Page:
    """Return the picture of a graph.

    Args:
        graph: The graph.
        marked: The layers that no fold may hide.
        width: The width of the page, in pixels.
    """
    room = width - 2 * _MARGIN
    rows = _rows(_items(graph, frozenset(marked), room), room)
    top, right = _MARGIN, 0.0
    blocks: list[Block] = []
    turns: list[Wire] = []
    frames: list[Frame] = []
    for row in rows:
        titles = any(item.group for item in row) + any(item.times > 1 for item in row)
        upper = top + (FRAMED - BETWEEN / 2 + _TITLE * (titles - 1) if titles else 0.0)
        middle = upper - min(item.block.up for item in row)
        bottom = middle + max(item.block.down for item in row)
        x = _MARGIN if row[0].block.upright or row[0].entered else _MARGIN - GAP
        done = []
        for item in row:
            done.append(item.block.moved(x, middle))
            x += item.block.width
        frames += _frames(row, done)
        if blocks:
            turns.append(_turn(blocks[-1], done[0], top - _ROWS / 2, middle))
        blocks += done
        right = max(right, x)
        top = bottom + _ROWS
    height = top - _ROWS + _MARGIN
    right = max([right, *(x for wire in turns for x, _ in wire.points)])
    return Page(tuple(blocks), tuple(turns), tuple(frames), right + _MARGIN, height)


def _items(graph: Graph, marked: frozenset[int], room: float) -> list[_Item]:
    return [
        _Item(
            block(graph, piece, room), _group(graph, piece), number, fold.times, bool(piece.edges)
        )
        for number, fold in enumerate(folds(graph, marked))
        for piece in fold.pieces
    ]


def _group(graph: Graph, piece: Piece) -> str:
    """Return the group that all layers of a piece are in; empty if there is none."""
    groups = {graph.layers[place].group for place in piece.layers}
    return groups.pop() if len(groups) == 1 else ""


def _rows(items: Sequence[_Item], room: float) -> list[list[_Item]]:
    rows: list[list[_Item]] = [[]]
    free = room
    for number, item in enumerate(items):
        whole = max(
            _together(items[number:], item.group) if _begins(items, number, "group") else 0.0,
            _together(items[number:], item.fold) if _begins(items, number, "fold") else 0.0,
        )
        breaks = item.block.width > free or free < whole <= room
        if rows[-1] and (breaks or item.block.upright or rows[-1][-1].block.upright):
            rows.append([])
            free = room
        rows[-1].append(item)
        free -= item.block.width
    return rows


def _begins(items: Sequence[_Item], number: int, what: str) -> bool:
    """Return whether a group or a fold begins with an item."""
    here = getattr(items[number], what)
    return here != "" and (number == 0 or getattr(items[number - 1], what) != here)


def _together(items: Sequence[_Item], key: str | int) -> float:
    """Return the width of the items that have the key in common with the first one."""
    same = takewhile(lambda item: key in {item.group, item.fold}, items)
    return sum(item.block.width for item in same)


def _frames(row: Sequence[_Item], done: Sequence[Block]) -> Iterator[Frame]:
    """Yield the frames of a row's groups, and of its folds within them."""
    for group, found in groupby(zip(row, done, strict=True), key=lambda one: one[0].group):
        inside = [*found]
        folded = any(item.times > 1 for item, _ in inside)
        if group:
            blocks = [one for _, one in inside]
            yield frame(group, blocks, PAD + 4 * folded, FRAMED + _TITLE * folded)
        for _, some in groupby(inside, key=lambda one: one[0].fold):
            repeated = [*some]
            if (times := repeated[0][0].times) > 1:
                blocks = [one for _, one in repeated]
                yield replace(frame(f"x {times}", blocks, PAD, FRAMED), repeated=True)


def _turn(before: Block, after: Block, between: float, middle: float) -> Wire:
    """Return the line from the end of a row to the beginning of the next, by its corners."""
    last = before.boxes[-1]
    entered = next(wire.points[0] for wire in after.wires)
    if before.upright:
        out = [(last.x, last.y + last.height / 2)]
    else:
        x = last.x + last.width / 2
        out = [(x, last.y), (x + _TURN, last.y)]
        out.append((x + _TURN, between))
    if after.upright:
        return Wire((*out, (out[-1][0], between), (entered[0], between), entered), arrow=False)
    left = _MARGIN - 5
    back = [(out[-1][0], between), (left, between), (left, middle), entered]
    return Wire((*out, *back), arrow=False)
