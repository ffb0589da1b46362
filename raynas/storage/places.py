"""Find the store of a location."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from raynas.storage.address import Address, Location
from raynas.storage.folder import Folder
from raynas.storage.objects import ObjectStore
from raynas.storage.store import Store


def store_of(location: Location) -> Store:
    """Return the store of a location: everything below it is read and written there."""
    if isinstance(location, Path):
        return Folder(location)
    return _objects(location)


@lru_cache(maxsize=64)
def _objects(address: Address) -> ObjectStore:
    # One for each address of a process, because it knows what is still on its way.
    return ObjectStore(address)
