"""Fields of the recipe as decisions, for searches that tune them with the architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from raynas.errors import ConfigError, unknown
from raynas.space import Choice, Float, Int, Node
from raynas.training.recipe import SCHEDULES, Recipe


def _around(least: float, most: float) -> Callable[[float], Node]:
    """Return a function for a log-uniform range from a tenth to ten times a value, in bounds."""

    def around(value: float) -> Node:
        middle = value or least
        return Float(max(least, middle / 10), min(most, middle * 10), log=True)

    return around


def _sizes(value: float) -> Node:
    return Int(max(2, int(value) // 4), int(value) * 4, log=True)


_RANGES: Final[Mapping[str, Callable[[float], Node]]] = MappingProxyType(
    {
        "lr": _around(1e-5, 10.0),
        "weight_decay": _around(1e-6, 0.1),
        "batch_size": _sizes,
        "momentum": lambda _: Float(0.5, 0.99),
        "label_smoothing": lambda _: Float(0.0, 0.3),
        "warmup": lambda _: Float(0.0, 0.3),
        "schedule": lambda _: Choice(tuple(SCHEDULES)),
    }
)


def tuned(recipe: Recipe, names: Iterable[str]) -> dict[str, Node]:
    """Return fields of a recipe as decisions, in ranges around its values.

    ``lr`` and ``weight_decay`` range from a tenth to ten times the value, ``batch_size`` from a
    quarter to four times. For other ranges, put decisions named ``training.lr`` into the space.

    Raises:
        ConfigError: A field is unknown or cannot be tuned.
    """
    for name in names:
        if name not in _RANGES:
            raise ConfigError(unknown("field of the training recipe to tune", name, _RANGES))
    return {name: _RANGES[name](getattr(recipe, name)) for name in names}
