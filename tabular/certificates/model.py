r"""The exact model in doubled precision: action values with a bound on everything that was rounded.

The exact model (``MDP.exact``) has rows ``w / sum(w)``. For a model of floats that is ``P (1 + c)`` with
``c = -delta / (1 + delta)`` and ``delta = sum(P) + end - 1``, computed without cancellation; for a model of
rationals a second array holds what rounding ``P`` lost. ``R`` and ``gamma`` likewise have a second word
where they were given exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tabular._rounding import U
from tabular.certificates.doubled import (
    LIMIT,
    UNDERFLOW,
    down,
    loss,
    split,
    tree_sum,
    two_product,
    two_sum,
    up,
)
from tabular.exact_model import ExactModel

_BLOCK = 2**17  # numbers treated at once: the temporaries stay in the second cache


def remainder(n: int, d: int, high: float) -> float:
    """``n / d - high``, correctly rounded."""
    a, b = high.as_integer_ratio()
    return (n * b - a * d) / (d * b)


def remainders(numerators: Sequence[int], denominators: Sequence[int], high: np.ndarray) -> np.ndarray:
    """``remainder`` of each, ``high`` (n,) being about the quotients.

    What a correctly rounded quotient leaves of its numerator is a float: with numbers of at most 53 bits two float
    operations find it, and one more the quotient.
    """
    n, d = np.array(numerators), np.array(denominators)
    if all(x.dtype == np.int64 and bool((np.abs(x) < 2**53).all()) for x in (n, d)) and bool((n / d == high).all()):
        product, error = two_product(high, d.astype(np.float64))
        return np.asarray(((n - product) - error) / d)
    pairs = zip(numerators, denominators, high.tolist(), strict=True)
    return np.array([remainder(n, d, x) for n, d, x in pairs])


class Doubled:
    """An MDP's exact model for computation in doubled precision.

    Attributes
    ----------
    S, A, mask : as in the model.
    discount : (S, A) float, ``gamma (1 - end)`` of the exact model up to a few roundings; ``gap_lo <= 1 -
        gamma (1 - end) <= gap_hi`` enclose its complement with small *relative* error, also for ``gamma``
        next to one. 1 where unavailable.
    """

    def __init__(self, mdp: Any, exact: ExactModel | None = None) -> None:
        self.mdp = mdp
        self.S, self.A, self.mask = mdp.S, mdp.A, mdp.mask
        self.R = mdp.rewards
        self.end = mdp.end
        self.gamma = mdp.gamma
        rest = mdp.gamma_exact - type(mdp.gamma_exact)(mdp.gamma)
        self.gamma_low = float(rest)
        self._dense = None if mdp.is_sparse else mdp.P.reshape(self.S * self.A, self.S)
        self._csr: Any = mdp.P if mdp.is_sparse else None
        self.P_low: np.ndarray | None = None
        self.R_low: np.ndarray | None = None
        self.second = 0.0  # |P_low| <= second u P
        # Rows of rationals are their floats up to an ulp, ends included; other rows are divided by their sums.
        self._rational = exact is not None or (mdp.is_exact and mdp._exact.weights is not None)
        if exact is None and mdp.is_exact:
            exact = mdp.exact()
        self._deviation: tuple[np.ndarray, float] | None = None
        if exact is not None:
            self._deviation = np.zeros((self.S, self.A)), 2 * U * U
            self._second_words(exact)
        self._gaps()

    @property
    def c(self) -> np.ndarray:
        """(S, A): the exact row is the float row times ``1 + c``, up to ``c_error``."""
        return self._deviations()[0]

    @property
    def c_error(self) -> float:
        return self._deviations()[1]

    @property
    def c_bound(self) -> float:
        """Cheap bound on ``|c|``: float sums of n + 1 non-negative terms are off by ``gamma_(n+1)``."""
        if self._rational:
            return 0.0
        from tabular.reference.numpy_ops import row_expectation

        total = row_expectation(self.mdp.P, np.ones(self.S), self.S, self.A) + self.end
        off = float(np.abs(np.where(self.mask, total, 1.0) - 1.0).max())
        return 1.001 * (off + 2 * (self.S + 4) * U)

    def _second_words(self, m: ExactModel) -> None:
        data = self.mdp.csr().data
        owner = np.repeat(np.arange(self.S * self.A), np.diff(m.indptr))
        low = remainders(m.weights, [m.totals[i] for i in owner.tolist()], data)
        self.second = float((np.abs(low) / data).max(initial=0.0)) / U * 1.01
        if self._dense is None:
            self.P_low = low
        else:
            self.P_low = np.zeros_like(self._dense)
            self.P_low[owner, m.indices] = low
        rest = remainders([x.numerator for x in m.R], [x.denominator for x in m.R], self.R.ravel())
        self.R_low = rest.reshape(self.S, self.A)

    def _deviations(self) -> tuple[np.ndarray, float]:
        if self._deviation is not None:
            return self._deviation
        ends = self.end.ravel()
        delta = np.zeros(self.S * self.A)
        widest = 2
        for rows, P, _, _ in self._blocks():
            head = np.stack([ends[rows], np.where(self.mask.ravel()[rows], -1.0, 0.0)], axis=-1)
            x = np.concatenate([head, P], axis=-1)
            high, low = tree_sum(x, np.zeros_like(x))
            delta[rows] = high + low
            widest = max(widest, x.shape[-1])
        delta[~self.mask.ravel()] = 0.0
        if len(self._empty):
            i = self._empty[self.mask.ravel()[self._empty]]
            delta[i] = ends[i] - 1.0
        c = (-delta / (1.0 + delta)).reshape(self.S, self.A)
        error = 2.1 * loss(widest) + 6 * U * float(np.abs(c).max(initial=0.0)) + UNDERFLOW
        self._deviation = c, error
        return self._deviation

    def _gaps(self) -> None:
        """``1 - m = (1 - gamma) + gamma end (1 + c)``: a sum of non-negative terms, each with small
        relative error.
        """
        rest = (1.0 - self.gamma) - self.gamma_low
        gap = rest + self.gamma * self.end
        slack = 16 * U + 4 * (self.c_bound + self.second * U)
        self.gap_lo = np.where(self.mask, np.maximum(gap * (1 - slack) - UNDERFLOW, 0.0), 1.0)
        self.gap_hi = np.where(self.mask, np.minimum(gap * (1 + slack) + UNDERFLOW, 1.0), 1.0)
        self.discount = np.where(self.mask, self.gamma * (1.0 - self.end), 0.0)

    # -- rows ----------------------------------------------------------------------------------------------
    # -----------
    def _blocks(self) -> Iterator[tuple[Any, np.ndarray, np.ndarray | None, Any]]:
        """Rows by blocks of equal width: (row numbers, P, second word or None, column numbers or None for
        all).
        """
        self._empty = np.zeros(0, dtype=np.int64)
        if self._dense is not None:
            n = max(1, _BLOCK // self.S)
            for i in range(0, len(self._dense), n):
                part = slice(i, min(i + n, len(self._dense)))
                yield part, self._dense[part], None if self.P_low is None else self.P_low[part], None
            return
        indptr, indices, data = self._csr
        length = np.diff(indptr)
        self._empty = np.flatnonzero(length == 0)
        width = 1
        while (todo := np.flatnonzero((length > width // 2) & (length <= width))).size or width < length.max(initial=0):
            step = max(1, _BLOCK // width)
            for i in range(0, len(todo), step):
                rows = todo[i : i + step]
                at = indptr[rows][:, None] + np.arange(width)
                inside = np.arange(width) < length[rows][:, None]
                at = np.where(inside, at, 0)
                low = None if self.P_low is None else np.where(inside, self.P_low[at], 0.0)
                yield rows, np.where(inside, data[at], 0.0), low, np.where(inside, indices[at], 0)
            width *= 2

    def q(self, h: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        r"""``R + gamma P (h + low)`` as a pair of (S, A) arrays and a bound on its error (a scalar, in the
        unit of the values).

        ``(h, low)`` is normalised: ``|low| <= u |h|``. With ``A = 1.001 max |h|`` bounding ``sum P |h|``:
        of each entry the product's error term and ``P low`` are at most ``u P |h|`` and ``P_low h`` at most
        ``k = second`` times that, formed with relative errors ``4 u`` (``(8 + 4 k) u^2`` in all); the sum
        and what is done with its low part lose ``loss(n, 2 + k)``; the factors ``1 + c`` and ``gamma`` and
        the addition of ``R`` lose ``20 u^2`` of ``A`` and ``6 u^2`` of ``R``; ``c`` itself ``c_error`` and
        ``8 u |c|``. Raises OverflowError beyond ``LIMIT``.
        """
        scale = float(np.abs(h).max(initial=0.0))
        reward = float(np.abs(self.R).max(initial=0.0))
        if not scale + reward < LIMIT:
            raise OverflowError("values beyond the range of doubled precision")
        high, small = np.zeros(self.S * self.A), np.zeros(self.S * self.A)
        halves = split(h)
        widest = 1
        for rows, P, P_low, columns in self._blocks():
            v, vl = (h, low) if columns is None else (h[columns], low[columns])
            vh, vt = halves if columns is None else split(v)  # dearer to gather than to form again
            x = P * v
            ph, pt = split(P)
            t = pt * vt - (((x - ph * vh) - pt * vh) - ph * vt)
            t += P * vl
            if P_low is not None:
                t += P_low * v
            high[rows], small[rows] = tree_sum(x, t)
            widest = max(widest, P.shape[-1])
        c = self.c.ravel()
        small += c * high
        g, e = two_product(self.gamma, high)
        e += self.gamma * small + self.gamma_low * high
        s, t = two_sum(self.R.ravel(), g)
        t += e if self.R_low is None else e + self.R_low.ravel()
        s, t = two_sum(s, t)
        cmax = float(np.abs(c).max(initial=0.0))
        A = 1.001 * scale
        k = self.second
        error = A * (loss(widest, 2.0 + k) + (28 + 4 * k) * U * U + self.c_error + 8 * U * cmax) + 6 * U * U * reward
        shape = (self.S, self.A)
        return s.reshape(shape), t.reshape(shape), 1.01 * error + 64 * widest * UNDERFLOW

    def advantages(self, h: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """``Q_V - V`` as a pair of (S, A) arrays (0 where unavailable) and a bound on its error."""
        return self.less(*self.q(h, low), h, low)

    def less(
        self, qh: np.ndarray, ql: np.ndarray, error: float, h: np.ndarray, low: Any
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Action values, as ``q`` returns them, less the values ``h + low`` of the states."""
        s, e = two_sum(qh, -h[:, None])
        e += ql - np.broadcast_to(low, h.shape)[:, None]
        s, e = two_sum(s, e)
        scale = float(np.abs(qh).max(initial=0.0) + np.abs(h).max(initial=0.0))
        keep = self.mask
        return np.where(keep, s, 0.0), np.where(keep, e, 0.0), error + 6 * U * U * scale + 8 * UNDERFLOW


def pair_bounds(h: np.ndarray, low: np.ndarray, error: Any) -> tuple[np.ndarray, np.ndarray]:
    """Floats below and above ``h + low +- error``."""
    return down(h + down(low - error)), up(h + up(low + error))
