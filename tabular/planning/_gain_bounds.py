r"""Rigorous bounds of optimal gains, of any model without endings, from any vector ``h``.

In the long run a policy stays in one maximal end component, and inside component k

.. math:: \min_s \max_a d(s, a) \le g_k \le \max_{s, a} d(s, a), \qquad d = R + P h - h,

over the pairs of the component, whatever ``h`` is (Odoni 1969): :math:`g_k` is the best gain of a policy that never leaves
it. What remains is to reach a component and to stop there for :math:`g_k`: a total-reward model, whose certified values,
with an upper (lower) bound for each :math:`g_k`, bound the optimal gain from above (below) in each state. Stopping is worth
at least one unit, so that going on for ever is never better. Of one policy's chain the components are its recurrent classes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tabular import _validate as check
from tabular._ingest import Given
from tabular.certificates.doubled import down, up
from tabular.mdp import CSR, MDP
from tabular.planning.end_components import entries, maximal_end_components
from tabular.planning.gain_sign import Component, drift_bounds

REFERENCE = "Odoni 1969 in each end component; total reward: stopping in one of them"
TARGET = 1e-13
"""Relative tolerance of the total-reward model."""


class Components(NamedTuple):
    """Maximal end components: ``label`` (S,) of each state, -1 outside, ``inside`` (S, A) their pairs, ``number``."""

    label: np.ndarray
    inside: np.ndarray
    number: int


class Reached(NamedTuple):
    """Bounds ``lower <= gain <= upper`` (S,) where stopping in component k is worth a given number, and a policy.

    ``pi`` (S, A + 1), whose last action is to stop; None where there is one component alone.
    """

    lower: np.ndarray
    upper: np.ndarray
    pi: np.ndarray | None


def undiscounted(mdp: MDP) -> MDP:
    """The model without its discount, which an average ignores; ModelError names the first pair that may end."""
    if mdp.has_end:
        s, a = (int(i) for i in np.argwhere(mdp.end > 0)[0])
        check.fail(
            f"end[{s}, {a}] is {mdp.end[s, a]:g}: a process that ends has no average reward; "
            "mdp.augmented() makes the end a state that earns nothing for ever"
        )
    exact = mdp._exact
    return mdp._with(
        gamma=1.0, gamma_exact=Fraction(1), exact=None if exact is None else exact._replace(gamma=Fraction(1))
    )


def components(model: MDP, allowed: np.ndarray | None = None) -> Components:
    """Of the pairs that are allowed (S, A); all available ones if None."""
    P = model.csr()
    found = maximal_end_components(P.indptr, P.indices, model.end, model.mask, allowed)
    label, inside = np.full(model.S, -1), np.zeros(model.S * model.A, dtype=bool)
    for k, part in enumerate(found):
        label[part.states] = k
        inside[part.pairs] = True
    return Components(label, inside.reshape(model.S, model.A), len(found))


def component_bounds(model: MDP, h: np.ndarray, parts: Components) -> tuple[np.ndarray, np.ndarray]:
    """Bounds (number,) of the gain of each component from ``h`` (S,), with every rounding."""
    P = model.csr()
    pairs = np.flatnonzero(parts.inside)
    entry = entries(P.indptr, pairs)[0]
    src = pairs // model.A
    ptr = np.concatenate([[0], np.cumsum(np.diff(P.indptr)[pairs])])
    inside = Component(model.S, src, ptr, P.indices[entry], P.data[entry], model.rewards.ravel()[pairs])
    low, high = drift_bounds(inside, h)
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    best = np.full(model.S, -np.inf)
    np.maximum.at(best, src, low)
    lower, upper = np.full(parts.number, np.inf), np.full(parts.number, -np.inf)
    np.minimum.at(lower, parts.label[src], best[src])
    np.maximum.at(upper, parts.label[src], high)
    return lower, upper


def reached(model: MDP, allowed: np.ndarray, parts: Components, worth: np.ndarray) -> Reached:
    """The best expected worth (number,) of the component in which one stops, using the allowed pairs (S, A)."""
    if parts.number == 1 or (worth == worth[0]).all():
        level = np.full(model.S, worth[0])
        return Reached(level, level, None)
    if not np.isfinite(worth).all():
        nothing = np.full(model.S, np.inf)
        return Reached(-nothing, nothing, None)
    from tabular.planning._solve import solve

    size = max(float(np.ptp(worth)), float(np.abs(worth).max()) * 2.0**-40)
    base = float(worth.min()) - size
    stop = down(worth - base)  # at least size (1 - u): staying for ever, worth zero, is never better
    found = solve(_stopping(model, allowed, parts, stop), tol=TARGET, throw=False)
    gap = found.certificates.get("V - V*")
    if gap is None:
        nothing = np.full(model.S, np.inf)
        return Reached(-nothing, nothing, found.pi)
    slack = 4 * np.finfo(float).eps * (np.abs(worth).max() + np.abs(base))  # of subtracting and adding the base
    low = down(down(base + down(found.V - gap.upper)) - slack)
    high = up(up(base + up(found.V - gap.lower)) + slack)
    return Reached(np.maximum(low, worth.min()), np.minimum(high, worth.max()), found.pi)


def _stopping(model: MDP, allowed: np.ndarray, parts: Components, stop: np.ndarray) -> MDP:
    """The total-reward model: allowed pairs earn nothing, and a further action stops, in components alone."""
    S, A, P = model.S, model.A, model.csr()
    kept = allowed.ravel()[np.repeat(np.arange(S * A), np.diff(P.indptr))]
    count = np.where(allowed, np.diff(P.indptr).reshape(S, A), 0)
    indptr = np.concatenate([[0], np.cumsum(np.hstack([count, np.zeros((S, 1), dtype=np.int64)]).ravel())])
    may = (parts.label >= 0)[:, None]
    rewards = np.hstack([np.zeros((S, A)), np.where(may, stop[parts.label][:, None], 0.0)])
    exact = model._exact
    if exact is not None:
        weights = None
        if exact.weights is not None:
            w, _, totals = exact.weights
            rows = np.array(totals, dtype=object).reshape(S, A)
            rows = np.hstack([np.where(allowed, rows, 1), np.ones((S, 1), dtype=object)])
            ends = np.hstack([np.zeros((S, A), dtype=int), may.astype(int)]).ravel().tolist()
            weights = ([x for x, keep in zip(w, kept, strict=True) if keep], ends, rows.ravel().tolist())
        exact = Given(weights, None, Fraction(1), None)
    out: MDP = MDP._trusted(
        P=CSR(indptr.astype(np.int64), P.indices[kept], P.data[kept]), rewards=rewards,
        mask=np.hstack([allowed, may]), end=np.hstack([np.zeros((S, A)), may.astype(np.float64)]), gamma=1.0,
        gamma_exact=Fraction(1), rho=None, exact=exact, state_labels=None, action_labels=None, name=model.name,
    )  # fmt: skip
    return out
