"""The forward and the backward pass of an LSTM in NumPy.

The order of the gates is: input, forget, output, cell. The axis of the units comes before the
axis of the batch, so that each gate is contiguous in memory. Results are written into existing
arrays, because for a few hundred numbers the allocation takes longer than the computation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def parts(gates: Array) -> tuple[Array, Array, Array, Array]:
    """Return views of the four gates (input, forget, output, cell) of ``[4 * units, ...]``."""
    units = len(gates) // 4
    return (
        gates[:units],
        gates[units : 2 * units],
        gates[2 * units : 3 * units],
        gates[3 * units :],
    )


def halved(weights: Array) -> Array:
    """Return ``[..., 4 * units]``: the weights, with those of the three sigmoid gates halved.

    Because sigmoid(x) = (1 + tanh(x / 2)) / 2, ``stepper`` needs one call of tanh for all gates.
    """
    weights = weights.copy()
    weights[..., : 3 * weights.shape[-1] // 4] *= 0.5
    return weights


def stepper(gates: Array, cell: Array, state: Array) -> Callable[[], None]:
    """Return a function that computes one step of the LSTM in place.

    Args:
        gates: ``[4 * units, ...]``: before the step the inputs of the gates, computed with
            ``halved`` weights; after the step the activated gates.
        cell: ``[units, ...]``: the cell, which the step updates.
        state: ``[units, ...]``: the step writes the new state here.
    """
    let_in, keep, show, new = parts(gates)
    sigmoids, spare = gates[: -len(new)], np.empty_like(cell)

    def step() -> None:
        np.tanh(gates, out=gates)
        np.add(sigmoids, 1, out=sigmoids)
        np.multiply(sigmoids, 0.5, out=sigmoids)
        np.multiply(let_in, new, out=spare)
        np.multiply(cell, keep, out=cell)
        np.add(cell, spare, out=cell)
        np.tanh(cell, out=spare)
        np.multiply(show, spare, out=state)

    return step


def forth(inputs: Array, fed: NDArray[np.int_], recurrent: Array) -> tuple[Array, Array, Array]:
    """Run the forward pass over a batch of sequences.

    Args:
        inputs: ``[tokens, 4 * units]``: the ``halved`` input weights of each token.
        fed: ``[steps, rows]``: the index of the token that is the input of each step.
        recurrent: ``[units, 4 * units]``: the ``halved`` recurrent weights.

    Returns:
        The activated gates ``[steps, 4 * units, rows]``; the cells and the states
        ``[1 + steps, units, rows]`` each, where index 0 is the initial value, zero.
    """
    (steps, rows), units = fed.shape, len(recurrent)
    gates = np.empty((steps, 4 * units, rows))
    cells, states = np.zeros((2, 1 + steps, units, rows))
    now, cell, state = np.empty_like(gates[0]), cells[0].copy(), states[0].copy()
    step = stepper(now, cell, state)
    into = np.ascontiguousarray(recurrent.T)
    for t in range(steps):
        np.matmul(into, state, out=now)
        np.add(now, inputs[fed[t]].T, out=now)
        step()
        gates[t], cells[t + 1], states[t + 1] = now, cell, state
    return gates, cells, states


def back(recurrent: Array, gates: Array, cells: Array, states: Array) -> Array:
    """Run the backward pass through time.

    Args:
        recurrent: ``[units, 4 * units]``: the recurrent weights, not halved.
        gates: ``[steps, 4 * units, rows]``, as ``forth`` returned them. The result overwrites
            them, because allocating new memory would take longer than the computation.
        cells: ``[1 + steps, units, rows]``, as ``forth`` returned them.
        states: ``[steps, units, rows]``: the gradient with regard to the state of each step, as
            far as it comes from the logits of that step.

    Returns:
        ``[steps * rows, 4 * units]``: the gradient with regard to the gates before activation.
    """
    state, cell, shown = (np.zeros_like(states[0]) for _ in range(3))
    result = np.empty_like(gates[0])
    spare = np.empty_like(gates[0, : 3 * len(recurrent)])
    for t in reversed(range(len(states))):
        state += states[t]
        np.tanh(cells[t + 1], out=shown)
        _through_cell(gates[t], cells[t], shown, state, cell, result)
        _through_gates(gates[t], spare, result)
        np.matmul(recurrent, result, out=state)
        cell *= parts(gates[t])[1]
        gates[t].reshape(result.shape[::-1])[:] = result.T
    return gates.reshape(-1, len(result))


def _through_cell(
    gates: Array, before: Array, shown: Array, state: Array, cell: Array, into: Array
) -> None:
    """Write the gradient of the activated gates to ``into``; add that of the cell to ``cell``."""
    let_in, _, show, new = parts(gates)
    for_in, for_keep, for_show, for_new = parts(into)
    np.multiply(state, shown, out=for_show)
    # shown = tanh(cell) has the derivative 1 - shown**2; ``for_in`` is used as scratch memory.
    np.multiply(for_show, shown, out=for_in)
    np.subtract(state, for_in, out=for_in)
    for_in *= show
    cell += for_in
    np.multiply(cell, new, out=for_in)
    np.multiply(cell, before, out=for_keep)
    np.multiply(cell, let_in, out=for_new)


def _through_gates(gates: Array, spare: Array, into: Array) -> None:
    """Multiply the gradient by the derivative of each gate's activation function."""
    sigmoids, new = gates[: len(spare)], gates[len(spare) :]
    np.subtract(1, sigmoids, out=spare)
    spare *= sigmoids
    into[: len(spare)] *= spare
    slope = spare[: len(new)]
    np.multiply(new, new, out=slope)
    np.subtract(1, slope, out=slope)
    into[len(spare) :] *= slope
