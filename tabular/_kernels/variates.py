# mypy: allow-untyped-defs
"""Normal, gamma and Dirichlet variates from the project's own streams: the same bits on every release.

Each function takes the state and the increment of a SplitMix stream and returns its draw and the next state. The laws are
exact up to rounding: Box and Muller's normals, Marsaglia and Tsang's rejection (2000) for gammas of shape one or more, and for
smaller shapes a gamma of shape + 1 times a power of a uniform number.
"""

from math import cos, log, pi, sqrt

from tabular._jit import kernel
from tabular._kernels.sampling import mix, unit


@kernel
def uniform(z, increment):
    """In (0, 1]: its logarithm can be taken."""
    z += increment
    return 1.0 - unit(mix(z)), z


@kernel
def normal(z, increment):
    u, z = uniform(z, increment)
    v, z = uniform(z, increment)
    return sqrt(-2.0 * log(u)) * cos(2.0 * pi * v), z


@kernel
def gamma(shape, z, increment):
    """Shape > 0, scale one; zero where a draw lies below the least float."""
    small = shape < 1.0
    d = (shape + 1.0 if small else shape) - 1.0 / 3.0
    c = 1.0 / sqrt(9.0 * d)
    while True:
        x, z = normal(z, increment)
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            u, z = uniform(z, increment)
            if log(u) < 0.5 * x * x + d - d * v + d * log(v):
                break
    if not small:
        return d * v, z
    u, z = uniform(z, increment)
    return d * v * u ** (1.0 / shape), z


@kernel
def dirichlet(shapes, z, increment):
    """Replace the shapes, all positive, by a draw; the next state. The first corner where every gamma underflows."""
    total = 0.0
    for i in range(shapes.size):
        shapes[i], z = gamma(shapes[i], z, increment)
        total += shapes[i]
    if total > 0.0:
        for i in range(shapes.size):
            shapes[i] /= total
    else:
        shapes[0] = 1.0
    return z
