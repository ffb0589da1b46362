"""Pickle values with the user's code, for processes that cannot read the user's files."""

from __future__ import annotations

import pickle  # noqa: TID251 - not for state: it sends values to other processes
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray import cloudpickle

from raynas.errors import ConfigError
from raynas.user_sources import Source, install, installed


@dataclass(frozen=True, slots=True)
class Packed:
    """A value that any process with raynas can read, and the user's code that it needs.

    Arrays are not copied into the pickle: Ray's object store gives all workers of a machine the
    same memory.

    Attributes:
        sources: The source code of the files that the user gave by path.
        content: The pickled value.
        buffers: The memory of its arrays.
    """

    sources: Mapping[str, Source]
    content: bytes
    buffers: tuple[NDArray[np.uint8], ...] = ()

    @classmethod
    def of(cls, value: Any, *homes: ModuleType) -> Packed:
        """Pack a value.

        Args:
            value: The value.
            homes: The user's modules that define parts of it, if they were given by name: they are
                pickled by value, and so are the imported modules in the same folders.

        Raises:
            ConfigError: The value cannot be pickled.
        """
        buffers: list[pickle.PickleBuffer] = []
        modules = {id(module): module for home in homes for module in _beside(home)}
        for module in modules.values():
            cloudpickle.register_pickle_by_value(module)
        try:
            content = cloudpickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        except (TypeError, pickle.PicklingError) as error:  # a generator, an open file, a lock
            raise ConfigError(
                "the space, the task and its data are sent to the workers, so they must be "
                f"picklable: {error}"
            ) from error
        finally:
            for module in modules.values():
                cloudpickle.unregister_pickle_by_value(module)
        return cls(
            installed(), content, tuple(np.asarray(buffer.raw(), np.uint8) for buffer in buffers)
        )

    def unpacked(self) -> Any:
        """Return the value; the user's code is made importable first."""
        install(self.sources)
        return pickle.loads(self.content, buffers=self.buffers)


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
