"""Finite MDPs: validated once, then frozen; dense or CSR; endings declared, never inferred.

The model is ``(P, R, gamma)`` with ``end``: from state ``s`` under action ``a`` the next state is ``t`` with probability
``P[s, a, t]`` and the process ends with probability ``end[s, a]``, so that ``P.sum(-1) + end = 1``. ``R[s, a]`` is the mean
reward of a step, ``-inf`` where the action is unavailable. What is linear in ``P`` computes with the floats as they are; exact
arithmetic works on the canonical lift (``tabular.exact_model``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._ingest import Given, exact_rows, float_rows, fractions
from tabular._rows import CSR
from tabular.exact_model import ExactModel, float_weights, normalised, unless_floats

__all__ = ["CSR", "MDP"]


class MDP:
    """A finite discounted MDP (``gamma = 1``: total reward).

    Parameters
    ----------
    P : (S, A, S) array, ``CSR``, or a scipy sparse matrix of shape (S*A, S)
        Transition probabilities; floats, or exact rationals (object arrays of int, ``Fraction`` or ``fmpq``).
    R : (S, A) array, mean reward of a step; ``-inf`` where the action is unavailable. (S, A, S): of a step by where it
        leads, averaged over ``P`` here; steps that end lead nowhere, and then need ``end_reward``.
    gamma : number in [0, 1].
    end : (S, A) array, optional. Probability that the step ends the process.
    end_reward : (S, A) array, what a step earns that ends; only beside ``R`` of shape (S, A, S).
    rho : (S,) array, optional. Start distribution.
    state_labels, action_labels : names, optional.
    renormalise : divide rows (with their end) by their sums instead of refusing them.
    copy : False takes ownership of a C-contiguous float64 ``P`` without copying (it is made read-only).

    Raises
    ------
    ModelError (a ValueError) naming the place for bad data; TypeError for wrong types.
    """

    __slots__ = (
        "A", "S", "_P", "_exact", "_hash", "_longest", "_off", "action_labels", "end", "gamma", "gamma_exact", "has_end", "mask",
        "name", "rewards", "rho", "state_labels",
    )  # fmt: skip

    S: int
    A: int
    gamma: float
    gamma_exact: Fraction
    end: np.ndarray
    has_end: bool
    mask: np.ndarray
    rewards: np.ndarray
    rho: np.ndarray | None
    state_labels: tuple[str, ...] | None
    action_labels: tuple[str, ...] | None
    name: str
    _P: Any
    _exact: Any
    _hash: str | None
    _longest: int | None
    _off: float | None

    def __init__(
        self,
        P: Any,
        R: Any,
        gamma: Any,
        *,
        end: Any = None,
        end_reward: Any = None,
        rho: Any = None,
        state_labels: Sequence[Any] | None = None,
        action_labels: Sequence[Any] | None = None,
        name: str = "",
        renormalise: bool = False,
        copy: bool = True,
    ) -> None:
        gamma_float, gamma_exact = check.check_gamma(gamma)
        renormalise, copy = border.flag(renormalise, "renormalise"), border.flag(copy, "copy")
        if check.is_exact(P) or (end is not None and check.is_exact(end)):
            parts = exact_rows(P, R, end, renormalise, end_reward)
        else:
            parts = float_rows(P, R, end, renormalise, copy, end_reward)
        S, A = parts.mask.shape
        exact_rho: list[Fraction] | None = None
        if rho is not None:
            rho, exact_rho = check.check_distribution(rho, S)
        R_exact = None if parts.R_exact is None else unless_floats(parts.R_exact, parts.R)
        exact = None
        if (
            parts.weights is not None
            or R_exact is not None
            or exact_rho is not None
            or gamma_exact != Fraction(gamma_float)
        ):
            exact = Given(parts.weights, R_exact, gamma_exact, exact_rho)
        self._set(
            P=parts.P,
            rewards=parts.R,
            mask=parts.mask,
            end=parts.end,
            gamma=gamma_float,
            gamma_exact=gamma_exact,
            rho=rho,
            exact=exact,
            state_labels=check.check_labels(state_labels, S, "state_labels"),
            action_labels=check.check_labels(action_labels, A, "action_labels"),
            name=str(name),
        )
        object.__setattr__(self, "_off", parts.off)

    def _set(self, *, P: Any, exact: Any, **fields: Any) -> None:
        put = object.__setattr__
        for key, value in fields.items():
            put(self, key, check.sealed(value) if isinstance(value, np.ndarray) else value)
        S, A = fields["mask"].shape
        put(self, "S", S)
        put(self, "A", A)
        put(self, "_P", CSR(*map(check.sealed, P)) if isinstance(P, CSR) else check.sealed(P))
        put(self, "_exact", exact)
        put(self, "_hash", None)
        put(self, "_longest", None)
        put(self, "_off", None)
        put(self, "has_end", bool(fields["end"].any()))

    @classmethod
    def _trusted(cls, **fields: Any) -> MDP:
        """From parts that are already validated."""
        self = object.__new__(cls)
        self._set(**fields)
        return self

    def _with(self, **changes: Any) -> MDP:
        fields = {
            "P": self._P, "rewards": self.rewards, "mask": self.mask, "end": self.end, "gamma": self.gamma,
            "gamma_exact": self.gamma_exact, "rho": self.rho, "exact": self._exact, "state_labels": self.state_labels,
            "action_labels": self.action_labels, "name": self.name,
        }  # fmt: skip
        return MDP._trusted(**(fields | changes))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an MDP is frozen: build a new one to change {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("an MDP is frozen")

    def __reduce__(self) -> Any:
        return _restore, (self._fields(),)

    def _fields(self) -> dict[str, Any]:
        keys = ("rewards", "mask", "end", "gamma", "gamma_exact", "rho", "state_labels", "action_labels", "name")
        return {"P": self._P, "exact": self._exact} | {key: getattr(self, key) for key in keys}

    @classmethod
    def from_weights(cls, weights: Any, R: Any, gamma: Any, *, end_weights: Any = None, **options: Any) -> MDP:
        """From integer weights ``(S, A, S)``: each row, with its end weight, is divided by its exact sum."""
        rows = check.whole_numbers(weights, "weights")
        if rows.ndim != 3:
            check.fail(f"weights has shape {rows.shape}: expected (S, A, S)")
        ends = check.whole_numbers(
            np.zeros(rows.shape[:2], dtype=int) if end_weights is None else end_weights, "end_weights"
        )
        if ends.shape != rows.shape[:2]:
            check.fail(f"end_weights has shape {ends.shape}: expected {rows.shape[:2]}")
        total = rows.sum(axis=-1) + ends
        safe = np.where(total == 0, 1, total)
        P = fractions(rows, safe[..., None])
        return cls(P, R, gamma, end=None if end_weights is None else fractions(ends, safe), **options)

    @classmethod
    def from_exact(cls, model: ExactModel, **options: Any) -> MDP:
        """The sparse MDP whose exact model is ``model``: inverse of ``exact()``; see ``tabular.from_exact``."""
        from tabular.from_exact import from_exact

        return from_exact(model, **options)

    @classmethod
    def from_pairs(cls, pairs: Any, gamma: Any, **options: Any) -> MDP:
        """From state-action pairs ``(s, a, row, r)`` or ``(s, a, row, r, end)``; see ``tabular.pairs.from_pairs``."""
        from tabular.pairs import from_pairs

        return from_pairs(pairs, gamma, **options)

    @classmethod
    def from_pair_arrays(cls, s_indices: Any, a_indices: Any, P: Any, R: Any, gamma: Any, **options: Any) -> MDP:
        """From arrays over pairs, row i of ``P`` (L, S) that of pair i; see ``tabular.pairs.from_pair_arrays``."""
        from tabular.pairs import from_pair_arrays

        return from_pair_arrays(s_indices, a_indices, P, R, gamma, **options)

    @classmethod
    def from_gymnasium(cls, env: Any, gamma: Any = None, **options: Any) -> MDP:
        """From a Gymnasium environment with a table ``env.unwrapped.P`` (or its id); see ``tabular.interchange.gymnasium``."""
        from tabular.interchange.gymnasium import from_gymnasium

        return from_gymnasium(env, gamma, **options)

    @property
    def is_sparse(self) -> bool:
        return isinstance(self._P, CSR)

    @property
    def P(self) -> Any:
        """Transitions as stored: (S, A, S) float64 or ``CSR``; read-only."""
        return self._P

    @property
    def R(self) -> np.ndarray:
        """(S, A) mean rewards, ``-inf`` where unavailable. (``rewards`` is the same with zeros there.)"""
        return self.rewards if self.mask.all() else np.where(self.mask, self.rewards, -np.inf)

    @property
    def nnz(self) -> int:
        return len(self._P.data) if self.is_sparse else int(np.count_nonzero(self._P))

    @property
    def longest(self) -> int:
        """Most successors of a pair, as they are stored."""
        if self._longest is None:
            n = int(np.diff(self._P.indptr).max(initial=0)) if self.is_sparse else self.S
            object.__setattr__(self, "_longest", n)
        return int(self._longest)  # type: ignore[arg-type]

    @property
    def row_error(self) -> float:
        """Bound on ``|P[s, a].sum() + end[s, a] - 1|`` over the available pairs, for the floats as they are."""
        from tabular.reference.enclosures import row_deviation

        off = self._off
        if off is None:
            from tabular.reference.numpy_ops import row_expectation

            total = row_expectation(self._P, np.ones(self.S), self.S, self.A) + self.end
            off = float(np.abs(total - 1.0)[self.mask].max(initial=0.0))
            object.__setattr__(self, "_off", off)
        return float(row_deviation(np.array(1.0 + off), self.longest + 1))  # no sum lies farther from one

    @property
    def is_exact(self) -> bool:
        """Whether some of the model was given in exact rationals."""
        return self._exact is not None

    def csr(self) -> CSR:
        """The transitions as CSR (a copy where the model is dense)."""
        if isinstance(self._P, CSR):
            return self._P
        flat = self._P.reshape(self.S * self.A, self.S)
        row, col = np.nonzero(flat)
        indptr = np.zeros(self.S * self.A + 1, dtype=np.int64)
        np.cumsum(np.bincount(row, minlength=self.S * self.A), out=indptr[1:])
        return CSR(indptr, col.astype(np.int32), flat[row, col])

    def to_sparse(self) -> MDP:
        return self if self.is_sparse else self._with(P=self.csr())

    def to_dense(self) -> MDP:
        """The same model with ``P`` as an (S, A, S) array: ``8 S^2 A`` bytes."""
        if not self.is_sparse:
            return self
        P = np.zeros((self.S * self.A, self.S))
        P[np.repeat(np.arange(self.S * self.A), np.diff(self._P.indptr)), self._P.indices] = self._P.data
        return self._with(P=P.reshape(self.S, self.A, self.S))

    def exact(self) -> ExactModel:
        """The exact model: the given rationals, or the canonical lift of the floats."""
        given = self._exact or Given(None, None, self.gamma_exact, None)
        P = self.csr()
        weights, end_weights, totals = given.weights or float_weights(P.indptr, P.data, self.end)
        R = given.R if given.R is not None else [Fraction(x) for x in self.rewards.ravel().tolist()]
        rho = given.rho
        if rho is None and self.rho is not None:
            rho = normalised(self.rho)
        w, e, t = tuple(weights), tuple(end_weights), tuple(totals)
        return ExactModel(
            self.S, self.A, self.mask, P.indptr, P.indices, w, e, t, tuple(R), given.gamma,
            None if rho is None else tuple(rho),
        )  # fmt: skip

    def augmented(self) -> MDP:
        """The model with the end as a state: absorbing, worth nothing, last. For what is not linear in ``P``."""
        S, A, P = self.S, self.A, self.csr()
        flat = self.end.ravel()
        count = np.diff(P.indptr) + (flat > 0)
        indptr = np.concatenate([[0], np.cumsum(np.concatenate([count, np.ones(A, dtype=np.int64)]))]).astype(np.int64)
        last = np.flatnonzero(flat > 0)
        at = np.concatenate([P.indptr[last + 1], np.full(A, len(P.data))])
        indices = np.insert(P.indices, at, S).astype(np.int32)
        data = np.insert(P.data, at, np.concatenate([flat[last], np.ones(A)]))
        exact = self._exact
        if exact is not None:
            weights = None
            if exact.weights is not None:
                w, e, t = exact.weights
                mixed = np.insert(
                    np.array(w, dtype=object), at, np.array([e[i] for i in last] + [1] * A, dtype=object)
                ).tolist()
                weights = (mixed, [0] * (S * A + A), [*t, *[1] * A])
            R = None if exact.R is None else [*exact.R, *[Fraction(0)] * A]
            exact = Given(weights, R, exact.gamma, None if exact.rho is None else [*exact.rho, Fraction(0)])
        out = self._with(
            P=CSR(indptr, indices, data),
            rewards=np.vstack([self.rewards, np.zeros((1, A))]),
            mask=np.vstack([self.mask, np.ones((1, A), dtype=bool)]),
            end=np.zeros((S + 1, A)),
            rho=None if self.rho is None else np.append(self.rho, 0.0),
            exact=exact,
            state_labels=None if self.state_labels is None else (*self.state_labels, "(end)"),
        )
        return out if self.is_sparse else out.to_dense()

    @property
    def content_hash(self) -> str:
        """Hex digest of every number of the model (not of labels or names); the same for dense and sparse."""
        if self._hash is None:
            h = hashlib.blake2b(digest_size=16)
            P = self.csr()
            h.update(repr((self.S, self.A, str(self.gamma_exact))).encode())
            for x in (P.indptr, P.indices, P.data, self.rewards + 0.0, self.mask, self.end):
                h.update(np.ascontiguousarray(x).tobytes())
            h.update(b"-" if self.rho is None else self.rho.tobytes())
            if self._exact is not None:
                h.update(repr([str(x) if x is None else [str(y) for y in x] for x in self._exact.lists()]).encode())
            object.__setattr__(self, "_hash", h.hexdigest())
        return str(self._hash)

    def __eq__(self, other: object) -> bool:
        return self.content_hash == other.content_hash if isinstance(other, MDP) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        kind = "sparse" if self.is_sparse else "dense"
        density = self.nnz / (self.S * self.A * self.S)
        notes = [f"S={self.S}, A={self.A}, gamma={border.discount(self.gamma)}, {kind} ({density:.2g} non-zero)"]
        if not self.mask.all():
            notes.append(f"{int((~self.mask).sum())} pairs unavailable")
        if self.has_end:
            notes.append(f"{int((self.end > 0).sum())} pairs may end")
        if self.is_exact:
            notes.append("exact")
        return f"MDP({', '.join(notes)}{f', {self.name!r}' if self.name else ''})"

    def _repr_html_(self) -> str:
        """For notebooks: sizes, storage and what is special, in a table."""
        from tabular._html import mdp

        return mdp(self)


def _restore(fields: dict[str, Any]) -> MDP:
    return MDP._trusted(**fields)
