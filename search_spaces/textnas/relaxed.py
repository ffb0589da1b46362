"""The layers of a supernet as decisions; pure Python.

A layer without skips has no normalisation. So one more decision of each layer is whether it has
skips at all: it weighs the result of the operation against the normalised sum. If a layer has
skips, it has the strongest one; so the second layer, which has one to choose from, follows this
decision.
"""

from __future__ import annotations

from raynas.oneshot.relaxation import Relaxation, Strengths, plain
from raynas.space import Architecture, Choice, Space
from search_spaces.textnas.layers import space, steps, tree


def relaxation(layers: int) -> Relaxation:
    """Return the relaxation of the space of networks with so many layers."""
    own = space(layers)
    strongest = plain(own).derive
    relaxed = Space(
        {
            f"layer_{i}": tree(i) | ({"skips": Choice((False, True))} if i else {})
            for i in range(layers)
        }
    )

    def path(architecture: Architecture) -> Architecture:
        skips = {
            f"layer_{i}.skips": bool(step.skips) for i, step in enumerate(steps(architecture)) if i
        }
        return relaxed.architecture({**architecture, **skips})

    def derive(strengths: Strengths) -> Architecture:
        values = dict(strongest(strengths))
        for i in range(1, layers):
            values |= _skips(i, strengths)
        return own.architecture(values)

    return Relaxation(relaxed, path, derive)


def _skips(number: int, strengths: Strengths) -> dict[str, bool]:
    """Return the skips of a layer: none, or those stronger than their absence, at least one."""
    lead = {}
    for name in ("skips", *(f"skip_{j}" for j in range(number))):
        without, present = strengths[f"layer_{number}.{name}"]
        lead[f"layer_{number}.{name}"] = present - without
    any_ = lead.pop(f"layer_{number}.skips") > 0
    first = max(lead, key=lead.__getitem__)
    return {path: any_ and (one > 0 or path == first) for path, one in lead.items()}
