"""LSTM and GRU loops over time with a hand-written backward pass.

Most of the time of a recurrent layer is usually spent between its products, not in them. Inside, series are
`(time, dim, batch)`: with the batch last, the gates are blocks of rows and splitting them is free. One product per
step computes the contributions of state, input and bias. One iteration of the loop computes eight steps. In the
backward pass of a step, one product uses the stored derivative of every gate, all computed in the forward pass.
"""

import keras
from keras import ops

STEPS_PER_CHUNK = 8  # enough that the loop costs little, few enough that their intermediate values stay in the cache


class LSTM:
    """LSTM cell with a forget gate (Hochreiter and Schmidhuber 1997).

    `c = i * g + f * c`, `h = o * tanh(c)`.
    """

    num_states, num_derivatives = 2, 6

    @staticmethod
    def matrix(kernel, recurrent_kernel, bias):
        """Return the matrix that maps (state, input, 1) to the gates.

        Its rows are the gates input, forget, output and candidate.
        """
        i, f, g, o = ops.split(ops.concatenate([recurrent_kernel, kernel, bias[None]]), 4, axis=1)
        return ops.transpose(ops.concatenate([i, f, o, g], axis=1))

    @staticmethod
    def step(gates, state):
        """Return the next state and a function for the derivatives of this step, those of the gates first."""
        _, c = state
        i, f, o, g = ops.split(gates, 4)
        i, f, o, g = ops.sigmoid(i), ops.sigmoid(f), ops.sigmoid(o), ops.tanh(g)
        input_term, forget_term = i * g, f * c
        c = input_term + forget_term
        t = ops.tanh(c)
        h = o * t

        def derivatives():
            return (
                input_term - input_term * i,
                forget_term - forget_term * f,
                h - h * o,
                i - input_term * g,
                o - h * t,
                f,
            )

        return (h, c), derivatives

    @staticmethod
    def back(derivatives, dh, dc):
        """Return the gradient of the gates, and of the previous state without its path through the gates."""
        i, f, o, g, output, forget = derivatives
        dc = dc + dh * output
        return ops.concatenate([dc * i, dc * f, dh * o, dc * g]), (None, dc * forget)


