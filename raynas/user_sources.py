"""A user's files as modules, here and on workers that cannot see the files.

A file given by its path (``space.py``) may import what lies beside it, as a script may, and what
its package holds. All of it is read, becomes modules below one name of the folder's own
(``raynas_user_1a2b3c4d.space``), and can travel as source. Imports of what lies beside are
rewritten to that name, so two folders may hold a ``helper.py`` each, and a file called like a
module of the standard library is found by its neighbours and by nobody else.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

PREFIX: Final = "raynas_user_"
_LIBRARY: Final = frozenset({"raynas", "search_spaces", "launch"})


@dataclass(frozen=True, slots=True)
class Source:
    """A module as text.

    Attributes:
        path: The file it was read from; the folder, if there is no file.
        text: What stands in it.
        package: Whether modules can lie below it.
    """

    path: str
    text: str
    package: bool


def collect(path: Path) -> tuple[str, dict[str, Source]]:
    """Return the module's name for a file, and what it imports of its folder, itself included.

    Imports inside functions count, too: a worker that runs them must have the modules.

    Args:
        path: A Python file; if its folder is a package, the package belongs to it.
    """
    path = path.resolve()
    base, parts = path.parent, [path.stem]
    while (base / "__init__.py").is_file():
        parts.insert(0, base.name)
        base = base.parent
    digest = hashlib.blake2b(str(base).encode(), digest_size=4).hexdigest()
    root = f"{PREFIX}{digest}"
    found: dict[str, Source] = {root: Source(str(base), "", package=True)}
    name = ".".join([root, *parts])
    waiting = [name]
    while waiting:
        asked = waiting.pop().split(".")
        for end in range(2, len(asked) + 1):
            part = ".".join(asked[:end])
            source = None if part in found else _read(base, asked[1:end])
            if source is not None:
                found[part] = source
                waiting += _wanted(part, source, base)
    return name, found


def install(sources: Mapping[str, Source]) -> None:
    """Make modules importable in this process; those of a folder in which one changed are new."""
    known = _FINDER.sources
    changed = {n.partition(".")[0] for n, one in sources.items() if known.get(n, one) != one}
    for name in [name for name in sys.modules if name.partition(".")[0] in changed]:
        del sys.modules[name]
    known.update(sources)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def installed() -> Mapping[str, Source]:
    """Return all that was installed in this process, to be installed in another."""
    return dict(_FINDER.sources)


def load(path: Path) -> ModuleType:
    """Return the module of a file, run anew, with what it imports of its folder as it is now.

    Whatever the code raises is raised here.
    """
    name, sources = collect(path)
    install(sources)
    sys.modules.pop(name, None)
    return importlib.import_module(name)


class _Finder(MetaPathFinder):
    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find what was installed."""
        del path, target
        if (source := self.sources.get(fullname)) is None:
            return None
        below: list[str] | None = [] if source.package else None
        loader = _Loader(source)
        return spec_from_file_location(
            fullname, source.path, loader=loader, submodule_search_locations=below
        )


class _Loader(Loader):
    def __init__(self, source: Source) -> None:
        self._source = source

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave that to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the source, its imports rewritten."""
        tree = ast.parse(self._source.text, self._source.path)
        rewritten = _Rewritten(module.__name__, self._source, _FINDER.sources).visit(tree)
        code = compile(ast.fix_missing_locations(rewritten), self._source.path, "exec")
        exec(code, module.__dict__)

    def get_source(self, fullname: str) -> str:
        """Return the source, for tracebacks on machines without the file."""
        del fullname
        return self._source.text


_FINDER: Final = _Finder()


class _Rewritten(ast.NodeTransformer):
    """Imports of what lies beside a module, by the full name."""

    def __init__(self, name: str, source: Source, known: Mapping[str, Source]) -> None:
        self._name, self._source, self._known = name, source, known

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for alias in node.names:
            full = self._full(alias.name)
            if full is None:
                made.append(ast.Import([alias]))
                continue
            top = alias.name.partition(".")[0]
            made.append(ast.Import([ast.alias(full, alias.asname or top)]))
            if alias.asname is None and full != self._full(top):  # import a.b binds a
                made.append(ast.Import([ast.alias(self._full(top) or top, top)]))
        return [ast.copy_location(one, node) for one in made]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        full = self._full(node.module) if node.module and not node.level else None
        if full is None:
            return node
        return ast.copy_location(ast.ImportFrom(full, node.names, 0), node)

    def _full(self, asked: str) -> str | None:
        top, _, below = asked.partition(".")
        for place in _places(self._name, self._source, top):
            if f"{place}.{top}" in self._known:
                return f"{place}.{top}.{below}" if below else f"{place}.{top}"
        return None


def _places(name: str, source: Source, top: str) -> Iterator[str]:
    """Yield the packages in which an absolute import may find ``top``, the nearest first."""
    package = name if source.package else name.rpartition(".")[0]
    script = "." not in package
    if top in _LIBRARY or (not script and top in sys.stdlib_module_names):
        return  # within a package, as everywhere else, the standard library comes first
    while package:
        if f"{package}.{top}" != name:
            yield package
        package = package.rpartition(".")[0]


def _wanted(name: str, source: Source, base: Path) -> Iterator[str]:
    """Yield the full names of what a module imports of its folder or package."""
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError):
        return  # running it will say so, with the line
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _placed(name, source, base, [alias.name])
        elif isinstance(node, ast.ImportFrom) and node.level:
            package = name.split(".") if source.package else name.split(".")[:-1]
            above = ".".join(package[: len(package) - node.level + 1])
            within = f"{above}.{node.module}" if node.module else above
            yield from (within, *(f"{within}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from _placed(name, source, base, names)


def _placed(name: str, source: Source, base: Path, asked: list[str]) -> Iterator[str]:
    """Yield names in the nearest package that holds the first of them."""
    for place in _places(name, source, asked[0].partition(".")[0]):
        below = place.split(".")[1:]
        if any(_file(base, [*below, *one.split(".")]) for one in asked):
            yield from (f"{place}.{one}" for one in asked)
            return


def _file(base: Path, parts: list[str]) -> Path | None:
    path = base.joinpath(*parts)
    choices = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((file for file in choices if file.is_file()), None)


def _read(base: Path, parts: list[str]) -> Source | None:
    folder = base.joinpath(*parts)
    if (file := _file(base, parts)) is not None:
        return Source(str(file), _text(file), package=file.name == "__init__.py")
    return Source(str(folder), "", package=True) if folder.is_dir() else None


def _text(file: Path) -> str:
    import tokenize  # noqa: PLC0415 - only here

    try:
        with tokenize.open(file) as opened:  # in the encoding that the file names
            return opened.read()
    except SyntaxError:
        return file.read_text(encoding="utf-8", errors="replace")
