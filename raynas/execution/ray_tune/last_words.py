"""Why a worker has ended its own process: it can tell the driver nothing else.

Its main thread may wait without end, for example in a call of CUDA. So another thread of it leaves
the reason in the key-value store of the cluster, where the driver finds it.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from ray.experimental import internal_kv

from raynas.trial import Failed

_PLACE = "raynas"


def leave(trial_id: str, failed: Failed) -> None:
    """Leave the failure of a trial of Tune; its number is that of the run."""
    internal_kv._internal_kv_put(trial_id, json.dumps(asdict(failed)), namespace=_PLACE)  # noqa: SLF001


def taken(trial_id: str) -> Failed | None:
    """Return the failure that a worker has left, and delete it; none if there is none."""
    left = internal_kv._internal_kv_get(trial_id, namespace=_PLACE)  # noqa: SLF001
    if left is None:
        return None
    internal_kv._internal_kv_del(trial_id, namespace=_PLACE)  # noqa: SLF001
    return Failed(**json.loads(left))
