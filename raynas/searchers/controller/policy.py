"""An LSTM that makes the decisions of an architecture one after another (Zoph & Le, 2017).

Neural Architecture Search with Reinforcement Learning, arXiv:1611.01578, section 3.1; with the
tanh-bounded logits of ENAS (Pham et al., 2018, arXiv:1802.03268). The sequence is the order in
which the space makes its decisions. So the LSTM makes only active decisions, and inactive ones
do not change the probability of an architecture.

Differs from the papers: each token has its own input weights of the gates, instead of an
embedding that is multiplied by a matrix, which expresses the same functions and costs more; the
logarithms of the space's prior weights are added to the logits, so that an untrained controller
draws approximately from the prior.
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

_INIT: Final = 0.1  # initial weights are uniform in [-0.1, 0.1] (NAS, ENAS, NASNet)


class Weights(NamedTuple):
    """The parameters, as views of one flat vector.

    Attributes:
        inputs: ``[1 + tokens, 4 * units]``: the input weights of the gates (input, forget,
            output, cell) for the previous token, including the bias; row 0 is for the start.
        recurrent: ``[units, 4 * units]``: the recurrent weights.
        heads: ``[tokens, units]``: the weights from the state to the logit of each token.
        bias: ``[tokens]``: the bias of each logit.
    """

    inputs: Array
    recurrent: Array
    heads: Array
    bias: Array


class Pass(NamedTuple):
    """The results of a forward pass; the backward pass needs them and overwrites them.

    Attributes:
        log_probs: ``[rows]``: the log-probability of each architecture.
        gates: ``[steps, 4 * units, rows]``: the activated gates.
        cells: ``[1 + steps, units, rows]``: the cells; index 0 is the initial cell.
        states: ``[1 + steps, units, rows]``: the states; index 0 is the initial state.
        decided: ``[decisions, units]``: the state from which each decision was made.
        squashed: ``[tokens of all decisions]``: tanh of the logits; none without
            ``tanh_constant``.
        probs: ``[tokens of all decisions]``: the probability of each token.
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
    """The controller network; every method takes its parameters as one flat vector.

    Attributes:
        space: The search space.
        units: The number of units of the LSTM, which has one layer.
        temperature: The logits are divided by this.
        tanh_constant: The bound of the absolute value of the logits; none for no bound.
        vocabulary: The tokens of the space.

    Raises:
        ConfigError: An option is out of range.
    """

    space: Space
    units: int
    temperature: float = 1.0
    tanh_constant: float | None = None
    vocabulary: Vocabulary = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and number the tokens of the space."""
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
        """The number of parameters."""
        tokens, units = self.vocabulary.size, self.units
        return (1 + tokens) * 4 * units + units * 4 * units + tokens * units + tokens

    def initial(self, rng: np.random.Generator) -> Array:
        """Return random initial parameters, ``[size]``."""
        return rng.uniform(-_INIT, _INIT, self.size)

    def weights(self, parameters: Array) -> Weights:
        """Return views of the parts of a parameter vector, ``[size]``."""
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
        """Return a function that draws architectures with these parameters."""
        weights, scale = self.weights(parameters), self.tanh_constant
        inputs, recurrent = halved(weights.inputs), halved(weights.recurrent)
        heads, bias = weights.heads / self.temperature, weights.bias / self.temperature
        spans, tokens = self.vocabulary.spans, self.vocabulary.tokens

        def draw(rng: np.random.Generator) -> Architecture:
            # The index of the largest logit after adding Gumbel noise is a draw from the softmax.
            # Drawing the noise of all tokens in one call takes as long as drawing one number.
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
        """Return the log-probabilities of a batch, with all that ``gradient`` needs."""
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

    def gradient(
        self,
        parameters: Array,
        batch: Batch,
        passed: Pass,
        credit: Array,
        more: Array | float = 0.0,
    ) -> Array:
        """Return the gradient of the weighted sum of the log-probabilities, ``[size]``.

        Args:
            parameters: The parameters of the forward pass.
            batch: The batch of the forward pass.
            passed: The results of the forward pass; they are overwritten.
            credit: ``[rows]``: the weight of each architecture's log-probability.
            more: ``[tokens of all decisions]``: what is added to the gradient with regard to the
                bounded logits.
        """
        weights = self.weights(parameters)
        result = np.empty_like(parameters)
        into = self.weights(result)
        logits = batch.by_token(self._logit_gradient(batch, passed, credit, more))
        into.heads[:] = logits.T @ passed.decided
        into.bias[:] = logits.T @ np.ones(len(passed.decided))
        states = np.zeros((batch.fed.size, self.units))
        states[batch.place] = logits @ weights.heads
        states = states.reshape(*batch.fed.shape, -1).swapaxes(1, 2).copy()
        gates = back(weights.recurrent, passed.gates, passed.cells, states)
        np.matmul(_by_row(passed.states[:-1]).T, gates, out=into.recurrent)
        into.inputs[:] = batch.by_input @ gates
        return result

    def _logit_gradient(
        self, batch: Batch, passed: Pass, credit: Array, more: Array | float
    ) -> Array:
        """Return the gradient with regard to the logits, ``[tokens of all decisions]``."""
        result = -passed.probs
        result[batch.taken] += 1
        result *= batch.spread(credit[batch.row])
        result += more
        result /= self.temperature
        if passed.squashed is not None and self.tanh_constant is not None:
            result *= self.tanh_constant * (1 - passed.squashed**2)
        return result


def _by_row(values: Array) -> Array:
    """Return ``[steps, units, rows]`` as ``[steps * rows, units]``."""
    return values.swapaxes(1, 2).reshape(-1, values.shape[1])
