"""``gamma = 1``: the model on which a solver iterates, and the way back from its answer."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tabular._backups import Backups
from tabular.mdp import CSR, MDP
from tabular.planning.collapse import Collapsed
from tabular.planning.regularised_components import check_regularised, grounded
from tabular.planning.total_reward import total_reward_quotient


class TotalReward(NamedTuple):
    """In ``mdp`` Bellman's equation has one solution; ``quotient`` leads back (None: the same states)."""

    mdp: MDP
    quotient: Collapsed | None

    def lower(self, V: np.ndarray) -> np.ndarray:
        """A start (S,) for the model as one for ``mdp``."""
        if self.quotient is None:
            return V
        out = np.full(self.mdp.S, V.min())
        np.maximum.at(out, self.quotient.state_of, V)
        return out

    def lift(self, V: np.ndarray) -> np.ndarray:
        return V if self.quotient is None else self.quotient.lift_values(V)


def total_reward(b: Backups) -> TotalReward:
    """Raises ImproperModel, naming the component, where the optimal total reward is not finite."""
    mdp = b.mdp
    P = mdp.csr()
    if b.hard:
        exact = mdp.exact() if mdp.is_exact else None
        c = total_reward_quotient(*P, mdp.rewards, mdp.end, mdp.mask, labels=mdp.state_labels, exact=exact)
        return TotalReward(_model(mdp, CSR(c.indptr, c.indices, c.data), c.R, c.mask, c.end), c)
    # What the reference of a divergence excludes is never taken: it makes no end component.
    reference = getattr(b.reg, "reference", None)
    support = mdp.mask if reference is None else mdp.mask & (np.asarray(reference) > 0)
    kept = support.ravel()[np.repeat(np.arange(mdp.S * mdp.A), np.diff(P.indptr))]
    owner = np.repeat(np.arange(mdp.S * mdp.A), np.diff(P.indptr))[kept]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=mdp.S * mdp.A))]).astype(np.int64)
    rows = (indptr, P.indices[kept], P.data[kept])

    def conjugate(Q: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return b.conjugate(np.where(mask, Q, 0.0), mask)

    end, rewards = np.where(support, mdp.end, 0.0), np.where(support, mdp.rewards, 0.0)
    nothing = check_regularised(*rows, rewards, end, support, conjugate, labels=mdp.state_labels)
    if not nothing.any():
        return TotalReward(mdp, None)
    *parts, end = grounded(*P, mdp.end, mdp.mask, nothing)
    return TotalReward(_model(mdp, CSR(*parts), mdp.rewards, mdp.mask, end), None)


def _model(mdp: MDP, P: CSR, R: np.ndarray, mask: np.ndarray, end: np.ndarray) -> MDP:
    """Sums of validated rows: their rounding is that of the model, whatever their new length."""
    out: MDP = MDP._trusted(
        P=P, rewards=R, mask=mask, end=end, gamma=1.0, gamma_exact=Fraction(1), rho=None, exact=None,
        state_labels=None, action_labels=None, name=mdp.name,
    )  # fmt: skip
    return out if mdp.is_sparse or out.S * out.A * out.S > 4_000_000 else out.to_dense()


@np.errstate(over="ignore", invalid="ignore")
def regularised_start(b: Backups, V: np.ndarray | None = None) -> np.ndarray:
    """The value of the maximiser at ``Q = 0``, where an entropy takes every action it may; that at ``V`` if better."""
    Q = np.where(b.mask, 0.0, -np.inf)
    pi = b.policy(Q)[0]
    # Omega(pi) = <pi, 0> - Omega*(0), since pi is the maximiser there.
    try:
        first = b.solve(pi, (pi * b.mdp.rewards).sum(axis=1) + b.conjugate(Q))
    except np.linalg.LinAlgError:  # so slow to end that floats see no end
        first = np.zeros(b.S)
    if V is None:
        return first
    Q, TV, _, _ = b.backup(V)
    try:
        warm = V + b.solve(b.policy(Q)[0], TV - V)
    except np.linalg.LinAlgError:  # so sure of staying that floats see no end
        return first
    return warm if (warm >= first).all() else first
