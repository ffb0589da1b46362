"""Values that need a user's code, on their way to processes that cannot see the user's files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ray import cloudpickle

from raynas.user_sources import Source, install, installed


def pack(value: Any, home: ModuleType | None = None) -> bytes:
    """Return a value as bytes that ``cloudpickle.loads`` understands on any machine with raynas.

    Modules of files that were given by their paths travel as source, and can be imported there.

    Args:
        value: What to pack.
        home: A module of the user's own that the value comes from and that was found by its name:
            it travels as code, as do those beside it.
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
    """Return a module and the others that were imported from its folder, packages as a whole."""
    folder = _folder(home)
    tops = [module for name, module in [*sys.modules.items()] if "." not in name]
    found = [one for one in tops if isinstance(one, ModuleType) and one.__name__ != "__main__"]
    near = [one for one in found if folder is not None and _folder(one) == folder]
    return [home, *(one for one in near if one is not home)]


def _folder(module: ModuleType) -> Path | None:
    """Return the folder in which a top-level module lies."""
    file = getattr(module, "__file__", None)
    if not file:
        return None
    return Path(file).parent.parent if hasattr(module, "__path__") else Path(file).parent
