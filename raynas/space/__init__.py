"""Search spaces: pure Python, without torch and Ray."""

from raynas.space.architecture import Architecture
from raynas.space.decision import Decision
from raynas.space.joined import joined
from raynas.space.nodes import Choice, Domain, Node, Repeat
from raynas.space.numbers import Float, Int
from raynas.space.priors import with_priors
from raynas.space.space import Space
from raynas.space.values import Value

__all__ = [
    "Architecture",
    "Choice",
    "Decision",
    "Domain",
    "Float",
    "Int",
    "Node",
    "Repeat",
    "Space",
    "Value",
    "joined",
    "with_priors",
]
