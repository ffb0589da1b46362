"""Run trials on Ray Tune. No other package of raynas imports Ray.

Ray reads environment variables when it is imported, so they are set here, except for those that
the user has set. Tune reads other variables when a Tuner starts; they are set only while raynas
runs a Tuner (see ``tune_environment``), so that a user's own Tuner is not changed.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ENVIRONMENT: Final = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a warning on machines with a GPU
    # On a busy machine the server of a new Ray, and a worker, take longer than Ray waits for them.
    "RAY_gcs_server_port_wait_time_s": "600",
    "RAY_prestart_worker_first_driver": "0",  # Tune cannot use such workers; starting them is slow
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_register_timeout_seconds": "600",
    "TUNE_WARN_THRESHOLD_S": "10",
}
_TUNE: Final = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints a banner even with verbose=0
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # raynas writes the journal and TensorBoard itself
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # raynas handles Ctrl-C
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # raynas resumes from the journal, not from Tune's state
}
_PENDING: Final = {"TUNE_MAX_PENDING_TRIALS_PG": "1000"}  # raynas gives Tune only trials that fit
_MINE: Final = os.environ  # noqa: TID251 - Ray and Tune take no other configuration
for _name, _value in _ENVIRONMENT.items():
    _MINE.setdefault(_name, _value)
# In a notebook, Ray asks for a package that only its own output needs.
logging.getLogger("ray.widgets.util").setLevel(logging.WARNING)


@contextmanager
def tune_environment() -> Iterator[None]:
    """Set Tune's environment variables while raynas runs a Tuner, then restore them."""
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
