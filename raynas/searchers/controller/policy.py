"""An LSTM that decides an architecture, one decision after another (Zoph & Le, 2017).

Neural Architecture Search with Reinforcement Learning, arXiv:1611.01578, section 3.1; with the
squashed logits of ENAS (Pham et al., 2018, arXiv:1802.03268). Its sequence is the space's own
walk, so only active decisions are made and inactive ones have no part in a probability.

Differs from the papers: what a token adds to the gates is learnt as such, rather than as an
embedding times a matrix, which expresses the same and costs less; the space's prior weights are
added to the logits, so that an untrained controller draws about as the prior does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError
from raynas.searchers.controller.vocabulary import Batch, Vocabulary
from raynas.space import Architecture, Decision, Space, Value

Array = NDArray[np.float64]

_INIT: Final = 0.1  # weights begin uniformly within plus and minus this (NAS, ENAS, NASNet)


class Weights(NamedTuple):
    """The parameters, as views into one flat vector.

    Attributes:
        inputs: ``[1 + tokens, 4 * units]`` what the last token adds to the gates (input, forget,
            output, cell), the bias included; row 0 is for the start.
        recurrent: ``[units, 4 * units]``.
        heads: ``[tokens, units]`` from the state to a token's logit.
        bias: ``[tokens]``.
    """

    inputs: Array
    recurrent: Array
    heads: Array
    bias: Array


class Pass(NamedTuple):
    """What a forward pass keeps for the backward pass; time first, then rows of the batch.

    Attributes:
        log_probs: ``[rows]`` of whole architectures.
        gates: ``[steps, rows, 4 * units]`` after their activations.
        cells: ``[1 + steps, rows, units]``, from the first step's input on.
        states: ``[1 + steps, rows, units]``, likewise.
        squashed: ``[steps, rows, tokens]`` tanh of the logits; none without ``tanh_constant``.
        probs: ``[steps, rows, tokens]``.
    """

    log_probs: Array
    gates: Array
    cells: Array
    states: Array
    squashed: Array | None
    probs: Array


@dataclass(frozen=True, slots=True)
class Policy:
    """The network's shape; its parameters are passed in as one flat vector.

    Attributes:
        space: Where architectures live.
        units: Of the LSTM's one layer.
        temperature: Divides the logits.
        tanh_constant: Keeps logits within plus and minus this; none for no bound.

    Raises:
        SpaceError: The space holds a real number, or a decision with more options than can be
            learnt.
        ConfigError: An option is out of range.
    """

    space: Space
    units: int
    temperature: float = 1.0
    tanh_constant: float | None = None
    vocabulary: Vocabulary = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and number the space's."""
        if self.units < 1:
            raise ConfigError(f"a controller needs units >= 1, got {self.units}")
        if self.temperature <= 0 or (self.tanh_constant is not None and self.tanh_constant <= 0):
            raise ConfigError(
                "a controller needs temperature > 0 and tanh_constant > 0 or none, "
                f"got {self.temperature} and {self.tanh_constant}"
            )
        object.__setattr__(self, "vocabulary", Vocabulary(self.space))

    @property
    def size(self) -> int:
        """How many parameters there are."""
        tokens, units = self.vocabulary.size, self.units
        return (1 + tokens) * 4 * units + units * 4 * units + tokens * units + tokens

    def initial(self, rng: np.random.Generator) -> Array:
        """Draw parameters."""
        return rng.uniform(-_INIT, _INIT, self.size)

    def weights(self, parameters: Array) -> Weights:
        """Return the parts of a flat vector."""
        tokens, units = self.vocabulary.size, self.units
        ends = np.cumsum([(1 + tokens) * 4 * units, units * 4 * units, tokens * units])
        inputs, recurrent, heads, bias = np.split(parameters, ends)
        return Weights(
            inputs.reshape(1 + tokens, 4 * units),
            recurrent.reshape(units, 4 * units),
            heads.reshape(tokens, units),
            bias,
        )

    def drawer(self, parameters: Array) -> Callable[[np.random.Generator], Architecture]:
        """Return what draws architectures; those that begin alike share the work of it."""
        weights = self.weights(parameters)
        nothing = np.zeros(self.units)
        after: dict[tuple[int, ...], tuple[Array, Array, Array]] = {}

        def draw(rng: np.random.Generator) -> Architecture:
            state, cell = nothing, nothing
            rows: tuple[int, ...] = (0,)

            def decide(decision: Decision) -> Value:
                nonlocal state, cell, rows
                span = self.vocabulary.spans[decision.path]
                if rows not in after:
                    gates = _gates(weights.inputs[rows[-1]] + state @ weights.recurrent)
                    state, cell = _advance(gates, cell)
                    logits = weights.heads[span] @ state + weights.bias[span]
                    logits = self._scaled(logits)[0] + self.vocabulary.prior[span]
                    after[rows] = state, cell, logits
                state, cell, logits = after[rows]
                # The largest of logits with Gumbel noise is a draw from their softmax.
                drawn = int((logits + rng.gumbel(size=len(logits))).argmax())
                rows = (*rows, 1 + span.start + drawn)
                return decision.domain.values()[drawn]

            return self.space.walk(decide)

        return draw

    def forward(self, parameters: Array, batch: Batch) -> Pass:
        """Return the log-probabilities of a batch, and what their gradient needs."""
        weights = self.weights(parameters)
        rows, steps = batch.tokens.shape
        gates = np.empty((steps, rows, 4 * self.units))
        cells = np.zeros((1 + steps, rows, self.units))
        states = np.zeros((1 + steps, rows, self.units))
        inputs = weights.inputs[_fed(batch)]
        for t in range(steps):
            gates[t] = _gates(inputs[t] + states[t] @ weights.recurrent)
            states[t + 1], cells[t + 1] = _advance(gates[t], cells[t])
        flat = states[1:].reshape(-1, self.units) @ weights.heads.T + weights.bias
        logits, squashed = self._scaled(flat.reshape(steps, rows, -1))
        logits += batch.prior
        logits -= logits.max(axis=-1, keepdims=True)
        probs = np.exp(logits)
        totals = probs.sum(axis=-1, keepdims=True)
        probs /= totals
        taken = logits[_taken(batch)] - np.log(totals[..., 0])
        return Pass(taken.sum(axis=0), gates, cells, states, squashed, probs)

    def gradient(self, parameters: Array, batch: Batch, passed: Pass, credit: Array) -> Array:
        """Return the gradient of the log-probabilities' sum, weighted by ``credit`` (``[rows]``).

        Args:
            parameters: Those of the forward pass.
            batch: That of the forward pass.
            passed: What the forward pass kept.
            credit: ``[rows]`` the weight of each architecture's log-probability.
        """
        weights = self.weights(parameters)
        result = np.empty_like(parameters)
        into = self.weights(result)
        into.inputs.fill(0)
        logits = self._logit_gradient(batch, passed, credit)
        flat = logits.reshape(-1, self.vocabulary.size)
        np.matmul(flat.T, passed.states[1:].reshape(-1, self.units), out=into.heads)
        flat.sum(axis=0, out=into.bias)
        states = (flat @ weights.heads).reshape(*logits.shape[:2], -1)
        gates = _through_time(weights.recurrent, passed, states)
        rows = gates.reshape(-1, 4 * self.units)
        np.matmul(passed.states[:-1].reshape(-1, self.units).T, rows, out=into.recurrent)
        _add_rows(into.inputs, _fed(batch).ravel(), rows)
        return result

    def _scaled(self, logits: Array) -> tuple[Array, Array | None]:
        """Apply temperature and squashing; return the tanh too, where there is one."""
        logits = logits / self.temperature
        if self.tanh_constant is None:
            return logits, None
        squashed = np.tanh(logits)
        return self.tanh_constant * squashed, squashed

    def _logit_gradient(self, batch: Batch, passed: Pass, credit: Array) -> Array:
        """Return the gradient with regard to the heads' outputs, ``[steps, rows, tokens]``."""
        result = -passed.probs
        result[_taken(batch)] += 1
        result *= credit[:, None] / self.temperature
        if passed.squashed is not None and self.tanh_constant is not None:
            result *= self.tanh_constant * (1 - passed.squashed**2)
        return result


