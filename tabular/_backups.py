"""``Backups``: one face for dense and CSR models, NumPy and compiled loops, hard, entropic and user-defined
regularisers.

Small models go through NumPy, so that a first answer needs no compilation. All of a solver's arithmetic on a
model is here; an ending enters only through the missing mass of ``P``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from tabular._policy_rows import PolicyRows
from tabular._resolvent import SUMS_ONLY, resolvent_solve
from tabular._soft import soft_backups
from tabular.mdp import CSR, MDP
from tabular.reference.numpy_ops import NumpyOps, policy_matrix
from tabular.reference.value import Value
from tabular.regularizers import BUILT_IN, Hard, Tsallis, checked

COMPILE_ABOVE = 1_000_000
"""Multiply-adds of a sweep beyond which loops are compiled: below, importing Numba costs more."""
THREADS_ABOVE = 300_000
"""Multiply-adds of a sweep beyond which compiled loops use all threads of TBB."""
OTHER_THREADS_ABOVE = 10_000_000
"""The same where there is no TBB: waking OpenMP's threads takes milliseconds under a busy neighbour."""
TIGHT_UP_TO = 20_000
"""Multiply-adds of a sweep beyond which loops are content with a certificate within the tolerance: a tighter one, in doubled
precision, takes several times as long as they do."""
DENSE_SOLVE = 1_500
"""States up to which linear systems are solved as dense ones, whatever the model's representation."""

EPS = float(np.finfo(np.float64).eps)


