"""Send a user's objects to the processes that load data."""

from __future__ import annotations

from typing import Any

import cloudpickle


class Shipped:
    """An object that is pickled by ``cloudpickle``.

    The processes of a ``DataLoader`` get their data set by ``pickle``, which cannot send a class
    that was defined in a notebook or in a file that is not importable.
    """

    def __init__(self, content: Any) -> None:
        """Keep the object."""
        self._content = content

    @classmethod
    def of(cls, content: Any, workers: int) -> Any:
        """Return the object itself if it stays in this process, else an object that acts as it."""
        return cls(content) if workers else content

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the object by value."""
        return cloudpickle.loads, (cloudpickle.dumps(self._content),)

    def __len__(self) -> int:
        """Return the length of the data set."""
        return len(self._content)

    def __getitem__(self, at: Any) -> Any:
        """Return an example."""
        return self._content[at]

    def __call__(self, *given: Any) -> Any:
        """Call the function."""
        return self._content(*given)