class GRU:
    """GRU cell as computed by cuDNN (Cho et al. 2014).

    `n = tanh(inputs + r * recurrence)`, `h = n + z * (h - n)`.
    """

    num_states, num_derivatives = 1, 5

    @staticmethod
    def matrix(kernel, recurrent_kernel, bias):
        """Return the matrix that maps (state, input, 1) to the gates.

        Its rows are the gates update and reset, then the contributions of state and input to the candidate.
        """
        gates = 2 * (recurrent_kernel.shape[1] // 3)
        state = ops.concatenate([recurrent_kernel, ops.zeros_like(kernel), bias[1:]])
        inputs = ops.concatenate([ops.zeros_like(recurrent_kernel), kernel, bias[:1]])
        gate_rows = state[:, :gates] + inputs[:, :gates]
        return ops.transpose(ops.concatenate([gate_rows, state[:, gates:], inputs[:, gates:]], axis=1))

    @staticmethod
    def step(gates, state):
        (h,) = state
        z, r, recurrence, inputs = ops.split(gates, 4)
        z, r = ops.sigmoid(z), ops.sigmoid(r)
        reset = r * recurrence
        n = ops.tanh(inputs + reset)
        update = z * (h - n)

        def derivatives():
            derivative = (1 - z) * (1 - n * n)
            return update - update * z, (reset - reset * r) * derivative, derivative * r, derivative, z

        return (n + update,), derivatives

    @staticmethod
    def back(derivatives, dh):
        *gates, z = derivatives
        return ops.concatenate([dh * derivative for derivative in gates]), (dh * z,)


def run_cell(cell, x, matrix, *, sequence, training, mask=None):
    """Run a recurrent cell over a sequence, starting from a zero state.

    Args:
        cell: `LSTM` or `GRU`.
        x: `(batch, time, dim)`.
        matrix: `(4 * units, units + dim + 1)`, from `cell.matrix`.
        sequence: Whether to return the states of all steps.
        training: Whether to use the fast custom gradient; otherwise the loop consists of ordinary operations.
        mask: `(units, batch)`, multiplied with the state before the product.

    Returns:
        `(batch, time, units)`, or `(batch, 1, units)`.
    """
    units, batch = matrix.shape[0] // 4, ops.shape(x)[0]
    x = ops.transpose(x, (1, 2, 0))
    x = ops.concatenate([x, ops.ones_like(x[:, :1])], axis=1)
    time, static_time = ops.shape(x)[0], x.shape[0]
    num_chunks = -(-static_time // STEPS_PER_CHUNK) if static_time else None
    chunk_steps = -(-static_time // num_chunks) if static_time else STEPS_PER_CHUNK
    divides_evenly = num_chunks is not None and num_chunks * chunk_steps == static_time
    if not divides_evenly:  # steps after the end do not change earlier steps
        padded = ops.concatenate([x, ops.zeros((chunk_steps - 1, x.shape[1], batch), x.dtype)])
        x = padded[: (time + chunk_steps - 1) // chunk_steps * chunk_steps]
    x = ops.reshape(x, (-1, chunk_steps, x.shape[1], batch))
    return_all = sequence or not divides_evenly
    state = (ops.zeros((units, batch), x.dtype),) * cell.num_states
    if return_all:
        state = (ops.zeros((chunk_steps, units, batch), x.dtype), *state)

    def run_chunk(state, x):
        state = _run_chunk(cell, x, matrix, state[-cell.num_states :], chunk_steps, return_all, training, mask)
        return state, state if return_all else None

    if num_chunks == 1:
        state, ys = run_chunk(state, x[0])
    else:
        state, ys = ops.scan(run_chunk, state, x)
    if not return_all:
        return ops.transpose(state[0])[:, None]
    ys = ops.reshape(ys[0], (-1, units, batch))
    return ops.transpose(ys[:time] if sequence else ys[time - 1 : time], (2, 0, 1))


def _run_chunk(cell, x, matrix, state, chunk_steps, return_all, training, mask):
    """Run `chunk_steps` steps and return the final states.

    With `return_all`, the outputs of all steps come first.
    """
    units = matrix.shape[0] // 4

    def forward(x, matrix, *state):
        outputs, cell_inputs, derivatives = [], [], []
        for x_t in ops.unstack(x, chunk_steps):
            cell_inputs.append(ops.concatenate([state[0] if mask is None else state[0] * mask, x_t]))
            state, derivative = cell.step(ops.matmul(matrix, cell_inputs[-1]), state)
            outputs.append(state[0])
            derivatives.append(derivative)
        result = (ops.stack(outputs), *state) if return_all else tuple(state)
        if not uses_custom_gradient:
            return result
        # stacked, because a loop passes few large tensors faster than many small ones
        cell_inputs, derivatives = (
            ops.stack(cell_inputs),
            ops.stack([derivative for step in derivatives for derivative in step()]),
        )

        def backward(*upstream):
            dys = ops.unstack(upstream[0], chunk_steps) if return_all else None
            dstate = upstream[1:] if return_all else upstream
            count = cell.num_derivatives
            step_inputs, flat_derivatives = (
                ops.unstack(cell_inputs, chunk_steps),
                ops.unstack(derivatives, chunk_steps * count),
            )
            dmatrix, dxs = 0, []
            for t in reversed(range(chunk_steps)):
                dh = dstate[0] + dys[t] if return_all else dstate[0]
                dgates, (direct_gradient, *other_states) = cell.back(
                    flat_derivatives[count * t : count * (t + 1)], dh, *dstate[1:]
                )
                dmatrix = dmatrix + ops.matmul(dgates, ops.transpose(step_inputs[t]))
                dh, dx = ops.split(ops.matmul(ops.transpose(matrix), dgates), [units])
                dh = dh if mask is None else dh * mask
                dstate = (dh if direct_gradient is None else dh + direct_gradient, *other_states)
                dxs.append(dx)
            return ops.stack(dxs[::-1]), dmatrix, *dstate

        return result, backward

    # on other backends the compiler does the same optimization
    uses_custom_gradient = training and keras.backend.backend() == "tensorflow"
    return (ops.custom_gradient(forward) if uses_custom_gradient else forward)(x, matrix, *state)
