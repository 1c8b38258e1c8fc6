r"""Robust backups of a model on plain arrays, and certificates of what they converge to.

Rows are gathered: of each pair its successors alone, the end among them as state S, padded to the longest row with entries of
probability zero. ``RiskBackups`` has the face of ``tabular._backups.Backups`` that the loops of ``_loops`` look at.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _validate as check
from tabular._backups import DENSE_SOLVE, EPS
from tabular._resolvent import resolvent_solve
from tabular.certificates.float_bounds import gap_certificate, span_rows
from tabular.mdp import MDP
from tabular.reference.enclosure_ops import EnclosureOps
from tabular.reference.enclosures import pack, up
from tabular.reference.numpy_ops import NumpyOps
from tabular.reference.value import Value
from tabular.risk import CVaR, Entropic, Kernels, KLBall, L1Ball, Neutral, Risk, WorstCase
from tabular.solution import Certificate

TINY = float(np.finfo(np.float64).tiny)
BLOCK = 2**19  # entries of rows whose enclosures are formed at once
REFERENCE = "contraction in sup norm (soft_robust.C2); MacQueen 1966; rounding: Higham 2002"


def checked(risk: Any, mdp: MDP) -> Any:
    """The measure with float parameters, validated; ``beta = 0``, ``level = 1`` and radius 0 are ``Neutral``.

    One's own measure is passed on as it is. Raises TypeError for what is no measure or no number, ModelError naming a parameter
    that is out of range, or the first bad row of ``Kernels``.
    """
    if not isinstance(risk, Risk) or isinstance(risk, type):
        raise TypeError(f"{risk!r} is no risk measure: expected Entropic(beta), CVaR(level), ... of tabular.risk")
    if isinstance(risk, Kernels):
        return Kernels(_kernels(risk.rows, mdp))
    if isinstance(risk, Entropic):
        beta = _number(risk.beta, "beta", 0.0, np.inf)
        if beta == 0.0 or beta == np.inf:
            return Neutral() if beta == 0.0 else WorstCase()
        return Entropic(_invertible(beta, "beta", "Neutral()"))
    if isinstance(risk, CVaR):
        level = _number(risk.level, "level", 0.0, 1.0)
        if level == 0.0:
            check.fail("level is 0.0: expected a share of the mass in (0, 1]; WorstCase() is the limit")
        return Neutral() if level == 1.0 else CVaR(_invertible(level, "level", "WorstCase()"))
    if isinstance(risk, (L1Ball, KLBall)):
        top = 2.0 if isinstance(risk, L1Ball) else np.inf
        radius = _number(risk.radius, "radius", 0.0, top)
        if radius == 0.0:
            return Neutral()
        if radius == np.inf:
            return WorstCase()
        return KLBall(_invertible(radius, "radius", "Neutral()")) if isinstance(risk, KLBall) else L1Ball(radius)
    return risk


def _number(x: Any, name: str, low: float, high: float) -> float:
    if isinstance(x, (bool, np.bool_)) or not isinstance(x, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} is {x!r}: expected a float or an integer")
    if not low <= x <= high:
        check.fail(f"{name} is {x}: expected a number from {low:g} to {high:g}")
    return float(x)


def _invertible(x: float, name: str, limit: str) -> float:
    """A number that is divided by. A subnormal one is refused, not replaced by its limit: values near the end of the
    floats would tell the difference.
    """
    if x < TINY:
        check.fail(f"{name} is {x}: too small to divide by; {limit} is the limit")
    return x


def _kernels(rows: Any, mdp: MDP) -> np.ndarray:
    """Validated, unavailable pairs ending."""
    K = check.float_array(rows, "rows")
    if K.ndim != 4 or K.shape[1:] != (mdp.S, mdp.A, mdp.S + 1) or not len(K):
        check.fail(f"rows has shape {K.shape}: expected (n, {mdp.S}, {mdp.A}, {mdp.S + 1}), the end last")
    K[:, ~mdp.mask] = np.arange(mdp.S + 1) == mdp.S
    check.check_probabilities(K, "rows")
    total = check.row_sums(K)
    bad = np.abs(total - 1.0) > check.row_tolerance(mdp.S + 1)
    if bad.any():
        i = check.first(bad)
        check.fail(f"{check.place('rows', i)} sums to {total[i]:.17g}, {total[i] - 1.0:+.3g} from 1")
    return np.asarray(check.sealed(K))


class RiskBackups:
    """Robust Bellman operators of a discounted model. Nothing is validated but the measure.

    Attributes
    ----------
    risk : the checked measure.  index, p : (S A, k) successors and their probabilities.
    mass_min, mass_max, equal_mass : bounds of what a kernel passes on, as the loops need them: where steps may end, nothing is
        known of the worst kernel's end.
    """

    hard = True
    given = None
    solves_closely = False

    def __init__(self, mdp: MDP, risk: Any) -> None:
        self.mdp, self.S, self.A, self.gamma, self.mask = mdp, mdp.S, mdp.A, mdp.gamma, mdp.mask
        self.risk = checked(risk, mdp)
        self.full = bool(mdp.mask.all())
        self.index, self.p = _rows(mdp, dense=isinstance(self.risk, Kernels))
        if isinstance(self.risk, Kernels):
            self.risk = Kernels(self.risk.rows.reshape(len(self.risk.rows), mdp.S * mdp.A, mdp.S + 1))
        available = self.mask.ravel()
        ends = mdp.has_end or (isinstance(self.risk, Kernels) and bool(self.risk.rows[:, available, -1].any()))
        self.longest = self.index.shape[1]
        self.reward_scale = float(np.abs(mdp.rewards).max())
        self.mass_min, self.mass_max = (0.0, 1.0) if ends else (1.0, 1.0)
        self.equal_mass = not ends
        self.large = False  # its own certificates take no kept backup
        self._ops = NumpyOps()

    def noise(self, scale: float) -> float:
        """About the rounding of one backup of values of this size."""
        return (self.longest + 16) * EPS * scale

    def _at(self, V: np.ndarray) -> tuple[Value, Value]:
        return Value(self._ops, self.p, 2), Value(self._ops, np.append(V, 0.0)[self.index], 2)

    def sigma(self, V: np.ndarray) -> np.ndarray:
        """``sigma(P, V)``: (S, A)."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
            return np.asarray(self.risk.sigma(self._ops, *self._at(V)).data.reshape(self.S, self.A))

    def q(self, V: np.ndarray) -> np.ndarray:
        """``R - gamma sigma(P, V)``, ``-inf`` where unavailable: (S, A)."""
        return np.where(self.mask, self.mdp.rewards - self.gamma * self.sigma(V), -np.inf)

    def maxima(self, V: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Maximisers (S,), ``TV``, least and largest component of ``TV - V``."""
        Q = self.q(V)
        TV = Q.max(axis=1)
        change = TV - V
        return Q.argmax(axis=1), TV, float(change.min()), float(change.max())

    def policy_backup(self, pi: np.ndarray, Q: np.ndarray) -> np.ndarray:
        """``<pi, Q>``: (S,)."""
        return np.asarray((pi * np.where(self.mask, Q, 0.0)).sum(axis=1))

    def one_hot(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A deterministic policy (S,) as ``pi`` and ``log_pi``."""
        chosen = actions[:, None] == np.arange(self.A)
        return chosen.astype(np.float64), np.where(chosen, 0.0, -np.inf)

    def worst(self, V: np.ndarray) -> np.ndarray:
        """The worst kernel at V on the gathered rows: (S A, k)."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
            q = np.maximum(self.risk.worst(self._ops, *self._at(V)).data, 0.0)
        return np.asarray(q / q.sum(axis=1, keepdims=True))

    def penalty(self, q: np.ndarray) -> np.ndarray:
        """``D(q, P)`` of a kernel that the measure allows: (S, A)."""
        out = self.risk.penalty(self._ops, Value(self._ops, q, 2), Value(self._ops, self.p, 2))
        return np.asarray(out.data).reshape(self.S, self.A)

    def solve(self, q: np.ndarray, pi: np.ndarray, b: np.ndarray, transpose: bool = False) -> np.ndarray:
        """``(I - gamma q_pi)^-1 b``, or with the transpose, for a policy (S, A)."""
        flow = pi.reshape(-1, 1) * q
        kept = (flow > 0) & (self.index < self.S)
        row, col = np.nonzero(kept)[0] // self.A, self.index[kept]
        ends = np.where(self.index == self.S, flow, 0.0).sum(axis=1).reshape(self.S, self.A).sum(axis=1)
        if self.S <= DENSE_SOLVE:
            P = np.bincount(row * self.S + col, weights=flow[kept], minlength=self.S**2).reshape(self.S, self.S)
        else:
            from scipy.sparse import csr_array

            P = csr_array((flow[kept], (row, col)), shape=(self.S, self.S))
        return resolvent_solve(P, self.gamma, b, ends, transpose)

    def model(self, V: np.ndarray) -> MDP:
        """The regularised robust model at V: the worst kernel, and what it pays, ``R + gamma D``."""
        from tabular.mdp import CSR

        q = self.worst(V)
        inside = (self.index < self.S) & (self.p > 0) | (self.index < self.S) & (q > 0)
        inside &= self.mask.reshape(-1, 1)
        indptr = np.concatenate([[0], np.cumsum(inside.sum(axis=1))]).astype(np.int64)
        end = np.where(self.mask, np.where(self.index == self.S, q, 0.0).sum(axis=1).reshape(self.S, self.A), 0.0)
        R = np.where(self.mask, self.mdp.rewards + self.gamma * self.penalty(q), -np.inf)
        out = MDP(
            CSR(indptr, self.index[inside].astype(np.int32), q[inside]),
            R,
            self.mdp.gamma_exact,
            end=end if end.any() else None,
            rho=self.mdp.rho,
            state_labels=self.mdp.state_labels,
            action_labels=self.mdp.action_labels,
            name=self.mdp.name,
            renormalise=True,
        )
        return out if self.mdp.is_sparse else out.to_dense()

    # -- certificates ---------------------------------------------------------------------------------------------------
    def certificates(self, V: np.ndarray, pi: np.ndarray | None, optimal: bool = True) -> dict[str, Certificate]:
        """Enclosures of ``V - V*``, ``V - V^pi`` and ``max(V* - V^pi)`` for the exact model (its canonical lift)."""
        lo, hi = self._advantages(V)
        keep = self.mask
        rest = 1 - self.mdp.gamma_exact
        near, whole = np.nextafter(float(rest), [0.0, 1.0]), np.ones(self.S)
        least = np.full(self.S, near[0]), np.full(self.S, near[1])
        gaps = (*least, *(least if self.equal_mass else (whole, whole)))
        out: dict[str, Certificate] = {}
        pick = lambda x: np.where(keep, x, -np.inf).max(axis=1)  # noqa: E731
        star = span_rows(pick(lo), pick(hi), gaps)
        if optimal:
            out["V - V*"] = Certificate("V - V*", "componentwise", -star[1], -star[0], REFERENCE)
        if pi is not None:
            ops = EnclosureOps()
            middle = 0.5 * lo + 0.5 * hi
            d = pack(middle, up(np.maximum(hi - middle, middle - lo)))
            mean = ops.dot(ops.distribution(pi), ops.where(keep, Value(ops, d, 2), 0))
            own = span_rows(*ops.bounds(mean), gaps)
            out["V - V^pi"] = Certificate("V - V^pi", "componentwise", -own[1], -own[0], REFERENCE)
            if optimal:
                out["max(V* - V^pi)"] = gap_certificate(star, own)
        return out

    def _advantages(self, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bounds (S, A) on ``Q_V - V``, every rounding included."""
        ops = EnclosureOps()
        m = ops.model(self.mdp)
        P, end = np.where(self.index < self.S, self.p, 0.0), m.end.data.reshape(2, -1, 1)
        relative = np.broadcast_to(m.P.relative, self.mask.shape).reshape(-1, 1)
        last = (self.index == self.S) & (self.p > 0)
        radius = np.where(P == 0, 0.0, up(P * relative))
        rows = np.stack([self.p, np.where(last & self.mask.reshape(-1, 1), end[1], radius)])
        x = np.append(V, 0.0)[self.index]
        step, n = max(1, BLOCK // self.longest), len(self.p)
        low, high = np.empty(n), np.empty(n)
        with np.errstate(all="ignore"):
            for i in range(0, n, step):
                part = slice(i, min(i + step, n))
                risk = Kernels(self.risk.rows[:, part]) if isinstance(self.risk, Kernels) else self.risk
                sigma = risk.sigma(ops, Value(ops, rows[:, part], 2), ops.array(x[part], 2))
                low[part], high[part] = ops.bounds(sigma)
            middle = 0.5 * low + 0.5 * high
            sigma = pack(middle, up(np.maximum(high - middle, middle - low))).reshape(2, self.S, self.A)
            d = m.R - m.gamma * Value(ops, sigma, 2) - ops.array(V, 1)[:, None]
        return ops.bounds(d)


def _rows(mdp: MDP, dense: bool) -> tuple[np.ndarray, np.ndarray]:
    """Successors and probabilities of each pair, padded: (S A, k) each. A pair that is unavailable ends."""
    S, n = mdp.S, mdp.S * mdp.A
    P, end = mdp.csr(), np.where(mdp.mask, mdp.end, 1.0).ravel()
    owner = np.repeat(np.arange(n), np.diff(P.indptr))
    if dense:
        p = np.zeros((n, S + 1))
        p[owner, P.indices], p[:, S] = P.data, end
        return np.broadcast_to(np.arange(S + 1), p.shape), p
    kept = (P.data > 0) & mdp.mask.ravel()[owner]
    last = np.flatnonzero(end > 0)
    row = np.concatenate([owner[kept], last])
    col = np.concatenate([P.indices[kept], np.full(len(last), S)])
    data = np.concatenate([P.data[kept], end[last]])
    order = np.argsort(row, kind="stable")
    row, col, data = row[order], col[order], data[order]
    count = np.bincount(row, minlength=n)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    index, p = np.full((n, max(1, int(count.max(initial=1)))), S), np.zeros((n, max(1, int(count.max(initial=1)))))
    index[row, place], p[row, place] = col, data
    return index, p
