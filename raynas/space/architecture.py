"""One full assignment of a space's active decisions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from raynas.errors import unknown
from raynas.space.values import Value, plain


class Architecture(Mapping[str, Value]):
    """The decided values by decision path; immutable, hashable, JSON.

    A space makes it (``space.sample``, ``space.architecture``) and checks that it is valid. Two
    architectures are equal if they have the same values; whether they are the same *network*, the
    space's ``identity`` tells.
    """

    __slots__ = ("_hash", "_values")

    def __init__(self, values: Mapping[str, Value]) -> None:
        """Keep the decided values, in the order in which they were decided."""
        self._values = dict(values)
        self._hash = hash(frozenset(self._values.items()))

    @classmethod
    def from_data(cls, values: Mapping[str, Any]) -> Architecture:
        """Return the architecture of values from JSON, whose lists become tuples."""
        return cls({path: plain(value) for path, value in dict(values).items()})

    def __getitem__(self, path: str) -> Value:
        """Return the value decided at ``path``.

        Raises:
            KeyError: It is not active; the message names those that are.
        """
        if path not in self._values:
            raise KeyError(unknown("decision in this architecture", str(path), self._values))
        return self._values[path]

    def get(self, path: str, default: Any = None) -> Any:
        """Return the value decided at ``path``, or the default if it is not active."""
        return self._values.get(path, default)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the paths of the active decisions, in walking order."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return the number of active decisions."""
        return len(self._values)

    def __contains__(self, path: object) -> bool:
        """Return whether the decision at ``path`` is active."""
        return path in self._values

    def __eq__(self, other: object) -> bool:
        """Return whether both have the same values."""
        return isinstance(other, Architecture) and self._values == other._values

    def __hash__(self) -> int:
        """Return the hash of the decided values."""
        return self._hash

    def __repr__(self) -> str:
        """Show the decided values."""
        return f"Architecture({self.to_json()})"

    def under(self, prefix: str) -> Mapping[str, Value]:
        """Return the decisions below ``prefix``, with the prefix removed from their paths."""
        start = f"{prefix}."
        return {
            path[len(start) :]: v for path, v in self._values.items() if path.startswith(start)
        }

    def to_json(self) -> str:
        """Return the decided values as a JSON object in one line."""
        return json.dumps(self._values, separators=(",", ":"))
