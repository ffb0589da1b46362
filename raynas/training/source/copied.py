"""The author's own text of a ``forward``, with what it needs: methods, helpers, imports."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from types import FunctionType, ModuleType
from typing import Any, Final, cast

from torch import nn

from raynas.training.source.expressions import UnwritableError, plain_text

_OWN: Final = ("raynas", "search_spaces", "launch", "__main__")
_LONG: Final = 70  # characters
_USUAL: Final = {
    "torch.nn.functional": "import torch.nn.functional as F",
    "torch.nn": "from torch import nn",
    "torch": "import torch",
}


@dataclass(slots=True)
class Surroundings:
    """What stands around the classes of the file.

    Attributes:
        imports: The lines that import, by the name that they bind.
        helpers: Functions, classes and constants that are copied, by name, in their order.
    """

    imports: dict[str, str] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)

    def need(self, name: str, value: Any) -> None:
        """Provide a name that copied text reads.

        Raises:
            UnwritableError: What it means cannot be copied, or the name means two things.
        """
        if name in self.names:
            if self.names[name] is not value and self.names[name] != value:
                raise UnwritableError(f"the name {name!r} means two things")
            return
        self.names[name] = value
        if line := _imported(name, value):
            self.imports[name] = line
        elif isinstance(value, FunctionType | type):
            self._copy(name, value)
        else:
            text = self.text_of(value)
            self.helpers[name] = f"{name} = {text}"

    def _copy(self, name: str, value: Any) -> None:
        if isinstance(value, type) and issubclass(value, nn.Module):
            raise UnwritableError(f"it makes or names the class {name} as it computes")
        text = source_of(value)
        node = ast.parse(text).body[0]
        if getattr(node, "name", name) != name:
            raise UnwritableError(f"{name!r} is another name of {getattr(node, 'name', '?')!r}")
        module = sys.modules.get(value.__module__)
        self.read(node, vars(module) if module else {})
        self.helpers[name] = text.rstrip()

    def read(self, node: ast.AST, known: dict[str, Any]) -> None:
        """Provide all global names that a piece of code reads."""
        for name in _read_names(node):
            if name in known:
                self.need(name, known[name])
            elif not hasattr(builtins, name):
                raise UnwritableError(f"the name {name!r} is not known")
        for name in _annotated_names(node):
            if name in known and name not in self.names and _imported(name, known[name]):
                self.need(name, known[name])

    def text_of(self, value: Any) -> str:
        """Return a value as text, with the classes of what is in it.

        Raises:
            UnwritableError: It is no plain data.
        """
        if is_plain(value):
            return plain_text(value)
        if is_dataclass(value) and not isinstance(value, type):
            self.need(type(value).__name__, type(value))
            parts = [self.text_of(getattr(value, one.name)) for one in fields(value)]
            return f"{type(value).__name__}({', '.join(parts)})"
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            self.need(type(value).__name__, type(value))
            return f"{type(value).__name__}({', '.join(map(self.text_of, value))})"
        if isinstance(value, tuple | list | set | frozenset):
            return self._collected(value)
        if isinstance(value, dict):
            pairs = (f"{self.text_of(k)}: {self.text_of(v)}" for k, v in value.items())
            return "{" + ", ".join(pairs) + "}"
        raise UnwritableError(f"a {type(value).__name__} is no plain value")

    def _collected(self, value: Any) -> str:
        inner = sorted(value) if isinstance(value, set | frozenset) else value
        texts = [*map(self.text_of, inner)]
        parts = ", ".join(texts)
        if len(parts) > _LONG and type(value) in (tuple, list):
            lines = "".join(f"    {text},\n" for text in texts)
            return f"(\n{lines})" if type(value) is tuple else f"[\n{lines}]"
        if type(value) is tuple:
            return f"({parts},)" if len(value) == 1 else f"({parts})"
        if type(value) is list:
            return f"[{parts}]"
        if isinstance(value, set | frozenset):
            return f"{type(value).__name__}([{parts}])"
        raise UnwritableError(f"a {type(value).__name__} is no plain value")


@dataclass(frozen=True, slots=True)
class Copied:
    """Methods as text, and what they read of the layer.

    Attributes:
        methods: ``forward`` and the methods that it calls.
        attributes: Values by name, beside parts and tensors.
    """

    methods: list[str]
    attributes: dict[str, Any]


def copied(layer: nn.Module, around: Surroundings, *, plain: bool) -> Copied:
    """Return the text of ``forward`` and of all that it calls.

    Args:
        layer: The layer.
        around: Is given what the text needs beside the layer.
        plain: Whether the layer's values must be plain; if not, they may be structures.

    Raises:
        UnwritableError: The text needs something that cannot be written.
    """
    methods: dict[str, str] = {}
    attributes: dict[str, Any] = {}
    waiting = ["forward"]
    while waiting:
        name = waiting.pop(0)
        if name in methods:
            continue
        function = _function(type(layer), name)
        methods[name] = source_of(inspect.getattr_static(type(layer), name))
        node = ast.parse(methods[name]).body[0]
        around.read(node, function.__globals__)
        for read in _of_self(node):
            if _is_part(layer, read):
                continue
            if read not in vars(layer) and _is_method(type(layer), read):
                waiting.append(read)
            elif not hasattr(nn.Module, read) and read != "training":
                attributes[read] = _attribute(layer, read, plain=plain)
    return Copied([*methods.values()], attributes)


def is_plain(value: Any) -> bool:
    """Return whether a value is a number, a text, or a tuple of these."""
    if type(value) is tuple or type(value) is list:
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def source_of(value: Any) -> str:
    """Return the source of a function or class, not indented.

    Raises:
        UnwritableError: There is none.
    """
    value = getattr(value, "fget", None) or getattr(value, "__func__", None) or value
    try:
        return textwrap.dedent(inspect.getsource(value)).rstrip()
    except (OSError, TypeError) as error:
        raise UnwritableError(f"the source of {value!r} is not there") from error


def _attribute(layer: nn.Module, name: str, *, plain: bool) -> Any:
    try:
        value = getattr(layer, name)
    except AttributeError as error:
        raise UnwritableError(f"forward reads {name}, which is not there") from error
    if plain and not is_plain(value):
        raise UnwritableError(f"{name} is no plain value")
    return value


def _function(kind: type, name: str) -> FunctionType:
    found = inspect.getattr_static(kind, name)
    found = getattr(found, "fget", None) or getattr(found, "__func__", None) or found
    if not isinstance(found, FunctionType) or found.__code__.co_freevars:
        raise UnwritableError(f"{name} needs more than its text")  # such as super()
    return found


def _is_part(layer: nn.Module, name: str) -> bool:
    return any(
        name in parts
        for parts in (layer._modules, layer._parameters, layer._buffers)  # noqa: SLF001
    )


def _is_method(kind: type, name: str) -> bool:
    for base in kind.__mro__:
        if name in vars(base):
            found = vars(base)[name]
            own = not base.__module__.startswith("torch.nn")
            return own and isinstance(found, FunctionType | property | staticmethod | classmethod)
    return False


def _of_self(node: ast.AST) -> Iterator[str]:
    for one in cast("Iterator[Any]", ast.walk(node)):
        read = isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name)
        if read and one.value.id == "self":
            yield one.attr


def _annotations(node: ast.AST) -> Iterator[ast.AST]:
    for one in ast.walk(node):
        for name in ("annotation", "returns"):
            if (found := getattr(one, name, None)) is not None:
                yield found


def _annotated_names(node: ast.AST) -> set[str]:
    return {
        one.id
        for each in _annotations(node)
        for one in ast.walk(each)
        if isinstance(one, ast.Name)
    }


def _read_names(node: ast.AST) -> set[str]:
    """Return the names that code reads and does not bind itself; annotations are not read."""
    annotations = {id(one) for each in _annotations(node) for one in ast.walk(each)}
    names = [one for one in ast.walk(node) if isinstance(one, ast.Name)]
    bound = {one.id for one in names if not isinstance(one.ctx, ast.Load)}
    bound |= {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}
    bound |= {
        one.name
        for one in ast.walk(node)
        if isinstance(one, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and one.name
    }
    bound |= {
        one.name or "" for one in ast.walk(node) if isinstance(one, ast.MatchAs | ast.MatchStar)
    }
    read = {
        one.id for one in names if isinstance(one.ctx, ast.Load) and id(one) not in annotations
    }
    return read - bound


def _imported(name: str, value: Any) -> str:
    """Return the line that imports a value; empty if it is not from a library."""
    if isinstance(value, ModuleType):
        if _is_own(value.__name__):
            raise UnwritableError(f"it reads the module {value.__name__} as it computes")
        usual = _USUAL.get(value.__name__, "")
        if usual.split()[-1] == name if usual else False:
            return usual
        return f"import {value.__name__}" + ("" if name == value.__name__ else f" as {name}")
    home, called = getattr(value, "__module__", None), getattr(value, "__name__", name)
    if isinstance(value, type | FunctionType) and isinstance(home, str) and not _is_own(home):
        module: Any = sys.modules.get(home)
        if getattr(module, called, None) is value:
            return f"from {home} import {called}" + ("" if name == called else f" as {name}")
    public: Callable[..., Any] = value
    if called == name and getattr(sys.modules.get("torch"), name, None) is public:
        return f"from torch import {name}"
    if home == "typing":  # such as Any
        return f"from typing import {name}"
    return ""


def _is_own(module: str) -> bool:
    """Return whether a module is a space's or a user's, and not a library's."""
    root = module.partition(".")[0]
    if root in _OWN or root.startswith("raynas_user_"):
        return True
    if root in sys.stdlib_module_names:
        return False
    file = str(getattr(sys.modules.get(root), "__file__", "") or "")
    return "site-packages" not in file and "dist-packages" not in file
