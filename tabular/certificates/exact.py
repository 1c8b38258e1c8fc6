"""Exact solutions in rationals (FLINT): policy iteration.

Floats propose a policy, and their rigorous bounds decide almost every comparison; what they leave undecided is
decided in integers. Howard's policy iteration is finite in exact arithmetic, where no tie can
make it cycle: only strict improvements are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular._border import expect
from tabular._resolvent import system, undamped
from tabular._rounding import U
from tabular.certificates.doubled import UNDERFLOW
from tabular.certificates.exact_rows import ExactRows, as_fraction
from tabular.certificates.model import Doubled
from tabular.certificates.pieces import Piece, total_reward_piece
from tabular.certificates.refinement import FACTORISED, ROUNDS, Residual, affordable, bicgstab, newton
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


DIRECT = 400
"""Transitions up to which integers are compared faster than floats are enclosed."""
CLEAR = 2.0**-30
"""Part of the largest value by which an action must lead, in floats, to be taken for the best without a second look."""

THREADED = 128
"""States from which linear algebra may bring in threads: iteration is tried before."""


def _float(n: Any, d: Any) -> float:
    """A rational correctly rounded; overflow is infinite."""
    try:
        return int(n) / int(d)
    except OverflowError:
        return float("inf")


def _enclosed(piece: Piece, V: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Bounds (S, A) on ``Q_V - V`` in floats."""
    from tabular.reference.enclosure_ops import EnclosureOps
    from tabular.reference.enclosures import pack
    from tabular.reference.ops import Transitions
    from tabular.reference.value import Value

    ops, h = EnclosureOps(), np.array([_float(x.p, x.q) for x in V])
    m = ops.model(piece.mdp)
    if piece.exact is not None:  # its floats are correctly rounded quotients, unless some underflow
        relative = np.inf if max(piece.exact.totals) >= 2**1000 else 2 * U
        R = piece.mdp.rewards
        rewards = Value(ops, pack(R, 2 * U * np.abs(R) + UNDERFLOW), 2)
        P = Transitions(m.S, m.A, piece.mdp.P, np.full(m.mask.shape, relative))
        m = m._replace(P=P, R=rewards)
    value = Value(ops, pack(h, 2 * U * np.abs(h) + UNDERFLOW), 1)
    low, high = ops.bounds(ops.q_backup(m, value) - value[:, None])
    return low, high


def _signs(exact: ExactRows, piece: Piece, V: Sequence[Any], choice: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Exact signs of ``Q_V - V``, int8 (S, A) (-1 where unavailable), and about its value for the choice among
    improvements. ``choice`` (S,): actions whose values V are, if any.
    """
    mask = piece.mdp.mask
    value, sign = np.zeros(mask.shape), np.full(mask.shape, 2, dtype=np.int8)
    if len(exact.m.indices) > DIRECT:
        low, high = _enclosed(piece, V)
        sign[low > 0], sign[high < 0] = 1, -1
        value = np.where(sign == 1, low, 0.0)
    sign[~mask] = -1
    if choice is not None:
        sign[np.arange(len(choice)), choice] = 0
    rest = np.flatnonzero(sign.ravel() == 2).tolist()
    for i, (n, d) in zip(rest, exact.advantages(rest, V), strict=True):
        sign.flat[i] = (n > 0) - (n < 0)
        if n > 0:
            value.flat[i] = _float(n, d)
    return sign, value


def _policy_iteration(piece: Piece, m: ExactModel, choice: np.ndarray) -> tuple[list[Any], np.ndarray, int, np.ndarray]:
    exact = ExactRows(m)
    rounds = 0
    while True:
        V = exact.evaluate(choice.tolist())
        rounds += 1
        sign, value = _signs(exact, piece, V, choice)
        better = sign > 0
        improve = better.any(axis=1)
        if not improve.any():
            return V, choice, rounds, sign == 0
        choice = np.where(improve, np.where(better, value, -np.inf).argmax(axis=1), choice)


class _Rows(NamedTuple):
    """A matrix that multiplies without BLAS, whose threads wait for each other where cores are shared."""

    M: np.ndarray

    def __matmul__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("ij,j->i", self.M, x))


def _solved(M: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``M x = b`` about; ``LinAlgError`` where it is singular."""
    if len(M) >= THREADED:
        x, done = bicgstab(_Rows(M), b, rtol=1e-13)
        if done:
            return x
    return np.linalg.solve(M, b)


def _howard(mdp: Any) -> tuple[np.ndarray, np.ndarray, bool]:
    """Policy iteration in floats: values, a policy, and whether floats are sure of it; values of zero where they
    cannot tell.
    """
    from tabular.reference.numpy_ops import policy_matrix, row_expectation

    S, states = mdp.S, np.arange(mdp.S)
    V, policy, unknown = np.zeros(S), np.where(mdp.mask, mdp.rewards, -np.inf).argmax(axis=1), np.zeros(S)
    if S > FACTORISED or undamped(mdp.gamma, S):
        return unknown, policy, False
    for _ in range(ROUNDS):
        P = policy_matrix(mdp.P, np.eye(mdp.A)[policy], S, mdp.A) if mdp.is_sparse else mdp.P[states, policy]
        try:
            V = _solved(system(P, mdp.gamma, mdp.end[states, policy]), mdp.rewards[states, policy])
        except np.linalg.LinAlgError:
            break
        with np.errstate(over="ignore", invalid="ignore"):
            Q = np.where(mdp.mask, mdp.rewards + mdp.gamma * row_expectation(mdp.P, V, S, mdp.A), -np.inf)
            near = CLEAR * float(np.abs(V).max())
        if not np.isfinite(V).all():
            break
        best = Q.argmax(axis=1)
        own = Q[states, policy]
        improve = Q[states, best] > own + near
        if not improve.any():
            Q[states, policy] = -np.inf
            return V, policy, bool((Q < (own - near)[:, None]).all())
        policy = np.where(improve, best, policy)
    return unknown, policy, False


def _float_policy(piece: Piece) -> np.ndarray:
    """A policy to start from, near the optimum: by policy iteration in floats, or by Newton's method in doubled
    precision where floats see ties.
    """
    total = piece.mdp.gamma_exact == 1
    start = np.zeros(piece.mdp.S)
    if not total:
        start, policy, sure = _howard(piece.mdp)
        if sure:
            return policy
    model = Doubled(piece.mdp, piece.exact)
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
        best = newton(residual, start)
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
    whole = piece if piece.quotient is None else Piece(mdp, None, np.arange(mdp.S), None)
    optimal = _signs(ExactRows(m), whole, values)[0] == 0
    return ExactSolution([as_fraction(x) for x in values], pi.astype(np.int64), rounds, optimal)


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
