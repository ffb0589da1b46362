"""Linear algebra on one thread.

The matrices of searchers are small, and while they decide, trials have the processors: threads of
BLAS would wait for each other longer than they compute.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


def on_one_thread(decide: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Let BLAS use one thread while the function runs; how many it uses otherwise stays as it is.

    The first call loads SciPy's linear algebra, if nobody else has.
    """

    @wraps(decide)
    def decided(*args: _Given.args, **options: _Given.kwargs) -> _Returned:
        with _libraries().limit(limits=1, user_api="blas"):
            return decide(*args, **options)

    return decided


@cache
def _libraries() -> Any:
    """Return the control of the libraries; looking for them takes longer than most decisions."""
    import scipy.linalg  # noqa: F401, PLC0415 - to be found, a library has to be loaded
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - only some need it

    return ThreadpoolController()
