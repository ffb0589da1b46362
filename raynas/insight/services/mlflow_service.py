"""MLflow: a run for each trial, in the experiment of its search."""

from __future__ import annotations

import re
import time
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from raynas.insight.services.entry import Entry

_NAME: Final = re.compile(r"[^\w\-. /:]")  # what the names of MLflow must not have
_METRICS: Final = 1000  # in one request
_PARAMS: Final = 100


class MLflow:
    """Writes to the server or store that ``MLFLOW_TRACKING_URI`` names."""

    def __init__(self) -> None:
        """Connect."""
        self._client = MlflowClient()
        self._runs: dict[str, str] = {}

    def log(self, entry: Entry) -> None:
        """Write a run, or what is new of it."""
        client, now = self._client, int(time.time() * 1000)
        run = self._run(entry)
        metrics = [
            Metric(_NAME.sub("_", name), float(value), now, epoch)
            for epoch, known in entry.steps
            for name, value in known.items()
        ]
        params = [Param(_NAME.sub("_", path), str(value)) for path, value in entry.decided.items()]
        for at in range(0, len(params), _PARAMS):
            client.log_batch(run, params=params[at : at + _PARAMS])
        for at in range(0, len(metrics), _METRICS):
            client.log_batch(run, metrics=metrics[at : at + _METRICS])
        client.set_tag(run, "status", entry.status)
        client.set_terminated(run, "FAILED" if entry.failed else "FINISHED")

    def _run(self, entry: Entry) -> str:
        """Return the id of the run of an entry; an earlier process may have begun it."""
        if entry.name in self._runs:
            return self._runs[entry.name]
        known = self._client.get_experiment_by_name(entry.search)
        experiment = known.experiment_id if known else self._client.create_experiment(entry.search)
        found = self._client.search_runs([experiment], f"run_name = '{entry.name}'")
        run = found[0] if found else self._client.create_run(experiment, run_name=entry.name)
        self._runs[entry.name] = str(run.info.run_id)
        return self._runs[entry.name]
