"""Draw a trial of a recorded run as text, without running anybody's code unasked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raynas.errors import SpaceError
from raynas.experiment.resolve.references import SpaceModule
from raynas.experiment.run.drawing import TUNED, space_of
from raynas.insight.text.graph import draw_graph
from raynas.space import Architecture


def text_drawing(
    settings: Mapping[str, Any], architecture: Architecture, space: str | None = None
) -> str:
    """Return an architecture of a run, drawn as its space draws it, or why it cannot be drawn.

    Args:
        settings: The settings of the run, as its journal has them.
        architecture: One of its architectures.
        space: As for ``space_of``.

    Raises:
        ConfigError: There is no such space.
    """
    found = space_of(settings, space)
    if found is None:
        return "not drawn: the space is not one of raynas's; name yours with --space my_space.py"
    try:
        return _drawn(found, architecture)
    except SpaceError as error:
        return f"not drawn: the space has changed since the run: {error}"


def _drawn(found: SpaceModule, architecture: Architecture) -> str:
    own = {path: value for path, value in architecture.items() if path in found.space.decisions}
    others = [path for path in architecture if path not in own and not path.startswith(TUNED)]
    if others:
        raise SpaceError(f"it has no decision {others[0]!r}")
    checked = found.space.architecture(own)
    if found.draw is not None:
        return found.draw(checked)
    if found.space.graph is not None:
        return draw_graph(found.space.graph(checked))
    return "not drawn: the space has neither draw nor a graph"
