r"""What rounding can do to compiled backups on a CPU or a GPU: why the bounds of ``tabular._rounding`` hold, and with what room.

XLA is no machine that does what is written, operation by operation. What it was seen to do, or says that it may do, in float64:

* **Sums** are split among threads, warps and vector lanes in an order of its choice. The bounds are for any order (Higham 2002,
  section 4.2: every summation tree of n terms has height at most n - 1).
* **Products and sums** are contracted to fused ones or not: a fused operation rounds once where the bound counts two.
* **Quotients** by one number for many entries become products with its reciprocal, also where that number is an argument: two
  roundings more, counted here. Factors may be collected (``(a/b)/c = a/(b c)``): no more roundings than that.
* **Matrix products** may go to a library, which might emulate float64 by other formats or multiply fast (Strassen), where the
  bound by components is false. The backup that a certificate is read from is therefore a product and a sum of XLA's own.
* **Subnormal numbers**, as arguments and as results, are zeros on a CPU. With rewards and weights of at least ``LEAST`` that
  is beyond the last digit of every bound: an operation loses at most :math:`2^{-1022}(1 + |V|)`, the bound has :math:`2^{-953}`
  and more to spare for it. Other models are certified on the host.
* **Elementary functions**: XLA's own on a CPU, libdevice's on NVIDIA GPUs, which documents 1 ulp for ``exp`` and 1 for ``log``
  and ``log1p`` (CUDA C++ Programming Guide, "Mathematical Functions"). The bounds count ``EXP_ULP`` and ``LOG_ULP`` = 4; a test
  measures the device at hand against balls.

Only the maximum and Shannon's free energy are bounded this way; action values alone under other regularisers, whose
conjugates are then enclosed on the host.
"""

from __future__ import annotations

from typing import Any

from tabular._rounding import U
from tabular.certificates.large import conjugate_error, cost_of_rounding, radius

LEAST, GREATEST = 2.0**-900, 2.0**900
"""Sizes of rewards and weights for which the bounds hold."""
MORE = 4
"""Roundings on a path beyond those of the compiled kernels."""


def covered(reward: float, *weights: float) -> bool:
    """Whether the largest reward and the weights of a regulariser are of a size for which the bounds hold."""
    return all(LEAST <= x <= GREATEST for x in (reward, *(w for w in weights if w != 0.0)))


def q_error(longest: int, reward: Any, size: Any, row: Any) -> Any:
    """Bound on what separates action values on the device, of ``|V| <= size``, from those of the exact model.

    ``longest`` entries a row, rewards of at most ``reward``, rows off by at most ``row``.
    """
    return radius(longest + MORE, reward, size, row) + 8 * U * (size + reward)


def backup_error(reg: Any, n: int, TV: Any) -> Any:
    r"""Bound on the rounding of the conjugate of n actions; None where none is at hand.

    With a reciprocal the exponent t has error 4u|t| for 2u|t|: ``shannon_error`` with two more actions has that room, since
    :math:`(n + 2 + 2F + 1) \log(n + 2) \ge (n + 2F + 3) \log n`.
    """
    return conjugate_error(reg, n + 2, TV)


def policy_error(reg: Any, n: int) -> Any:
    """What rounding the maximiser may cost; None where no bound is at hand. Doubled, since its exponents have twice the error."""
    cost = cost_of_rounding(reg, n)
    return None if cost is None else 2 * cost
