"""The signals that the command answers; one process, one set of signals."""

from typing import Final

from raynas.execution.interruption import Interruption

INTERRUPTION: Final = Interruption()
"""Whether a signal asks the command to end; ``main`` listens."""
