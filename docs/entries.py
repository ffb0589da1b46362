"""Directives that describe tables and settings from the code, so that no page goes stale."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from importlib import import_module
from typing import Any

from sphinx.util.docutils import SphinxDirective


class Described(SphinxDirective):
    """Describes a dataclass, such as ``raynas.experiment.settings:Budget``, by its fields."""

    required_arguments = 1

    def run(self) -> list[Any]:
        """Return a table of fields, defaults and meanings."""
        return self.parse_text_to_nodes(_in_rst(_table(self.found(), "setting")))

    def found(self) -> Any:
        """Return what is described."""
        module, _, name = self.arguments[0].partition(":")
        return getattr(import_module(module), name)


class Entries(Described):
    """Describes every entry of a table such as ``raynas.searchers:SEARCHERS``."""

    def run(self) -> list[Any]:
        """Return a section for each entry: its purpose, its options, its paper."""
        sections = (_section(name, kind) for name, kind in self.found().items())
        return self.parse_text_to_nodes("\n\n".join(sections), allow_section_headings=True)


def _section(name: str, kind: type) -> str:
    summary = re.split(r"\n+(?:Attributes|Raises):", inspect.getdoc(kind) or "")[0]
    paper = inspect.getdoc(import_module(kind.__module__)) or ""
    text = "\n\n".join(filter(None, (summary, _table(kind, "option"), paper)))
    return f"### `{name}`\n\n{_in_rst(text)}"


def _in_rst(text: str) -> str:
    """Return a docstring's text, which is reStructuredText, as a part of a page."""
    return f"````{{eval-rst}}\n{text}\n````"


def _table(kind: type, head: str) -> str:
    meanings = dict(_meanings(kind))
    options = [f for f in fields(kind) if f.init and f.name[0] != "_" and f.name in meanings]
    rows = [
        (f"``{f.name}``", f"``{_default(f)}``", meanings[f.name]) for f in options if _given(f)
    ]
    if not rows:
        return ""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: auto", ""]
    for first, *others in ((head, "default", "meaning"), *rows):
        lines += [f"   * - {first}", *(f"     - {other}" for other in others)]
    return "\n".join(lines)


def _meanings(kind: type) -> Iterator[tuple[str, str]]:
    """Yield what docstrings say of attributes, those of a base first."""
    for base in reversed(kind.__mro__):
        _, _, text = (inspect.cleandoc(base.__doc__ or "")).partition("\nAttributes:\n")
        text = re.split(r"\n\S", text)[0]
        for found in re.finditer(r"^    (\w+): (.*(?:\n {5,}.*)*)", text, re.MULTILINE):
            yield found[1], " ".join(found[2].split())


def _given(item: Field[Any]) -> bool:
    return item.default is not MISSING or item.default_factory is not MISSING


def _default(item: Field[Any]) -> str:
    value = item.default if item.default is not MISSING else item.default_factory()  # type: ignore[misc]
    return str(value) if isinstance(value, str) or hasattr(value, "parts") else repr(value)
