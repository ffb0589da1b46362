"""Intercept the operations of a network. Loads torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class Intercept(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Inside this context, a given function computes every operation, also in the backward pass.

    Hooks of modules would miss calls such as ``torch.nn.functional.relu``, and after an in-place
    operation they would see a changed input.
    """

    def __init__(self, compute: Callable[[Any, Sequence[Any], Mapping[str, Any]], Any]) -> None:
        """Keep ``compute``: it gets an operation, its arguments and keywords, returns the result.

        Operations inside ``compute`` are not intercepted.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._compute = compute

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Let the function compute."""
        return self._compute(func, args, kwargs or {})

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return false: nothing is compiled here, and torch need not load its compiler (2 s)."""
        return False
