"""Trials on Ray Tune: the only code that imports Ray.

Ray reads its environment when it is imported, so this is the place to set it; what the user has
set stays. What Tune reads when a Tuner starts is set only while raynas runs one (see
``tune_environment``): a user who puts a searcher of raynas into a Tuner keeps Tune as it is.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ENVIRONMENT: Final = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a warning on machines with a GPU
    "RAY_prestart_worker_first_driver": "0",  # Tune cannot use them, they only slow the start
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_WARN_THRESHOLD_S": "10",
}
_TUNE: Final = {
    "RAY_AIR_NEW_OUTPUT": "0",  # with it, verbose=0 still prints a banner
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the journal and TensorBoard are written here
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is answered by raynas
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # the journal is the truth; Tune's snapshot is not read
}
_PENDING: Final = {"TUNE_MAX_PENDING_TRIALS_PG": "1000"}  # the searcher lets in only what fits
_MINE: Final = os.environ  # noqa: TID251 - Ray and Tune take no other configuration
for _name, _value in _ENVIRONMENT.items():
    _MINE.setdefault(_name, _value)


@contextmanager
def tune_environment() -> Iterator[None]:
    """Set Tune's environment variables for a Tuner that raynas runs, then set them back."""
    before = dict(_MINE)
    _MINE.update({**_TUNE, **before, **_PENDING})
    try:
        yield
    finally:
        for name in (*_TUNE, *_PENDING):
            if name in before:
                _MINE[name] = before[name]
            else:
                _MINE.pop(name, None)
