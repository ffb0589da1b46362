"""Check the type and the range of a recipe's fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from raynas.errors import ConfigError

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bool": "true or false",
        "str": "a name",
        "int": "a whole number",
        "float": "a finite number",
        "Mapping[str, Any]": "options by name",
    }
)


def checked(name: str, kind: str, value: object) -> object:
    """Return a value of a field's type; a whole number is accepted as a real one.

    Args:
        name: The field.
        kind: Its type, as it is written in the class.
        value: The value.

    Raises:
        ConfigError: The value is of another type.
    """
    match kind, value:
        case ("bool", bool()) | ("str", str()):
            return value
        case (("int" | "float"), bool()):
            pass
        case "int", int():
            return value
        case "float", int() | float() if math.isfinite(value):
            return float(value)
        case "Mapping[str, Any]", Mapping():
            return dict(value)
    raise ConfigError(f"{name} of the training recipe must be {_WORDS[kind]}: got {value!r}")


def check_ranges(recipe: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Check that fields are in their ranges.

    Raises:
        ConfigError: One is not.
    """
    for name, (low, high) in ranges.items():
        value = getattr(recipe, name)
        if not low <= value <= high:
            raise ConfigError(f"{low} <= {name} <= {high} must hold: got {value}")
