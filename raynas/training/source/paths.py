"""The text with which a layer reads a part of itself."""

from __future__ import annotations

from keyword import iskeyword
from typing import Final

from torch import nn

from raynas.training.source.expressions import UnwritableError

_NUMBERED: Final = (nn.Sequential, nn.ModuleList, nn.ParameterList)
_KEYED: Final = (nn.ModuleDict, nn.ParameterDict)


def path_text(layer: nn.Module, path: str) -> str:
    """Return the text of a path, such as ``self.layers[0].weight`` for ``layers.0.weight``.

    Raises:
        UnwritableError: A name in it cannot be written.
    """
    text, at = "self", layer
    for part in path.split("."):
        if isinstance(at, _KEYED):
            text += f'["{part}"]'
        elif isinstance(at, _NUMBERED) and part.isdigit():
            text += f"[{part}]"
        elif part.isidentifier() and not iskeyword(part):
            text += f".{part}"
        else:
            raise UnwritableError(f"the name {path!r} cannot be written")
        at = getattr(at, part)
    return text
