"""The arithmetic of an LSTM's cell, forwards and backwards through time.

Gates follow each other: input, forget, output, cell. Units come before the rows of a batch, so
that a gate is one piece of memory; and results are written where there is room for them, since an
array of a few hundred numbers takes longer to be made than to be computed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def parts(gates: Array) -> tuple[Array, Array, Array, Array]:
    """Return the four gates of ``[4 * units, ...]``, as views."""
    units = len(gates) // 4
    return (
        gates[:units],
        gates[units : 2 * units],
        gates[2 * units : 3 * units],
        gates[3 * units :],
    )


def halved(weights: Array) -> Array:
    """Return weights (``[..., 4 * units]``) for ``stepper``, which takes a half of three gates.

    So that one call of tanh serves all four: sigmoid(x) is (1 + tanh(x / 2)) / 2.
    """
    weights = weights.copy()
    weights[..., : 3 * weights.shape[-1] // 4] *= 0.5
    return weights


def stepper(gates: Array, cell: Array, state: Array) -> Callable[[], None]:
    """Return what makes a step in place, wherever these come from.

    Args:
        gates: ``[4 * units, ...]`` what comes in, three of them halved; activated afterwards.
        cell: ``[units, ...]`` the cell before the step, and after it.
        state: ``[units, ...]`` where the state after it is written.
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
    """Run through sequences; return the activated gates, the cells and the states.

    The gates are ``[steps, 4 * units, rows]``; the others ``[1 + steps, units, rows]``, beginning
    with what the first step starts from.

    Args:
        inputs: ``[tokens, 4 * units]`` what each token brings, halved.
        fed: ``[steps, rows]`` the token that comes in.
        recurrent: ``[units, 4 * units]``, halved.
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
    """Return the gradient with regard to the gates before their activations.

    It is ``[steps * rows, 4 * units]`` and takes the gates' place: memory that was never touched
    is dearer than what is computed in it.

    Args:
        recurrent: ``[units, 4 * units]`` the recurrent weights.
        gates: ``[steps, 4 * units, rows]``, as ``forth`` returned them; overwritten.
        cells: ``[1 + steps, units, rows]``, likewise, but only read.
        states: ``[steps, units, rows]`` the gradient with regard to each step's state, by way of
            that step's logits.
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
    """Write the gradient with regard to the activated gates; add to the cell's what is its own."""
    let_in, _, show, new = parts(gates)
    for_in, for_keep, for_show, for_new = parts(into)
    np.multiply(state, shown, out=for_show)
    # The cell is shown through tanh, whose slope is 1 - shown**2; two gates have room to spare.
    np.multiply(for_show, shown, out=for_in)
    np.subtract(state, for_in, out=for_in)
    for_in *= show
    cell += for_in
    np.multiply(cell, new, out=for_in)
    np.multiply(cell, before, out=for_keep)
    np.multiply(cell, let_in, out=for_new)


def _through_gates(gates: Array, spare: Array, into: Array) -> None:
    """Multiply the gradient by the slope of each gate's activation."""
    sigmoids, new = gates[: len(spare)], gates[len(spare) :]
    np.subtract(1, sigmoids, out=spare)
    spare *= sigmoids
    into[: len(spare)] *= spare
    slope = spare[: len(new)]
    np.multiply(new, new, out=slope)
    np.subtract(1, slope, out=slope)
    into[len(spare) :] *= slope
