"""Predict with a winner; its inputs are compared with its training data."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from raynas.errors import DataError, RunError
from raynas.goals.metric import joined
from raynas.json_text import parsed
from raynas.storage import Location, location, store_of
from raynas.training.program import load_program
from raynas.trees import first, mapped, named_leaves

_CARD: Final = "architecture.json"
_PROGRAM: Final = "network.pt2"
_AT_ONCE: Final = 1000  # examples
_BEYOND: Final = 0.1  # values may be outside the training range by this share of it
_FEW: Final = 0.05  # this share of the values may be farther outside
_NARROW: Final = 0.1  # values that span less than this share of the range have a wrong scale
_ENOUGH: Final = 10  # at least so many values per channel or feature show their span


def load_winner(folder: Location | str) -> Predictor:
    """Return the winner of a run, ready to predict.

    Args:
        folder: The run folder, the folder ``winner`` in it, or an export.

    Raises:
        RunError: There is no winner, or torch could not export it.
    """
    folder = location("the run folder", folder)
    home = folder if _CARD in store_of(folder).names() else folder / "winner"
    store = store_of(home)
    try:
        card = parsed(store.read(_CARD))
        if not isinstance(card, dict):
            raise ValueError("it must be a JSON object")  # noqa: TRY301, TRY004 - told below
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} holds no winner: {home / _CARD}: {error}") from error
    if "input" not in card:
        raise RunError(
            f"{home / _CARD} does not say what inputs the network expects: an "
            "older version of raynas wrote it; load network.pt2 with torch.export.load instead"
        )
    if _PROGRAM not in store.names():
        raise RunError(
            f"{home} holds no network.pt2: torch could not export this network; run model.py of "
            "an export yourself (from model import load), or build it with the space and load "
            "weights.safetensors"
        )
    with store.open(_PROGRAM) as file:
        program = load_program(file, f"{home}/{_PROGRAM}")
    return Predictor(program.module(), card)


@dataclass(slots=True)
class Predictor:
    """A trained network that checks its inputs.

    Inputs are arrays, tensors or lists with one example or several, in the units and the layout of
    the task's data. A wrong shape is an error. If values are unlike those of the training data,
    there is one warning.

    Attributes:
        network: Returns the predictions; it normalises its inputs itself.
        card: The contents of ``architecture.json``.
    """

    network: torch.nn.Module
    card: Mapping[str, Any]
    _warned: bool = field(default=False, init=False, repr=False)

    @property
    def class_names(self) -> Sequence[str]:
        """The names of the classes, by label; their numbers if there are no names.

        Raises:
            RunError: The network does not predict classes.
        """
        self._check_classes()
        return self.card["class_names"] or [str(label) for label in range(self.card["classes"])]

    def _check_classes(self) -> None:
        if not self.card.get("classes"):
            raise RunError("this network does not predict classes: call it for its predictions")

    @torch.inference_mode()
    def __call__(self, inputs: Any) -> Any:
        """Return the predictions: for classes, ``[examples, classes]`` logits.

        Of one example, the first size is 1.

        Raises:
            DataError: The inputs have another shape, or another kind of numbers.
        """
        checked = self._checked(inputs)
        count = len(first(checked))
        starts = range(0, count, _AT_ONCE)
        return joined([self.network(_rows(checked, at)) for at in starts])

    def probabilities(self, inputs: Any) -> Tensor:
        """Return ``[examples, classes]`` probabilities.

        Raises:
            DataError: As for a call.
            RunError: The network does not predict classes.
        """
        self._check_classes()
        logits: Tensor = self(inputs)
        return logits.softmax(1)

    def predict(self, inputs: Any) -> list[str]:
        """Return the name of the most probable class of each example.

        Raises:
            DataError: As for a call.
            RunError: The network does not predict classes.
        """
        names = self.class_names
        return [names[label] for label in self(inputs).argmax(1).tolist()]

    def _checked(self, inputs: Any) -> Any:
        card = self.card["input"]
        if "parts" not in card:
            return self._part(inputs, card) if card else mapped(torch.as_tensor, inputs)
        given, wanted = dict(named_leaves(inputs)), card["parts"]
        if given.keys() != wanted.keys():
            raise DataError(f"inputs must be {', '.join(wanted)}: got {', '.join(given) or 'one'}")
        parts = iter([self._part(given[name], wanted[name]) for name in given])
        return mapped(lambda _: next(parts), inputs)

    def _part(self, inputs: Any, card: Mapping[str, Any]) -> Tensor:
        array = inputs.detach().cpu().numpy() if isinstance(inputs, Tensor) else np.asarray(inputs)
        expected = tuple(card["shape"])
        if array.shape == expected:
            array = array[np.newaxis]
        if array.shape[1:] != expected or not len(array):
            raise DataError(_misfit(array.shape, expected, card["layout"]))
        ids = card["dtype"] == "int64"
        if array.dtype.kind not in ("iu" if ids else "biuf"):
            wanted = "ids (whole numbers)" if ids else "real numbers"
            raise DataError(f"inputs must be {wanted}: got {array.dtype}")
        if not np.isfinite(array).all():
            raise DataError("inputs must be finite numbers: got NaN or infinity among them")
        if not self._warned and (said := _unlike(array, card)):
            self._warned = True
            warnings.warn(said, stacklevel=5)
        return torch.from_numpy(array.astype(card["dtype"]))


def _rows(inputs: Any, start: int) -> Any:
    return mapped(lambda tensor: tensor[start : start + _AT_ONCE], inputs)


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
    shape = tuple(-1 if at == (2 if array.ndim == 3 else 1) else 1 for at in range(array.ndim))
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
    axis = 2 if array.ndim == 3 else 1
    axes = tuple(at for at in range(array.ndim) if at != axis)
    if array.size / array.shape[axis] < _ENOUGH:
        return False
    given = (array.max(axes).astype(np.float64) - array.min(axes))[span > 0]
    shares = given / span[span > 0]
    return bool(shares.size and shares.any() and np.median(shares) < _NARROW)
