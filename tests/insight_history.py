"""A small run, event by event, for the tests of what people see."""

import numpy as np

from raynas.space import Choice, Float, Repeat, Space
from raynas.trial import Failed, Finished, History, Report, Started, Winner

SPACE = Space(
    {
        "op": Choice({"conv": {"kernel": Choice((3, 5, 7))}, "pool": None}),
        "layers": Repeat({"width": Choice((16, 32))}, 1, 2),
        "bias": Choice((True, False)),
        "act": Choice(("relu", None)),
        "training": {"lr": Float(1e-4, 1e-1, log=True)},
    }
)


def architecture(number):
    return SPACE.sample(np.random.default_rng(number))


def started(number, epochs=3, at=0.0):
    decided = architecture(number)
    return Started(number, decided, SPACE.identity(decided), epochs, seed=number, at=at)


def report(number, epoch, accuracy, at=0.0, seconds=2.0):
    metrics = {
        "val_accuracy": accuracy,
        "val_loss": 1 - accuracy,
        "train_loss": (1 - accuracy) / 2,
        "lr": 0.1 / epoch,
        "params": 12_345 + number,
        "flops": 3_400_000,
    }
    return Report(number, epoch, metrics, seconds, at)


def events():
    """Trial 0 finishes, 1 is stopped, 2 fails, 3 is answered by 0, 4 wins, 5 is running."""
    yield started(0, at=100)
    yield started(1, at=100)
    for epoch in (1, 2, 3):
        yield report(0, epoch, 0.6 + 0.1 * epoch, at=100 + 2 * epoch)
    yield Finished(0, at=106)
    yield report(1, 1, 0.95, at=107)
    yield Finished(1, stopped=True, at=107)
    yield started(2, at=107)
    yield report(2, 1, 0.5, at=109)
    yield Failed(2, "the loss is not finite", at=109)
    yield started(3, at=109)
    yield Finished(3, answered_by=0, at=109)
    yield started(4, at=109)
    for epoch in (1, 2, 3):
        yield report(4, epoch, 0.62 + 0.1 * epoch, at=109 + 2 * epoch)
    yield Finished(4, at=115)
    yield started(5, at=115)
    yield report(5, 1, 0.7, at=117)


def winner():
    return Winner(4, {"test_accuracy": 0.8875}, "winner", at=130)


def play(happened, *watchers, history=None):
    """Fold the events into a history, telling every watcher of each."""
    history = History() if history is None else history
    for event in happened:
        history.apply(event)
        for watcher in watchers:
            watcher.write(event, history)
    return history
