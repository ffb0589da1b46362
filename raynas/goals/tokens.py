"""Sequences of tokens: a label for each token, the next token, or a text without positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from raynas.errors import DataError, kind_of
from raynas.goals.goal import Goal
from raynas.goals.metric import Share
from raynas.goals.outputs import main_output, require_shape

if TYPE_CHECKING:
    from torch import Tensor

PADDING: Final = -100
"""The target of a place that is not scored, as in torch's cross-entropy."""


@dataclass(frozen=True)
class SequenceTagging(Goal):
    """A label for each token: cross-entropy (nats per token) and accuracy (a fraction of tokens).

    The network returns logits ``[batch, length, tags]``; targets are ``[batch, length]`` int64,
    and ``PADDING`` where nothing is scored.

    Attributes:
        tags: How many labels there are; 0 to count them in the data.
        names: The names of the labels; may be empty.
        extra: More metrics by name, of logits and targets: ``torchmetrics`` objects, or functions.
        objective: As in ``Goal``.
        label_smoothing: The share of the target that is spread over all labels.
    """

    tags: int = 0
    names: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "accuracy:max"
    label_smoothing: float = 0.0

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of the tokens that are scored."""
        return token_loss(self.predictions(outputs), targets, self.tags, self.label_smoothing)

    def weight(self, targets: Tensor) -> Tensor:
        """Return the number of tokens that are scored."""
        return _scored(targets).sum()

    def metrics(self) -> Mapping[str, Any]:
        """Return the accuracy and the extra metrics."""
        return {"accuracy": Share(_right, _scored), **self.extra}

    def predictions(self, outputs: Any) -> Tensor:
        """Return the logits."""
        return main_output(outputs)

    @property
    def brief(self) -> Mapping[str, Any]:
        """``tags`` and, because all goals have it, ``outputs``: the number of logits."""
        return {"tags": self.tags, "outputs": self.tags}

    def fitted(self, targets: Sequence[Any]) -> tuple[SequenceTagging, Sequence[Any]]:
        """Count the labels."""
        tags = self.tags or len(self.names) or _largest(targets) + 1
        _check_ids(targets, tags)
        return replace(self, tags=tags), targets

    def for_training(self, label_smoothing: float) -> SequenceTagging:
        """Return the goal with the label smoothing of the recipe."""
        return replace(self, label_smoothing=label_smoothing) if label_smoothing else self


@dataclass(frozen=True)
class NextToken(Goal):
    """The next token at each place of a text: cross-entropy (nats per token).

    The network returns logits ``[batch, length, vocabulary]`` and must not look ahead; targets are
    the next tokens, ``[batch, length]`` int64, and ``PADDING`` where nothing is scored.

    Attributes:
        vocabulary: How many tokens there are; 0 to count them in the data.
        extra: More metrics by name, of logits and targets: ``torchmetrics`` objects, or functions.
        objective: As in ``Goal``. ``bits_per_token`` is the mean cross-entropy in bits (bits per
            character if tokens are characters), ``perplexity`` its exponential, ``accuracy`` the
            share of tokens that had the largest logit.
        label_smoothing: The share of the target that is spread over all tokens.
    """

    vocabulary: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "bits_per_token:min"
    label_smoothing: float = 0.0

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of the tokens that are scored."""
        logits = self.predictions(outputs)
        return token_loss(logits, targets, self.vocabulary, self.label_smoothing)

    def weight(self, targets: Tensor) -> Tensor:
        """Return the number of tokens that are scored."""
        return _scored(targets).sum()

    def metrics(self) -> Mapping[str, Any]:
        """Return ``bits_per_token``, ``perplexity``, ``accuracy`` and the extra metrics."""
        return {
            "bits_per_token": TokenEntropy(lambda nats: nats / math.log(2.0)),
            "perplexity": TokenEntropy(_exponential),
            "accuracy": Share(_right, _scored),
            **self.extra,
        }

    def predictions(self, outputs: Any) -> Tensor:
        """Return the logits."""
        return main_output(outputs)

    @property
    def brief(self) -> Mapping[str, Any]:
        """``vocabulary`` and, because all goals have it, ``outputs``: the number of logits."""
        return {"vocabulary": self.vocabulary, "outputs": self.vocabulary}

    def fitted(self, targets: Sequence[Any]) -> tuple[NextToken, Sequence[Any]]:
        """Count the tokens."""
        vocabulary = self.vocabulary or _largest(targets) + 1
        _check_ids(targets, vocabulary)
        return replace(self, vocabulary=vocabulary), targets

    def for_training(self, label_smoothing: float) -> NextToken:
        """Return the goal with the label smoothing of the recipe."""
        return replace(self, label_smoothing=label_smoothing) if label_smoothing else self


