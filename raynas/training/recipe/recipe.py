"""The training recipe, as one frozen class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Final

from raynas.errors import ConfigError, unknown
from raynas.training.recipe.augmentation import Augmentation
from raynas.training.recipe.fields import checked
from raynas.training.recipe.optimization import USUAL, Optimization
from raynas.training.recipe.regularisation import Regularisation
from raynas.training.recipe.schedule import Schedule

LEAST_ROWS: Final = 2
"""The examples that each of several processes gets of a batch; batch normalisation needs two."""


@dataclass(frozen=True)
class Recipe(Augmentation, Regularisation, Schedule, Optimization):
    """How a child is trained: optimizer, learning rate, regularisation and augmentation.

    The search may decide any field: a decision ``training.lr`` overrides ``lr``. The fields are
    those of ``Optimization``, ``Schedule``, ``Regularisation`` and ``Augmentation``, all on one
    level.
    """

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: A field has the wrong type or is out of its range.
        """
        for name, kind in _KINDS.items():
            object.__setattr__(self, name, checked(name, kind, getattr(self, name)))
        self.check_optimization()
        self.check_schedule()
        self.check_regularisation()
        self.check_augmentation()

    def with_overrides(self, overrides: Mapping[str, object]) -> Recipe:
        """Return the recipe with some fields replaced.

        If the optimizer changes, ``lr``, ``weight_decay`` and ``optimizer_options`` are those that
        are usual for the new one, unless they are replaced too.

        Raises:
            ConfigError: There is no such field, it cannot have that value, or it means nothing for
                the optimizer.
        """
        for name in overrides:
            if name not in _KINDS:
                raise ConfigError(unknown("field of the training recipe", name, _KINDS))
        start = self._with_optimizer(overrides.get("optimizer", self.optimizer))
        found: Recipe = replace(start, **overrides)  # type: ignore[arg-type]  # checked when made
        found.check_meaning(overrides)
        return found

    def check_workers(self, count: int) -> None:
        """Check that each of several processes gets a part of every batch.

        Raises:
            ConfigError: It does not, so that all would do the same work.
        """
        if count > 1 and self.batch_size < LEAST_ROWS * count:
            most = max(1, self.batch_size // LEAST_ROWS)
            raise ConfigError(
                f"each of {count} workers of a trial must get {LEAST_ROWS} or more examples of a "
                f"batch, and batch_size is {self.batch_size}: give workers_per_trial={most}, or a "
                f"training.batch_size of at least {LEAST_ROWS * count}"
            )

    def _with_optimizer(self, name: object) -> Recipe:
        if not isinstance(name, str) or name not in USUAL or name == self.optimizer:
            return self  # a wrong name is refused when it is set
        lr, weight_decay = USUAL[name]
        return replace(
            self, optimizer=name, optimizer_options={}, lr=lr, weight_decay=weight_decay
        )


_KINDS: Mapping[str, str] = MappingProxyType({f.name: str(f.type) for f in fields(Recipe)})
