"""Linear algebra on one thread.

The matrices of searchers are small, and trials use the processor cores at the same time. Several
BLAS threads would wait for each other longer than they compute.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


def on_one_thread(decide: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Let BLAS use one thread while the function runs; afterwards the old number is restored.

    The first call loads SciPy's linear algebra, if it is not loaded yet.
    """

    @wraps(decide)
    def decided(*args: _Given.args, **options: _Given.kwargs) -> _Returned:
        with _libraries().limit(limits=1, user_api="blas"):
            return decide(*args, **options)

    return decided


@cache
def _libraries() -> Any:
    """Return the control of the libraries; it is kept, because finding them takes long."""
    import scipy.linalg  # noqa: F401, PLC0415 - only a loaded library is found
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - only some need it

    return ThreadpoolController()
