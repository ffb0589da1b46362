"""Detect a run in which the first trials all fail for the same reason."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from raynas.errors import ConfigError
from raynas.trial import Failed

_MOST: Final = 10
_VARYING: Final = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?")  # numbers may differ in the same reason


@dataclass(slots=True)
class FailingAlike:
    """Counts the failures of this process before any trial reported."""

    _reasons: list[str] = field(default_factory=list)
    _trained: bool = False

    def trained(self) -> None:
        """Record that a trial has reported: so networks can be trained."""
        self._trained = True

    def failed(self, outcome: Failed) -> None:
        """Record a failure.

        Raises:
            ConfigError: It is the tenth with the same reason, and no trial has reported.
        """
        if self._trained or outcome.cause == "part":
            return
        self._reasons.append(_VARYING.sub("#", outcome.reason))
        if len(self._reasons) >= _MOST and len(set(self._reasons)) == 1:
            raise ConfigError(
                f"the first {len(self._reasons)} trials all failed for the same reason: "
                f"{outcome.reason}. The cause is probably something that they share, such as an "
                "option of the space or the task: 'raynas check' with the same settings tests it "
                "without a search; --max-failures N lets the search go on until N trials failed"
            )
