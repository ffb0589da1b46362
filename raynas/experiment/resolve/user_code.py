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
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import raynas
from raynas import user_sources
from raynas.errors import ConfigError, DataError, RaynasError
from raynas.experiment.resolve import notebook_code
from raynas.options import local_path

# By name: the shipped spaces stand above the library, which finds them as it finds a user's.
SHIPPED: Final = importlib.import_module("search_spaces")
_ADDED: Final[list[str]] = []  # folders that raynas has added to sys.path, the latest first
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
    except (Exception, SystemExit) as error:
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
    look_in(Path.cwd())  # an installed command does not look where it is run
    _check_unique(where)
    _forget_other(where)
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


def look_in(folder: Path) -> None:
    """Let modules of a folder be imported, before those of folders that were given earlier.

    The folder comes after all folders of Python's own path, so that a file in it is not taken for
    a library that something else imports.
    """
    name = str(folder)
    if name in sys.path and name not in _ADDED:
        return
    sys.path[:] = [one for one in sys.path if one not in _ADDED]
    _ADDED[:] = [name, *(one for one in _ADDED if one != name)]
    sys.path += _ADDED


def module_file(reference: str) -> Path | None:
    """Return the user's own file of the module in a reference, without running it.

    None for a reference that names no module, and for a library's.
    """
    where, colon, _ = reference.partition(":")
    if where.endswith(".py") or not (colon or "." in where):
        return None
    parts = where.split(".")
    paths: list[str] | None = [*sys.path, str(Path.cwd())]
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), paths)
        if spec is None:
            return None
        paths = spec.submodule_search_locations
    found = spec.origin if spec else None
    return Path(found) if found and _is_own(found) and Path(found).is_file() else None


def _check_unique(where: str) -> None:
    """Refuse a module of the working folder that a library of the same name hides.

    Raises:
        ConfigError: There are both.
    """
    top = where.partition(".")[0]
    here = PathFinder.find_spec(top, [str(Path.cwd())])
    found = PathFinder.find_spec(top, sys.path)
    if here and here.origin and found and found.origin != here.origin:
        raise ConfigError(
            f"{where!r} must name one module, and there are {here.origin} and {found.origin}: "
            "rename yours, or give it as a file"
        )


def _forget_other(where: str) -> None:
    """Let a module be imported anew if another one of the user's has its name.

    So it is in a notebook that has searched in another working folder before.
    """
    top = where.partition(".")[0]
    loaded, spec = sys.modules.get(top), PathFinder.find_spec(top, sys.path)
    before = getattr(loaded, "__file__", None)
    if not before or not _is_own(before) or not spec or spec.origin in (None, before):
        return
    for name in [one for one in sys.modules if one.partition(".")[0] == top]:
        del sys.modules[name]


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


def own_line(error: BaseException) -> str | None:
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
            files = _files_beside(name)
            if not files and _is_typed(name):
                new = notebook_code.texts(reference)
                texts |= {f"{name}.{one}": text for one, text in new.items()}
        for file in files:
            texts[f"{file.parent.name}/{file.name}"] = file.read_bytes()
    return {
        name: hashlib.blake2b(text, digest_size=8).hexdigest()
        for name, text in sorted(texts.items())
    }


def _files_of(path: Path) -> list[Path]:
    sources = user_sources.collect(path)[1].values()
    return [Path(one.path) for one in sources if Path(one.path).is_file()]


def _files_beside(name: str) -> list[Path]:
    """Return the loaded files of a module of the user's, and of those in its folder and below."""
    own, top = [*_own_files()], name.partition(".")[0]
    folders = {
        file.parents[n.count(".") + (file.name == "__init__.py")]
        for n, file in own
        if n.partition(".")[0] == top and not top.startswith(user_sources.PREFIX)
    }
    # The script that starts runs is not part of them, unless they are given what stands in it.
    return [
        file
        for n, file in own
        if n.partition(".")[0] == top or (n != "__main__" and folders & {*file.parents})
    ]


def _is_typed(name: str) -> bool:
    """Say whether a module is the user's and has no file: a notebook, or a prompt."""
    return name == "__main__" and not getattr(sys.modules[name], "__file__", None)


def _own_files() -> Iterator[tuple[str, Path]]:
    for name, module in [*sys.modules.items()]:
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and _is_own(file) and Path(file).is_file():
            yield name, Path(file)


def _module_of(value: Any) -> str:
    while isinstance(value, partial):
        value = value.func
    if isinstance(value, ModuleType):
        return value.__name__
    return str(getattr(value, "__module__", None) or type(value).__module__)


def _is_own(file: str) -> bool:
    return not file.startswith(_LIBRARIES)


def _line(file: str, number: int | None, text: str | None) -> str:
    return f"{file}, line {number}: {(text or '').strip()}"
