"""The training recipe, as one frozen class."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from raynas.errors import ConfigError, unknown

SCHEDULES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
        "linear": lambda progress: 1.0 - progress,
        "constant": lambda _: 1.0,
    }
)
"""Schedules: the learning rate as a share of its peak, by the share of finished training."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Stochastic gradient descent with Nesterov momentum, regularisation and augmentation.

    The search may decide any field: a decision ``training.lr`` overrides ``lr``.

    Attributes:
        batch_size: The largest number of examples per step; all steps have equal size.
        lr: Peak learning rate.
        schedule: How the learning rate falls after the warm-up: a name of ``SCHEDULES``.
        warmup: Share of all steps in which the learning rate rises linearly to the peak.
        momentum: The momentum of the gradient.
        nesterov: Whether to use Nesterov momentum (Sutskever et al., 2013, section 2).
        weight_decay: The weight decay of every parameter.
        label_smoothing: Share of the target spread over all classes (Szegedy et al., 2016,
            arXiv:1512.00567, section 7).
        grad_clip: Largest norm of the whole gradient; 0 for none.
        crop: Images get a black border of so many pixels, then a random window is cut out; 0 for
            none. For images only.
        flip: Whether half of the images are mirrored left to right. For images only.
        cutout: Side, in pixels, of a square set to the mean (DeVries & Taylor, 2017,
            arXiv:1708.04552); 0 for none. For images only.
    """

    batch_size: int = 128
    lr: float = 0.1
    schedule: str = "cosine"
    warmup: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    grad_clip: float = 0.0
    crop: int = 0
    flip: bool = False
    cutout: int = 0

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: A field has the wrong type or is out of its range.
        """
        for name, kind in _KINDS.items():
            object.__setattr__(self, name, _checked(name, kind, getattr(self, name)))
        if self.schedule not in SCHEDULES:
            raise ConfigError(unknown("schedule", self.schedule, SCHEDULES))
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{low} <= {name} <= {high} must hold: got {value}")
        if self.lr == 0.0:
            raise ConfigError("lr must be above 0: got 0")
        if self.nesterov and self.momentum == 0.0:
            raise ConfigError("nesterov needs a momentum above 0: got momentum=0, nesterov=true")

    def with_overrides(self, overrides: Mapping[str, object]) -> Recipe:
        """Return the recipe with some fields replaced.

        Raises:
            ConfigError: There is no such field, or it cannot have that value.
        """
        for name in overrides:
            if name not in _KINDS:
                raise ConfigError(unknown("field of the training recipe", name, _KINDS))
        return replace(self, **overrides)  # type: ignore[arg-type]  # checked in __post_init__

    def lr_at(self, progress: float) -> float:
        """Return the learning rate after the share ``progress`` of all steps."""
        if progress < self.warmup:
            return self.lr * progress / self.warmup
        return self.lr * SCHEDULES[self.schedule]((progress - self.warmup) / (1.0 - self.warmup))


def _checked(name: str, kind: str, value: object) -> object:
    """Return a value of the field's type; a whole number is accepted as a real one."""
    match kind, value:
        case ("bool", bool()) | ("str", str()):
            return value
        case (("int" | "float"), bool()):
            pass
        case "int", int():
            return value
        case "float", int() | float() if math.isfinite(value):
            return float(value)
    raise ConfigError(f"{name} of the training recipe must be {_WORDS[kind]}: got {value!r}")


_KINDS: Mapping[str, str] = MappingProxyType({f.name: str(f.type) for f in fields(Recipe)})
_WORDS = MappingProxyType(
    {
        "bool": "true or false",
        "str": "a name",
        "int": "a whole number",
        "float": "a finite number",
    }
)
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "batch_size": (2, math.inf),  # batch normalisation needs two examples
        "lr": (0.0, math.inf),
        "warmup": (0.0, 0.9),
        "momentum": (0.0, 1.0),
        "weight_decay": (0.0, math.inf),
        "label_smoothing": (0.0, 1.0),
        "grad_clip": (0.0, math.inf),
        "crop": (0, math.inf),
        "cutout": (0, math.inf),
    }
)