def _taken(batch: Batch) -> tuple[NDArray[np.int_], ...]:
    """Return the index of the tokens taken in ``[steps, rows, tokens]``."""
    rows, steps = batch.tokens.shape
    return np.arange(steps)[:, None], np.arange(rows), batch.tokens.T


def _fed(batch: Batch) -> NDArray[np.int_]:
    """Return the row of input weights for every step, ``[steps, rows]``: the token before it."""
    first = np.zeros((1, len(batch.tokens)), dtype=int)
    return np.concatenate([first, 1 + batch.tokens.T[:-1]])


def _add_rows(into: Array, index: NDArray[np.int_], rows: Array) -> None:
    """Add each row to the one its index names; ``np.add.at``, but several times as fast."""
    ranked = np.argsort(index, kind="stable")
    named, first = np.unique(index[ranked], return_index=True)
    into[named] += np.add.reduceat(rows[ranked], first)


def _gates(total: Array) -> Array:
    """Return sigmoid(input, forget, output) and tanh(cell) of ``[..., 4 * units]``."""
    sigmoids = total[..., : 3 * total.shape[-1] // 4]
    sigmoids *= 0.5  # sigmoid(x) is (1 + tanh(x / 2)) / 2
    np.tanh(total, out=total)
    sigmoids += 1
    sigmoids *= 0.5
    return total


def _parts(gates: Array) -> tuple[Array, Array, Array, Array]:
    units = gates.shape[-1] // 4
    return (
        gates[..., :units],
        gates[..., units : 2 * units],
        gates[..., 2 * units : 3 * units],
        gates[..., 3 * units :],
    )


def _advance(gates: Array, cell: Array) -> tuple[Array, Array]:
    """Return the next state and cell."""
    let_in, keep, show, new = _parts(gates)
    cell = keep * cell + let_in * new
    return show * np.tanh(cell), cell


def _through_time(recurrent: Array, passed: Pass, states: Array) -> Array:
    """Return the gradient with regard to the gates before their activations.

    Args:
        recurrent: The recurrent weights.
        passed: The forward pass.
        states: ``[steps, rows, units]`` the gradient with regard to each step's state, by way of
            that step's logits.
    """
    let_in, keep, show, new = _parts(passed.gates)
    shown = np.tanh(passed.cells[1:])
    opened = show * (1 - shown**2)
    # What each gate stands before, times the slope of its own activation.
    behind = np.concatenate([new, passed.cells[:-1], shown, let_in], axis=-1)
    sigmoids = passed.gates[..., : -states.shape[-1]]
    behind[..., : -states.shape[-1]] *= sigmoids * (1 - sigmoids)
    behind[..., -states.shape[-1] :] *= 1 - new**2
    state = cell = np.zeros_like(states[0])
    for t in reversed(range(len(states))):
        state = state + states[t]
        cell = cell + state * opened[t]
        behind[t] *= np.concatenate([cell, cell, state, cell], axis=-1)
        state, cell = behind[t] @ recurrent.T, cell * keep[t]
    return behind
