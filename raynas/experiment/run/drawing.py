"""How the architectures of a recorded run are drawn, without running anybody's code unasked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from raynas.errors import ConfigError, RaynasError
from raynas.experiment.resolve.briefs import Builder, builder
from raynas.experiment.resolve.references import SpaceModule, find_space, shipped_spaces
from raynas.insight.graphs import GraphOf, chains_of, graphs_of
from raynas.space import Choice, Decision, Space

TUNED: Final = "training."  # decisions that ``tune`` adds to those of a space
_SHIPPED: Final = "search_spaces."


@dataclass(frozen=True, slots=True)
class Drawing:
    """How architectures are drawn.

    Attributes:
        graph_of: Returns the layers of an architecture.
        notes: Why it is not the drawing of the space, in a sentence; empty if it is.
    """

    graph_of: GraphOf
    notes: Sequence[str] = ()


def space_of(settings: Mapping[str, Any], space: Any = None) -> SpaceModule | None:
    """Return the space of a recorded run; none if that would import somebody's code unasked.

    A run folder is data: of the spaces that its journal names, only those that come with raynas
    are imported. Any other space must be given.

    Args:
        settings: The settings of the run, as its journal has them.
        space: The space, as for ``search``; none for the one that the journal names.

    Raises:
        RaynasError: The space does not exist or cannot be used.
    """
    named = settings.get("space") if space is None else space
    if space is None and not _shipped(named):
        return None
    return find_space(named, settings.get("space_options") or {})


def drawing_of(
    described: Mapping[str, Any], decisions: Mapping[str, Decision], space: Any = None
) -> Drawing:
    """Return how the architectures of a run are drawn; see ``space_of``.

    Args:
        described: The run, as its journal describes it.
        decisions: The decisions of its space, as its journal has them.
        space: The space, as for ``search``; none for the one that the journal names.

    Raises:
        RaynasError: The given space does not exist or cannot be used.
    """
    settings, data = described.get("experiment", {}), described.get("data", {})
    plain = chains_of(decisions)
    if not decisions:  # the report says so, and draws nothing
        return Drawing(plain)
    try:
        found = space_of(settings, space)
    except RaynasError as error:
        if space is not None:
            raise
        return Drawing(plain, [f"Architectures are drawn as their decisions: {error}"])
    if found is None:
        return Drawing(
            plain,
            [
                "Architectures are drawn as their decisions, one after the other, because the "
                "space is not one of raynas's own and a report imports no other code. For the "
                "real drawing, name your space: --space my_space.py."
            ],
        )
    if changed := _changed(found.space, decisions):
        said = f"The space has changed since the run ({changed}), so architectures are drawn as "
        return Drawing(plain, [f"{said}their decisions, one after the other."])
    return Drawing(
        graphs_of(found.space, _build(found, settings.get("space_options") or {}, data))
    )


def _build(
    found: SpaceModule, options: Mapping[str, Any], data: Mapping[str, Any]
) -> Builder | None:
    """Return what makes the networks of a space; none if the journal has not all that it needs."""
    offered = {name: data[name] for name in ("input_shape", "classes") if name in data}
    if isinstance(shape := offered.get("input_shape"), list):
        offered["input_shape"] = tuple(shape)
    try:
        return builder(found.build, options, offered)
    except ConfigError:
        return None


def _shipped(named: Any) -> bool:
    return isinstance(named, str) and (named in shipped_spaces() or named.startswith(_SHIPPED))


def _changed(space: Space, recorded: Mapping[str, Decision]) -> str:
    """Return the first decision that is another one than in the journal; empty if none is."""
    known = {path for path in recorded if not path.startswith(TUNED)}
    for path in (*space.decisions, *known):
        if path in space.decisions and path in recorded:
            if _meaning(space.decisions[path]) != _meaning(recorded[path]):
                return f"{path} has other values"
        elif path in recorded or path in space.decisions:
            return f"{path} is {'gone' if path in recorded else 'new'}"
    return ""


def _meaning(decision: Decision) -> Any:
    """Return the values of a decision, without how likely they are."""
    domain = decision.domain
    return repr([*domain.values()]) if isinstance(domain, Choice) else domain
