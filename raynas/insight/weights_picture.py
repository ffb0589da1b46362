"""The weights of a supernet's options over the epochs, as one picture in TensorBoard."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from raynas.insight.tensorboard import EventFile, run_name
from raynas.trial import Event, Finished, History, Trial

_GROUP = "weight/"
_MOST = 64  # decisions in a picture


class WeightsPicture:
    """Draws the weights when a supernet has ended: a row per decision, a line per option."""

    def __init__(self, folder: Path) -> None:
        """Draw nothing yet.

        Args:
            folder: The folder that TensorBoard shows.
        """
        self._folder = folder

    def write(self, event: Event, history: History) -> None:
        """Draw the weights of a trial that has ended, if it has any."""
        if not isinstance(event, Finished):
            return
        trial = history.trials[event.number]
        if names := [name for name in trial.metrics if name.startswith(_GROUP)]:
            png, size = _drawn(trial, names)
            image = Summary.Image(
                height=size[1], width=size[0], colorspace=4, encoded_image_string=png
            )
            file = EventFile(self._folder / run_name(trial.number))
            value = Summary.Value(tag="weights of options", image=image)
            file.write(Summary(value=[value]), event.at, trial.epoch)
            file.close()


def _drawn(trial: Trial, names: Sequence[str]) -> tuple[bytes, tuple[int, int]]:
    """Return a PNG file, and its width and height in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to load
    from matplotlib.figure import Figure  # noqa: PLC0415

    options: dict[str, list[str]] = {}
    for name in names:
        options.setdefault(name.removeprefix(_GROUP).rpartition("/")[0], []).append(name)
    shown = [*options][:_MOST]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.0 * columns, 2.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axis, path in zip(axes, shown, strict=False):
        for name in options[path]:
            axis.plot(trial.reports.epochs, trial.reports.values(name), label=_option(name))
        axis.set_title(path, fontsize=9)
        axis.set_ylim(0.0, 1.0)
    for axis in axes[len(shown) :]:
        axis.set_axis_off()
    axes[0].legend(fontsize=7)
    axes[0].set_ylabel("weight")
    figure.supxlabel("epoch", fontsize=9)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    width, height = figure.get_size_inches() * 100
    return content.getvalue(), (int(width), int(height))


def _option(name: str) -> str:
    return name.rpartition("/")[2]