@dataclass(frozen=True)
class CTC(Goal):
    """A text for a longer input, such as speech (Graves et al., 2006; nats per example).

    The network returns logits ``[batch, time, symbols + 1]``, of which number 0 is the blank, or a
    dictionary with them as ``logits`` and with ``lengths``, ``[batch]`` int64, the steps that
    count of each example. Targets are symbols from 1 on, ``[batch, length]`` int64, filled up
    with 0.

    Attributes:
        symbols: How many symbols there are, without the blank; 0 to count them in the data.
        objective: As in ``Goal``. ``error_rate`` is the edit distance between the best path and
            the target, summed over all examples, as a share of the symbols of all targets.
    """

    symbols: int = 0
    objective: str = "error_rate:min"

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean over the examples of the loss per symbol."""
        from torch.nn import functional  # noqa: PLC0415 - deciding must not load torch

        logits = main_output(outputs)
        shape = (len(targets), logits.shape[1], self.symbols + 1)
        require_shape(logits, shape, "one logit per symbol, and one for the blank, at each step")
        return functional.ctc_loss(
            logits.float().log_softmax(-1).transpose(0, 1),
            targets,
            _lengths(outputs, logits),
            (targets > 0).sum(1),
            zero_infinity=True,  # a target that is longer than the input has no path
        )

    def metrics(self) -> Mapping[str, Any]:
        """Return ``error_rate``."""
        return {"error_rate": ErrorRate()}

    @property
    def brief(self) -> Mapping[str, Any]:
        """``outputs``, the number of logits, and ``symbols``, one less."""
        return {"symbols": self.symbols, "outputs": self.symbols + 1}

    def fitted(self, targets: Sequence[Any]) -> tuple[CTC, Sequence[Any]]:
        """Count the symbols."""
        symbols = self.symbols or _largest(targets)
        _check_ids(targets, symbols + 1)
        return replace(self, symbols=symbols), targets


def token_loss(logits: Tensor, targets: Tensor, tokens: int, label_smoothing: float) -> Tensor:
    """Return the mean cross-entropy over the places whose target is not ``PADDING``."""
    from torch.nn import functional  # noqa: PLC0415 - deciding must not load torch

    require_shape(logits, (*targets.shape, tokens), "one logit per token at every place")
    return functional.cross_entropy(
        logits.flatten(0, 1),
        targets.flatten(),
        ignore_index=PADDING,
        label_smoothing=label_smoothing,
    )


def _right(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.argmax(-1) == targets


def _scored(targets: Tensor) -> Tensor:
    return targets != PADDING


class TokenEntropy:
    """A function of the mean cross-entropy of all tokens, whatever the batches are."""

    def __init__(self, function: Callable[[float], float]) -> None:
        """Keep the function of the mean, which is in nats."""
        self._function = function
        self._nats: Any = 0.0
        self._count: Any = 0

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add a batch; nothing is copied from the device."""
        from torch.nn import functional  # noqa: PLC0415 - deciding must not load torch

        self._nats = self._nats + functional.cross_entropy(
            predictions.flatten(0, 1), targets.flatten(), ignore_index=PADDING, reduction="sum"
        )
        self._count = self._count + (targets != PADDING).sum()

    def compute(self) -> float:
        """Return the function of the mean."""
        return self._function(float(self._nats) / float(self._count))


def _exponential(nats: float) -> float:
    return math.exp(min(nats, 700.0))  # more is infinite


class ErrorRate:
    """The edit distance of the best path, as a share of the symbols of the targets."""

    def __init__(self) -> None:
        """Begin without examples."""
        self._wrong = 0
        self._count = 0

    def update(self, predictions: Any, targets: Tensor) -> None:
        """Add a batch."""
        logits = main_output(predictions)
        paths, lengths = logits.argmax(-1).tolist(), _lengths(predictions, logits).tolist()
        for path, length, wanted in zip(paths, lengths, targets.tolist(), strict=True):
            text = [symbol for symbol in wanted if symbol]
            self._wrong += edit_distance(collapsed(path[:length]), text)
            self._count += len(text)

    def compute(self) -> float:
        """Return the error rate; 1 is all symbols, and more is possible."""
        return self._wrong / max(self._count, 1)


def collapsed(path: Sequence[int]) -> list[int]:
    """Return a path without repetitions, then without blanks."""
    return [now for now, before in zip(path, [0, *path], strict=False) if now and now != before]


def edit_distance(one: Sequence[int], two: Sequence[int]) -> int:
    """Return the least number of insertions, deletions and changes (Levenshtein, 1966)."""
    row = list(range(len(two) + 1))
    for at, mine in enumerate(one, 1):
        above, row[0] = row[0], at
        for to, theirs in enumerate(two, 1):
            above, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, above + (mine != theirs))
    return row[-1]


def _lengths(outputs: Any, logits: Tensor) -> Tensor:
    """Return the steps that count of each example: those in the outputs, or all."""
    if isinstance(outputs, Mapping) and "lengths" in outputs:
        lengths: Tensor = outputs["lengths"]
        return lengths
    return logits.new_full((len(logits),), logits.shape[1], dtype=_int64())


def _int64() -> Any:
    import torch  # noqa: PLC0415 - deciding must not load torch

    return torch.int64


def _largest(targets: Sequence[Any]) -> int:
    return max(int(np.max(part, initial=0)) for part in targets)


def _check_ids(targets: Sequence[Any], count: int) -> None:
    for part in targets:
        if not isinstance(part, np.ndarray) or part.dtype.kind != "i" or part.ndim != 2:
            raise DataError(
                f"targets must be whole numbers [examples, length]: got {kind_of(part)}"
            )
        wrong = ((part < 0) | (part >= count)) & (part != PADDING)
        if wrong.any():
            row = int(np.argmax(wrong.any(1)))
            raise DataError(
                f"targets must be from 0 to {count - 1}, or {PADDING} where nothing is scored: "
                f"got {part[row][wrong[row]][0]} in row {row}"
            )
