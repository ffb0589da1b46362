"""Load an exported network without running anything that the file brings along.

``torch.export.load`` unpickles what the file says is pickled, without limits, and evaluates the
expressions of its sizes. Both are looked at before.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from zipfile import BadZipFile, ZipFile

from raynas.errors import RunError
from raynas.json_text import parsed

if TYPE_CHECKING:
    import torch

_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_SYMBOL: Final = re.compile(r"[a-z]+\d+")  # torch calls an unknown size s31, or u0
_SIGNS: Final = re.compile(r"[\w\s+\-*/%(),.<>=!&|~']*")
_SAID: Final = frozenset(
    {"True", "False", "positive", "negative", "nonnegative", "integer", "real", "evaluate"}
)


def load_program(source: Path | BinaryIO, called: str = "") -> torch.export.ExportedProgram:
    """Return an exported network.

    Args:
        source: The file, or its path.
        called: Its name in messages; empty for the path.

    Raises:
        RunError: The file is no exported network, or it holds what could run code.
    """
    import torch  # noqa: PLC0415 - slow to load

    path = called or source
    try:
        with ZipFile(source) as archive:
            found = next(_dangers(archive), None)
        if found:
            raise RunError(
                f"{path} must hold weights and a graph only, and it holds {found}: such a file "
                "can run any code, so raynas does not load it"
            )
        with warnings.catch_warnings():
            # Some versions of torch warn of their own way to read the file.
            warnings.filterwarnings("ignore", "The given buffer is not writable")
            if not isinstance(source, Path):
                source.seek(0)
            return torch.export.load(source)
    except (OSError, BadZipFile, ValueError, LookupError, RuntimeError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(f"{path} must be a network that torch exported: {reason}") from error


def _dangers(archive: ZipFile) -> Iterator[str]:
    """Yield what could run code when the file is loaded, in words."""
    for name in archive.namelist():
        if name.endswith("_config.json"):
            yield from _pickled(parsed(archive.read(name)))
        elif "/models/" in name or name == "serialized_exported_program.json":
            graph = parsed(archive.read(name))
            yield from (f"the size {one[:80]!r}" for one in _expressions(graph) if _risky(one))
        elif name.endswith(".pt") and not _plain(archive.read(name)):
            yield f"pickled objects that are no tensors, in {name}"


def _pickled(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the entries of a list of tensors that torch would unpickle without limits."""
    for tensor, told in config.get("config", {}).items():
        is_tensor = str(told.get("path_name", "")).startswith(("weight_", "tensor_"))
        if told.get("use_pickle") or not is_tensor:
            yield f"the pickled object {tensor!r}"


def _plain(content: bytes) -> bool:
    """Return whether a pickle holds tensors and containers only."""
    import torch  # noqa: PLC0415 - slow to load

    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception:  # noqa: BLE001 - torch does not document what it raises
        return False
    return True


def _expressions(graph: Any) -> Iterator[str]:
    """Yield the expressions that torch evaluates, of a graph's JSON."""
    waiting = [graph]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            if isinstance(text := here.get("expr_str"), str):
                yield text
            waiting += here.values()
        elif isinstance(here, list):
            waiting += here


def _risky(text: str) -> bool:
    """Return whether an expression names more than symbols, sympy's and torch's functions."""
    import sympy  # noqa: PLC0415 - slow to load
    from torch.utils._sympy import functions  # noqa: PLC0415 - slow to load

    def known(name: str) -> bool:
        if name in _SAID or _SYMBOL.fullmatch(name):
            return True
        made = getattr(sympy, name, None) or getattr(functions, name, None)
        return isinstance(made, type) and issubclass(made, sympy.Basic)

    return not (_SIGNS.fullmatch(text) and all(map(known, _NAME.findall(text))))
