"""Convert arrays of any number type to the form that training needs."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from raynas.errors import DataError, kind_of

_CHANNELS: Final = (1, 3, 4)  # how many an image has: grey, colour, colour with transparency
_LARGEST: Final = np.iinfo(np.int64).max
_ODD: Final = "NaN or infinity"


def converted_inputs(what: str, inputs: ArrayLike, *, images: bool = True) -> NDArray[Any]:
    """Return inputs in the form of a ``Split``.

    Raises:
        DataError: They cannot be converted; see ``Split.of``.
    """
    array = _numbers(what, inputs)
    if array.ndim == 3 and images:
        array = array[:, np.newaxis]
    if array.ndim not in ({2, 4} if images else {2, 3, 4}) or 0 in array.shape[1:]:
        raise DataError(
            f"{what} must be [examples, channels, height, width], [examples, height, width] or "
            f"[examples, features]: got {array.shape}"
        )
    if images:
        _check_layout(array)
    return np.ascontiguousarray(_typed(array))


def converted_targets(what: str, targets: ArrayLike) -> NDArray[Any]:
    """Return targets in the form of a ``Split``: whole numbers as int64, real ones as float32.

    Raises:
        DataError: They are not numbers, or a label is negative.
    """
    array = _array(what, targets)
    if array.dtype.kind == "O" and array.size and not isinstance(array.flat[0], str):
        array = _numbers(what, targets)
    match array.dtype.kind:
        case "b":
            return np.ascontiguousarray(array.astype(np.int64))
        case "i" | "u":
            return np.ascontiguousarray(_counted(what, array))
        case "f":
            return np.ascontiguousarray(array.astype(np.float32))
        case _:
            raise DataError(
                f"{what} must be numbers: got {array.dtype} such as {array.ravel()[:1].tolist()}; "
                "np.unique(labels, return_inverse=True) returns the names and whole numbers"
            )


def _array(what: str, given: ArrayLike) -> NDArray[Any]:
    if np.ma.is_masked(given):  # numpy would forget which values are missing
        raise DataError(
            f"{what} must not be masked: fill the masked values, as in given.filled(0)"
        )
    if hasattr(given, "toarray"):  # scipy's sparse matrices
        raise DataError(f"{what} must be a dense array: got {kind_of(given)}; give its .toarray()")
    try:
        return np.asarray(given)
    except ValueError as error:  # rows of different lengths
        shapes = [np.shape(row) for row in given]  # type: ignore[union-attr]  # a sequence
        row = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), 0)
        raise DataError(
            f"{what} must be one array, but row {row} has the shape {shapes[row]} and row 0 has "
            f"the shape {shapes[0]}"
        ) from error


def _numbers(what: str, given: ArrayLike) -> NDArray[Any]:
    array = _array(what, given)
    if array.dtype.kind == "O" and array.ndim:  # for example a table with columns of many types
        return np.stack([_number_row(what, number, row) for number, row in enumerate(array)])
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} must be numbers: got {kind_of(array)}")
    return array


def _number_row(what: str, number: int, row: Any) -> NDArray[np.float64]:
    try:
        return np.asarray(row, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be numbers: row {number} is {row!r:.80}") from error


def _check_layout(array: NDArray[Any]) -> None:
    """Check that the last axis of images does not look like channels.

    Raises:
        DataError: It does.
    """
    if array.ndim != 4:
        return
    _, height, width, channels = array.shape
    if channels in _CHANNELS and min(height, width) > max(_CHANNELS):
        raise DataError(
            f"inputs must be [examples, channels, height, width], but inputs of shape "
            f"{array.shape} look like images of {height} x {width} pixels with channels last: "
            "give np.transpose(inputs, (0, 3, 1, 2)); if the channels are first, use "
            "Split(inputs, targets) with uint8 or float32 inputs instead of Split.of"
        )


def _typed(array: NDArray[Any]) -> NDArray[Any]:
    """Return inputs as uint8, float32 or int64."""
    if array.ndim == 2 and array.dtype.kind in "iu" and array.dtype != np.uint8:
        if array.size and array.max() > _LARGEST:
            raise DataError(f"ids must fit into int64: got {array.max()}")
        return array.astype(np.int64)
    if array.dtype == np.uint8 and array.ndim == 4:
        return array
    with np.errstate(over="ignore"):
        real = array.astype(np.float32)
    usable = np.isfinite(real).all(axis=tuple(range(1, real.ndim)))
    if not usable.all():
        row = int(np.argmin(usable))
        wide = np.isfinite(array[row]).all()
        raise DataError(
            f"inputs must be finite numbers: {'too large for float32' if wide else _ODD} in "
            f"{np.count_nonzero(~usable)} of {len(real)} rows, first in row {row}"
        )
    if real.ndim == 2 and len(real):
        _check_precision(array, real)
    return real


def _check_precision(array: NDArray[Any], real: NDArray[np.float32]) -> None:
    """Check that no feature becomes constant through the conversion to float32.

    Raises:
        DataError: One does.
    """
    lost = (np.ptp(real, axis=0) == 0) & (array.max(axis=0) != array.min(axis=0))
    if lost.any():
        column = int(np.argmax(lost))
        raise DataError(
            f"feature {column} has values from {array[:, column].min()} to "
            f"{array[:, column].max()}, which are all equal in float32: subtract the least value"
        )


def _counted(what: str, targets: NDArray[Any]) -> NDArray[np.int64]:
    """Return whole numbers as int64."""
    if targets.size and targets.max() > _LARGEST:
        raise DataError(f"{what} must fit into int64: got {targets.max()}")
    if targets.ndim == 1 and (wrong := targets < 0).any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"labels must be counted from 0: got {targets[row]} in row {row}; for regression, "
            "give real numbers"
        )
    return targets.astype(np.int64)
