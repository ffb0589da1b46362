"""Trials on Ray Tune: the only code that imports Ray.

Ray reads its environment when it is imported, so this is the place to set it; what the user has
set stays.
"""

import os
from typing import Final

_ENVIRONMENT: Final = {
    "RAY_AIR_NEW_OUTPUT": "0",  # with it, verbose=0 still prints a banner
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a warning on machines with a GPU
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_prestart_worker_first_driver": "0",  # Tune cannot use them, they only slow the start
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the journal and TensorBoard are written here
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is answered by raynas
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # the journal is the truth; Tune's snapshot is not read
    "TUNE_WARN_THRESHOLD_S": "10",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)  # noqa: TID251 - Ray takes no other configuration
