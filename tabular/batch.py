"""``MDPBatch``: many models of one shape, validated once, then frozen.

Arrays are those of ``MDP`` with a leading ``B``. Where a batch comes from integer weights, these are its
exact model (``P`` is their correctly rounded quotient); else the canonical lift of each row of floats is.
Rewards are floats, taken at their exact values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, overload

import numpy as np

from tabular import _batch_border as border
from tabular import _validate as check
from tabular._border import discount, expect, flag
from tabular._ingest import Given
from tabular._rows import finished
from tabular.exact_model import ExactModel
from tabular.mdp import MDP

_ARRAYS = ("P", "rewards", "mask", "end", "gamma", "rho", "weights", "end_weights", "totals")


class MDPBatch:
    """``B`` finite MDPs with the same numbers of states and actions, dense.

    Parameters
    ----------
    P : (B, S, A, S) transition probabilities, floats.
    R : (B, S, A) mean reward of a step; ``-inf`` where the action is unavailable.
    gamma : number, or (B,) numbers in [0, 1]; Fractions are kept exactly.
    end : (B, S, A), optional. Probability that the step ends the process.
    rho : (B, S) or (S,), optional. Start distributions.
    name : of the batch, for its ``repr``.
    renormalise : divide rows (with their end) by their sums instead of refusing them.

    Attributes
    ----------
    B, S, A : sizes.  P, rewards (zero where unavailable), mask, end, gamma, rho : as above, read-only.
    weights (B, S, A, S), end_weights, totals (B, S, A) : int64 with ``P = weights / totals``, or all None.

    Raises
    ------
    ModelError naming the place (``P[b, s, a]``) for bad data; TypeError for wrong types.
    """

    __slots__ = (
        "A", "B", "P", "S", "_gamma_exact", "_hash", "end", "end_weights", "gamma", "has_end", "mask", "name",
        "rewards", "rho", "totals", "weights",
    )  # fmt: skip

    B: int
    S: int
    A: int
    P: np.ndarray
    rewards: np.ndarray
    mask: np.ndarray
    end: np.ndarray
    gamma: np.ndarray
    rho: np.ndarray | None
    weights: np.ndarray | None
    end_weights: np.ndarray | None
    totals: np.ndarray | None
    has_end: bool
    name: str
    _gamma_exact: tuple[Fraction, ...] | None
    _hash: str | None

    def __init__(
        self,
        P: Any,
        R: Any,
        gamma: Any,
        *,
        end: Any = None,
        rho: Any = None,
        name: str = "",
        renormalise: bool = False,
    ) -> None:
        renormalise = flag(renormalise, "renormalise")
        rewards, mask, shape = border.rewards(R)
        P = check.float_array(P, "P") + 0.0
        if P.shape != (*shape, shape[1]):
            check.fail(f"P has shape {P.shape}: expected {(*shape, shape[1])} to match R of shape {shape}")
        check.check_probabilities(P, "P")
        e = np.zeros(shape) if end is None else check.float_array(end, "end") + 0.0
        if e.shape != shape:
            check.fail(f"end has shape {e.shape}: expected {shape}")
        check.check_probabilities(e, "end")
        with np.errstate(over="ignore"):
            total = check.row_sums(P) + e
        P, e, _ = finished(P, e, total, mask, end is not None, renormalise)
        gammas, exact = border.gammas(gamma, shape[0])
        starts = border.starts(rho, shape[0], shape[1])
        self._set(
            P=P,
            rewards=rewards,
            mask=mask,
            end=e,
            gamma=gammas,
            gamma_exact=exact,
            rho=starts,
            name=str(name),
        )

    @classmethod
    def from_weights(
        cls, weights: Any, R: Any, gamma: Any, *, end_weights: Any = None, rho: Any = None, name: str = ""
    ) -> MDPBatch:
        """From integer weights (B, S, A, S): each row, with its ``end_weights`` (B, S, A), is divided by its
        exact sum.

        Each available row needs a positive sum, of at most 2**53. The rows are then the exact model, and
        ``P`` and ``end`` are correctly rounded.
        """
        rewards, mask, shape = border.rewards(R)
        w = border.integers(weights, "weights", (*shape, shape[1]))
        e = (
            np.zeros(shape, dtype=np.int64)
            if end_weights is None
            else border.integers(end_weights, "end_weights", shape)
        )
        if not mask.all():
            w[~mask] = 0
            e[~mask] = 0
        # A sum of int64 may wrap around; the largest entry tells whether it can.
        largest = max(int(w.max()), int(e.max()))
        total = (w if largest * (shape[1] + 1) < 2**63 else w.astype(object)).sum(axis=-1) + e
        if (empty := mask & (total == 0)).any():
            i = check.first(empty)
            check.fail(f"{check.place('weights', i)} sums to 0: an available row needs a positive weight")
        if (large := total > border.LARGEST_TOTAL).any():
            i = check.first(large)
            check.fail(f"{check.place('weights', i)} sums to {total[i]}: at most 2**53 in a batch")
        total = np.where(mask, total, 1).astype(np.int64)
        gammas, exact = border.gammas(gamma, shape[0])
        return cls._trusted(
            P=w / total[..., None],
            rewards=rewards,
            mask=mask,
            end=e / total,
            gamma=gammas,
            gamma_exact=exact,
            rho=border.starts(rho, shape[0], shape[1]),
            weights=w,
            end_weights=e,
            totals=total,
            name=str(name),
        )

    @classmethod
    def stack(cls, mdps: Sequence[MDP], name: str = "") -> MDPBatch:
        """From models of one shape; their labels and names are left behind.

        Either all of them are given in exact weights or none; exact rewards and start distributions must be
        those of their floats. Raises ModelError naming the member that differs.
        """
        mdps = border.members(mdps, "MDPs")
        if not mdps:
            check.fail("no models to stack")
        for i, m in enumerate(mdps):
            expect(m, f"member {i} of a batch", "MDP")
            if (m.S, m.A) != (mdps[0].S, mdps[0].A):
                check.fail(f"member {i} has S={m.S}, A={m.A}: expected S={mdps[0].S}, A={mdps[0].A} as member 0")
            if (m.rho is None) != (mdps[0].rho is None):
                check.fail(f"member {i} {'has no' if m.rho is None else 'has a'} start distribution, unlike member 0")
            if m._exact is not None and m._exact.R is not None:
                check.fail(f"member {i} has exact rewards that are no floats: a batch has rewards in floats")
            if m._exact is not None and m._exact.rho is not None:
                check.fail(f"member {i} has an exact start distribution: a batch has it in floats")
            if border.has_weights(m) != border.has_weights(mdps[0]):
                kinds = ("floats", "exact weights") if border.has_weights(mdps[0]) else ("exact weights", "floats")
                check.fail(f"member {i} is given in {kinds[0]}, member 0 in {kinds[1]}: they do not mix in a batch")
        exact_gamma = tuple(m.gamma_exact for m in mdps)
        gamma = np.array([m.gamma for m in mdps])
        fields: dict[str, Any] = {}
        if border.has_weights(mdps[0]):
            parts = [border.dense_weights(m, i) for i, m in enumerate(mdps)]
            fields = {key: np.stack([p[k] for p in parts]) for k, key in enumerate(_ARRAYS[-3:])}
        return cls._trusted(
            P=np.stack([m.to_dense().P for m in mdps]),
            rewards=np.stack([m.rewards for m in mdps]),
            mask=np.stack([m.mask for m in mdps]),
            end=np.stack([m.end for m in mdps]),
            gamma=gamma,
            gamma_exact=None
            if all(Fraction(x) == y for x, y in zip(gamma.tolist(), exact_gamma, strict=True))
            else exact_gamma,
            rho=None if mdps[0].rho is None else np.stack([m.rho for m in mdps]),
            name=str(name),
            **fields,
        )

    @classmethod
    def concatenate(cls, batches: Sequence[MDPBatch], name: str = "") -> MDPBatch:
        """Batches of one shape, one after the other; ModelError where only some have exact weights."""
        batches = border.members(batches, "batches")
        if not batches:
            check.fail("no batches to concatenate")
        for i, b in enumerate(batches):
            expect(b, f"concatenate at place {i}", "MDPBatch")
        one = batches[0]
        for i, b in enumerate(batches):
            if (b.S, b.A) != (one.S, one.A):
                check.fail(f"batch {i} has S={b.S}, A={b.A}: expected S={one.S}, A={one.A} as batch 0")
            if (b.rho is None) != (one.rho is None) or (b.weights is None) != (one.weights is None):
                check.fail(f"batch {i} and batch 0 differ in having a start distribution or exact weights")
        given = any(b._gamma_exact is not None for b in batches)
        return cls._trusted(
            gamma_exact=tuple(x for b in batches for x in b.gamma_exact) if given else None,
            name=str(name),
            **{
                key: None if getattr(one, key) is None else np.concatenate([getattr(b, key) for b in batches])
                for key in _ARRAYS
            },
        )

    @classmethod
    def _trusted(cls, **fields: Any) -> MDPBatch:
        """From parts that are already validated."""
        self = object.__new__(cls)
        self._set(**fields)
        return self

    def _set(self, *, gamma_exact: Any, name: str, **arrays: Any) -> None:
        put = object.__setattr__
        for key in _ARRAYS:
            x = arrays.get(key)
            put(self, key, None if x is None else check.sealed(x))
        for key, n in zip(("B", "S", "A"), self.mask.shape, strict=True):
            put(self, key, n)
        put(self, "_gamma_exact", gamma_exact)
        put(self, "_hash", None)
        put(self, "has_end", bool(self.end.any()))
        put(self, "name", name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an MDPBatch is frozen: build a new one to change {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("an MDPBatch is frozen")

    def __reduce__(self) -> Any:
        fields = {key: getattr(self, key) for key in _ARRAYS}
        return _restore, (fields | {"gamma_exact": self._gamma_exact, "name": self.name},)

    @property
    def gamma_exact(self) -> tuple[Fraction, ...]:
        """The discounts exactly: as given, or the floats' exact values."""
        if self._gamma_exact is not None:
            return tuple(self._gamma_exact)
        return tuple(Fraction(x) for x in self.gamma.tolist())

    @property
    def R(self) -> np.ndarray:
        """(B, S, A) mean rewards, ``-inf`` where unavailable."""
        return self.rewards if self.mask.all() else np.where(self.mask, self.rewards, -np.inf)

    @property
    def is_exact(self) -> bool:
        """Whether some of the batch was given in exact numbers."""
        return self.weights is not None or self._gamma_exact is not None

    def __len__(self) -> int:
        return self.B

    def __iter__(self) -> Iterator[MDP]:
        return (self[i] for i in range(self.B))

    @overload
    def __getitem__(self, i: int | np.integer) -> MDP: ...
    @overload
    def __getitem__(self, i: slice | np.ndarray | Sequence[int]) -> MDPBatch: ...
    def __getitem__(self, i: Any) -> Any:
        """A member as an ``MDP`` (a copy); with a slice, index array or mask, a batch of at least one."""
        if isinstance(i, (int, np.integer)) and not isinstance(i, bool):
            if not -self.B <= i < self.B:
                raise IndexError(f"member {i} of a batch of {self.B}")
            return self._member(int(i) % self.B)
        which = np.arange(self.B)[i if isinstance(i, slice) else np.asarray(i)]
        if which.ndim != 1:
            raise TypeError(f"a batch has one axis of members: got an index of shape {which.shape}")
        if not which.size:
            raise IndexError(f"no members left of a batch of {self.B}")
        key = i if isinstance(i, slice) else which
        exact = self._gamma_exact
        return MDPBatch._trusted(
            gamma_exact=None if exact is None else tuple(exact[j] for j in which),
            name=self.name,
            **{k: None if getattr(self, k) is None else getattr(self, k)[key] for k in _ARRAYS},
        )

    def _member(self, i: int) -> MDP:
        gamma = float(self.gamma[i])
        gamma_exact = Fraction(gamma) if self._gamma_exact is None else self._gamma_exact[i]
        exact = None
        if self.weights is not None:
            w, e, t = self._reduced(i)
            rows = (w[w > 0].tolist(), e.ravel().tolist(), t.ravel().tolist())
            exact = Given(rows, None, gamma_exact, None)
        elif gamma_exact != Fraction(gamma):
            exact = Given(None, None, gamma_exact, None)
        return MDP._trusted(
            P=self.P[i].copy(),
            rewards=self.rewards[i].copy(),
            mask=self.mask[i].copy(),
            end=self.end[i].copy(),
            gamma=gamma,
            gamma_exact=gamma_exact,
            rho=None if self.rho is None else self.rho[i].copy(),
            exact=exact,
            state_labels=None,
            action_labels=None,
            name=f"{self.name}[{i}]" if self.name else "",
        )

    def _reduced(self, i: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights, end weights and totals of members, each row without its common divisor."""
        w, e, t = self.weights[i], self.end_weights[i], self.totals[i]  # type: ignore[index]
        common = np.gcd(np.gcd.reduce(w, axis=-1), np.gcd(e, t))
        return w // common[..., None], e // common, t // common

    def exact(self, i: int) -> ExactModel:
        """The exact model of a member: its weights, or the canonical lift of its floats."""
        return self[i].exact()

    @property
    def content_hash(self) -> str:
        """Hex digest of every number of the batch, in order (not of its name)."""
        if self._hash is None:
            h = hashlib.blake2b(digest_size=16)
            exact = None if self._gamma_exact is None else [str(x) for x in self._gamma_exact]
            h.update(repr((self.B, self.S, self.A, exact, self.rho is None, self.weights is None)).encode())
            parts = () if self.weights is None else self._reduced(slice(None))
            for x in (self.gamma, self.P, self.rewards, self.mask, self.end, self.rho, *parts):
                h.update(b"-" if x is None else np.ascontiguousarray(x).tobytes())
            object.__setattr__(self, "_hash", h.hexdigest())
        return str(self._hash)

    def __eq__(self, other: object) -> bool:
        return self.content_hash == other.content_hash if isinstance(other, MDPBatch) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        lo, hi = float(self.gamma.min()), float(self.gamma.max())
        notes = [
            f"B={self.B}, S={self.S}, A={self.A}, gamma={discount(lo) if lo == hi else f'{discount(lo)}...{discount(hi)}'}"
        ]
        if not self.mask.all():
            notes.append(f"{int((~self.mask).sum())} pairs unavailable")
        if self.has_end:
            notes.append(f"{int((self.end > 0).sum())} pairs may end")
        if self.is_exact:
            notes.append("exact")
        return f"MDPBatch({', '.join(notes)}{f', {self.name!r}' if self.name else ''})"


def _restore(fields: dict[str, Any]) -> MDPBatch:
    return MDPBatch._trusted(**fields)
