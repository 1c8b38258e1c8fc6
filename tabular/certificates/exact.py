"""Exact solutions in rationals (FLINT): policy iteration.

Floats propose a policy, and their doubled-precision bounds decide almost every comparison; what they leave
undecided is decided in rationals. Howard's policy iteration is finite in exact arithmetic, where no tie can
make it cycle: only strict improvements are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular._border import expect
from tabular._rounding import U
from tabular.certificates.components import strong_components
from tabular.certificates.model import Doubled
from tabular.certificates.pieces import Piece, total_reward_piece
from tabular.certificates.refinement import Residual, affordable, newton
from tabular.errors import ImproperModel
from tabular.exact_model import ExactModel
from tabular.regularizers import Hard, Regularizer


class ExactSolution(NamedTuple):
    """An exact answer.

    Attributes
    ----------
    V : S Fractions, the optimal values of the exact model.  pi : (S,) int64, an optimal action of each state.
    iterations : policies evaluated exactly.
    optimal_actions : (S, A) bool, the actions with ``Q*(s, a) = V*(s)`` exactly. (With ``gamma = 1`` such
        an action may also stay for ever in pairs worth nothing; ``pi`` does so only where that is optimal.)
    """

    V: list[Fraction]
    pi: np.ndarray
    iterations: int
    optimal_actions: np.ndarray


class ExactRows:
    """Rows of an exact model as FLINT numbers."""

    def __init__(self, m: ExactModel) -> None:
        from flint import fmpq, fmpz

        self.m = m
        self.ptr, self.column = m.indptr.tolist(), m.indices.tolist()
        self.weights = [fmpz(w) for w in m.weights]
        self.totals = [fmpz(t) for t in m.totals]
        self.R = [fmpq(x.numerator, x.denominator) for x in m.R]
        self.gn, self.gd = fmpz(m.gamma.numerator), fmpz(m.gamma.denominator)
        self.gamma = fmpq(m.gamma.numerator, m.gamma.denominator)
        self._fmpq, self._fmpz = fmpq, fmpz

    def expectation(self, i: int, V: Sequence[Any]) -> Any:
        """``sum_t P(t | i) V(t)`` of the pair ``i = s * A + a``."""
        at = range(self.ptr[i], self.ptr[i + 1])
        return sum((self.weights[j] * V[self.column[j]] for j in at), self._fmpq(0)) / self.totals[i]

    def advantage(self, i: int, V: Sequence[Any]) -> Any:
        return self.R[i] + self.gamma * self.expectation(i, V) - V[i // self.m.A]

    def evaluate(self, choice: Sequence[int]) -> list[Any]:
        """Values of a deterministic policy, one strong component of its chain at a time, successors first."""
        A = self.m.A
        rows = [s * A + a for s, a in enumerate(choice)]
        after = [self.column[self.ptr[i] : self.ptr[i + 1]] if self.gn else [] for i in rows]
        V: list[Any] = [None] * len(rows)
        for block in strong_components(after):
            self._solve(block, rows, V)
        return V

    def _solve(self, block: list[int], rows: list[int], V: list[Any]) -> None:
        """``(gd total I - gn W) V = gd total R + gn W_outside V_outside`` on a block of states."""
        from flint import fmpz_mat

        place = {s: k for k, s in enumerate(block)}
        n = len(block)
        M: list[list[Any]] = [[self._fmpz(0)] * n for _ in block]
        b: list[Any] = []
        for k, s in enumerate(block):
            i = rows[s]
            scale = self.gd * self.totals[i]
            M[k][k] += scale
            right = scale * self.R[i]
            for j in range(self.ptr[i], self.ptr[i + 1]):
                t, w = self.column[j], self.gn * self.weights[j]
                if t in place:
                    M[k][place[t]] -= w
                elif w:
                    right += w * V[t]
            b.append(right)
        if n == 1:
            if not M[0][0]:
                raise _never_ends(block)
            V[block[0]] = b[0] / M[0][0]
            return
        for k in range(n):  # a row without its common divisor is shorter by the 53 bits of a float
            g = self._fmpz(0)
            for x in M[k]:
                g = g.gcd(x)
            if g > 1:
                M[k] = [x // g for x in M[k]]
                b[k] /= g
        den = self._fmpz(1)
        for y in b:
            den = den.lcm(y.q)
        try:
            solution: Any = fmpz_mat(M).solve(fmpz_mat(n, 1, [(y * den).p for y in b]))
        except ZeroDivisionError:
            raise _never_ends(block) from None
        for k, s in enumerate(block):
            V[s] = solution[k, 0] / den


def _never_ends(states: list[int]) -> ImproperModel:
    shown = ", ".join(str(s) for s in states[:4]) + (", ..." if len(states) > 4 else "")
    return ImproperModel(f"gamma = 1: a policy never leaves {shown} (states), so its total reward is not finite")


def _pair(V: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Rationals as unevaluated pairs of floats; overflow is infinite."""
    h, low = np.empty(len(V)), np.empty(len(V))
    for s, x in enumerate(V):
        n, d = int(x.p), int(x.q)
        try:
            h[s] = n / d
        except OverflowError:
            h[s], low[s] = np.inf, 0.0
            continue
        a, b = float(h[s]).as_integer_ratio()
        low[s] = (n * b - a * d) / (d * b)
    return h, low


