"""What a log and its lease need of an object store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from raynas.storage.address import Address
from raynas.storage.patience import Patience


class Objects(Protocol):
    """Requests to an object store."""

    location: Address
    patience: Patience

    def once(self, longest: float) -> Objects: ...  # noqa: D102 - as in ObjectStore
    def names(self, folder: str = "") -> list[str]: ...  # noqa: D102 - as in Store
    def read_all(self, names: Sequence[str]) -> list[bytes]: ...  # noqa: D102 - as in ObjectStore
    def read(self, name: str) -> bytes: ...  # noqa: D102 - as in Store
    def put(self, name: str, content: bytes) -> None: ...  # noqa: D102 - as in ObjectStore
    def create(self, name: str, content: bytes) -> bool: ...  # noqa: D102 - as in ObjectStore
    def age(self, name: str) -> float: ...  # noqa: D102 - as in ObjectStore
    def delete(self, *names: str) -> None: ...  # noqa: D102 - as in Store
