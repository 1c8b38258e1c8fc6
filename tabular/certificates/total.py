r"""Certificates of total reward, ``gamma = 1``: a bracket of two values, each checked in doubled precision.

**Theorem.** Let :math:`T` be the (regularised) optimality backup with ``gamma = 1`` of a finite model, and
suppose

1. :math:`TW < W` in every state, 2. :math:`TU \ge U`, 3. :math:`U \le W`.

Then :math:`U \le V^* \le W`, where :math:`V^*` is the supremum of the expected total reward over *all*
policies.

*Proof.* Let :math:`\delta > 0` be the least component of :math:`W - TW`. For any policy, :math:`R_\pi -
\Omega(\pi) + P_\pi W \le TW \le W - \delta`; iterated along a (possibly time-dependent) policy, the reward
of :math:`N` steps is at most :math:`W - E[W_N] - \delta E[N']` with :math:`N'` the steps among them before
the end and :math:`W_N` zero after it. If the expected time to the end is finite, :math:`E[W_N] \to 0` and
the value is at most :math:`W`; else the right side tends to minus infinity, as :math:`W` is bounded. So
:math:`V^* \le W`. Now let ``pi`` be greedy for :math:`U`: :math:`T_\pi U = TU \ge U` and :math:`T_\pi W \le
W - \delta`, so :math:`x = W - U \ge 0` has :math:`x - P_\pi x \ge \delta`, hence :math:`x \ge \delta
\sum_{k<N} P_\pi^k 1` for all :math:`N`: the expected time to the end is at most :math:`x / \delta`, ``pi``
is proper, and :math:`V^\pi = \lim T_\pi^k U \ge U`. QED

So no separate witness of properness is needed: :math:`w = (W - U)/\delta` is one, in the weighted sup norm
of Bertsekas and Tsitsiklis (1991), and improper policies (worth minus infinity) are covered. The bracket is
found by perturbing rewards: :math:`W` is the optimal value with every reward raised by ``delta``, :math:`U`
with every reward lowered. It exists whenever every end component has negative gain; end components of
zero-reward pairs are divided out first, without regulariser.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular._rounding import U as UNIT
from tabular.certificates.doubled import down, two_sum, up
from tabular.certificates.float_bounds import Pair, _values, gap_certificate
from tabular.certificates.given import policy_of, regularizer_of
from tabular.certificates.lift import lift_change
from tabular.certificates.model import Doubled
from tabular.certificates.nothing import exactly, grounded_model, stays, worthless
from tabular.certificates.pieces import Piece, total_reward_piece
from tabular.certificates.refinement import Residual, affordable, newton, solver
from tabular.regularizers import Hard
from tabular.solution import Certificate

REFERENCE = "strict super- and subsolution of the total-reward backup (Bertsekas and Tsitsiklis 1991)"


def bracket(
    residual: Residual, h: np.ndarray, low: np.ndarray, delta: float | None = None
) -> tuple[Pair, Pair, float] | None:
    """Pairs ``(U, W)`` that satisfy the theorem, and the slack ``delta`` aimed at; None where none was found.

    ``(h, low)`` is a value near the solution. On success ``TW <= W - delta/2`` and ``TU >= U + delta/2``.
    """
    scale = max(float(np.abs(h).max()), float(np.abs(residual.model.R).max()), 2.0**-900)
    if delta is None:
        residual(h, low)
        delta = max(64 * residual.noise, scale * 2.0**-96)
    out = []
    for sign in (-1.0, 1.0):
        found = newton(residual, h, sign * delta, start=low, goal=delta / 4)
        if found is None:
            return None
        x, y, value, error = found
        lo, hi = down(value - error), up(value + error)
        if lo.ndim == 2:
            lo, hi = (np.where(residual.model.mask, z, -np.inf).max(axis=1) for z in (lo, hi))
        good = (hi <= -delta / 2).all() if sign > 0 else (lo >= delta / 2).all()
        if not good:
            return None
        out.append((x, y))
    if not (_width(out[1], out[0]) <= 0).all():
        return None
    return out[0], out[1], delta


def solve_total(
    piece: Piece, V: np.ndarray, regularizer: Any, pi: np.ndarray | None = None
) -> tuple[Residual, np.ndarray, np.ndarray] | None:
    """``(residual, h, low)`` near the solution from ``V`` (of the piece's states), or from a proper policy
    where that fails.
    """
    model = Doubled(piece.mdp, piece.exact)
    if not affordable(model, regularizer):
        return None
    residual = Residual(model, regularizer, pi)
    for start in (V, None):
        if start is None:
            start = _proper_value(model, pi)
            if start is None:
                return None
        found = newton(residual, start)
        if found is not None and _close(residual, found):
            return residual, found[0], found[1]
    return None


def _close(residual: Residual, found: tuple[np.ndarray, ...]) -> bool:
    """Whether Newton's method got below the rounding of floats."""
    h, low, _, _ = found
    residual(h, low)
    return bool(
        np.abs(residual.d).max() <= 2.0**-60 * max(float(np.abs(h).max()), float(np.abs(residual.model.R).max()))
    )


def _proper_value(model: Doubled, pi: np.ndarray | None) -> np.ndarray | None:
    """Value of a policy that ends, from the graph."""
    from tabular.errors import ImproperModel
    from tabular.planning.collapse import collapse

    mdp = model.mdp
    if pi is None:
        P = mdp.csr()
        try:
            choice = collapse(P.indptr, P.indices, P.data, np.ones_like(mdp.rewards), mdp.end, mdp.mask).proper_policy()
        except ImproperModel:
            return None
        pi = np.zeros(mdp.mask.shape)
        pi[np.arange(mdp.S), choice] = 1.0
    solve = solver(model, pi)
    V = None if solve is None else solve((pi * mdp.rewards).sum(axis=1))
    return V if V is not None and np.isfinite(V).all() else None


class Bracketed(NamedTuple):
    """A bracket ``U <= V* <= W`` (or ``V^pi``) of pairs in the states of a piece, what it was made from, and its slack."""

    piece: Piece
    found: tuple[Residual, np.ndarray, np.ndarray]
    below: Pair
    above: Pair
    delta: float


def bracketed(mdp: Any, V: np.ndarray, regularizer: Any, pi: np.ndarray | None = None) -> Bracketed | None:
    """The bracket of ``V*`` or ``V^pi``; None where there is none."""
    hard = isinstance(regularizer, Hard)
    if hard and pi is None:
        piece = total_reward_piece(mdp)
    elif hard and pi is not None and ((pi == 0) | (pi == 1)).all():  # the optimal value of the model of these pairs
        piece, pi = total_reward_piece(mdp, pi == 1), None
    else:
        nothing = worthless(mdp, regularizer)
        if pi is not None and not stays(pi, regularizer, mdp.mask, nothing):
            return None  # Omega is infinite
        piece = Piece(grounded_model(mdp, nothing) if nothing.any() else mdp, None, np.arange(mdp.S), None)
    n = piece.mdp.S
    start = np.zeros(n)
    start[piece.state_of] = V
    found = solve_total(piece, start, regularizer, pi)
    if found is None:
        return None
    both = bracket(*found)
    if both is None:
        return None
    return Bracketed(piece, found, *both)


def _at_states(b: Bracketed) -> tuple[Pair, Pair]:
    at = b.piece.state_of
    return (b.below[0][at], b.below[1][at]), (b.above[0][at], b.above[1][at])


def lift_error_total(b: Bracketed | None) -> float:
    """Bound on ``|V*(lift) - V*(floats)|``; ``inf`` without a bracket, and where end components were divided out:
    rows of floats that gain or lose mass stay in them neither for ever nor for nothing.

    The theorem asks nothing of the sums of rows. If the two backups differ by at most half the slack of the
    bracket, it holds the floats' value too; else one of larger slack may.
    """
    if b is None or b.piece.quotient is not None or b.piece.exact is not None:
        return float("inf")
    for _ in range(2):
        size = max(float(up(np.abs(x) + np.abs(y)).max()) for x, y in (b.below, b.above))
        change, _ = lift_change(b.found[0].model, size)
        if 2.0 * change < b.delta:
            return float(_width(b.below, b.above).max())
        wider = bracket(*b.found, 4.0 * change)
        if wider is None:
            break
        b = Bracketed(b.piece, b.found, *wider)
    return float("inf")


def _width(below: Pair, above: Pair) -> np.ndarray:
    """Upper bound of ``above - below``."""
    s, e = two_sum(above[0], -below[0])
    return np.asarray(up(s + up(e + up(above[1] - below[1]))))


def _distance(b: Bracketed | None, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on the enclosed value minus ``V``."""
    if b is None:
        return np.full(len(V), -np.inf), np.full(len(V), np.inf)
    (ux, uy), (wx, wy) = _at_states(b)
    s, e = two_sum(ux, -V)
    t, f = two_sum(wx, -V)
    return down(s + down(e + uy)), up(t + up(f + wy))


def certify_total(mdp: Any, V: Any, pi: Any = None, *, regularizer: Any = None) -> dict[str, Certificate]:
    """As ``certify``, for ``gamma = 1``: rigorous bounds by the theorem above, infinite where no bracket is
    found.

    None is found for models beyond the limits of ``refine``, where an end component with non-zero rewards
    has non-negative gain (the value is infinite or undefined), or where the expected time to the end
    approaches 1e13 steps. A deterministic policy that stays for ever in zero-reward pairs has a value; a
    stochastic one that may do so is certified only where all pairs there are such. With a regulariser nothing is
    collapsed, but a state without choice and reward, like an absorbing goal, is worth nothing. "V*(floats) - V*" is
    infinite where anything was collapsed.
    """
    border.expect(mdp, "certify_total", "MDP")
    if mdp.gamma_exact != 1:
        raise ValueError(f"gamma is {mdp.gamma}: certify_total is for gamma = 1")
    regularizer, pi = regularizer_of(V, regularizer, mdp.mask), policy_of(V, pi)
    V = _values(V, mdp.S)
    found = bracketed(mdp, V, regularizer)
    nothing = worthless(mdp, regularizer)
    star = exactly(_distance(found, V), V, nothing)
    out = {"V - V*": Certificate("V - V*", "componentwise", -star[1], -star[0], REFERENCE)}
    lift = 0.0 if nothing.all() else lift_error_total(found)
    out["V*(floats) - V*"] = Certificate("V*(floats) - V*", "sup", -lift, lift, REFERENCE)
    if pi is not None:
        pi = border.policy(pi, mdp.mask)
        try:
            own = _distance(bracketed(mdp, V, regularizer, pi), V)
        except NotImplementedError:  # Omega of a given policy is unknown
            return out
        own = exactly(own, V, nothing & stays(pi, regularizer, mdp.mask, nothing))
        out["V - V^pi"] = Certificate("V - V^pi", "componentwise", -own[1], -own[0], REFERENCE)
        out["max(V* - V^pi)"] = gap_certificate(star, own)
    return out


def refine_total(mdp: Any, V: np.ndarray, regularizer: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``refine`` for ``gamma = 1``: the middle of the bracket, and half its width."""
    found = bracketed(mdp, V, regularizer)
    if found is None:
        return V, np.zeros_like(V), np.full(mdp.S, np.inf)
    (ux, uy), (wx, wy) = _at_states(found)
    s, e = two_sum(wx, -ux)
    width = s + (e + (wy - uy))
    h, low = two_sum(ux, uy + 0.5 * width)
    x, f = two_sum(wx, -h)
    y, g = two_sum(h, -ux)
    bound = np.maximum(up(x + up(up(f + wy) - low)), up(y + up(up(g - uy) + low)))
    return h, low, np.maximum(bound, UNIT * UNIT * np.abs(h))
