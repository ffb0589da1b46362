"""Training a child: one loop, epoch by epoch. The recipe is readable without torch."""

from raynas.training.recipe import Recipe

__all__ = ["Recipe"]
