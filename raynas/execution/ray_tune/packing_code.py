"""Pickle values with the user's code, for processes that cannot read the user's files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ray import cloudpickle

from raynas.user_sources import Source, install, installed


def pack(value: Any, home: ModuleType | None = None) -> bytes:
    """Return a value as bytes that ``cloudpickle.loads`` can read on any machine with raynas.

    The bytes contain the source code of the files that the user gave by path, so that the other
    process can import them.

    Args:
        value: The value to pickle.
        home: The user's module that defines the value, if it was given by name: it is pickled by
            value, and so are the imported modules in the same folder.
    """
    homes = [] if home is None else _beside(home)
    for module in homes:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(_Packed(cloudpickle.dumps(value))))
    finally:
        for module in homes:
            cloudpickle.unregister_pickle_by_value(module)


class _Packed:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack, (installed(), self._content)


def _unpack(sources: Mapping[str, Source], content: bytes) -> Any:
    install(sources)
    return cloudpickle.loads(content)


def _beside(home: ModuleType) -> list[ModuleType]:
    """Return a module and the other top-level modules that were imported from its folder."""
    folder = _folder(home)
    tops = [module for name, module in [*sys.modules.items()] if "." not in name]
    found = [one for one in tops if isinstance(one, ModuleType) and one.__name__ != "__main__"]
    near = [one for one in found if folder is not None and _folder(one) == folder]
    return [home, *(one for one in near if one is not home)]


def _folder(module: ModuleType) -> Path | None:
    """Return the folder that contains a top-level module."""
    file = getattr(module, "__file__", None)
    if not file:
        return None
    return Path(file).parent.parent if hasattr(module, "__path__") else Path(file).parent
