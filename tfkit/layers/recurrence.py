"""The loop over time of an LSTM or a GRU: most of the time usually goes not into its products but between them.

Inside, series are `(time, dim, batch)`: with the batch last the gates are blocks of rows, and to part them is free.
One product a step serves the state, the input and the bias. Eight steps are one turn of the loop. The backward pass is
written by hand: a step is the product with one told slope of every gate, all found when the step was made.
"""

import keras
from keras import ops

STEPS = 8  # of one turn: enough that the loop costs little, few enough that what they keep stays in the cache


class LSTM:
    """Hochreiter and Schmidhuber 1997, with a forget gate: `c = i * g + f * c`, `h = o * tanh(c)`."""

    num_states, num_slopes = 2, 6

    @staticmethod
    def matrix(kernel, recurrent_kernel, bias):
        """What makes the gates out of (state, input, 1): rows are the gates input, forget, output and candidate."""
        i, f, g, o = ops.split(ops.concatenate([recurrent_kernel, kernel, bias[None]]), 4, axis=1)
        return ops.transpose(ops.concatenate([i, f, o, g], axis=1))

    @staticmethod
    def step(gates, state):
        """The next state, and a function that gives the slopes of this step: those of the gates first."""
        _, c = state
        i, f, o, g = ops.split(gates, 4)
        i, f, o, g = ops.sigmoid(i), ops.sigmoid(f), ops.sigmoid(o), ops.tanh(g)
        written, kept = i * g, f * c
        c = written + kept
        t = ops.tanh(c)
        h = o * t

        def slopes():
            return written - written * i, kept - kept * f, h - h * o, i - written * g, o - h * t, f

        return (h, c), slopes

    @staticmethod
    def back(slopes, dh, dc):
        """Gradient of the gates, and that of the former state but for its way through the gates."""
        i, f, o, g, output, forget = slopes
        dc = dc + dh * output
        return ops.concatenate([dc * i, dc * f, dh * o, dc * g]), (None, dc * forget)


class GRU:
    """Cho et al. 2014, as cuDNN computes it: `n = tanh(inputs + r * recurrence)`, `h = n + z * (h - n)`."""

    num_states, num_slopes = 1, 5

    @staticmethod
    def matrix(kernel, recurrent_kernel, bias):
        """Rows are the gates update and reset, then what the state and what the input give to the candidate."""
        gates = 2 * (recurrent_kernel.shape[1] // 3)
        state = ops.concatenate([recurrent_kernel, ops.zeros_like(kernel), bias[1:]])
        inputs = ops.concatenate([ops.zeros_like(recurrent_kernel), kernel, bias[:1]])
        both = state[:, :gates] + inputs[:, :gates]
        return ops.transpose(ops.concatenate([both, state[:, gates:], inputs[:, gates:]], axis=1))

    @staticmethod
    def step(gates, state):
        (h,) = state
        z, r, recurrence, inputs = ops.split(gates, 4)
        z, r = ops.sigmoid(z), ops.sigmoid(r)
        reset = r * recurrence
        n = ops.tanh(inputs + reset)
        update = z * (h - n)

        def slopes():
            slope = (1 - z) * (1 - n * n)
            return update - update * z, (reset - reset * r) * slope, slope * r, slope, z

        return (n + update,), slopes

    @staticmethod
    def back(slopes, dh):
        *gates, z = slopes
        return ops.concatenate([dh * slope for slope in gates]), (dh * z,)


def recur(cell, x, matrix, *, sequence, training, mask=None):
    """States of all steps, or of the last alone, from a state of zeros.

    Args:
        cell: `LSTM` or `GRU`.
        x: `(batch, time, dim)`.
        matrix: `(4 * units, units + dim + 1)`, from `cell.matrix`.
        sequence: Whether all states are wanted.
        training: Whether a gradient is to be quick; without, the loop is of ordinary operations alone.
        mask: `(units, batch)`, times which the state goes into the product.

    Returns:
        `(batch, time, units)`, or `(batch, 1, units)`.
    """
    units, batch = matrix.shape[0] // 4, ops.shape(x)[0]
    x = ops.transpose(x, (1, 2, 0))
    x = ops.concatenate([x, ops.ones_like(x[:, :1])], axis=1)
    time, fixed = ops.shape(x)[0], x.shape[0]
    turns = -(-fixed // STEPS) if fixed else None
    steps = -(-fixed // turns) if fixed else STEPS
    whole = turns is not None and turns * steps == fixed
    if not whole:  # steps after the end change nothing before it
        more = ops.concatenate([x, ops.zeros((steps - 1, x.shape[1], batch), x.dtype)])
        x = more[: (time + steps - 1) // steps * steps]
    x = ops.reshape(x, (-1, steps, x.shape[1], batch))
    every = sequence or not whole
    state = (ops.zeros((units, batch), x.dtype),) * cell.num_states
    if every:
        state = (ops.zeros((steps, units, batch), x.dtype), *state)

    def turn(state, x):
        state = _turn(cell, x, matrix, state[-cell.num_states :], steps, every, training, mask)
        return state, state if every else None

    if turns == 1:
        state, ys = turn(state, x[0])
    else:
        state, ys = ops.scan(turn, state, x)
    if not every:
        return ops.transpose(state[0])[:, None]
    ys = ops.reshape(ys[0], (-1, units, batch))
    return ops.transpose(ys[:time] if sequence else ys[time - 1 : time], (2, 0, 1))


def _turn(cell, x, matrix, state, steps, every, training, mask):
    """`steps` steps: the states that they end with, after those of all steps where `every` is asked for."""
    units = matrix.shape[0] // 4

    def forward(x, matrix, *state):
        outputs, seen, slopes = [], [], []
        for x_t in ops.unstack(x, steps):
            seen.append(ops.concatenate([state[0] if mask is None else state[0] * mask, x_t]))
            state, slope = cell.step(ops.matmul(matrix, seen[-1]), state)
            outputs.append(state[0])
            slopes.append(slope)
        said = (ops.stack(outputs), *state) if every else tuple(state)
        if not by_hand:
            return said
        # stacked, for a loop hands on few large tensors faster than many small ones
        seen, slopes = ops.stack(seen), ops.stack([slope for step in slopes for slope in step()])

        def backward(*above):
            dys = ops.unstack(above[0], steps) if every else None
            dstate = above[1:] if every else above
            count = cell.num_slopes
            inputs, flat = ops.unstack(seen, steps), ops.unstack(slopes, steps * count)
            dmatrix, dxs = 0, []
            for t in reversed(range(steps)):
                dh = dstate[0] + dys[t] if every else dstate[0]
                dgates, (direct, *others) = cell.back(flat[count * t : count * (t + 1)], dh, *dstate[1:])
                dmatrix = dmatrix + ops.matmul(dgates, ops.transpose(inputs[t]))
                dh, dx = ops.split(ops.matmul(ops.transpose(matrix), dgates), [units])
                dh = dh if mask is None else dh * mask
                dstate = (dh if direct is None else dh + direct, *others)
                dxs.append(dx)
            return ops.stack(dxs[::-1]), dmatrix, *dstate

        return said, backward

    # elsewhere the compiler finds the same by itself
    by_hand = training and keras.backend.backend() == "tensorflow"
    return (ops.custom_gradient(forward) if by_hand else forward)(x, matrix, *state)
