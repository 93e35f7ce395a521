"""The same descent in JAX: ``vmap`` over networks, ``scan`` over epochs, ``jit`` over all of it;
its compilation is timed apart.
"""

from . import rivals

_ACTIVATIONS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu"}


def get():
    """The module ``jax``, in double precision; None where it is not installed."""
    jax = rivals.get("jax")
    if jax is not None:
        jax.config.update("jax_enable_x64", True)
    return jax


def mlp(jax, sizes, activation):
    """Output (N, C) of an MLP as a function of (P,) parameters in our order, those of a unit
    together, and inputs (N, d).
    """
    bend = getattr(jax.nn, _ACTIVATIONS[activation])

    def forward(params, x):
        start = 0
        for k, (inputs, units) in enumerate(zip(sizes[:-1], sizes[1:])):
            matrix = params[start : start + units * (inputs + 1)].reshape(units, inputs + 1)
            start += units * (inputs + 1)
            x = x @ matrix[:, :-1].T + matrix[:, -1]
            if k < len(sizes) - 2:
                x = bend(x)
        return x

    return forward


def convolutional(jax, side):
    """Output (N, 10) of the book's small convolutional network, parameters (P,) in PyTorch's order,
    inputs (N, side²).
    """
    shapes = [(8, 1, 3, 3), (8,), (16, 8, 3, 3), (16,), (10, 16 * (side // 4) ** 2), (10,)]

    def forward(params, x):
        parts, start = [], 0
        for shape in shapes:
            size = 1
            for length in shape:
                size *= length
            parts.append(params[start : start + size].reshape(shape))
            start += size
        x = x.reshape(-1, 1, side, side)
        for kernel, bias in (parts[0:2], parts[2:4]):
            x = jax.lax.conv_general_dilated(
                x, kernel, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW")
            )
            x = jax.nn.relu(x + bias[:, None, None])
            x = jax.lax.reduce_window(
                x, -jax.numpy.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"
            )
        return x.reshape(len(x), -1) @ parts[4].T + parts[5]

    return forward


def descent(jax, forward, x, y, rate, epochs):
    """A compiled function of groups (n, 1 + M, P): distances (T, n, M) of the copies from their
    reference, and the weights at the end.
    """
    numpy = jax.numpy
    x, y = numpy.asarray(x), numpy.asarray(y)

    def loss(params):
        logits = forward(params, x)
        return -numpy.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()

    slope = jax.vmap(jax.vmap(jax.grad(loss)))

    def step(groups, _):
        distance = numpy.abs(groups[:, 1:] - groups[:, :1]).sum(-1)
        return groups - rate * slope(groups), distance

    def run(groups):
        last, distances = jax.lax.scan(step, groups, None, length=epochs)
        return distances, last

    return jax.jit(run)


def compiled(jax, function, groups):
    """The function ready for groups of this shape, and the seconds that took."""
    from time import perf_counter

    begin = perf_counter()
    ready = function.lower(groups).compile()
    seconds = perf_counter() - begin

    def call(values):
        distances, last = ready(values)
        last.block_until_ready()
        return distances, last

    return call, seconds
