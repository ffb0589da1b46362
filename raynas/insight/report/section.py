"""The parts of a page: a section with sentences, facts, charts and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from raynas.insight.report.table import Table


@dataclass(frozen=True, slots=True)
class Sentence:
    """A paragraph.

    Attributes:
        text: The text.
        style: How it looks: ``verdict``, ``note`` or ``quiet``; empty for an ordinary one.
    """

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with its caption.

    Attributes:
        title: What it shows.
        caption: How to read it.
        svg: The drawing.
        size: ``small`` for a drawing that is never enlarged, ``wide`` for one that needs the whole
            width of the page, or both; empty for others.
    """

    title: str
    caption: str
    svg: Markup
    size: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page; what is empty is left out.

    Attributes:
        title: The heading.
        sentences: The paragraphs.
        facts: Names and values.
        charts: The drawings.
        ranking: The leaderboard, which can be sorted and filtered.
        tables: Other tables.
        command: A command to copy.
        folded: Texts that are folded away, each with its name.
    """

    title: str
    sentences: Sequence[Sentence] = ()
    facts: Sequence[tuple[str, str]] = ()
    charts: Sequence[Chart] = ()
    ranking: Table | None = None
    tables: Sequence[Table] = ()
    command: str = ""
    folded: Sequence[tuple[str, str]] = ()

    @property
    def groups(self) -> Sequence[str]:
        """The groups by which the leaderboard can be filtered, in the order of the rows."""
        rows = self.ranking.rows if self.ranking else ()
        return [*dict.fromkeys(row.group for row in rows if row.group)]
