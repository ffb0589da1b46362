"""Code that is the user's own: loading it, finding it again, and naming the line that failed."""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import raynas
from raynas import user_sources
from raynas.errors import ConfigError, DataError, RaynasError
from raynas.options import local_path

# By name: the shipped spaces stand above the library, which finds them as it finds a user's.
SHIPPED: Final = importlib.import_module("search_spaces")
_FOLDER: Final = re.compile(rf"\b{user_sources.PREFIX}[0-9a-f]+\.?")
_LIBRARIES: Final = (
    *(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")),
    *(path for package in (raynas, SHIPPED) for path in package.__path__),
    "<",  # code without a file, such as an import's or a dataclass's own
)


@contextmanager
def blamed(what: str) -> Iterator[None]:
    """Turn whatever code of the user's raises into one sentence with the line of theirs in it.

    Args:
        what: How the sentence calls the code, such as ``"task 'wine.py:Wine'"``.

    Raises:
        RaynasError: The code raised one; with the line, if it is not about data.
        ConfigError: The code raised anything else.
    """
    try:
        yield
    except Exception as error:
        line = own_line(error)
        if isinstance(error, RaynasError) and (line is None or isinstance(error, DataError)):
            raise
        said = str(error) if isinstance(error, RaynasError) else f"{type(error).__name__}: {error}"
        said = _FOLDER.sub("", said).replace("''", "'.'")  # the names that user_sources gives
        raise ConfigError(f"{what}: {said}{f' ({line})' if line else ''}") from error


def load_module(where: str) -> ModuleType:
    """Return the module of a file's path (``space.py``) or of a dotted name (``package.module``).

    Raises:
        RaynasError: There is none, or it raises.
    """
    if where.endswith(".py"):
        return _from_file(local_path("a file of yours", where))
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # an installed command does not look where it is run
    with blamed(f"module {where!r}"):
        try:
            return importlib.import_module(where)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{where}.".startswith(f"{error.name}."):
                raise  # something that the module itself imports
            raise ConfigError(
                f"there is no module {error.name!r}, asked for by {where!r} (looked in "
                f"{Path.cwd()} and among what is installed); a file is named with its .py"
            ) from error


def home_of(make: Callable[..., Any]) -> ModuleType | None:
    """Return the user's own top-level module that ``make`` comes from; none if a library's.

    Workers on other machines cannot import it. What was given by a file's path has none: it
    travels by itself, see ``raynas.user_sources``.
    """
    while isinstance(make, partial):
        make = make.func
    name = str(make.__module__)
    if name.startswith(user_sources.PREFIX):
        return None  # travels as source
    file = getattr(sys.modules.get(name), "__file__", None)
    return sys.modules.get(name.partition(".")[0]) if file and _is_own(file) else None


def own_line(error: Exception) -> str | None:
    """Return the innermost line of the user's that led to an error; none if there is none."""
    if isinstance(error, SyntaxError) and error.filename and _is_own(error.filename):
        return _line(error.filename, error.lineno, error.text)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_own(frame.filename):
            return _line(frame.filename, frame.lineno, frame.line)
    return None


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"there is no file {path} (looked in {Path.cwd()})")
    with blamed(str(path)):
        return user_sources.load(path)


def code_of(references: Iterable[Any]) -> dict[str, str]:
    """Return a digest of every file of the user's own that the references need, by its name.

    Args:
        references: What a user wrote, or gave as an object; already loaded.
    """
    texts: dict[str, bytes] = {}
    for reference in references:
        where = reference.partition(":")[0] if isinstance(reference, str) else ""
        if where.endswith(".py"):
            files = _files_of(local_path("a file of yours", where))
        else:
            name = where or _module_of(reference)
            files = [f for n, f in _own_files() if n.partition(".")[0] == name.partition(".")[0]]
        for file in files:
            texts[f"{file.parent.name}/{file.name}"] = file.read_bytes()
    return {
        name: hashlib.blake2b(text, digest_size=8).hexdigest()
        for name, text in sorted(texts.items())
    }


def _files_of(path: Path) -> list[Path]:
    sources = user_sources.collect(path)[1].values()
    return [Path(one.path) for one in sources if Path(one.path).is_file()]


def _own_files() -> Iterator[tuple[str, Path]]:
    for name, module in [*sys.modules.items()]:
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and _is_own(file) and Path(file).is_file():
            yield name, Path(file)


def _module_of(value: Any) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    return str(getattr(value, "__module__", None) or type(value).__module__)


def _is_own(file: str) -> bool:
    return not file.startswith(_LIBRARIES)


def _line(file: str, number: int | None, text: str | None) -> str:
    return f"{file}, line {number}: {(text or '').strip()}"
