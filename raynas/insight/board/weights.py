"""The weights of a supernet's options over the epochs, as one picture in TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raynas.insight.board.event_file import EventFile
from raynas.insight.board.summaries import image
from raynas.insight.board.tensorboard import run_name
from raynas.insight.figures import png
from raynas.storage import Location, store_of
from raynas.trial import Event, Finished, History, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GROUP = "weight/"
_MOST = 64  # decisions in a picture


class WeightsPicture:
    """Draws the weights when a supernet has ended: a row per decision, a line per option."""

    def __init__(self, folder: Location) -> None:
        """Draw nothing yet.

        Args:
            folder: The folder that TensorBoard shows.
        """
        self._store = store_of(folder)

    def write(self, event: Event, history: History) -> None:
        """Draw the weights of a trial that has ended, if it has any."""
        if not isinstance(event, Finished):
            return
        trial = history.trials[event.number]
        if names := [name for name in trial.metrics if name.startswith(_GROUP)]:
            file = EventFile(self._store, run_name(trial.number))
            drawn = png(weights(trial, names))
            file.write(image("weights of options", drawn), event.at, trial.epoch)
            file.close()


def weights(trial: Trial, names: Sequence[str]) -> Figure:
    """Draw the weights of options over the epochs.

    Args:
        trial: The training of the supernet.
        names: The names of the metrics that are weights.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load

    options: dict[str, list[str]] = {}
    for name in names:
        options.setdefault(name.removeprefix(_GROUP).rpartition("/")[0], []).append(name)
    shown = [*options][:_MOST]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.0 * columns, 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axis, path in zip(axes, shown, strict=False):
        for name in options[path]:
            axis.plot(trial.reports.epochs, trial.reports.values(name), label=_option(name))
        if [*map(_option, options[path])] != [*map(_option, options[shown[0]])]:
            axis.legend(fontsize=7)
        axis.set_title(path, fontsize=9)
        axis.set_ylim(0.0, 1.0)
    for axis in axes[len(shown) :]:
        axis.set_axis_off()
    axes[0].legend(fontsize=7)
    axes[0].set_ylabel("weight")
    figure.supxlabel("epoch", fontsize=9)
    return figure


def _option(name: str) -> str:
    return name.rpartition("/")[2]
