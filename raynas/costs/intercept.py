"""Standing between a network and torch. Loads torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class Intercept(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Within it, a function of one's own computes every operation, also those of backward.

    Hooks of modules would not see calls such as ``torch.nn.functional.relu``, and would see what
    an operation in place has left of its input.
    """

    def __init__(self, compute: Callable[[Any, Sequence[Any], Mapping[str, Any]], Any]) -> None:
        """Take ``compute``: given an operation, its arguments and keywords, it returns the result.

        It is not intercepted itself.
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
        """Nothing is compiled in here; saying so spares two seconds of loading the compiler."""
        return False
