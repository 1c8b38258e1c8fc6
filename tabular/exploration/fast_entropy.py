r"""Policies of largest entropy in a known model: the oracles of EntGame and UCBVI-Ent.

Visitation entropy :math:`\sum_h \mathcal H(d_h)` (MVEE), the entropy of the pooled occupancies, and trajectory entropy (MTEE).
Each answer has a lower bound, the entropy of its policy, and an upper bound by duality, both rigorous. Which objective is
which, and which oracle when: ``docs/exploration_entropy.md``. Source: fast_entropy (Tiapkin et al. 2023); the methods are ours.
"""

from __future__ import annotations

import numpy as np

from tabular import _border as border
from tabular.exploration import _newton
from tabular.exploration._flat import Flat
from tabular.exploration._layers import Layers, checked
from tabular.exploration.entropy_solution import (
    POOLED,
    TRAJECTORY,
    VISITATION,
    EntropySolution,
    certify_entropy,
    delivered,
    judged,
)
from tabular.exploration.visits import transition_entropy, visits
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.solution import Status

STRIDE = 64  # steps of mirror ascent between two looks at the gap


def maximum_visitation_entropy(
    fh: FiniteHorizonMDP, *, tol: float = 1e-8, max_iter: int = 100, throw: bool = True
) -> EntropySolution:
    r"""The policy of largest :math:`\sum_h \mathcal H(d_h)`, by Newton's method on the dual (``tabular.exploration._newton``).

    Parameters
    ----------
    fh : undiscounted, with a start distribution, without early ends (``visits.end_as_state``); rewards play no part.
    tol : largest gap, in nats.  max_iter : of Newton's steps.  throw : raise NotConverged at ``max_iter``.

    Returns
    -------
    EntropySolution; ``history["gap"]`` is the duality gap before each step, in floats. Status ROUNDING_FLOOR where the certified
    gap stays above ``tol`` though no step lowers the dual function in floats any more.

    Raises ModelError, NotConverged, TypeError; ValueError for arguments out of range. Usually five to ten steps, each O(sum of
    n_h^3) for the n_h states that can be met at step h: half a second on the 21 x 21 grid with H = 20.
    """
    checked(fh, "maximum_visitation_entropy")
    _options(tol, max_iter, throw)
    layers = Layers(fh)
    V, pi, k, gaps = _newton.minimise(layers, tol / 4.0, max_iter)
    policy, values = layers.policy(pi, fh.mask), layers.spread_states(V)
    found = certify_entropy(fh, policy, values, VISITATION)
    gap = found["max entropy - entropy of pi"].upper
    status = judged(Status.MAX_ITER if k == max_iter else Status.CONVERGED, gap, tol)
    history = {"gap": np.array(gaps)}
    method = "Newton's method on the dual"
    return delivered(
        EntropySolution(VISITATION, policy, visits(fh, policy), values, found, status, k, method, history), throw, tol
    )


