"""Expressions of the written file; their numbers can become parameters of a class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from raynas.errors import RaynasError

WIDTH: Final = 99  # characters of a line
_STEP: Final = "    "
_LONG: Final = 60  # characters of an element, above which a comprehension has several lines
_FIRST: Final = 8  # the indentation of a statement in a method


class UnwritableError(RaynasError):
    """A network, or a part of it, cannot be written as source."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value; numbers and tuples of numbers may become parameters."""

    value: Any

    @property
    def free(self) -> bool:
        """Whether it may become a parameter."""
        parts = self.value if isinstance(self.value, tuple) and self.value else (self.value,)
        return all(isinstance(one, int | float) and not isinstance(one, bool) for one in parts)


@dataclass(frozen=True, slots=True)
class Raw:
    """Text that stays as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call.

    Attributes:
        name: The name of the parameter.
        value: The value.
        keyword: Whether the name is written.
        default: The value of a parameter that is left out; a tuple of it, so empty for none.
    """

    name: str
    value: Expression
    keyword: bool = False
    default: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function or class.

    Attributes:
        name: What is called.
        arguments: With what.
        own: Whether it is a class of the file.
    """

    name: str
    arguments: tuple[Argument, ...] = ()
    own: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list, or a dictionary if there are keys."""

    values: tuple[Expression, ...]
    keys: tuple[str, ...] | None = None


Expression = Literal | Raw | Call | Items


def call(name: str, *values: Expression) -> Call:
    """Return a call with positional arguments."""
    return Call(name, tuple(Argument("", value) for value in values))


def literals(expression: Expression, name: str = "") -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Yield each free literal: the name of its parameter, its value, the default."""
    match expression:
        case Literal(value) if expression.free:
            yield name, value, ()
        case Call(_, arguments):
            for one in arguments:
                for found, value, default in literals(one.value, one.name or name):
                    own = isinstance(one.value, Literal)
                    yield found, value, one.default if own else default
        case Items(values):
            for value in values:
                yield from literals(value, name)


def skeleton(expression: Expression) -> str:
    """Return what two expressions have in common if they differ only in free literals."""
    match expression:
        case Literal(value):
            return "#" if expression.free else plain_text(value)
        case Raw(text):
            return text
        case Call(name, arguments):
            parts = (f"{one.name}{one.default}={skeleton(one.value)}" for one in arguments)
            return f"{name}({', '.join(parts)})"
        case Items(values, keys):
            return f"{keys}[{', '.join(map(skeleton, values))}]"


class Writer:
    """Writes an expression, given the text for each of its free literals, in their order."""

    def __init__(self, texts: Sequence[str | None]) -> None:
        """Begin with the first text; none leaves an argument out."""
        self._texts = iter(texts)
        self._level = _FIRST

    def write(self, expression: Expression, indent: int) -> str:
        """Return the text, with line breaks where a line would be too long.

        Args:
            expression: What to write.
            indent: The characters before it in its first line.
        """
        match expression:
            case Literal(value):
                return (next(self._texts) or "") if expression.free else plain_text(value)
            case Raw(text):
                return text
            case Call(name, arguments):
                return self._wrapped(f"{name}(", arguments, ")", indent)
            case Items(values, None):
                return self._wrapped("[", [Argument("", one) for one in values], "]", indent)
            case Items(values, keys):
                pairs = zip(keys or (), values, strict=True)
                named = [Argument(f"{plain_text(key)}: ", one) for key, one in pairs]
                return self._wrapped("{", named, "}", indent)

    def _wrapped(self, opening: str, given: Sequence[Argument], closing: str, indent: int) -> str:
        if len(given) == 1 and _hugs(given[0].value):  # its bracket stays in the line
            return f"{opening}{self.write(given[0].value, indent + len(opening))}{closing}"
        self._level += len(_STEP)
        parts = [part for one in given if (part := self._argument(one)) is not None]
        self._level -= len(_STEP)
        return _wrapped(opening, parts, closing, indent)

    def _argument(self, one: Argument) -> str | None:
        value = one.value
        start = f"{one.name}=" if one.keyword else one.name if one.name.endswith(" ") else ""
        if not isinstance(value, Literal):
            return start + self.write(value, self._level + len(start))
        text = next(self._texts) if value.free else plain_text(value.value)
        if text is None or (not value.free and one.default == (value.value,)):
            return None
        return start + text


def _hugs(expression: Expression) -> bool:
    if isinstance(expression, Call) and expression.name == "OrderedDict":
        return True
    return isinstance(expression, Items) and bool(expression.values)


def plain_text(value: Any) -> str:
    """Return a value as it is written in source; texts are in double quotes."""
    if type(value) is tuple and value:
        inner = ", ".join(map(plain_text, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    text = repr(value)
    if isinstance(value, str) and text[0] == "'" and '"' not in text:
        return f'"{text[1:-1]}"'
    return text


def _wrapped(opening: str, parts: Sequence[str], closing: str, indent: int) -> str:
    """Return parts between brackets, one per line if they do not fit into one line."""
    folded = [*_folded(parts)]
    flat = f"{opening}{', '.join(folded)}{closing}"
    if len(folded) == 1 and folded[0].startswith("*") and opening == "[":
        flat = f"[{folded[0].removeprefix('*[')}"
    if "\n" not in flat and indent + len(flat) < WIDTH:  # a comma may follow
        return flat
    inner = ",\n".join(folded)
    lines = [f"{_STEP}{line}" for line in f"{inner},".splitlines()]
    return "\n".join([opening, *lines, closing])


def _indented(text: str) -> str:
    return "\n".join(f"{_STEP}{line}" for line in text.splitlines())


def _folded(parts: Sequence[str]) -> Iterator[str]:
    """Yield the parts; a run of equal calls becomes a comprehension."""
    for text, group in groupby(parts):
        count = len([*group])
        if count > 1 and text.endswith(")") and "=" not in text.partition("(")[0]:
            lines = (f"{text}", f"for _ in range({count})")
            broken = "\n" in text or len(text) > _LONG
            inner = "".join(f"\n{_indented(one)}" for one in lines) if broken else " ".join(lines)
            yield f"*[{inner}\n]" if broken else f"*[{inner}]"
        else:
            yield from [text] * count
