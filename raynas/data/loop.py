"""A task's own training loop, and the data of a loop that makes or loads them itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Loop:
    """A task's own training loop.

    Attributes:
        fit: ``fit(child, context)`` trains the child. It is a generator that yields metrics by
            name after every epoch, or a function that calls ``context.report`` with them.
            ``context`` is a ``raynas.training.loop_context.LoopContext``.
        test: ``test(child, context)`` returns the winner's metrics; none for the last metrics of
            its training.
    """

    fit: Callable[..., Any]
    test: Callable[..., Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class LoopData:
    """What ``load`` returns for a task whose loop has its own data, such as an environment.

    Attributes:
        brief: What ``build`` may ask for by name, such as ``input_shape`` and ``outputs``.
        example: Inputs of two or more examples, as the network gets them, such as
            ``[examples, features]`` float32, or a tree of arrays; none for zeros of the shape
            ``input_shape`` in the brief. Networks are measured with it.
        content: Anything that the loop needs, as ``context.data.content``.
        fingerprint: A text that differs if the data differ; a run is resumed only with the same.
    """

    brief: Mapping[str, Any] = field(default_factory=dict)
    example: Any = None
    content: Any = None
    fingerprint: str = ""

    @property
    def told(self) -> Mapping[str, Any]:
        """All that ``build`` may ask for by name."""
        return self.brief

    def describe(self) -> dict[str, object]:
        """Return what a journal recognises the data by."""
        return {"fingerprint": self.fingerprint}
