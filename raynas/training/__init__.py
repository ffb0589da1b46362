"""Train a child epoch by epoch. The module ``recipe`` can be imported without torch."""

from raynas.training.recipe import Recipe

__all__ = ["Recipe"]
