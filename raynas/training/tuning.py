"""Fields of the recipe as decisions, for searches that tune them with the architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from raynas.errors import ConfigError, unknown
from raynas.space import Choice, Float, Int, Node
from raynas.training.recipe import Recipe
from raynas.training.recipe.optimization import USUAL

_OPTIMIZERS: Final = ("sgd", "adamw")
_SCHEDULES: Final = ("cosine", "linear", "constant")
_BOUNDS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"lr": (1e-5, 10.0), "weight_decay": (1e-6, 0.1)}
)


def _around(name: str) -> Callable[[Recipe], Node]:
    """Return a function for a log-uniform range from a tenth to ten times a value, in bounds."""

    def around(recipe: Recipe) -> Node:
        return _spanning(name, getattr(recipe, name))

    return around


def _spanning(name: str, *values: float) -> Node:
    """Return a log-uniform range from a tenth of the least to ten times the largest value."""
    least, most = _BOUNDS[name]
    found = [value or least for value in values]
    high = max(min(most, max(found) * 10), *found)
    return Float(max(least, min(found) / 10), high, log=True)


def _sizes(recipe: Recipe) -> Node:
    return Int(max(2, recipe.batch_size // 4), recipe.batch_size * 4, log=True)


_RANGES: Final[Mapping[str, Callable[[Recipe], Node]]] = MappingProxyType(
    {
        "lr": _around("lr"),
        "weight_decay": _around("weight_decay"),
        "batch_size": _sizes,
        "momentum": lambda _: Float(0.5, 0.99),
        "label_smoothing": lambda _: Float(0.0, 0.3),
        "warmup": lambda _: Float(0.0, 0.3),
        "schedule": lambda _: Choice(_SCHEDULES),
        "optimizer": lambda _: Choice(_OPTIMIZERS),
        "decay_norms": lambda _: Choice((True, False)),
        "randaugment": lambda _: Int(0, 3),
        "magnitude": lambda _: Int(1, 30),
        "mixup": lambda _: Float(0.0, 0.8),
        "cutmix": lambda _: Float(0.0, 1.0),
    }
)


def tuned(recipe: Recipe, names: Iterable[str]) -> dict[str, Node]:
    """Return fields of a recipe as decisions, in ranges around its values.

    ``lr`` and ``weight_decay`` range from a tenth to ten times the value, ``batch_size`` from a
    quarter to four times. If ``optimizer`` is tuned too, the ranges of ``lr`` and ``weight_decay``
    cover the usual values of each optimizer. For other ranges, put decisions named ``training.lr``
    into the space.

    Raises:
        ConfigError: A field is unknown, cannot be tuned, or means nothing for an optimizer that
            can be chosen.
    """
    names = [*names]
    for name in names:
        if name not in _RANGES:
            raise ConfigError(unknown("field of the training recipe to tune", name, _RANGES))
    nodes = {name: _RANGES[name](recipe) for name in names}
    return nodes | _of_optimizers(recipe, nodes) if "optimizer" in nodes else nodes


def _of_optimizers(recipe: Recipe, nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Return the decisions that are different because the optimizer is tuned."""
    if "momentum" in nodes:
        raise ConfigError(
            "momentum means nothing for adamw, which can be chosen if optimizer is tuned: tune "
            "optimizer or momentum"
        )
    usual = [USUAL[name] for name in _OPTIMIZERS]
    ranges = {
        "lr": _spanning("lr", recipe.lr, *(lr for lr, _ in usual)),
        "weight_decay": _spanning("weight_decay", recipe.weight_decay, *(d for _, d in usual)),
    }
    return {name: node for name, node in ranges.items() if name in nodes}
