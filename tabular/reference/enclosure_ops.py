r"""Float64 enclosures: every value is a midpoint and a radius, and every rounding is inside the radius.

``data[0]`` is computed in ordinary float64, ``data[1]`` bounds its distance from the exact result: where the exact
operation is defined at exact arguments inside, its value is inside. Radius 0 says that the midpoint is exact, an
infinite radius (midpoint 0) that nothing is known.

Bounds follow the standard model :math:`fl(a \circ b) = (a \circ b)(1+\delta) + \eta`, :math:`|\delta| \le u = 2^{-53}`,
:math:`|\eta| \le 2^{-1075}` for products and quotients (sums do not underflow); sums of ``n`` terms in any order obey
:math:`\gamma_n = nu/(1-nu)` (Higham 2002, sections 2.2, 3.1, 4.2); ``exp`` and ``log`` the ulp errors named in
``tabular._rounding``, one ulp being at most ``2u`` relatively. The radius's own arithmetic has far fewer than ``SLACK`` roundings,
each of relative size ``u``, so that scaling it by :math:`1 + 2 \cdot SLACK \cdot u` rounds it upwards. What overflows becomes
infinite or undefined, and its radius infinite.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tabular._rounding import EXP_ULP, LOG_ULP, U
from tabular._validate import to_fraction
from tabular.mdp import CSR
from tabular.reference import enclosure_entropy as entropy
from tabular.reference import enclosure_tsallis as tsallis
from tabular.reference.enclosures import EXACT_SUM, ends, gamma_n, normalised, pack, quotient, row_deviation, up
from tabular.reference.numpy_ops import dense_rows, policy_matrix, row_expectation
from tabular.reference.ops import Model, Ops, Transitions
from tabular.reference.value import Value

quietly = np.errstate(all="ignore")


class EnclosureOps(Ops):
    """Rigorous float64: batches at nearly the speed of NumPy."""

    planes = 1

    # -- values from numbers -----------------------------------------------------------------------------------------
    def _lift(self, x: np.ndarray) -> Any:
        if x.dtype.kind == "f" and x.dtype.itemsize <= 8:
            return pack(x.astype(np.float64), 0.0)
        if x.dtype.kind in "iu" and (x.size == 0 or max(int(x.max()), -int(x.min())) <= EXACT_SUM):
            return pack(x.astype(np.float64), 0.0)
        mid, rad = np.empty(x.shape), np.empty(x.shape)
        for i, item in np.ndenumerate(x):
            exact = to_fraction(item, "x", i)
            try:
                mid[i] = float(exact)
                error = abs(exact - Fraction(float(mid[i])))
            except OverflowError:
                mid[i], error = np.inf, Fraction(0)
            rad[i] = np.nextafter(float(error), np.inf) if error else 0.0
        return pack(mid, rad)

    def distribution(self, x: Any, ndim: int = 2) -> Value:
        if isinstance(x, Value):
            return self._own(x, ndim)
        a = self._shaped(x, ndim)
        if a.dtype.kind in "iu" and a.sum(axis=-1, dtype=np.float64).max(initial=0.0) < EXACT_SUM:
            with np.errstate(all="ignore"):
                return Value(
                    self, quotient(a.astype(np.float64), a.sum(axis=-1, keepdims=True).astype(np.float64)), ndim
                )
        if a.dtype.kind == "f":
            with np.errstate(all="ignore"):
                return Value(self, normalised(a.astype(np.float64)), ndim)
        rows = a.reshape(-1, a.shape[-1]).tolist()
        exact = [[to_fraction(v, "x") for v in row] for row in rows]
        flat = np.array([v / sum(row) for row in exact for v in row], dtype=object)
        return Value(self, self._lift(flat.reshape(a.shape)), ndim)

    def support(self, x: Any) -> np.ndarray:
        return np.asarray(ends(x.data)[1] > 0 if isinstance(x, Value) else np.asarray(x) > 0, dtype=bool)

    def model(self, source: Any) -> Model:
        s = source
        if (self.nbatch == 1) != (s.mask.ndim == 3):
            raise TypeError(f"{self!r} cannot hold {s!r}")
        relative, end = self._rows(s)
        if self.nbatch:
            gamma = self.constant(s.gamma if s._gamma_exact is None else np.array(s.gamma_exact, dtype=object))
            rewards = pack(s.rewards, 0.0)
            rho = None if s.rho is None else self.distribution(s.rho, 1)
        else:
            given = s._exact
            gamma = self.constant(s.gamma_exact)
            rewards = pack(s.rewards, 0.0)
            if given is not None and given.R is not None:
                rewards = self._lift(np.array(list(given.R), dtype=object).reshape(s.S, s.A))
            rho = None if s.rho is None else self.distribution(s.rho, 1)
            if given is not None and given.rho is not None:
                rho = self.array(np.array(list(given.rho), dtype=object), 1)
        P = Transitions(s.S, s.A, s.P, relative)
        return Model(P, Value(self, rewards, 2), Value(self, end, 2), gamma, rho, s.mask, s.S, s.A, s)

    @quietly
    def _rows(self, s: Any) -> tuple[np.ndarray, np.ndarray]:
        """Relative error of each row of floats against the exact model, and the end with its radius."""
        weights = s.weights if self.nbatch else s._exact and s._exact.weights
        if weights is not None:  # correctly rounded quotients, unless some might underflow
            underflow = not self.nbatch and max(weights[2]) >= 2**1000
            relative = np.full(s.mask.shape, np.inf if underflow else 2.0 * U)
        else:
            ones = np.ones((*s.mask.shape[:-2], s.S))
            total = row_expectation(s.P, ones, s.S, s.A) + s.end
            n = int(np.diff(s.P.indptr).max(initial=0)) + 1 if isinstance(s.P, CSR) else s.S + 1
            off = row_deviation(np.where(s.mask, total, 1.0), n)
            relative = np.where(off < 0.5, up(off / (1.0 - off)), np.inf)
        return relative, pack(s.end, np.where(s.end == 0, 0.0, up(s.end * relative)))

    # -- arithmetic --------------------------------------------------------------------------------------------------
    @quietly
    def _add(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The sum of two exact floats is exact where Knuth's two-sum finds no error."""
        mid = x[0] + y[0]
        rad = x[1] + y[1]
        rounded = (rad > 0) | (mid - y[0] != x[0]) | (mid - x[0] != y[0])
        return pack(mid, np.where(rounded, up(rad + U * np.abs(mid)), 0.0))

    def _sub(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._add(x, self._neg(y))

    def _neg(self, x: np.ndarray) -> np.ndarray:
        return np.stack([-x[0], x[1]])

    @quietly
    def _mul(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Multiplying by an exact 0, 1 or -1 rounds nothing; ``0 * y`` is 0 for every number ``y``, whatever is known of it."""
        mid = x[0] * y[0]
        ax, ay = np.abs(x[0]), np.abs(y[0])
        rad = up(ax * y[1] + ay * x[1] + x[1] * y[1] + U * np.abs(mid))
        rad = np.where((x[1] == 0) & (ax == 1), y[1], np.where((y[1] == 0) & (ay == 1), x[1], rad))
        return pack(mid, np.where((x[1] == 0) & (ax == 0) | (y[1] == 0) & (ay == 0), 0.0, rad))

    @quietly
    def _div(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        r"""With ``q = x0 / y0``: :math:`|(x_0+e)/(y_0+f) - q| = |e - q f| / |y_0+f| \le r_x/low + |q| (r_y/low)`, ``low <= |y|``.

        The factors are grouped so that nothing underflows that another multiplies back: an underflow in ``q`` is the
        ``2**-1074``, one in ``r_y / low`` is far below ``u |q|``.
        """
        mid = x[0] / y[0]
        ax, ay = np.abs(x[0]), np.abs(y[0])
        low = ay * (1.0 - 2.0 * U) - y[1]
        rad = up(x[1] / low + (np.abs(mid) + 2.0**-1074) * (1.0 + 2.0 * U) * (y[1] / low) + U * np.abs(mid))
        known = np.where((y[1] == 0) & (ay == 1), x[1], np.where((x[1] == 0) & (ax == 0), 0.0, rad))
        return pack(mid, np.where(low > 0, known, np.inf))

    def _abs(self, x: np.ndarray) -> np.ndarray:
        return np.stack([np.abs(x[0]), x[1]])

    @quietly
    def _maximum(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        (xl, xh), (yl, yh) = ends(x), ends(y)
        return self._hull(np.maximum(xl, yl), np.maximum(xh, yh), np.maximum(x[0], y[0]))

    @staticmethod
    def _hull(low: np.ndarray, high: np.ndarray, mid: np.ndarray) -> np.ndarray:
        """Enclosure of ``[low, high]`` around ``mid``; exact where both are ``mid`` (an end of what is not exact is
        not its midpoint).
        """
        rad = np.maximum(mid - low, high - mid)
        return pack(mid, np.where((low == mid) & (high == mid), 0.0, up(rad)))

    @quietly
    def _max(self, x: np.ndarray, mask: np.ndarray | None, axis: int) -> np.ndarray:
        allow = np.ones(x.shape[1:], dtype=bool) if mask is None else mask
        pick = lambda v: np.max(np.where(allow, v, -np.inf), axis=axis)  # noqa: E731
        low, high = ends(x)
        return self._hull(pick(low), pick(high), pick(x[0]))

    @quietly
    def _sum(self, x: np.ndarray, axis: int) -> np.ndarray:
        """Where ``gamma_n sum |x|`` underflows all partial sums are multiples of ``2**-1074`` below ``2**-1021``: exact."""
        n = x.shape[axis]
        if n == 1:
            return x.squeeze(axis)
        rad = x[1].sum(axis=axis) + gamma_n(n) * np.abs(x[0]).sum(axis=axis)
        return pack(x[0].sum(axis=axis), np.where(rad == 0, 0.0, up(rad, n)))

    @quietly
    def _dot(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        n = np.broadcast_shapes(x.shape, y.shape)[-1]
        ax, ay = np.abs(x[0]), np.abs(y[0])
        rad = (ax * y[1] + ay * x[1] + x[1] * y[1]).sum(axis=-1) + gamma_n(n + 1) * (ax * ay).sum(axis=-1)
        some = ((ax > 0) | (x[1] > 0)) & ((ay > 0) | (y[1] > 0))
        return pack((x[0] * y[0]).sum(axis=-1), np.where(some.any(axis=-1), up(rad, n), 0.0))

    # -- elementary functions ----------------------------------------------------------------------------------------
    @quietly
    def _exp(self, x: np.ndarray) -> np.ndarray:
        r"""For :math:`r \le 1`, :math:`|e^{x_0+e} - mid| \le mid\,(1+8u)(e^r - 1) + 8u\,mid`, and a subnormal ``mid``
        is off by less than ``TINY / e``.

        Beyond, both numbers lie between 0 and :math:`e^{x_0+r}`, whatever became of ``mid``.
        """
        mid = np.exp(x[0])
        near = mid * (np.expm1(np.minimum(x[1], 1.0)) * (1 + 8 * EXP_ULP * U) + 2 * EXP_ULP * U)
        far = np.maximum(np.exp(ends(x)[1]) * (1 + 8 * EXP_ULP * U), mid)
        return pack(mid, np.where((x[0] == 0) & (x[1] == 0), 0.0, up(np.where(x[1] <= 1, near, far))))

    @quietly
    def _log(self, x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """The lower end is farther: ``|log(a + e) - log a| <= -log(1 - r/a)``. Nothing is known of an enclosure that holds 0."""
        allow = np.ones(x.shape[1:], dtype=bool) if mask is None else mask
        a = np.where(allow, x[0], 1.0)
        r = np.where(allow, x[1], 0.0)
        mid = np.log(a)
        spread = r / a * (1 + 4 * U)
        rad = -np.log1p(-spread) * (1 + 8 * LOG_ULP * U) + 2 * LOG_ULP * U * np.abs(mid)
        known = np.where((r == 0) & (a == 1), 0.0, up(rad))
        return pack(mid, np.where((a > 0) & (spread < 1), known, np.inf))

    @quietly
    def _sqrt(self, x: np.ndarray) -> np.ndarray:
        r"""Root of the non-negative part: :math:`|\sqrt x - \sqrt{x_0}| \le |x - x_0| / \sqrt{x_0}` and :math:`\le
        \sqrt{|x - x_0|}`.
        """
        _, high = ends(x)
        mid = np.sqrt(np.maximum(x[0], 0.0))
        root = np.sqrt(x[1])
        rad = np.where(mid > 0, np.minimum(x[1] / mid, root), root) + U * mid
        exact = (x[1] == 0) & ((x[0] == 0) | (x[0] == 1))
        return pack(mid, np.where(high < 0, np.inf, np.where(exact, 0.0, up(rad))))

    @quietly
    def _xlogx(self, x: np.ndarray) -> np.ndarray:
        return entropy.xlogx(x)

    def _free_energy(self, x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray) -> np.ndarray:
        return entropy.free_energy(x, w, mu, mask)

    def _gibbs(self, x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray, log: bool) -> np.ndarray:
        return entropy.gibbs(x, w, mu, mask, log)

    def _first_max(self, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return entropy.first_max(x, mask)

    def _relative_entropy(self, p: np.ndarray, mu: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return self._sum(entropy.divergence_terms(p, mu, mask), -1)

    @quietly
    def _q_log(self, x: np.ndarray, c: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        return tsallis.log_c(self, x, c, mask)

    @quietly
    def _q_exp(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return tsallis.exp_c(self, x, c)

    @quietly
    def _times_log(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return tsallis.times_log(self, x, c)

    def _tsallis_divergence(self, p: np.ndarray, mu: np.ndarray, c: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return tsallis.divergence(self, p, mu, c, mask)

    def _tsallis(
        self, x: np.ndarray, w: np.ndarray, mu: Any, q: np.ndarray, mask: np.ndarray, policy: bool
    ) -> np.ndarray:
        rest = tsallis.policy if policy else tsallis.energy
        one = (q[0] == 1) & (q[1] == 0)
        out = None if one.all() else rest(self, x, w, mu, np.where(one, pack(np.full(one.shape, 2.0), 0.0), q), mask)
        if not one.any():
            return np.asarray(out)
        entropic = entropy.gibbs(x, w, mu, mask, False) if policy else entropy.free_energy(x, w, mu, mask)
        return entropic if out is None else np.where(one if policy else one[..., 0], entropic, out)

    # -- linear algebra ----------------------------------------------------------------------------------------------
    @quietly
    def expect(self, P: Transitions, V: Value) -> Value:
        v, r = self._own(V, 1).data
        n = int(np.diff(P.rows.indptr).max(initial=0)) if isinstance(P.rows, CSR) else P.S
        mid = row_expectation(P.rows, v, P.S, P.A)
        mass = row_expectation(P.rows, np.abs(v), P.S, P.A)
        spread = row_expectation(P.rows, r, P.S, P.A)
        rad = spread * (1.0 + P.relative) + mass * (P.relative + gamma_n(n + 1) * (1.0 + P.relative))
        # What surely ends passes nothing on, and that is exact: so pairs tie whose policies differ only later.
        ends_here = (row_expectation(P.rows, np.ones_like(v), P.S, P.A) == 0) & np.isfinite(P.relative)
        return Value(self, pack(mid, np.where(ends_here, 0.0, up(rad, n))), 2)

    @quietly
    def _dense_rows(self, P: Transitions) -> np.ndarray:
        mid = dense_rows(P.rows, P.S, P.A)
        return pack(mid, np.where(mid == 0, 0.0, up(mid * P.relative[..., None])))

    @quietly
    def transition(self, P: Transitions, pi: Value) -> Value:
        p, r = self._own(pi, 2).data
        mid = policy_matrix(P.rows, p, P.S, P.A)
        wide = r * (1.0 + P.relative) + np.abs(p) * (P.relative + gamma_n(P.A + 1) * (1.0 + P.relative))
        return Value(self, pack(mid, up(policy_matrix(P.rows, wide, P.S, P.A), P.A)), 2)

    @quietly
    def solve(self, A: Value, b: Value) -> Value:
        r"""Verified solution: with an approximate inverse ``C`` and any ``x``, ``G = I - C A``, ``d = C (b - A x)``.

        Where :math:`g = \|G\|_\infty < 1` for every ``A`` enclosed, these are invertible and :math:`A^{-1}b - x =
        (I-G)^{-1} d`, so that :math:`|A^{-1}b - x| \le |d| + g \|d\|_\infty / (1-g)` (Rump 2010, Verification
        methods, section 10); elsewhere nothing is claimed.
        """
        a, ra = self._own(A, 2).data
        y, ry = self._own(b, 1).data
        n = a.shape[-1]
        C = inverse(a)
        times = lambda M, v: np.matmul(M, v[..., None])[..., 0]  # noqa: E731
        x = times(C, y)
        x = x + times(C, y - times(a, x))
        absolute = np.abs(C)
        r = (
            np.abs(y - times(a, x))
            + ry
            + gamma_n(n + 2) * (times(np.abs(a), np.abs(x)) + np.abs(y))
            + times(ra, np.abs(x))
        )
        defect = np.abs(np.matmul(C, a) - np.eye(n)) + np.matmul(absolute, gamma_n(n + 2) * np.abs(a) + ra)
        norm = up(defect.sum(axis=-1) + 4 * U, 3 * n).max(axis=-1)[..., None]
        rad = times(absolute, up(r, n))
        peak = up(rad, n).max(axis=-1)[..., None]
        return Value(self, pack(x, np.where(norm < 1.0, up(rad + norm * (peak / (1.0 - norm)), 2 * n), np.inf)), 1)

    # -- what comes out ----------------------------------------------------------------------------------------------
    def bounds(self, x: Value) -> tuple[np.ndarray, np.ndarray]:
        return ends(self._own(x).data)

    def midpoint(self, x: Value) -> np.ndarray:
        return np.asarray(x.data[0])

    def sign(self, x: Value) -> np.ndarray:
        low, high = self.bounds(x)
        return np.select([low > 0, high < 0, (low == 0) & (high == 0)], [1, -1, 0], 2).astype(np.int8)

    def inflate(self, x: Value, radius: Value) -> Value:
        high = self.bounds(radius)[1]
        return Value(
            self, pack(x.data[0], np.broadcast_to(high.reshape(high.shape + (1,) * x.ndim), x.data[0].shape)), x.ndim
        )


def inverse(a: np.ndarray) -> np.ndarray:
    """Approximate inverses, NaN where a matrix is singular (LAPACK refuses a whole batch for one)."""
    try:
        return np.asarray(np.linalg.inv(a))
    except np.linalg.LinAlgError:
        if a.ndim == 2:
            return np.full(a.shape, np.nan)
        return np.stack([inverse(x) for x in a])
