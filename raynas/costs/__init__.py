"""What a child costs: its parameters and its multiply-adds."""

from raynas.costs.count import Costs, measure

__all__ = ["Costs", "measure"]
