r"""What rounding can do to the kernels, proved once; certificates and tests take their constants from here.

The model of arithmetic is that of Higham (Accuracy and Stability of Numerical Algorithms, 2nd ed., 2002):
u = 2^-53, an operation or a fused multiply-add has relative error at most u, sums of n terms in any order
gamma_(n-1) (Lemma 3.1, section 4.2). Elementary functions are assumed accurate to EXP_ULP and LOG_ULP units
in the last place; Intel's SVML and glibc's libmvec promise 4, scalar functions and `_kernels.elementary` about 1. One ulp is
at most 2u relatively, so F = 8 below. Bounds are to first order in u and then multiplied by 1 + 2^-10, which
covers the higher orders and the rounding of the bound itself while n and log n stay below 10^9 (n u < 2^-20).
Arguments may be arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

U = 2.0**-53  # unit roundoff of float64
EXP_ULP = 4  # exp, expm1
LOG_ULP = 4  # log, log1p
F = 2 * max(EXP_ULP, LOG_ULP)  # relative error of such a function in units of u

_UP = 1 + 2.0**-10
_UNDERFLOW = 2.0**-1068  # absolute error, for each term, of results that are subnormal or zero


def gamma_n(n: Any) -> Any:
    """n u / (1 - n u): the relative error of n roundings in a row (Higham, Lemma 3.1), for n u < 1."""
    return n * U / (1 - n * U)


def backup_error(k: Any, reward: Any, future: Any) -> Any:
    """Bound on the rounding of `R + gamma P V`, k entries, |R| <= reward, gamma P |V| <= future.

    A product for each entry, k - 1 additions, the product with gamma, the last addition: k + 2 roundings at
    most on any path (Higham, section 3.1). Both arguments are of exact quantities, or upper bounds of them.
    """
    return _UP * (gamma_n(k + 2) * (reward + future) + (k + 2) * _UNDERFLOW)


def shannon_error(n: Any, tau: Any, value: Any) -> Any:
    r"""Bound on the rounding of `rows.shannon_conjugate` over n actions with the result `value`.

    m is exact, t = (q - m)/tau has error 2u|t|, so e^t has relative error (2|t| + F)u; its sum over the other
    actions adds n - 2. In log(1 + rest) that is at most 2u E|t| + (F + n - 2)u rest/(1 + rest) under the
    softmax, where E|t| = H - l <= log n and rest/(1 + rest) <= l <= log n; the logarithm and the product with
    tau add F + 1, the sum u|value|.
    """
    return _UP * U * ((n + 2 * F + 1) * tau * np.log(n) + np.abs(value)) + n * (1 + tau) * _UNDERFLOW


def kl_error(n: Any, lam: Any, spread: Any, value: Any) -> Any:
    r"""Bound on the rounding of `rows.tilted_conjugate` with tau = 0; n actions in the support.

    `spread` is max q - min q on the support.

    expm1(t) has relative error (4 + F)u on both branches of `exp_pair` (the condition number is at most 1,
    and |t| e^t <= 1/e where e^t - 1 is formed), d = drop/z then (2n + 4 + F)u: a product, two sums of n
    terms, a quotient; all terms of a sum have one sign. Where d > -1/2 the condition number of log1p is at
    most 1.45. Else l = log(rest/z), whose argument has relative error (2 E|t| + 2n + 4 + F)u with E|t| <= |l|
    under the maximiser and 1 <= 1.45 |l|. In both cases l has relative error (2 + 1.45 (2n + 4 + F) + F)u,
    and |lam l| <= spread. Two roundings follow.
    """
    return _UP * U * ((3 * n + 10 + 2.5 * F) * spread + np.abs(value)) + n * (1 + lam) * _UNDERFLOW


def shannon_kl_error(n: Any, tau: Any, lam: Any, spread: Any, value: Any) -> Any:
    r"""Bound on the rounding of `rows.tilted_conjugate` with tau > 0; n, spread as in `kl_error`.

    Write w = tau + lam, b = lam/w, k = tau/w, L = -log r for the reference r, N = log n, Z = sum e^(-bL).

    The weight p = e^(-bL) has relative error (b(n + 1) + F + (F + 3) bL)u. The excess Z - 1, the sum of
    p (1 - e^(-kL)), inherits it and the error of kL; here sum p (1 - e^(-kL))/Z <= log Z <= kN, sum r L <= N,
    and under p/Z, E[(1 - e^(-kL)) bL] <= 2k(N^2 + 1): for b >= 1/2 from E[(bL)^2] <= N^2 + 1, else from
    E[bL] <= N and k > 1/2. So w log Z has error tau u ((n + 1) + (2n + 4F + 4)N + 2(F + 3)(N^2 + 1)) at most.
    For l the argument of `kl_error` holds with the errors of p added in numerator and denominator: w|d|,
    w|expm1(t)| and w|l| are at most the spread, and E[bL] is at most N (N + |l| under the maximiser). That is
    spread u (9n + 20 + 8F + 5(F + 3)N). Four roundings of w (log Z + l) follow, where w log Z <= tau N.
    """
    N = np.log(n)
    of_tau = (n + 1) + (2 * n + 4 * F + 8) * N + 2 * (F + 3) * (N * N + 1)
    of_spread = 9 * n + 24 + 8 * F + 5 * (F + 3) * N
    return _UP * U * (of_tau * tau + of_spread * spread + np.abs(value)) + n * (1 + tau + lam) * _UNDERFLOW


def tsallis_kl_error(n: Any, index: Any, w: Any, spread: Any, depth: Any, value: Any) -> Any:
    r"""Bound on the rounding of `_kernels.tsallis.conjugate` with a reference; n actions in its support.

    `spread` is max q - min q on the support, `depth` at least the logarithm of one over its least probability.

    Write s = spread/w, c = index - 1, a = 1/index, g = |c|/index. The computed y is exact for a z that is off by 7us: the
    quotient by w, the difference with nu in [-s, 0], the quotient by the index and the product with c; where 1 + c y is
    rounded, too, below 1/2 that is another 2us, since |y| >= 1/(2|c|) there, and above it is a relative error of t. The
    conjugate is 1-Lipschitz in z. For that z the dual function is at most |N| s above its minimum, or |N| times the final
    bracket of 16us, where |N| <= 1. Here sum p |t - 1| <= 2 s a, the t below one having mass at most one, |t - 1| <= |y| there and
    the sum of t - 1 being N, and sum p t |y| <= s a (1 + N). The computed t - 1 is off relatively by at most (4F + 4 +
    2(F + 1) L)u with L = max log t <= depth, since log t has the relative error (F + 1)u; t by (F + (F + 1)|log t|)u, where
    t |log t| <= 1/e below one; p by (n + 1)u; sums add n. Last come three additions of terms of at most s(1 + g + 2a), and
    two roundings of the result. The computed N is within TOLERANCE (n + 8)u of zero, N itself within the error of its terms.
    """
    a, g = 1.0 / index, np.abs(index - 1.0) / index
    terms = 4 * F + 4 + 2 * (F + 1) * depth + 2 * n + 1
    of_s = 7 + 16 + g + 2 * a * terms + g * (F + (F + 1) * (depth + 1) + 2 * n + 4) + 3 * (1 + g + 2 * a) + 2
    of_s = of_s + 4 * (n + 8) + 2 * terms
    return _UP * U * (of_s * spread + np.abs(value)) + n * (1 + w) * (1 + 1 / np.abs(index - 1.0)) * _UNDERFLOW


def tsallis_error(n: Any, index: Any, tau: Any, value: Any) -> Any:
    r"""Bound on the rounding of `_kernels.tsallis.conjugate` without a reference over n actions, with the result `value`.

    As in `tsallis_kl_error`, with weights that are exactly one: then t is the policy. The bracket has the length W = index
    ln_q n, and the policy's S = sum t |y| is its entropy, at most ln_q n = W/index; |z| <= index |y| + W, so that the errors
    of z cost (2 (W + W) + 3 W + 2 W)u. The computed N = sum t - 1 is off by (F + (F + 1) log n + n)u, since sum t |log t|
    <= log n; and |c| sum t |y log t| is at most log n for c > 0, where |c y| <= 1, else sum t^index |log t| <=
    (2/index) n^(1 - index/2), by log(1/t) <= (2/index) t^(-index/2).

    At index 2 the kernel finds the cut v = -w nu as (sum d - 2w)/k over the k entries d = q - m above it, and evaluates the dual
    function w (1 + v/w + sum x^2), x = [d/(2w) - v/(2w)]_+. Here 0 <= -v, -d <= 2w and sum x = 1 + N, where N, the derivative
    along v, is off by the roundings of those sums and of x alone: entries that rounding puts on the wrong side of v are as close
    to it. So the value is above the minimum by N^2 w, of second order. An x is off by 5u, sum x^2 by (12 + n)u, and the other
    two terms and the sum of three by 6u: together less than the n of N, 25 W and what follows, as W >= 1 for n >= 2.
    """
    c, logs = index - 1.0, np.log(n)
    W = index * np.abs(np.expm1(-c * logs)) / np.abs(c)
    S = np.abs(c) * W / index
    far = np.where(c > 0, logs, 2.0 / index * np.exp((1.0 - index / 2) * logs))
    of_N = F + (F + 1) * logs + n
    of_tau = 9 * W + 16 * W + of_N + S * (F + 3 + n) + (F + 1) * far + 5 * (W + S + 1) + W * (4 * (n + 8) + of_N)
    return _UP * U * (of_tau * tau + np.abs(value)) + n * (1 + tau) * (1 + 1 / np.abs(c)) * _UNDERFLOW


def tsallis_shortfall_error(n: Any, index: Any, tau: Any, size: Any, value: Any) -> Any:
    r"""Bound on the rounding of `_kernels.shortfall.shortfall_at` for any policy over n actions, of terms of ``size`` in sum,
    where the maximum is ``value``.

    Exactly it is sum p (d - h), d = Q - TV, h = tau (p^c - 1)/c, c = index - 1, with p divided by its sum, of which the computed
    one is off relatively by nu: as a factor that costs nu size. In p^c it costs p^c nu, and tau n u sum p^index <= n u (tau +
    size) in h, since sum p^index = 1 - c S with S the entropy, |c| S <= size where c < 0. The power itself is off by at most 4u
    p^c where it is a product, quotient or root, and divided by |c| >= 1/2 by 8u, which costs 8u (tau + size) likewise; else by
    (F + 1)u p^c |log p|, as exponent, and by F relatively: sum p^index |log p| is at most log n for c > 0, and (2/index)
    n^(1 - index/2) for c < 0, as in `tsallis_error`. Relatively a term has one rounding in d, three in h, two more when it is
    formed, and sums add n - 1; the difference Q - TV - h, in whatever order it is formed, errs by another 2u (value + |d| + |h|).
    Below the normal numbers p^index, index >= 1/16, is under 2^-63.
    """
    c, logs = index - 1.0, np.log(n)
    far = np.where(c > 0, logs, 2.0 / index * np.exp((1.0 - index / 2) * logs))
    of_tau = n + 8 + (F + 1) * far
    least = n * tau * 2.0**-62 / np.abs(c) * (c < 0)
    return _UP * U * (of_tau * tau + (3 * n + F + 18) * size + 2 * np.abs(value)) + least
