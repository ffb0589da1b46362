"""The signals that end the command. A process has only one set of signal handlers."""

from typing import Final

from raynas.execution.interruption import Interruption

INTERRUPTION: Final = Interruption()
"""Knows whether a signal has asked the command to end; ``main`` installs its handlers."""
