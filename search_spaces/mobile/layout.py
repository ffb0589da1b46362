"""The decisions: six stages of inverted residual blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from raynas.space import Architecture, Choice, Repeat, Space
from raynas.space.graph import Graph, Layer, chain

STEM: Final = 32, 16
"""Channels within the stem, and leaving it."""

HEAD: Final = 1280
"""Channels of the last convolution."""

WIDTHS: Final = (
    (16, 24, 32),
    (24, 32, 40, 48),
    (48, 64, 80, 96),
    (80, 96, 112, 128),
    (128, 160, 192, 224),
    (256, 320, 384),
)
"""The widths each stage chooses from, in channels."""

_BLOCKS: Final = (4, 4, 4, 4, 4, 2)  # the most blocks a stage can have
_BLOCK: Final = {"kernel": Choice((3, 5, 7)), "expansion": Choice((3, 4, 6))}
_SQUEEZE: Final = Choice({"no": None, "yes": {"ratio": Choice((0.125, 0.25, 0.5))}})


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks of one width; the first may halve height and width.

    Attributes:
        width: Channels between blocks.
        ratio: The ratio of squeeze-and-excitation: squeezed channels per input channel of the
            block; zero for none.
        blocks: Kernel and expansion (channels within per channel that enters) of each block.
    """

    width: int
    ratio: float
    blocks: tuple[tuple[int, int], ...]


def graph(architecture: Architecture) -> Graph:
    """Return the stem, the blocks and the head, one after the other.

    A block is one layer, its shortcut a part of it, as NASBOT's residual layers are: by shortcuts
    as edges there would be up to 65,536 paths. Squeeze-and-excitation is a layer behind its block.
    A layer's mass is NASBOT's, units times incoming units, of all convolutions in it. The
    activation, everywhere the same, is the variant of stem and head, which have no other.

    Args:
        architecture: An architecture of ``SPACE``, or of one that adds to it.
    """
    return layers(str(architecture["activation"]), stages(architecture))


def layers(activation: str, stages: Iterable[Stage]) -> Graph:
    """Return the graph of stem, stages and head; see ``graph``."""
    within, entering = STEM
    found = [Layer("stem", float(within * (3 + 1 + entering)), activation)]
    for number, stage in enumerate(stages, start=1):
        group = f"stage {number}: {stage.width} wide"
        for kernel, expansion in stage.blocks:
            inner = entering * expansion
            mass, note = float(inner * (entering + 1 + stage.width)), f"{kernel}x{kernel}"
            found.append(Layer("block", mass, kernel, f"{note}, expand {expansion}", group))
            if stage.ratio:
                mass, note = 2.0 * inner * stage.ratio * entering, f"{stage.ratio:g}"
                found.append(Layer("squeeze", mass, note=note, group=group))
            entering = stage.width
    found.append(Layer("head", float(entering * HEAD), activation))
    return chain(found)


SPACE: Final = Space(
    {
        "activation": Choice(("ReLU", "ReLU6", "Hardswish")),  # torch's own names
        **{
            f"stage{number}": {
                "width": Choice(widths),
                "squeeze": _SQUEEZE,
                "blocks": Repeat(_BLOCK, 1, most),
            }
            for number, (widths, most) in enumerate(zip(WIDTHS, _BLOCKS, strict=True), start=1)
        },
    },
    graph=graph,
)


def stages(architecture: Architecture) -> Iterator[Stage]:
    """Yield the six stages of an architecture."""
    for number in range(1, len(WIDTHS) + 1):
        own: Mapping[str, Any] = architecture.under(f"stage{number}")
        blocks = tuple(
            (own[f"blocks.{i}.kernel"], own[f"blocks.{i}.expansion"]) for i in range(own["blocks"])
        )
        yield Stage(own["width"], own.get("squeeze.yes.ratio", 0.0), blocks)


def from_stages(activation: str, six: tuple[Stage, ...]) -> Architecture:
    """Return the architecture with these stages.

    Raises:
        SpaceError: The architecture is not in the space.
    """
    values: dict[str, Any] = {"activation": activation}
    for number, stage in enumerate(six, start=1):
        path = f"stage{number}"
        values[f"{path}.width"] = stage.width
        values[f"{path}.squeeze"] = "yes" if stage.ratio else "no"
        if stage.ratio:
            values[f"{path}.squeeze.yes.ratio"] = stage.ratio
        values[f"{path}.blocks"] = len(stage.blocks)
        for i, (kernel, expansion) in enumerate(stage.blocks):
            values[f"{path}.blocks.{i}.kernel"] = kernel
            values[f"{path}.blocks.{i}.expansion"] = expansion
    return SPACE.architecture(values)


def draw(architecture: Architecture) -> str:
    """Return one line per stage: its width, and kernel and expansion of each block."""
    return drawn(str(architecture["activation"]), stages(architecture))


def drawn(activation: str, stages: Iterable[Stage]) -> str:
    """Return one line per stage; see ``draw``."""
    lines = [f"{activation}, blocks as kernel/expansion"]
    for number, stage in enumerate(stages, start=1):
        blocks = " - ".join(f"{kernel}/{expansion}" for kernel, expansion in stage.blocks)
        squeeze = f"  squeeze {stage.ratio}" if stage.ratio else ""
        lines.append(f"stage {number}  {stage.width:>3} wide  {blocks}{squeeze}")
    return "\n".join(lines)
