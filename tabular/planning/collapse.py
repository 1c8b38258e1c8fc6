"""The quotient of a model by its end components of zero-reward pairs, and the way back.

Such a component earns nothing for as long as one likes, and from any of its states every other is reached for
nothing. It becomes one state, which may leave by any pair of a member that is not internal, or "stay, worth
nothing". The optimal total reward is unchanged, and the quotient has no end component of zero rewards only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabular.errors import ImproperModel
from tabular.planning.end_components import (
    EndComponent,
    entries,
    maximal_end_components,
    named_states,
    towards,
)

STAY, UNAVAILABLE = -1, -2
"""Codes of ``Collapsed.pair_of``; code ``-3 - q`` is a free move to the relay state ``q``."""


@dataclass(frozen=True)
class Collapsed:
    """The quotient by zero-reward end components: ``n`` states, ``B`` actions; and the way back.

    Attributes
    ----------
    indptr, indices, data : CSR of the quotient, rows ``q * B + b``.  R, end, mask : (n, B).
    state_of : (S,) the quotient's state of each state.
    pair_of : (n, B) int64, the original pair ``s * A + a`` behind each action, or ``STAY``, ``UNAVAILABLE``,
        or ``-3 - q``: a free move to the relay state ``q``, which holds part of the choices of a component
        with very many.
    components : the collapsed end components, in original states and pairs.  hubs : their quotient states.
    remaining : end components of the quotient, in quotient states and pairs.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    R: np.ndarray
    end: np.ndarray
    mask: np.ndarray
    state_of: np.ndarray
    pair_of: np.ndarray
    components: tuple[EndComponent, ...]
    hubs: np.ndarray
    remaining: tuple[EndComponent, ...]
    source: tuple[np.ndarray, np.ndarray, int]

    @property
    def is_transient_hint(self) -> bool:
        """Whether every policy of the quotient ends with probability one (else some are worth minus
        infinity).
        """
        return not self.remaining

    def lift_values(self, V: np.ndarray) -> np.ndarray:
        """(n,) values of the quotient as (S,) values of the model."""
        return np.asarray(V)[self.state_of]

    def lift_policy(self, choice: np.ndarray) -> np.ndarray:
        """(n,) actions of the quotient as (S,) actions of the model that have the same value.

        A component that leaves by a pair of member ``s`` walks to ``s`` by internal pairs, which reaches it
        with probability one and costs nothing; one that stays takes internal pairs for ever.
        """
        indptr, indices, A = self.source
        codes = self.pair_of[np.arange(len(choice)), choice]
        if (codes == UNAVAILABLE).any():
            raise ValueError(
                f"choice[{int(np.argmax(codes == UNAVAILABLE))}] is not an available action of the quotient"
            )
        for _ in range(len(codes)):  # follow relays, which never form a circle
            relay = codes <= -3
            if not relay.any():
                break
            codes = np.where(relay, codes[np.where(relay, -3 - codes, 0)], codes)
        pair = codes[self.state_of]
        if self.components:
            internal = np.concatenate([c.pairs for c in self.components])
            member = np.concatenate([c.states for c in self.components])
            exits = codes[self.hubs]
            at = exits[exits >= 0] // A
            entry, owner = entries(indptr, internal)
            step = towards(len(self.state_of), internal[owner] // A, indices[entry], internal[owner], at)
            some = np.full(len(self.state_of), -1)
            some[internal[::-1] // A] = internal[::-1]
            move = np.where(pair[member] == STAY, some[member], step[member])
            inside = ~np.isin(member, at)
            pair[member[inside]] = move[inside]
        return pair % A

    def proper_policy(self) -> np.ndarray:
        """(n,) actions of the quotient that end with probability one: a start for policy iteration.

        Raises ImproperModel where the end cannot be reached.
        """
        n, B = self.R.shape
        owner = np.repeat(np.arange(n * B), np.diff(self.indptr))
        ends = np.flatnonzero((self.mask & (self.end > 0)).ravel())
        src = np.concatenate([ends, owner]) // B
        dst = np.concatenate([np.full(len(ends), n), self.indices])
        step = towards(n + 1, src, dst, np.concatenate([ends, owner]), np.array([n]))[:n]
        if (step < 0).any():
            stuck = np.flatnonzero(np.isin(self.state_of, np.flatnonzero(step < 0)))
            raise ImproperModel(f"no policy ends with probability one from {named_states(stuck, None)}")
        return step % B


def collapse(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    R: np.ndarray,
    end: np.ndarray,
    mask: np.ndarray,
    *,
    width: int | None = None,
) -> Collapsed:
    """Collapse the maximal end components of zero-reward pairs; each may also stay, worth nothing.

    An uncollapsed state keeps its actions' numbers; a collapsed one has its leaving pairs in order, then
    ``STAY``. Where that would make the arrays much wider than the model's, choices beyond ``width`` (at least
    2) are held by relay states. Rewards are zero and rows empty where ``mask`` is False. O(nnz log nnz)
    beyond the decomposition.
    """
    S, A = R.shape
    zero = maximal_end_components(indptr, indices, end, mask, R == 0)
    first, internal = np.arange(S), np.zeros(S * A, dtype=bool)
    for c in zero:
        first[c.states] = c.states[0]
        internal[c.pairs] = True
    heads, state_of = np.unique(first, return_inverse=True)
    hubs = np.searchsorted(heads, np.array([c.states[0] for c in zero], dtype=np.int64))
    is_hub = np.zeros(len(heads), dtype=bool)
    is_hub[hubs] = True
    kept = np.flatnonzero(mask.ravel() & ~internal)
    q = state_of[kept // A]
    plain = ~is_hub[q]
    order = np.argsort(q[~plain], kind="stable")
    leaving = np.split(kept[~plain][order], np.searchsorted(q[~plain][order], hubs[1:])) if zero else []
    widest = max([A, *(len(part) + 1 for part in leaving)])
    if width is None:
        width = widest if len(heads) * widest <= 4 * S * A + 10**6 else max(A, 8)
    elif width < 2:
        raise ValueError(f"width is {width}: at least 2")
    row, slot, code, n = [q[plain]], [kept[plain] % A], [kept[plain]], len(heads)
    for hub, part in zip(hubs.tolist(), leaving, strict=True):
        options = np.append(part, STAY)
        while len(options) > width:
            groups = np.split(options, range(width, len(options), width))
            for i, group in enumerate(groups):
                row.append(np.full(len(group), n + i))
                slot.append(np.arange(len(group)))
                code.append(group)
            options = -3 - np.arange(n, n + len(groups))
            n += len(groups)
        row.append(np.full(len(options), hub))
        slot.append(np.arange(len(options)))
        code.append(options)
    rows, slots, codes = np.concatenate(row), np.concatenate(slot), np.concatenate(code)
    B = int(slots.max()) + 1
    at = rows * B + slots
    pair_of = np.full(n * B, UNAVAILABLE, dtype=np.int64)
    pair_of[at] = codes
    new_R, new_end, new_mask = np.zeros(n * B), np.zeros(n * B), np.zeros(n * B, dtype=bool)
    new_mask[at] = True
    given = codes >= 0
    new_R[at[given]] = R.ravel()[codes[given]]
    new_end[at[given]] = end.ravel()[codes[given]]
    new_end[at[codes == STAY]] = 1.0
    entry, owner = entries(indptr, codes[given])
    relay = codes <= -3
    key = np.concatenate([at[given][owner] * n + state_of[indices[entry]], at[relay] * n + (-3 - codes[relay])])
    value = np.concatenate([data[entry], np.ones(int(relay.sum()))])
    order = np.argsort(key, kind="stable")
    key, starts = np.unique(key[order], return_index=True)
    new_data = np.add.reduceat(value[order], starts) if len(starts) else np.zeros(0)
    new_ptr = np.concatenate([[0], np.cumsum(np.bincount(key // n, minlength=n * B))]).astype(np.int64)
    new_indices = (key % n).astype(np.int32)
    shape = (n, B)
    remaining = maximal_end_components(new_ptr, new_indices, new_end.reshape(shape), new_mask.reshape(shape))
    return Collapsed(
        indptr=new_ptr,
        indices=new_indices,
        data=new_data,
        R=new_R.reshape(shape),
        end=new_end.reshape(shape),
        mask=new_mask.reshape(shape),
        state_of=state_of,
        pair_of=pair_of.reshape(shape),
        components=tuple(zero),
        hubs=hubs,
        remaining=tuple(remaining),
        source=(indptr, indices, A),
    )
