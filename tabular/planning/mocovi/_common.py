"""What the methods share: their two models, values of either, and normalised errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._resolvent import resolvent_solve
from tabular.mdp import CSR, MDP
from tabular.reference.numpy_ops import policy_matrix, row_expectation


class Pair:
    """A true model, an approximate one of the same shape, and a policy to evaluate (None: control).

    Rewards and discount are the true model's. ModelError where shapes, availability or discounts differ, or a step ends.
    """

    def __init__(self, mdp: MDP, model: MDP, pi: Any, who: str) -> None:
        for m in (mdp, model):
            border.expect(m, who, "MDP")
            if m.has_end:
                check.fail(f"{who} corrects rows of probabilities, and {m!r} has endings: take mdp.augmented()")
        if (mdp.S, mdp.A) != (model.S, model.A):
            check.fail(f"the model has S={model.S}, A={model.A}: expected those of the MDP, S={mdp.S}, A={mdp.A}")
        if (mdp.mask != model.mask).any():
            s, a = (int(i) for i in np.argwhere(mdp.mask != model.mask)[0])
            check.fail(f"action {a} in state {s} is available in one of the two models only")
        if mdp.gamma >= 1.0:
            check.fail(f"gamma is {mdp.gamma}: {who} needs a discount below 1")
        self.mdp, self.model, self.S, self.A, self.gamma = mdp, model, mdp.S, mdp.A, mdp.gamma
        self.pi = None if pi is None else border.policy(pi, mdp.mask)
        self.best, self.best_pi = self.solved(mdp.P, mdp.rewards)

    def expect(self, V: np.ndarray) -> np.ndarray:
        """``P V`` (S, A): one query of the true model."""
        return np.asarray(row_expectation(self.mdp.P, V, self.S, self.A))

    def modelled(self, V: np.ndarray) -> np.ndarray:
        """``P_hat V`` (S, A)."""
        return np.asarray(row_expectation(self.model.P, V, self.S, self.A))

    def solved(self, P: Any, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Value (S,) and policy (S, A) in the model (P, R): of the given policy, or the optimal ones."""
        if self.pi is not None:
            P_pi = policy_matrix(P, self.pi, self.S, self.A)
            return resolvent_solve(P_pi, self.gamma, (self.pi * R).sum(axis=1), np.zeros(self.S)), self.pi
        from tabular.planning.policy_iteration import policy_iteration

        rewards = np.where(self.mdp.mask, R, -np.inf)
        found = policy_iteration(MDP(P, rewards, self.mdp.gamma_exact, renormalise=True))
        return found.V, found.pi

    def error(self, V: np.ndarray) -> float:
        """``|V - V_true|_1 / |V_true|_1``."""
        scale = np.abs(self.best).sum()
        return float(np.abs(V - self.best).sum() / scale) if scale else float(np.abs(V).sum())

    def loss(self, pi: np.ndarray) -> float:
        """The same of a policy's value in the true model; 0 by definition where a policy is evaluated."""
        if self.pi is not None:
            return 0.0
        P_pi = policy_matrix(self.mdp.P, pi, self.S, self.A)
        return self.error(resolvent_solve(P_pi, self.gamma, (pi * self.mdp.rewards).sum(axis=1), np.zeros(self.S)))

    def history(self, Vs: list[np.ndarray], policies: list[np.ndarray], queries: list[int]) -> dict[str, np.ndarray]:
        """Curves of a run: values, normalised errors, losses of its policies, and queries made so far."""
        return {
            "V": np.array(Vs),
            "error": np.array([self.error(V) for V in Vs]),
            "loss": np.array([self.loss(pi) for pi in policies]),
            "queries": np.array(queries),
        }


def available_rows(mdp: MDP) -> tuple[CSR, np.ndarray]:
    """Rows of the available pairs, and which of the S*A pairs they are."""
    P, free = mdp.csr(), np.flatnonzero(mdp.mask.ravel())
    if len(free) == mdp.S * mdp.A:
        return P, free
    counts = np.diff(P.indptr)[free]
    return CSR(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), P.indices, P.data), free


def chain(mdp: MDP, pi: Any) -> MDP:
    """The model of a policy: one action, rows ``P_pi``, rewards ``R_pi``."""
    pi = border.policy(pi, mdp.mask)
    P_pi = policy_matrix(mdp.P, pi, mdp.S, mdp.A)
    return MDP(P_pi[:, None], (pi * mdp.rewards).sum(axis=1)[:, None], mdp.gamma_exact, renormalise=True)
