# mypy: allow-untyped-defs
"""exp and log1p without branches, so that loops over them use vector instructions: a call of the C library's costs ten times as
much. Both are accurate to an ulp, within what `tabular._rounding` takes for granted.

Nothing here may be reordered: each function is compiled with fused operations alone.
"""

import numpy as np

from tabular._jit import kernel

SHIFT = 1.5 * 2.0**52
"""Added to a number below 2^51 it leaves the nearest integer in the last bits."""
SHIFT_BITS = np.int64(0x4338000000000000)
LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01  # 33 bits: its product with an exponent is exact
LN2_LOW = 1.90821492927058770002e-10
HALF_ROOT = np.int64(0x3FE6A09E667F3BCD)  # the bits of sqrt(1/2)


@kernel(inline=True, exact=True)
def exp_below(t):
    """e^t for t <= 0: 2^n e^r with |r| <= log(2)/2, by thirteen terms of the series, whose rest is below 2^-57."""
    t = -750.0 if t < -750.0 else t  # which is zero; NaN stays
    shifted = t * LOG2_E + SHIFT
    n = shifted - SHIFT
    r = (t - n * LN2_HIGH) - n * LN2_LOW
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    exponent = np.float64(shifted).view(np.int64) - SHIFT_BITS
    half = exponent >> np.int64(1)  # in two steps, as 2^n may be no normal number
    first = np.int64((half + np.int64(1023)) << np.int64(52)).view(np.float64)
    second = np.int64((exponent - half + np.int64(1023)) << np.int64(52)).view(np.float64)
    return p * first * second


@kernel(inline=True, exact=True)
def log1p_above(x):
    """log(1 + x) for 0 <= x < inf: the logarithm of u = fl(1 + x) as in fdlibm, and what u has lost."""
    u = 1.0 + x
    lost = 1.0 - (u - x) if x >= 1.0 else x - (u - 1.0)
    bits = np.float64(u).view(np.int64)
    k = (bits - HALF_ROOT) >> np.int64(52)
    f = np.int64(bits - (k << np.int64(52))).view(np.float64) - 1.0
    n = np.int64(k + SHIFT_BITS).view(np.float64) - SHIFT
    s = f / (2.0 + f)
    z = s * s
    p = 1.479819860511658591e-01
    p = p * z + 1.531383769920937332e-01
    p = p * z + 1.818357216161805012e-01
    p = p * z + 2.222219843214978396e-01
    p = p * z + 2.857142874366239149e-01
    p = p * z + 3.999999999940941908e-01
    p = p * z + 6.666666666666735130e-01
    half = 0.5 * f * f
    return n * LN2_HIGH - ((half - (s * (half + p * z) + (n * LN2_LOW + lost / u))) - f)