def _signs(exact: ExactRows, model: Doubled, V: Sequence[Any], choice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact signs of ``Q_V - V``, int8 (S, A) (-1 where unavailable), and its float value for the choice
    among improvements.
    """
    h, low = _pair(V)
    mask = model.mask
    try:
        if not np.isfinite(h).all():
            raise OverflowError
        s, e, error = model.advantages(h, low)
        # the pair represents V to 2^-106 of its size: off by that in Q_V and in V
        value, rad = s + e, 1.01 * error + 4 * U * U * float(np.abs(h).max(initial=0.0)) + 2.0**-1070
        sign = np.where(value - U * np.abs(value) > rad, 1, np.where(value + U * np.abs(value) < -rad, -1, 2)).astype(
            np.int8
        )
    except OverflowError:
        value, sign = np.zeros(mask.shape), np.full(mask.shape, 2, dtype=np.int8)
    sign[~mask] = -1
    sign[np.arange(len(choice)), choice] = 0  # V is the policy's own value
    for i in np.flatnonzero(sign.ravel() == 2).tolist():
        x = exact.advantage(i, V)
        sign.flat[i] = (x > 0) - (x < 0)
    return sign, value


def _policy_iteration(piece: Piece, m: ExactModel, choice: np.ndarray) -> tuple[list[Any], np.ndarray, int, np.ndarray]:
    exact, model = ExactRows(m), Doubled(piece.mdp, piece.exact)
    rounds = 0
    while True:
        V = exact.evaluate(choice.tolist())
        rounds += 1
        sign, value = _signs(exact, model, V, choice)
        better = sign > 0
        improve = better.any(axis=1)
        if not improve.any():
            return V, choice, rounds, sign == 0
        choice = np.where(improve, np.where(better, value, -np.inf).argmax(axis=1), choice)


def _float_policy(piece: Piece) -> np.ndarray:
    """A policy to start from, near the optimum."""
    model = Doubled(piece.mdp, piece.exact)
    total = piece.mdp.gamma_exact == 1
    if not affordable(model, Hard()):
        if total:
            return _proper_policy(piece)
        return _greediest(model)
    if total:
        from tabular.certificates.total import solve_total

        found = solve_total(piece, np.zeros(model.S), Hard())
        if found is None:
            return _proper_policy(piece)
        residual, h, low = found
        residual(h, low)
    else:
        residual = Residual(model, Hard(), None)
        best = newton(residual, np.zeros(model.S))
        if best is None:  # beyond the range of doubled precision
            return _greediest(model)
        residual(best[0], best[1])
    return np.asarray(residual.policy)


def _greediest(model: Doubled) -> np.ndarray:
    return np.where(model.mask, model.R, -np.inf).argmax(axis=1)


def _proper_policy(piece: Piece) -> np.ndarray:
    from tabular.planning.collapse import collapse

    mdp, P = piece.mdp, piece.mdp.csr()
    return collapse(P.indptr, P.indices, P.data, np.ones_like(mdp.rewards), mdp.end, mdp.mask).proper_policy()


def exact_policy_iteration(mdp: Any, pi0: Any = None) -> ExactSolution:
    """Optimal values and policies of the exact model, as rationals, without regulariser.

    Parameters
    ----------
    mdp : MDP. With ``gamma = 1``, zero-reward end components are divided out first; then every improper
        policy must be worth minus infinity, as ``tabular.planning.total_reward`` decides.
    pi0 : (S,) actions or (S, A) policy to start from (its likeliest actions); by default floats find one.
        With ``gamma = 1`` it is only used where it ends with probability one and nothing was divided out.

    Raises
    ------
    ImproperModel with ``gamma = 1`` where the optimal value is not finite; ValueError for a wrong
    ``pi0``; TypeError for a regulariser.

    Notes ----- A policy's value is one exact linear solve for each strong component of its chain (FLINT's
    p-adic lifting): O(n^3) word operations with answers of about 60 n bits. Mostly one policy is evaluated.
    """
    expect(mdp, "exact_policy_iteration", "MDP")
    if isinstance(pi0, Regularizer):
        raise TypeError(
            f"exact_policy_iteration has no regularizer ({type(pi0).__name__} was given as pi0): regularised values are "
            "not rational; solve, refine and BallOps have them"
        )
    m = mdp.exact()
    if m.gamma == 1:
        return _total(mdp, m, pi0)
    piece = Piece(mdp, None, np.arange(mdp.S), None)
    start = _float_policy(piece) if pi0 is None else _actions(pi0, mdp.mask)
    V, choice, rounds, optimal = _policy_iteration(piece, m, start)
    return ExactSolution([as_fraction(x) for x in V], choice.astype(np.int64), rounds, optimal)


def _total(mdp: Any, m: ExactModel, pi0: Any) -> ExactSolution:
    from tabular.planning.total_reward import total_reward_quotient

    P = mdp.csr()
    total_reward_quotient(P.indptr, P.indices, P.data, mdp.rewards, mdp.end, mdp.mask, labels=mdp.state_labels, exact=m)
    piece = total_reward_piece(mdp)
    q = piece.exact if piece.exact is not None else m
    start = None
    if pi0 is not None and piece.quotient is None:
        start = _actions(pi0, mdp.mask)
        try:
            ExactRows(q).evaluate(start.tolist())
        except ImproperModel:
            start = None
    if start is None:
        start = _float_policy(piece)
    try:
        V, choice, rounds, _ = _policy_iteration(piece, q, start)
    except ImproperModel:  # floats proposed a policy that never ends
        V, choice, rounds, _ = _policy_iteration(piece, q, _proper_policy(piece))
    values = [V[k] for k in piece.state_of.tolist()]
    pi = choice if piece.quotient is None else piece.quotient.lift_policy(choice)
    exact = ExactRows(m)
    optimal = np.zeros(mdp.mask.shape, dtype=bool)
    for i in np.flatnonzero(mdp.mask.ravel()).tolist():
        optimal.flat[i] = exact.advantage(i, values) == 0
    return ExactSolution([as_fraction(x) for x in values], pi.astype(np.int64), rounds, optimal)


def as_fraction(x: Any) -> Fraction:
    return Fraction(int(x.p), int(x.q))


def _actions(pi: Any, mask: np.ndarray) -> np.ndarray:
    pi = np.asarray(pi)
    S, A = mask.shape
    if pi.shape == (S, A):
        pi = np.where(mask, pi, -1.0).argmax(axis=1)
    if pi.shape != (S,) or pi.dtype.kind not in "iu":
        raise ValueError(f"pi0 has shape {pi.shape} and dtype {pi.dtype}: expected ({S},) integers or ({S}, {A})")
    bad = (pi < 0) | (pi >= A)
    bad |= ~mask[np.arange(S), np.where(bad, 0, pi)]
    if bad.any():
        s = int(np.argmax(bad))
        raise ValueError(f"pi0[{s}] is {int(pi[s])}: not an available action")
    return pi.astype(np.int64)
