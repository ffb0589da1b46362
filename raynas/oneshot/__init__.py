"""One-shot search: a supernet from a space's own ``build``, and the methods that train it.

A space that asks for its operations by ``choose`` serves all methods. Loads no torch.
"""

from raynas.oneshot.choose import Undecided, choose
from raynas.oneshot.relaxation import Relaxation

__all__ = ["Relaxation", "Undecided", "choose"]
