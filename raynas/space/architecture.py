"""One full assignment of a space's active decisions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from raynas.space.nodes import Value, plain


class Architecture(Mapping[str, Value]):
    """The decided values by decision path; immutable, hashable, JSON.

    Made by a space (``space.sample``, ``space.architecture``), which sees to it that it is valid.
    Two are equal when they decide the same; whether they are the same *network* is for the
    space's ``identity`` to say.
    """

    __slots__ = ("_hash", "_values")

    def __init__(self, values: Mapping[str, Value]) -> None:
        """Take over the decided values, in the order in which they were decided."""
        self._values = dict(values)
        self._hash = hash(frozenset(self._values.items()))

    @classmethod
    def from_data(cls, values: Mapping[str, Any]) -> Architecture:
        """Return the architecture that JSON brings back: its lists were tuples."""
        return cls({path: plain(value) for path, value in dict(values).items()})

    def __getitem__(self, path: str) -> Value:
        """Return the value decided at ``path``."""
        return self._values[path]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the paths of the active decisions, in walking order."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return the number of active decisions."""
        return len(self._values)

    def __contains__(self, path: object) -> bool:
        """Say whether the decision at ``path`` is active."""
        return path in self._values

    def __eq__(self, other: object) -> bool:
        """Say whether both decide the same."""
        return isinstance(other, Architecture) and self._values == other._values

    def __hash__(self) -> int:
        """Return the hash of what was decided."""
        return self._hash

    def __repr__(self) -> str:
        """Show the decided values."""
        return f"Architecture({self.to_json()})"

    def under(self, prefix: str) -> Mapping[str, Value]:
        """Return the decisions below ``prefix``, with the prefix taken off their paths."""
        start = f"{prefix}."
        return {
            path[len(start) :]: v for path, v in self._values.items() if path.startswith(start)
        }

    def to_json(self) -> str:
        """Return the decided values as a JSON object in one line."""
        return json.dumps(self._values, separators=(",", ":"))
