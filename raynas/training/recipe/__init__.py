"""The training recipe: one frozen value, made of groups of fields. It needs no torch."""

from raynas.training.recipe.recipe import LEAST_ROWS, Recipe
from raynas.training.recipe.schedule import SCHEDULES

__all__ = ["LEAST_ROWS", "SCHEDULES", "Recipe"]