def maximum_pooled_entropy(
    fh: FiniteHorizonMDP, *, tol: float = 1e-3, max_iter: int = 100_000, throw: bool = True
) -> EntropySolution:
    r"""The policy of largest :math:`\mathcal H(\frac1H \sum_h d_h)`, by mirror ascent in the policies.

    .. math:: \pi^{k+1} = \arg\max_\pi \; \tfrac1H E_\pi \sum_h \log \frac{1}{\bar d^k(s_h,a_h)} - KL(\pi \| \pi^k),

    the divergence being that of trajectories: a soft backward induction. It is proximal, for the entropy lies above its
    linearisation less :math:`KL(\bar d \| \bar d^k) \le \frac1H \sum_h KL(d_h \| d_h^k) \le KL(\pi \| \pi^k)`: with the step
    :math:`\eta = 1/H` on rewards :math:`\log 1/\bar d`, the entropy rises and after k steps is at most
    :math:`KL(\pi^* \| \pi^0) / k \le H \log A / k` from its maximum (ours; the standard proof of mirror descent). The upper
    bound is the best response to :math:`\bar d^k`, the least of them so far.

    Arguments, result and errors as for ``maximum_visitation_entropy``; ``max_iter`` counts steps, each O(transitions).
    """
    checked(fh, "maximum_pooled_entropy")
    _options(tol, max_iter, throw)
    from tabular._kernels import entropy_games as kernels

    layers = Layers(fh)
    flat = Flat(layers)
    n, m = len(flat.first) - 1, len(flat.symbol)
    reward, pi, d, greedy = (np.empty(m) for _ in range(4))
    mu, V = np.empty(n), np.empty(n)
    log_pi = np.concatenate([-np.log(np.bincount(owner)[owner]) for owner in layers.owner])
    pooled = np.empty(flat.symbols)
    upper, best, gaps, k = np.inf, V.copy(), [], 0
    while True:
        kernels.ascent(
            *flat.graph, flat.start, flat.symbol, fh.H, 1.0 / fh.H, STRIDE if k else 0, pooled, reward, log_pi, mu, V, pi, d
        )  # fmt: skip
        value = -float((pooled[pooled > 0] * np.log(pooled[pooled > 0])).sum())
        kernels.hard_response(*flat.graph, reward, V, greedy)
        top = float(flat.start @ V[: len(flat.start)]) / fh.H
        if top < upper:
            upper, best = top, V.copy()
        gaps.append(upper - value)
        if gaps[-1] <= tol / 2.0 or k >= max_iter:
            break
        k += STRIDE
    policy = layers.policy(flat.split(pi), fh.mask)
    values = layers.spread_states(flat.split_states(best))
    found = certify_entropy(fh, policy, values, POOLED)
    status = judged(
        Status.MAX_ITER if k >= max_iter else Status.CONVERGED, found["max entropy - entropy of pi"].upper, tol
    )
    solution = EntropySolution(
        POOLED, policy, visits(fh, policy), values, found, status, k, "mirror ascent", {"gap": np.array(gaps)}
    )
    return delivered(solution, throw, tol)


def maximum_trajectory_entropy(fh: FiniteHorizonMDP, *, last: bool = False) -> EntropySolution:
    r"""The policy of largest trajectory entropy: soft backward induction at temperature 1, with transition entropies as rewards.

    :math:`Q_h = \mathcal H(P_h) 1\{h < H-1\} + P_h V_{h+1}`, :math:`V_h = \log\sum_a e^{Q_h}`. ``last``: with the
    transition entropy of the last step, as the authors' code has it: the entropy then is that of a trajectory with
    the state after it. ``values`` are the :math:`V_h`; the gap is rounding alone. Raises ModelError and TypeError as
    ``maximum_visitation_entropy``. O(H nnz), its certificate O(H S^2 A).
    """
    checked(fh, "maximum_trajectory_entropy")
    last = border.flag(last, "last")
    V, pi = soft_induction(fh, last)
    found = certify_entropy(fh, pi, V[:-1], TRAJECTORY, last=last)
    status, method = Status.CONVERGED, "soft backward induction"
    return EntropySolution(
        TRAJECTORY, pi, visits(fh, pi), V[:-1], found, status, fh.H, method, info={"last": last}
    )  # fmt: skip


def soft_induction(fh: FiniteHorizonMDP, last: bool) -> tuple[np.ndarray, np.ndarray]:
    """Values (H+1, S) and policy (H, S, A) of ``maximum_trajectory_entropy``, in floats."""
    from tabular._backups import Backups
    from tabular.regularizers import Shannon

    V, pi = np.zeros((fh.H + 1, fh.S)), np.empty((fh.H, fh.S, fh.A))
    entropies = {id(m): transition_entropy(m) for m in map(fh.stage, range(fh.H))}
    backups = {id(m): Backups(m._with(rewards=0.0 * m.rewards, exact=None), Shannon(1.0)) for m in fh._distinct}
    for h in reversed(range(fh.H)):
        key = id(fh.stage(h))
        Q = backups[key].q(V[h + 1]) + (entropies[key] if last or h < fh.H - 1 else 0.0)
        V[h] = backups[key].conjugate(Q)
        pi[h] = backups[key].policy(Q)[0]
    return V, pi


def _options(tol: float, max_iter: int, throw: bool) -> None:
    border.positive(tol, "tol", "in nats")
    border.count(max_iter, "max_iter")
    border.flag(throw, "throw")
