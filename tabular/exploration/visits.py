r"""What a Markov policy visits in a finite horizon, the entropies of it, and policies from occupancies.

Everything is undiscounted and in nats. Rewards, and the value after the last step, play no part. Formulas:
``tabular.reference.visitation``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.errors import ModelError
from tabular.exploration._layers import checked
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import CSR, MDP

MOST_TRAJECTORIES = 10_000_000


def visits(fh: FiniteHorizonMDP, pi: Any) -> np.ndarray:
    """Probability ``d`` (H, S, A) of each pair at each step, under ``pi`` (H, S, A) or (H, S) actions.

    ``d[h].sum()`` is one, less what ended before. Raises ModelError where the model has no start distribution, and for what is
    no policy. O(H nnz).
    """
    border.expect(fh, "visits", "FiniteHorizonMDP")
    if fh.rho is None:
        raise ModelError("rho is missing: visits asks where a trajectory starts")
    pi = border.staged_policy(pi, fh)
    d, mu = np.empty((fh.H, fh.S, fh.A)), fh.rho
    for h in range(fh.H):
        d[h] = mu[:, None] * pi[h]
        mu = _pushed(fh.stage(h), d[h])
    return d


def _pushed(m: MDP, d: np.ndarray) -> np.ndarray:
    """The law of the next state: (S,)."""
    if not isinstance(m.P, CSR):
        return np.asarray(np.einsum("sa,sat->t", d, m.P))
    weights = np.repeat(d.ravel(), np.diff(m.P.indptr)) * m.P.data
    return np.bincount(m.P.indices, weights=weights, minlength=m.S)


def entropy(x: Any) -> float:
    """``-sum x log x`` in nats over all entries; ``0 log 0 = 0``. ModelError for entries that are negative or not finite."""
    x = check.float_array(x, "x")
    check.check_probabilities(x, "x")
    y = x[x > 0]
    return float(0.0 - (y * np.log(y)).sum())


def visitation_entropy(d: Any) -> float:
    r"""VE :math:`= \sum_h \mathcal H(d_h)` of occupancies (H, S, A), in nats."""
    return sum(entropy(x) for x in _occupancies(d))


def pooled_entropy(d: Any) -> float:
    r""":math:`\mathcal H(\frac1H \sum_h d_h)`, which is what counts that forget the step see: at least ``VE / H``."""
    return entropy(_occupancies(d).mean(axis=0))


def _occupancies(d: Any) -> np.ndarray:
    d = check.float_array(d, "d")
    if d.ndim != 3 or not d.size:
        check.fail(f"d has shape {d.shape}: expected occupancies (H, S, A)")
    check.check_probabilities(d, "d")
    total = d.sum(axis=(1, 2))
    off = np.abs(total - 1.0) > check.row_tolerance(d[0].size) * d.shape[0]
    if off.any():
        h = int(np.argmax(np.abs(total - 1.0)))
        check.fail(f"d[{h}] sums to {total[h]:.17g}: expected one (an end counts as a state: end_as_state)")
    return d


def trajectory_entropy(fh: FiniteHorizonMDP, pi: Any, *, last: bool = False) -> float:
    r"""TE of a Markov policy: the entropy of the law of :math:`(s_0, a_0, \ldots, s_{H-1}, a_{H-1})`, in nats.

    ``last``: with the state after the last step, as in the authors' code, which counts H transition entropies; the definition
    counts H - 1. Raises ModelError where the model discounts, ends early or has no start distribution. O(H nnz).
    """
    checked(fh, "trajectory_entropy")
    d = visits(fh, pi)
    pi = border.staged_policy(pi, fh)
    total = entropy(fh.rho)
    for h in range(fh.H):
        rows = -np.where(pi[h] > 0, pi[h] * np.log(np.where(pi[h] > 0, pi[h], 1.0)), 0.0).sum(axis=1)
        total += float(d[h].sum(axis=1) @ rows)
        if h < fh.H - 1 or border.flag(last, "last"):
            total += float((d[h] * transition_entropy(fh.stage(h))).sum())
    return total


def transition_entropy(m: MDP) -> np.ndarray:
    """Entropy (S, A) of the next state, the end among them, in nats; zero where unavailable."""
    border.expect(m, "transition_entropy", "MDP")
    P = m.csr()
    p = np.where(P.data > 0, P.data, 1.0)
    owner = np.repeat(np.arange(m.S * m.A), np.diff(P.indptr))
    inside = np.bincount(owner, weights=-p * np.log(p), minlength=m.S * m.A).reshape(m.S, m.A)
    e = np.where(m.end > 0, m.end, 1.0)
    return np.asarray(inside - e * np.log(e))


def trajectories(fh: FiniteHorizonMDP, pi: Any) -> Iterator[tuple[tuple[int, ...], float]]:
    """All trajectories ``(s_0, a_0, ..., s_{H-1}, a_{H-1})`` of positive probability, each with it: an oracle for tiny models.

    Raises ModelError where the model ends early (``end_as_state``), and where there might be more than 10^7 of them.
    """
    checked(fh, "trajectories")
    rows = border.staged_policy(pi, fh)
    if (fh.S * fh.A) ** fh.H > MOST_TRAJECTORIES:
        check.fail(f"(S A)^H = ({fh.S} * {fh.A})^{fh.H} trajectories: at most {MOST_TRAJECTORIES} are enumerated")
    P = [fh.stage(h).to_dense().P for h in range(fh.H)]
    assert fh.rho is not None

    def walk(h: int, law: np.ndarray, path: tuple[int, ...], p: float) -> Iterator[tuple[tuple[int, ...], float]]:
        for s in np.flatnonzero(law):
            for a in np.flatnonzero(rows[h][s]):
                q, longer = p * float(law[s]) * float(rows[h][s, a]), (*path, int(s), int(a))
                if h == fh.H - 1:
                    yield longer, q
                else:
                    yield from walk(h + 1, P[h][s, a], longer, q)

    return walk(0, fh.rho, (), 1.0)


def markov_policy(d: Any, mask: Any) -> np.ndarray:
    r"""The Markov policy :math:`\pi_h(a|s) \propto d_h(s,a)` (H, S, A): its occupancies are ``d`` again.

    ``d`` may be the occupancies of a mixture over whole episodes, as their weighted mean; averaging probabilities of actions
    without the weights of occupancies gives another policy. ``mask`` (H, S, A): uniform over it where ``d`` has no mass.
    Raises ModelError where d is negative or not finite, or has mass outside the mask, and for states without an action.
    """
    d, mask = check.float_array(d, "d"), np.asarray(mask)
    if d.ndim != 3 or mask.shape != d.shape or mask.dtype != bool:
        check.fail(
            f"d has shape {d.shape} and mask {mask.shape}: expected occupancies (H, S, A) and which are available"
        )
    check.check_finite(d, "d")
    if not mask.any(axis=2).all():
        h, s = check.first(~mask.any(axis=2))
        check.fail(f"mask[{h}, {s}] has no action")
    bad = (d < 0) | ((d > 0) & ~mask)
    if bad.any():
        i = check.first(bad)
        check.fail(f"{check.place('d', i)} is {d[i]}: expected probabilities of available pairs")
    mass = d.sum(axis=2, keepdims=True)
    return np.where(mass > 0, d / np.where(mass > 0, mass, 1.0), mask / np.maximum(mask.sum(axis=2, keepdims=True), 1))


def end_as_state(fh: FiniteHorizonMDP) -> FiniteHorizonMDP:
    """The model with the end as the last state, which is kept and has one action (0): so its entropies are defined.

    After the end nothing is random: trajectories end with as many zeros as there are steps left. A model that has no ends is
    returned as it is. Rewards there are zero.
    """
    border.expect(fh, "end_as_state", "FiniteHorizonMDP")
    if not any(m.has_end for m in fh._distinct):
        return fh
    labels = None if fh.state_labels is None else (*fh.state_labels, "(end)")
    exact = fh._terminal_exact
    return fh._with(
        S=fh.S + 1,
        rho=None if fh.rho is None else np.append(fh.rho, 0.0),
        terminal=np.append(fh.terminal, 0.0),
        state_labels=labels,
        _distinct=tuple(_one_action_at_the_end(m) for m in fh._distinct),
        _rho_exact=None if fh._rho_exact is None else [*fh._rho_exact, type(fh._rho_exact[0])(0)],
        _terminal_exact=None if exact is None else [*exact, type(exact[0])(0)],
    )


def _one_action_at_the_end(m: MDP) -> MDP:
    out = m.augmented().to_sparse()
    P, A = out.P, m.A
    indptr = np.minimum(P.indptr, P.indptr[m.S * A + 1])
    mask = out.mask.copy()
    mask[m.S, 1:] = False
    exact = out._exact
    if exact is not None and exact.weights is not None:
        w, e, t = exact.weights
        exact = exact._replace(weights=(w[: indptr[-1]], e, t))
    made = out._with(P=CSR(indptr, P.indices[: indptr[-1]], P.data[: indptr[-1]]), mask=mask, exact=exact)
    return made if m.is_sparse else made.to_dense()
