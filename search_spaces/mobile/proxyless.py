"""The space of ProxylessNAS (Cai et al., 2019, arXiv:1812.00332).

Six stages of inverted residual blocks have fixed widths. A block decides on its expansion and its
kernel at once: ``e6k5`` is expansion 6 and kernel 5. All blocks but the first of a stage can be
left out (``skip``). The activation is ReLU6, and there is no squeeze-and-excitation.

Widths and blocks are those of the authors' search (repository ``mit-han-lab/proxylessnas``).
``PUBLISHED`` holds three networks of the authors, and ``SIZES`` the options of ``build`` for each.
Differs from their code: batch normalisations have torch's epsilon, 1e-5, instead of 1e-3; for
``width`` below 1, stem and last convolution are narrower, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from raynas.oneshot.choose import Undecided, choose
from raynas.space import Architecture, Choice, Space
from raynas.space.graph import Graph
from search_spaces.mobile.layout import Stage, drawn, layers

if TYPE_CHECKING:
    from torch import nn

__all__ = ["PUBLISHED", "SIZES", "SPACE", "build", "draw"]

WIDTHS: Final = (24, 40, 80, 96, 192, 320)
"""The width of each stage, in channels."""

BLOCKS: Final = (4, 4, 4, 4, 4, 1)
"""The most blocks of each stage."""

SKIP: Final = "skip"
OPTIONS: Final = {f"e{e}k{k}": (k, e) for e in (3, 6) for k in (3, 5, 7)}
"""Kernel and expansion of each option that is a block."""

_ACTIVATION: Final = "ReLU6"


def _stages(architecture: Architecture) -> Iterator[Stage]:
    """Yield the stages with the blocks that are there."""
    for number, width in enumerate(WIDTHS, start=1):
        options = [str(one) for one in architecture.under(f"stage{number}").values()]
        yield Stage(width, 0.0, tuple(OPTIONS[one] for one in options if one != SKIP))


def canonical(architecture: Architecture) -> str:
    """Return the blocks of each stage that are there: it does not matter which ones are left out.

    The blocks of a stage but the first have one shape.
    """
    return json.dumps([stage.blocks for stage in _stages(architecture)])


def graph(architecture: Architecture) -> Graph:
    """Return the stem, the blocks that are there and the head, as in ``search_spaces.mobile``."""
    return layers(_ACTIVATION, _stages(architecture))


SPACE: Final = Space(
    {
        f"stage{number}": {
            f"block{at}": Choice((*OPTIONS, SKIP) if at > 1 else tuple(OPTIONS))
            for at in range(1, most + 1)
        }
        for number, most in enumerate(BLOCKS, start=1)
    },
    canonical=canonical,
    graph=graph,
)


def build(
    architecture: Architecture | Undecided,
    *,
    input_shape: tuple[int, ...],
    outputs: int,
    width: float = 1.0,
    widths: tuple[int, ...] = WIDTHS,
    dropout: float = 0.2,
) -> nn.Module:
    """Return the network; images are halved as in ``search_spaces.mobile``.

    Args:
        architecture: The blocks; or an ``Undecided``, for a supernet.
        input_shape: The shape of one image: (channels, height, width).
        outputs: How many numbers the network returns per example, such as one logit per class.
        width: The factor of all widths, which are rounded to multiples of 8.
        widths: The widths of the six stages, in channels, before the factor.
        dropout: The share of features dropped before the last layer.

    Returns:
        A module that maps ``[batch, *input_shape]`` to logits ``[batch, outputs]``.

    Raises:
        ConfigError: The input is not an image, there are not six widths, or a size is not above
            zero.
    """
    from torch import nn  # noqa: PLC0415 - torch only to build

    from raynas.errors import ConfigError  # noqa: PLC0415
    from search_spaces.mobile.network import assembled  # noqa: PLC0415

    if len(widths) != len(WIDTHS) or min(widths) < 1:
        raise ConfigError(f"six widths above zero are needed: {widths=}")
    made = [
        (one, partial(_stage, architecture, number)) for number, one in enumerate(widths, start=1)
    ]
    return assembled(made, getattr(nn, _ACTIVATION), input_shape, outputs, width, dropout)


def _stage(
    architecture: Architecture | Undecided,
    number: int,
    entering: int,
    leaving: int,
    stride: int,
) -> nn.Module:
    """Return the blocks of a stage; the first one changes width and size."""
    from torch import nn  # noqa: PLC0415 - torch only to build

    from search_spaces.mobile.network import Block  # noqa: PLC0415

    act, blocks = getattr(nn, _ACTIVATION), nn.Sequential()
    for at in range(1, BLOCKS[number - 1] + 1):
        options: dict[str, Any] = {
            name: partial(Block, (entering, entering * expansion, leaving), kernel, stride, 0, act)
            for name, (kernel, expansion) in OPTIONS.items()
        }
        path = f"stage{number}.block{at}"
        blocks.append(choose(architecture, path, {**options, SKIP: nn.Identity}))
        entering, stride = leaving, 1
    return blocks


def draw(architecture: Architecture) -> str:
    """Return one line per stage: its width, and kernel and expansion of the blocks."""
    return drawn(_ACTIVATION, _stages(architecture))


def _published(stages: Sequence[str]) -> Architecture:
    named = {
        f"stage{number}.block{at}": option
        for number, text in enumerate(stages, start=1)
        for at, option in enumerate(text.split(), start=1)
    }
    return SPACE.architecture(named)


PUBLISHED: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        "ProxylessNAS-Mobile": _published(
            (
                "e3k5 e3k3 skip skip",
                "e3k7 e3k3 e3k5 e3k5",
                "e6k7 e3k5 e3k5 e3k5",
                "e6k5 e3k5 e3k5 e3k5",
                "e6k7 e6k7 e3k7 e3k7",
                "e6k7",
            )
        ),
        "ProxylessNAS-CPU": _published(
            (
                "e6k3 e3k3 e3k3 e3k3",
                "e6k3 e3k3 e3k3 e3k5",
                "e6k3 skip skip e3k3",
                "e6k5 e3k3 e3k3 e3k3",
                "e6k5 e3k5 e3k5 e3k3",
                "e6k5",
            )
        ),
        "ProxylessNAS-GPU": _published(
            (
                "e3k5 skip skip skip",
                "e3k7 skip skip e3k3",
                "e6k7 skip skip e3k5",
                "e6k5 skip e3k3 e3k5",
                "e6k7 e6k7 e6k7 e6k5",
                "e6k7",
            )
        ),
    }
)
"""By the name under which they were published: the networks for a phone, a CPU and a GPU."""

SIZES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "ProxylessNAS-Mobile": {"widths": (32, *WIDTHS[1:])},
        "ProxylessNAS-CPU": {"width": 1.12},
        "ProxylessNAS-GPU": {"width": 1.35},
    }
)
"""The options of ``build`` with which each published network has its published widths."""