class Backups:
    """Bellman operators of a model under a regulariser, on plain arrays. Nothing is validated but the
    regulariser.

    Attributes
    ----------
    reg : the checked regulariser.  given : the same, None for the plain maximum.  hard : whether it is that.
    compiled : whether kernels do the sweeps.  plain : whether a backup's rounding is bounded
        a priori: a model of floats that earns something.  large : whether a certificate then comes from the last backup.
    soft : the ``Soft`` of it, or None.  mixes_dense : whether rows of policies are mixed from dense ones: then a sweep costs a
        small part of a backup.
    longest : most successors of a pair.  reward_scale : largest available ``|R|``.  mass_min, mass_max : of
        the rows' ``1 - end``.
    """

    def __init__(
        self, mdp: MDP, regularizer: Any = None, *, compiled: bool | None = None, threads: int | None = None
    ) -> None:
        self.mdp, self.S, self.A, self.gamma, self.mask = mdp, mdp.S, mdp.A, mdp.gamma, mdp.mask
        self.reg = checked(regularizer, mdp.mask)
        self.hard = isinstance(self.reg, Hard)
        self.given = None if self.hard else self.reg
        self.full = bool(mdp.mask.all())
        P = mdp.P
        work = (len(P.data) if isinstance(P, CSR) else P.size) + mdp.S * mdp.A
        self.compiled = work > COMPILE_ABOVE if compiled is None else compiled
        serial = not self.compiled or work <= THREADS_ABOVE
        self.threads = 1 if threads is None and serial else threads
        if self.threads is None and work <= OTHER_THREADS_ABOVE:
            from tabular._jit import has_tbb

            self.threads = None if has_tbb() else 1
        if isinstance(P, CSR):
            self._owner: Any = None if self.compiled else np.repeat(np.arange(mdp.S * mdp.A), np.diff(P.indptr))
        self.longest = mdp.longest
        self.reward_scale = max(float(mdp.rewards.max()), -float(mdp.rewards.min()))
        mass = 1.0 - mdp.end[mdp.mask] if mdp.has_end else np.ones(1)
        self.mass_min, self.mass_max = float(mass.min()), float(mass.max())
        self._ops = NumpyOps()
        self._block: np.ndarray | None = None
        self._maxima: Any = None
        self.soft = soft_backups(self)
        self.mixes_dense = self.compiled and not self.hard and not isinstance(P, CSR)
        self.plain = mdp._exact is None and self.reward_scale > 0.0
        enough = self.compiled or (self.hard and work > TIGHT_UP_TO)
        self.large = enough and self.plain and mdp.gamma < 1.0
        # Kernels know the built-in regularisers, and those for which row functions were registered.
        self._rows = isinstance(self.reg, BUILT_IN)
        if self.compiled and not self._rows:
            from tabular._kernels.entropic import has_rows

            self._rows = has_rows(type(self.reg))

    @property
    def equal_mass(self) -> bool:
        """Whether a constant added to ``V`` adds one constant to the backup."""
        return self.mass_min == self.mass_max

    def noise(self, scale: float) -> float:
        """About the rounding of one backup of values of this size."""
        return (self.longest + 4) * EPS * scale

    # -- backups ----------------------------------------------------------------------------------------
    def q(self, V: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """``R + gamma P V``, ``-inf`` where unavailable: (S, A)."""
        P = self.mdp.P
        if self.compiled:
            out = np.empty((self.S, self.A)) if out is None else out
            self._kernel("q_backup", V, out)
            return out
        if isinstance(P, CSR):
            flat = np.bincount(self._owner, weights=P.data * V[P.indices], minlength=self.S * self.A)
        else:
            flat = P.reshape(-1, self.S) @ V
        Q = np.multiply(flat.reshape(self.S, self.A), self.gamma, out=out)
        Q += self.mdp.rewards
        if not self.full:
            Q[~self.mask] = -np.inf
        return np.asarray(Q)

    def conjugate(self, Q: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """``Omega*`` of each row: (S,). The mask is the model's unless another one is given."""
        mask = self.mask if mask is None else mask
        if self.hard:
            return np.asarray((Q if mask is self.mask else np.where(mask, Q, -np.inf)).max(axis=1))
        return np.asarray(self.reg.conjugate(self._ops, self._value(Q), mask).data)

    def backup(
        self, V: np.ndarray, mix: bool = False, rough: bool = False
    ) -> tuple[np.ndarray, np.ndarray, float, float]:
        """``Q``, ``TV``, least and largest component of ``TV - V``; the next call overwrites ``Q``.

        For ``soft``'s dense transitions: with ``mix`` the policy's rows are formed, too; ``rough`` reads those actions alone that
        the last backup's policy takes at times, and leaves the values of the others, to go on from but not to end with.
        """
        if self.compiled and self._block is None:
            self._block = np.empty((self.S, self.A))
        Q: Any = self._block
        if self.soft is not None:
            TV = np.empty(self.S)
            return Q, TV, *self.soft(V, Q, TV, mix, rough)
        if self.compiled and self._rows:
            TV = np.empty(self.S)
            if not self.hard and not V.any():  # R is Q, and P is not read
                np.copyto(Q, self.mdp.rewards if self.full else np.where(self.mask, self.mdp.rewards, -np.inf))
                self._kernel("conjugate", Q, TV)
                return Q, TV, float(TV.min()), float(TV.max())
            if self.hard:
                low, high = self._kernel("backup_max", V, Q, TV, np.empty(self.S, dtype=np.int32))
            else:
                low, high = self._kernel("soft_backup", V, Q, TV)
            return Q, TV, float(low), float(high)
        Q = self.q(V, self._block)
        TV = self.conjugate(Q)
        change = TV - V
        return Q, TV, float(change.min()), float(change.max())

    def maxima(self, V: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
        """As ``backup`` without regulariser, with maximisers (S,) instead of ``Q``; the next call overwrites them."""
        if not self.compiled:
            Q, TV, low, high = self.backup(V)
            return Q.argmax(axis=1), TV, low, high
        if self._maxima is None:
            from tabular._maxima import Maxima

            self._maxima = Maxima(self)
        TV = np.empty(self.S)
        if not V.any():
            self._maxima.of_zero(TV)
            return self._maxima.actions, TV, float(TV.min()), float(TV.max())
        low, high = self._maxima(V, TV)
        return self._maxima.actions, TV, low, high

    def run(self, module: str, name: str, *arrays: Any) -> Any:
        """A kernel of ``tabular._kernels`` by name, under the threads of this model."""
        from tabular._jit import threads

        with threads(self.threads):
            home = import_module(f"tabular._kernels.{module}")
            return getattr(home, name + ("" if self.threads == 1 else "_parallel"))(*arrays)

    def policy(self, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maximiser of each row and its logarithm: (S, A) each."""
        if self.hard:
            return self.one_hot(Q.argmax(axis=1))
        if self.compiled and self._rows:
            pi, log_pi = np.empty((self.S, self.A)), np.empty((self.S, self.A))
            self._kernel("policy", Q, pi, log_pi)
            return pi, log_pi
        x = self._value(Q)
        return tuple(np.asarray(f(self._ops, x, self.mask).data) for f in (self.reg.policy, self.reg.log_policy))  # type: ignore[return-value]

    def maximiser(self, Q: np.ndarray) -> np.ndarray:
        """The first of ``policy``: (S, A)."""
        if not (self.compiled and isinstance(self.reg, Tsallis)):
            return self.policy(Q)[0]
        pi = np.empty((self.S, self.A))
        if self.soft is None:
            self.run("shortfall", "maximiser", Q, self.mask, self.reg.tau, self.reg.q, pi)
        else:
            self.soft.conjugate(Q, pi, np.empty(self.S))
        return pi

    def shortfall(self, Q: np.ndarray, TV: np.ndarray, pi: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """By how much the policy's own backup is less than ``TV`` (S,), and the size of the terms of that sum: (S,) each.

        Compiled, for Tsallis' entropy; None elsewhere.
        """
        if not (self.compiled and isinstance(self.reg, Tsallis)):
            return None
        lost, size = np.empty(self.S), np.empty(self.S)
        self.run("shortfall", "shortfall", Q, TV, pi, self.reg.tau, self.reg.q, lost, size)
        return lost, size

    def one_hot(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A deterministic policy (S,), or several (H, S), as ``pi`` and ``log_pi``: (..., S, A)."""
        if self.compiled:
            pi, log_pi = np.empty((*actions.shape, self.A)), np.empty((*actions.shape, self.A))
            self.run("stages", "one_hot", actions.ravel(), pi.reshape(-1, self.A), log_pi.reshape(-1, self.A))
            return pi, log_pi
        chosen = actions[..., None] == np.arange(self.A)
        return chosen.astype(np.float64), np.where(chosen, 0.0, -np.inf)

    def penalty(self, pi: np.ndarray) -> np.ndarray:
        """``Omega(pi)`` of each row: (S,)."""
        if self.hard:
            return np.zeros(self.S)
        return np.asarray(self.reg.value(self._ops, Value(self._ops, pi, 2), self.mask).data)

    def _value(self, Q: np.ndarray) -> Value:
        """A regulariser's own formulas see zeros, not ``-inf``, where the mask is False."""
        return Value(self._ops, Q if self.full else np.where(self.mask, Q, 0.0), 2)

    def _kernel(self, name: str, *arrays: Any) -> Any:
        from tabular._jit import threads
        from tabular._kernels import dense, entropic, sparse

        P, R, mask, gamma = self.mdp.P, self.mdp.rewards, self.mask, self.gamma
        is_csr = isinstance(P, CSR)
        home, rows = (sparse, tuple(P)) if is_csr else (dense, (P,))
        suffix = "" if self.threads == 1 else "_parallel"
        with threads(self.threads):
            if name in ("policy", "conjugate"):
                return getattr(entropic, name + suffix)(self.reg, arrays[0], mask, *arrays[1:])
            if name == "soft_backup":
                kind = "_sparse" if is_csr else "_dense"
                return getattr(entropic, name + kind + suffix)(*rows, R, mask, gamma, self.reg, *arrays)
            return getattr(home, name + suffix)(*rows, R, mask, gamma, *arrays)

    # -- one policy -------------------------------------------------------------------------------------
    def reward(self, pi: np.ndarray) -> np.ndarray:
        """``R_pi - Omega(pi)``: (S,)."""
        return np.asarray((pi * self.mdp.rewards).sum(axis=1) - self.penalty(pi))

    def transition(self, pi: np.ndarray) -> Any:
        """``P_pi`` of a policy (S, A) or actions (S,): an array; for larger sparse models scipy's CSR."""
        P, S, A = self.mdp.P, self.S, self.A
        if not isinstance(P, CSR):
            return P[np.arange(S), pi] if pi.ndim == 1 else policy_matrix(P, pi, S, A)
        if S <= DENSE_SOLVE:
            return policy_matrix(P, self.one_hot(pi)[0] if pi.ndim == 1 else pi, S, A)
        from scipy.sparse import csr_array

        rows = csr_array((P.data, P.indices, P.indptr), shape=(S * A, S))
        if pi.ndim == 1:
            return rows[np.arange(S) * A + pi]
        kept = pi.ravel() != 0.0
        ptr = np.concatenate([[0], np.cumsum(kept.reshape(S, A).sum(axis=1))])
        return csr_array((pi.ravel()[kept], np.flatnonzero(kept), ptr), shape=(S, S * A)) @ rows

    def policy_rows(self, pi: np.ndarray, last: PolicyRows | None = None) -> PolicyRows:
        """``P_pi`` of a policy (S, A), up to a factor for each row, or actions (S,), for many sweeps; in the place of ``last``,
        where that is given.
        """
        return PolicyRows(self, pi, last)

    def solve(self, pi: np.ndarray, b: np.ndarray, *, transpose: bool = False) -> np.ndarray:
        """``(I - gamma P_pi)^-1 b``, or with the transpose. Raises ``numpy.linalg.LinAlgError`` where it is
        singular.

        Dense LU for arrays; sparse LU, or beyond 5000 states BiCGSTAB to a relative residual of 1e-13; next to
        ``gamma = 1`` see ``tabular._resolvent``.
        """
        return resolvent_solve(self.transition(pi), self.gamma, b.T if transpose else b, self.ends(pi), transpose)

    def ends(self, pi: np.ndarray) -> np.ndarray:
        """Probability that the step of a policy, as in ``transition``, ends the process: (S,)."""
        end = self.mdp.end
        return np.asarray(end[np.arange(self.S), pi] if pi.ndim == 1 else (pi * end).sum(axis=1))

    @property
    def solves_closely(self) -> bool:
        """Whether ``solve`` keeps digits that a residual formed in floats does not have."""
        return self.gamma == 1.0 and self.S <= SUMS_ONLY
