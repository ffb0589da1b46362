"""Weights & Biases: a run for each trial, in the group of its search."""

from __future__ import annotations

import hashlib

import wandb

from raynas.insight.services.entry import Entry


class WandB:
    """Writes to the project that ``WANDB_PROJECT`` names, else to ``raynas``.

    The package reads its own settings from the environment, such as ``WANDB_MODE=offline``.
    """

    def __init__(self) -> None:
        """Prepare for runs in a thread, which write nothing to the terminal."""
        known = wandb.setup()
        self._project = known.settings.project or "raynas"
        self._settings = wandb.Settings(console="off", silent=True)

    def log(self, entry: Entry) -> None:
        """Write a run, or what is new of it."""
        said = f"{entry.search}/{entry.name}"
        run = wandb.init(
            project=self._project,
            group=entry.search,
            name=entry.name,
            id=hashlib.sha256(said.encode()).hexdigest()[:16],  # signs that are not allowed there
            config=dict(entry.decided),
            resume="allow",
            reinit="create_new",
            settings=self._settings,
        )
        for epoch, metrics in entry.steps:
            run.log(dict(metrics), step=epoch)
        run.summary["status"] = entry.status
        run.finish(exit_code=int(entry.failed))
