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

from raynas.errors import ConfigError
from raynas.searchers.controller.lstm import Array, back, forth, halved, stepper
from raynas.searchers.controller.vocabulary import Batch, Vocabulary
from raynas.space import Architecture, Decision, Space, Value

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
    """What a forward pass keeps for the backward pass, which uses it up.

    Attributes:
        log_probs: ``[rows]`` of whole architectures.
        gates: ``[steps, 4 * units, rows]`` after their activations.
        cells: ``[1 + steps, units, rows]``, from the first step's input on.
        states: ``[1 + steps, units, rows]``, likewise.
        decided: ``[decisions, units]`` the state in which each decision was made.
        squashed: ``[tokens of all decisions]`` tanh of the logits; none without
            ``tanh_constant``.
        probs: ``[tokens of all decisions]``.
    """

    log_probs: Array
    gates: Array
    cells: Array
    states: Array
    decided: Array
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
        """Return what draws architectures."""
        weights, scale = self.weights(parameters), self.tanh_constant
        inputs, recurrent = halved(weights.inputs), halved(weights.recurrent)
        heads, bias = weights.heads / self.temperature, weights.bias / self.temperature
        spans, tokens = self.vocabulary.spans, self.vocabulary.tokens

        def draw(rng: np.random.Generator) -> Architecture:
            # The largest of logits with Gumbel noise is a draw from their softmax. A decision is
            # made once, so that every token has its own; all at once costs what one does.
            noise = rng.gumbel(size=len(bias))
            noise += self.vocabulary.prior
            gates, cell, state = np.empty(4 * self.units), *np.zeros((2, self.units))
            step = stepper(gates, cell, state)
            row = 0

            def decide(decision: Decision) -> Value:
                nonlocal row
                span = spans[decision.path]
                np.dot(state, recurrent, out=gates)
                np.add(gates, inputs[row], out=gates)
                step()
                logits = heads[span].dot(state)
                np.add(logits, bias[span], out=logits)
                if scale is not None:
                    np.tanh(logits, out=logits)
                    np.multiply(logits, scale, out=logits)
                np.add(logits, noise[span], out=logits)
                token = int(logits.argmax())
                row = 1 + span.start + token
                return tokens[decision.path].draw(token, rng)

            return self.space.walk(decide)

        return draw

    def forward(self, parameters: Array, batch: Batch) -> Pass:
        """Return the log-probabilities of a batch, and what their gradient needs."""
        weights = self.weights(parameters)
        gates, cells, states = forth(halved(weights.inputs), batch.fed, halved(weights.recurrent))
        decided = _by_row(states[1:])[batch.place]
        logits = weights.bias[batch.tokens]
        for span, here, those in batch.alike:
            logits[those] += (decided[here] @ weights.heads[span].T).ravel()
        logits /= self.temperature
        squashed = None
        if self.tanh_constant is not None:
            squashed = np.tanh(logits)
            logits = self.tanh_constant * squashed
        logits += self.vocabulary.prior[batch.tokens]
        logits -= batch.spread(np.maximum.reduceat(logits, batch.starts))
        probs = np.exp(logits)
        totals = np.add.reduceat(probs, batch.starts)
        probs /= batch.spread(totals)
        taken = logits[batch.taken] - np.log(totals)
        log_probs = np.zeros(batch.fed.shape[1])
        np.add.at(log_probs, batch.row, taken)
        return Pass(log_probs, gates, cells, states, decided, squashed, probs)

    def gradient(self, parameters: Array, batch: Batch, passed: Pass, credit: Array) -> Array:
        """Return the gradient of the log-probabilities' sum, weighted by ``credit`` (``[rows]``).

        Args:
            parameters: Those of the forward pass.
            batch: That of the forward pass.
            passed: What the forward pass kept; used up.
            credit: ``[rows]`` the weight of each architecture's log-probability.
        """
        weights = self.weights(parameters)
        result = np.empty_like(parameters)
        into = self.weights(result)
        logits = batch.by_token(self._logit_gradient(batch, passed, credit))
        into.heads[:] = logits.T @ passed.decided
        into.bias[:] = logits.T @ np.ones(len(passed.decided))
        states = np.zeros((batch.fed.size, self.units))
        states[batch.place] = logits @ weights.heads
        states = states.reshape(*batch.fed.shape, -1).swapaxes(1, 2).copy()
        gates = back(weights.recurrent, passed.gates, passed.cells, states)
        np.matmul(_by_row(passed.states[:-1]).T, gates, out=into.recurrent)
        into.inputs[:] = batch.by_input @ gates
        return result

    def _logit_gradient(self, batch: Batch, passed: Pass, credit: Array) -> Array:
        """Return the gradient with regard to the heads' outputs."""
        result = -passed.probs
        result[batch.taken] += 1
        result *= batch.spread(credit[batch.row] / self.temperature)
        if passed.squashed is not None and self.tanh_constant is not None:
            result *= self.tanh_constant * (1 - passed.squashed**2)
        return result


def _by_row(values: Array) -> Array:
    """Return ``[steps, units, rows]`` as ``[steps * rows, units]``."""
    return values.swapaxes(1, 2).reshape(-1, values.shape[1])
