"""A table of parts by name, of which only those that are asked for are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Generic, TypeVar

T = TypeVar("T")


class LazyTable(Mapping[str, T], Generic[T]):
    """A read-only table whose entries are imported when they are asked for.

    So a command line that only lists the names loads no numerical library.
    """

    def __init__(self, homes: Mapping[str, str]) -> None:
        """Make a table.

        Args:
            homes: Where each entry stands, by name: ``package.module:attribute``.
        """
        self._homes = dict(homes)

    def __getitem__(self, name: str) -> T:
        """Return the entry of that name, imported if need be."""
        module, _, attribute = self._homes[name].partition(":")
        entry: T = getattr(import_module(module), attribute)
        return entry

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the order of the table."""
        return iter(self._homes)

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._homes)
