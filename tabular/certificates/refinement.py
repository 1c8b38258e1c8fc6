r"""Values in doubled precision: Newton's method with float64 solves and residuals in pairs, then a rigorous
bound.

Newton's method on :math:`TV = V` is policy iteration: with the (regularised) greedy policy ``pi`` of ``V``,
the correction solves :math:`(I - \gamma P_\pi)\,x = TV - V`. The solve is approximate, in float64; nothing
depends on its quality but the number of rounds. The bound is that of ``float_bounds``, with a residual
whose rounding is of order :math:`u^2`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tabular._border import expect
from tabular._resolvent import SUMS_ONLY, sums_only, system, undamped
from tabular._rounding import U
from tabular.certificates import balls
from tabular.certificates.doubled import UNDERFLOW, down, loss, tree_sum, two_product, two_sum, up
from tabular.certificates.float_bounds import (
    _values,
    action_gaps,
    policy_gaps,
    span_hard,
    span_rows,
    support_of,
)
from tabular.certificates.given import regularizer_of
from tabular.certificates.model import Doubled
from tabular.regularizers import Hard

STATES = 1500  # direct solves beyond this take seconds; iterative ones take over
ENTRIES = 10_000_000  # transitions beyond which a residual in doubled precision takes more than a second
ROUNDS = 100
FACTORISED = 600
"""States beyond which sparse systems are factorised as such: below, an inverse costs less than importing what does that."""


class Residual:
    """``TV - V`` (or ``T_pi V - V``) of a pair: its float value, its error, and the policy to linearise
    with.
    """

    def __init__(self, model: Doubled, regularizer: Any, pi: np.ndarray | None) -> None:
        self.model, self.regularizer, self.pi = model, regularizer, pi
        self.hard = isinstance(regularizer, Hard)
        if pi is not None:
            self.pi_low, self.pi_error, self.second = _policy_lift(pi)
            self.omega = None if self.hard else balls.penalty(regularizer, pi, model.mask)

    def __call__(self, h: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Value and error, (S,), or (S, A) without regulariser and policy; sets ``d`` (S,), ``policy`` and
        ``noise``.
        """
        model = self.model
        if self.pi is not None:
            return self.of_policy(*model.advantages(h, low))
        if self.hard:
            s, e, error = model.advantages(h, low)
            adv = s + e
            best = np.where(model.mask, adv, -np.inf).argmax(axis=1)
            self.d = adv[np.arange(model.S), best]
            self.policy = best
            self.noise = 1.01 * error
            return adv, U * np.abs(adv) + error * 1.01
        qh, ql, error = model.q(h, low)
        d, rad = balls.conjugate_residual(self.regularizer, qh, ql, h, low, model.mask)
        self.d, self.noise = d, float(rad.max()) + error
        self.policy = self._greedy(qh)
        return d, up(rad + error)

    def of_policy(self, s: np.ndarray, e: np.ndarray, error: float) -> tuple[np.ndarray, np.ndarray]:
        r"""``sum pi (Q - V) - Omega(pi)``: products as in ``Doubled.q``, sums of A terms."""
        pi = self.pi
        x, t = two_product(pi, s)
        t = t + (pi * e + self.pi_low * s)
        x, t = tree_sum(x, t)
        A = 1.001 * (np.abs(s) * pi).sum(axis=1)
        rad = error * 1.01 + A * (
            loss(self.model.A, 2.0 + self.second) + (12 + 4 * self.second) * U * U + self.pi_error
        )
        rad = rad + 4 * self.model.A * UNDERFLOW
        if self.omega is not None:
            oh, ol, oe = self.omega
            with np.errstate(invalid="ignore"):
                x, f = two_sum(x, -oh)
                t = (t + f) - ol
                rad = rad + oe + 6 * U * (np.abs(t) + np.abs(f) + np.abs(ol))
        d = x + t
        self.d, self.policy, self.noise = d, pi, 1.01 * float(rad.max())
        return d, U * np.abs(d) + rad * 1.01

    def _greedy(self, q: np.ndarray) -> np.ndarray:
        from tabular.reference.numpy_ops import NumpyOps
        from tabular.reference.value import Value

        ops = NumpyOps()
        return np.asarray(self.regularizer.policy(ops, Value(ops, q, 2), self.model.mask).data)

    def span(self, value: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bounds (S,) on what is missing to the fixed point."""
        lo, hi = down(value - error), up(value + error)
        if self.pi is not None:
            return span_rows(lo, hi, policy_gaps(self.model, self.pi))
        if self.hard:
            return span_hard(lo, hi, self.model)
        return span_rows(lo, hi, action_gaps(self.model, support_of(self.regularizer, self.model.mask)))


def _policy_lift(pi: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Second words of the rows divided by their exact sums, a bound on their relative errors, and their
    size in units of u.
    """
    x = np.concatenate([np.full((len(pi), 1), -1.0), pi], axis=1)
    high, low = tree_sum(x, np.zeros_like(x))
    delta = high + low
    c = -delta / (1.0 + delta)
    size = float(np.abs(c).max())
    return pi * c[:, None], 2.1 * loss(x.shape[1]) + 8 * U * size, 1.01 * size / U


def solver(model: Doubled, policy: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
    """Approximate inverse of ``I - gamma P_pi`` in float64; None where it is singular. ``policy`` is (S,) or (S, A)."""
    mdp, S, A = model.mdp, model.S, model.A
    if policy.ndim == 1:
        index, policy = policy, np.zeros((S, A))
        policy[np.arange(S), index] = 1.0
    end = (policy * mdp.end).sum(axis=1)
    try:
        if mdp.is_sparse and S > FACTORISED:
            from scipy.sparse import csr_matrix

            owner = np.repeat(np.arange(S * A), np.diff(mdp.P.indptr))
            weight = policy.ravel()[owner] * mdp.P.data
            keep = weight > 0
            P_pi = csr_matrix((weight[keep], (owner[keep] // A, mdp.P.indices[keep])), shape=(S, S))
            M = system(P_pi, mdp.gamma, end)
            if S > STATES:
                return _krylov(M)
            from scipy.sparse.linalg import splu

            return splu(M.tocsc()).solve
        from tabular.reference.numpy_ops import policy_matrix

        P_pi = policy_matrix(mdp.P, policy, S, A)
        if S <= SUMS_ONLY and undamped(mdp.gamma, S):
            return sums_only(P_pi, mdp.gamma, end)
        M = system(P_pi, mdp.gamma, end)
        return _krylov(M) if S > STATES else np.linalg.inv(M).__matmul__
    except (np.linalg.LinAlgError, RuntimeError):  # singular: as NumPy and as SuperLU say it
        return None


def _krylov(M: Any) -> Callable[[np.ndarray], np.ndarray]:
    """BiCGSTAB, which does well on what mixes fast; where it fails a sparse factorisation, if the graph is
    narrow as grids are.
    """
    direct: list[Callable[[np.ndarray], np.ndarray]] = []

    def solve(b: np.ndarray) -> np.ndarray:
        if direct:
            return direct[0](b)
        size = float(np.abs(b).max()) or 1.0  # residuals may be as small as 1e-30
        x, done = bicgstab(M, b / size)
        if not done and M.shape[0] * _bandwidth(M) ** 2 <= 4e9:
            from scipy.sparse.linalg import splu

            direct.append(splu(M.tocsc()).solve)
            return direct[0](b)
        return x * size

    return solve


def bicgstab(M: Any, b: np.ndarray, rtol: float = 1e-10, most: int = 300) -> tuple[np.ndarray, bool]:
    """Approximate solution of ``M x = b`` from zero, and whether its residual fell to ``rtol |b|`` (van der Vorst
    1992; Barrett et al. 1994, section 2.3.8).

    SciPy's takes its dot products from BLAS, whose threads take ten times as long as all the rest where cores
    are shared, and whose bits depend on how many there are.
    """
    dot = lambda x, y: float(np.einsum("i,i->", x, y))  # noqa: E731
    x, r, shadow, p, v = np.zeros_like(b), b, b, np.zeros_like(b), np.zeros_like(b)
    rho = alpha = omega = np.float64(1.0)
    goal = rtol**2 * dot(b, b)
    with np.errstate(all="ignore"):  # a breakdown shows in the residual
        for _ in range(most):
            if dot(r, r) <= goal:
                return x, True
            before, rho = rho, np.float64(dot(shadow, r))
            p = r + rho / before * (alpha / omega) * (p - omega * v)
            v = M @ p
            alpha = rho / dot(shadow, v)
            s = r - alpha * v
            t = M @ s
            omega = np.float64(dot(t, s)) / dot(t, t) if s.any() else np.float64(0.0)
            step, r = alpha * p + omega * s, s - omega * t
            if not np.isfinite(dot(r, r)):
                break
            x = x + step
    return x, False


def _bandwidth(M: Any) -> int:
    """Bandwidth after the reverse Cuthill-McKee ordering; the size itself for a dense matrix."""
    if isinstance(M, np.ndarray):
        return int(M.shape[0])
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    place = np.argsort(reverse_cuthill_mckee(M))
    entries = M.tocoo()
    return int(np.abs(place[entries.row] - place[entries.col]).max())


def affordable(model: Doubled, regularizer: Any) -> bool:
    """Whether refinement is a matter of a second."""
    pairs = 0 if isinstance(regularizer, Hard) else model.S * model.A
    return model.mdp.nnz <= ENTRIES and pairs <= balls.PAIRS


def newton(
    residual: Residual, V: np.ndarray, shift: float = 0.0, start: np.ndarray | None = None, goal: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """The pair whose residual is nearest to ``-shift``, with that residual and its error; None where no
    solve succeeds.

    Stops at rounding level, at a residual below ``goal``, or when round after round brings nothing (while
    the policy changes, residuals need not fall).
    """
    model = residual.model
    h, low = V.copy(), np.zeros_like(V)
    if start is not None:
        low = start.copy()
    best: tuple[float, Any] = (np.inf, None)
    solve, solved = None, None
    idle = 0
    for _ in range(ROUNDS):
        try:
            value, error = residual(h, low)
        except OverflowError:
            break
        off = residual.d + shift
        size = float(np.abs(off).max())
        if not np.isfinite(size):
            break
        idle = 0 if size < 0.5 * best[0] else idle + 1
        if size < best[0]:
            best = (size, (h, low, value, error))
        changed = solved is None or not _near(solved, residual.policy)
        near = size <= 2.0**-40 * float(np.abs(h).max())
        if size <= max(residual.noise, goal) or idle >= (40 if changed and not near else 4):
            break
        if changed:
            solve, solved = solver(model, residual.policy), residual.policy
            if solve is None:
                break
        x = solve(off)  # type: ignore[misc]
        if not np.isfinite(x).all():
            break
        s, e = two_sum(h, x)
        h, low = two_sum(s, e + low)
    return best[1]


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.array_equal(a, b) or (a.ndim == 2 and np.abs(a - b).max() < 1e-9))


def refined(
    model: Doubled, V: np.ndarray, low: np.ndarray, regularizer: Any, pi: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """``(h, low, below, above)`` with ``below <= V* - (h + low) <= above``, from the pair ``V + low``; None where
    nothing was found.
    """
    residual = Residual(model, regularizer, pi)
    found = newton(residual, V, start=low)
    if found is None:
        return None
    h, low, value, error = found
    below, above = residual.span(value, error)
    return h, low, below, above


def refine(mdp: Any, V: Any, regularizer: Any = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(V_hi, V_lo, bound)`` with ``|V* - (V_hi + V_lo)| <= bound`` for the exact model, all (S,); ``V`` is (S,)
    or a ``Solution``, whose regulariser is taken where None is given.

    ``V_hi`` is the sum correctly rounded: where ``bound`` is far below its ulp, ``V_hi`` is the float
    nearest to ``V*`` except within ``bound`` of a midpoint. Bounds are infinite where the model is too
    large (ten million transitions; with a regulariser 40,000 pairs), the values overflow, or, with ``gamma
    = 1``, nothing is certified. Cost: a few solves, and for each about 40 backups.
    """
    expect(mdp, "refine", "MDP")
    regularizer = regularizer_of(V, regularizer, mdp.mask)
    V = _values(V, mdp.S)
    if mdp.gamma_exact == 1:
        from tabular.certificates.total import refine_total

        return refine_total(mdp, V, regularizer)
    model = Doubled(mdp)
    found = refined(model, V, np.zeros_like(V), regularizer) if affordable(model, regularizer) else None
    if found is None:
        return V, np.zeros_like(V), np.full(mdp.S, np.inf)
    h, low, below, above = found
    return h, low, np.maximum(-below, above)
