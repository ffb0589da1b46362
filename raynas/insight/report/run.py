"""What a report is made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raynas.insight.graphs import GraphOf
from raynas.space import Decision
from raynas.trial import History


@dataclass(frozen=True, slots=True)
class HowToRepeat:
    """How to repeat a run.

    Attributes:
        command: The command; empty if no command can.
        notes: What has to be known beside it, a sentence each.
        file: The settings that the command reads from a file; empty if there is none.
    """

    command: str
    notes: Sequence[str] = ()
    file: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A run, as its journal has it, and what the report needs beside it.

    Attributes:
        name: The name of its folder.
        history: All events of the run.
        description: The latest description of the run in the journal.
        decisions: The decisions of its space; empty if the journal does not describe them.
        graph_of: Returns the layers of an architecture, to be drawn.
        paused_trials: The numbers of the paused trials, which may continue.
        repeat: How to repeat it.
        notes: What the reader must know of this report, a sentence each.
        supernets: The run that trained the supernets; none if there are none.
    """

    name: str
    history: History
    description: Mapping[str, Any]
    decisions: Mapping[str, Decision]
    graph_of: GraphOf
    repeat: HowToRepeat
    paused_trials: Collection[int] = ()
    notes: Sequence[str] = ()
    supernets: History | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the run, by name."""
        settings: Mapping[str, Any] = self.description.get("experiment", {})
        return settings
