"""Predict with a winner; its inputs are compared with its training data."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from raynas.errors import DataError, RunError
from raynas.options import local_path

_AT_ONCE: Final = 1000  # examples
_BEYOND: Final = 0.1  # values may be outside the training range by this share of it
_FEW: Final = 0.05  # this share of the values may be farther outside
_NARROW: Final = 0.1  # values that span less than this share of the range have a wrong scale
_ENOUGH: Final = 10  # at least so many values per channel or feature show their span


def load_winner(folder: Path | str) -> Predictor:
    """Return the winner of a run, ready to predict.

    Args:
        folder: The run folder, or the folder ``winner`` in it.

    Raises:
        RunError: There is no winner, or torch could not export it.
    """
    folder = local_path("the run folder", folder)
    home = folder if (folder / "architecture.json").is_file() else folder / "winner"
    try:
        card = json.loads((home / "architecture.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{folder} holds no winner: {home / 'architecture.json'}: {error}"
        ) from error
    if "input" not in card:
        raise RunError(
            f"{home / 'architecture.json'} does not say what inputs the network expects: an "
            "older version of raynas wrote it; load network.pt2 with torch.export.load instead"
        )
    if not (home / "network.pt2").is_file():
        raise RunError(
            f"{home} holds no network.pt2: torch could not export this network; build it with "
            "the space and load weights.safetensors"
        )
    program = torch.export.load(home / "network.pt2")
    return Predictor(program.module(), card)


@dataclass(slots=True)
class Predictor:
    """A trained network that checks its inputs.

    Inputs are arrays, tensors or lists with one example or several, in the units and the layout of
    the task's data. A wrong shape is an error. If values are unlike those of the training data,
    there is one warning.

    Attributes:
        network: Returns ``[examples, classes]`` logits; it normalises its inputs itself.
        card: The contents of ``architecture.json``.
    """

    network: torch.nn.Module
    card: Mapping[str, Any]
    _warned: bool = field(default=False, init=False, repr=False)

    @property
    def class_names(self) -> Sequence[str]:
        """The names of the classes, by label; their numbers if there are no names."""
        return self.card["class_names"] or [str(label) for label in range(self.card["classes"])]

    @torch.inference_mode()
    def __call__(self, inputs: Any) -> Tensor:
        """Return ``[examples, classes]`` logits; of one example, ``[1, classes]``.

        Raises:
            DataError: The inputs have another shape, or another kind of numbers.
        """
        checked = self._checked(inputs)
        return torch.cat([self.network(part) for part in torch.split(checked, _AT_ONCE)])

    def probabilities(self, inputs: Any) -> Tensor:
        """Return ``[examples, classes]`` probabilities.

        Raises:
            DataError: As for a call.
        """
        return self(inputs).softmax(1)

    def predict(self, inputs: Any) -> list[str]:
        """Return the name of the most probable class of each example.

        Raises:
            DataError: As for a call.
        """
        return [self.class_names[label] for label in self(inputs).argmax(1).tolist()]

    def _checked(self, inputs: Any) -> Tensor:
        array = inputs.detach().cpu().numpy() if isinstance(inputs, Tensor) else np.asarray(inputs)
        expected = tuple(self.card["input"]["shape"])
        if array.shape == expected:
            array = array[np.newaxis]
        if array.shape[1:] != expected or not len(array):
            raise DataError(_misfit(array.shape, expected, self.card["input"]["layout"]))
        ids = self.card["input"]["dtype"] == "int64"
        if array.dtype.kind not in ("iu" if ids else "biuf"):
            wanted = "ids (whole numbers)" if ids else "real numbers"
            raise DataError(f"inputs must be {wanted}: got {array.dtype}")
        if not np.isfinite(array).all():
            raise DataError("inputs must be finite numbers: got NaN or infinity among them")
        if not self._warned and (said := _unlike(array, self.card["input"])):
            self._warned = True
            warnings.warn(said, stacklevel=4)
        return torch.from_numpy(array.astype(self.card["input"]["dtype"]))


def _misfit(shape: tuple[int, ...], expected: tuple[int, ...], layout: str) -> str:
    said = (
        f"inputs must have the shape {('examples', *expected)} ({layout}): got {shape}"
    ).replace("'", "")
    if len(expected) == 3 and shape[-3:] == (*expected[1:], expected[0]):
        return f"{said}; the channels are last in these inputs: move them to the front"
    return said


def _unlike(array: np.ndarray[Any, Any], card: Mapping[str, Any]) -> str:
    """Return how values differ from the training data; empty if they are similar."""
    least, most = np.asarray(card["min"], np.float64), np.asarray(card["max"], np.float64)
    shape = (1, -1, *(1 for _ in array.shape[2:]))
    span = most - least
    if card["dtype"] == "int64":
        outside = (array < least) | (array > most)
        strange = bool(outside.any())
    else:
        low, high = (least - _BEYOND * span).reshape(shape), (most + _BEYOND * span).reshape(shape)
        strange = float(((array < low) | (array > high)).mean()) > _FEW or _narrow(array, span)
    if not strange:
        return ""
    return (
        f"the inputs are between {array.min():g} and {array.max():g}, but the network was trained "
        f"on values between {least.min():g} and {most.max():g}: predictions may be wrong; give "
        "inputs in the units of the training data, not scaled or normalised"
    )


def _narrow(array: np.ndarray[Any, Any], span: np.ndarray[Any, Any]) -> bool:
    """Return whether values span so little of the training range that their scale is wrong."""
    axes = (0, *range(2, array.ndim))
    if array.size / array.shape[1] < _ENOUGH:
        return False
    given = (array.max(axes).astype(np.float64) - array.min(axes))[span > 0]
    shares = given / span[span > 0]
    return bool(shares.size and shares.any() and np.median(shares) < _NARROW)
