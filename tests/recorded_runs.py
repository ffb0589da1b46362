"""Runs on disk for tests, written event by event, without a search."""

from dataclasses import asdict

from insight_history import SPACE

from raynas.experiment.experiment import Experiment
from raynas.journal import Journal
from raynas.space.codec import to_data
from raynas.trial import Objective

ONE = (Objective(),)
DATA = {"classes": 10, "valid": {"examples": 100, "digest": "0"}}


def written(folder, happened, objectives=ONE, data=DATA, **settings):
    """Write a run as a search does; return its folder."""
    described = Experiment(output=folder, **settings).described()
    run = {"objectives": [asdict(one) for one in objectives], "experiment": described}
    writing = Journal(folder)
    writing.begin({**run, "space": to_data(SPACE.tree), "data": data})
    for event in happened:
        writing.append(event)
    writing.close()
    return folder
