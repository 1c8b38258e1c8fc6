"""From an exact model back to an ``MDP``: the border for what is born exact (maps, tables, files)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.exact_model import ExactModel, reduced, rounded, unless_floats

if TYPE_CHECKING:
    from tabular.mdp import MDP


def from_exact(model: ExactModel, *, state_labels: Any = None, action_labels: Any = None, name: str = "") -> MDP:
    """The sparse MDP whose exact model is ``model``; rows are reduced and zero weights dropped.

    Inverse of ``mdp.exact()``. Raises ModelError naming the place where weights are negative, do not add up
    to their total, a successor is out of range or given twice, or a number is beyond the range of float64;
    TypeError for anything but integers. Cost: linear in the number of weights.
    """
    from tabular._ingest import Given
    from tabular._rows import LOST
    from tabular.mdp import CSR, MDP

    border.expect(model, "from_exact", "ExactModel")
    S, A = int(model.S), int(model.A)
    if S < 1 or A < 1:
        check.fail(f"the model has S={S}, A={A}: expected at least one state and one action")
    mask = np.array(model.mask, dtype=bool)
    if mask.shape != (S, A):
        check.fail(f"mask has shape {mask.shape}: expected ({S}, {A})")
    if not mask.any(axis=-1).all():
        at = check.first(np.logical_not(mask.any(axis=-1)))
        check.fail(f"{check.place('mask', at)} is False throughout: each state needs an available action")
    gamma, gamma_exact = check.check_gamma(model.gamma)
    indptr, indices = _structure(model, S, A)
    weights, ends, totals = ([_integer(x, n, i) for i, x in enumerate(getattr(model, n))] for n in _PARTS)
    if len(weights) != len(indices) or len(ends) != S * A or len(totals) != S * A:
        check.fail(
            f"the model has {len(weights)} weights, {len(ends)} end weights and {len(totals)} totals: "
            f"expected {len(indices)}, {S * A} and {S * A}"
        )
    free = mask.ravel().tolist()
    ptr, cols = [0], []
    w: list[int] = []
    e: list[int] = []
    t: list[int] = []
    for i, (lo, hi) in enumerate(pairwise(indptr)):
        row = dict(zip(indices[lo:hi], weights[lo:hi], strict=True))
        _check_row(row, hi - lo, ends[i], totals[i], S, (i // A, i % A), free[i])
        kept = sorted((s, x) for s, x in row.items() if x) if free[i] else []
        values, total = reduced([*(x for _, x in kept), ends[i]], totals[i]) if free[i] else ([0], 1)
        cols += [s for s, _ in kept]
        w += values[:-1]
        e.append(values[-1])
        t.append(total)
        ptr.append(len(cols))
    counts = np.diff(ptr)
    owner = np.repeat(np.arange(S * A), counts)
    data = rounded(w, [t[i] for i in owner.tolist()])
    end = rounded(e, t).reshape(S, A)
    if (data == 0).any() or np.count_nonzero(end) < sum(x > 0 for x in e):
        check.fail(LOST)
    rewards, R = _rewards(model.R, mask)
    rho, rho_exact = _start(model.rho, S)
    return MDP._trusted(
        P=CSR(np.array(ptr, dtype=np.int64), np.array(cols, dtype=np.int32), data),
        rewards=rewards,
        mask=mask,
        end=end,
        gamma=gamma,
        gamma_exact=gamma_exact,
        rho=rho,
        exact=Given((w, e, t), R, gamma_exact, rho_exact),
        state_labels=check.check_labels(state_labels, S, "state_labels"),
        action_labels=check.check_labels(action_labels, A, "action_labels"),
        name=str(name),
    )


# Without a wish, models up to this many states are dense.
LARGEST_DENSE = 400


def stored(mdp: MDP, sparse: bool | None) -> MDP:
    """The same model as CSR or dense; None: dense up to ``LARGEST_DENSE`` states."""
    return mdp.to_sparse() if sparse or (sparse is None and mdp.S > LARGEST_DENSE) else mdp.to_dense()


def decimal(x: Any, name: str, index: Any = ()) -> Fraction:
    """Exact value of a number; a float is the decimal that it prints as (0.1 is 1/10)."""
    exact = check.to_fraction(x, name, index)
    return Fraction(repr(float(x))) if isinstance(x, (float, np.floating)) else exact


_PARTS = ("weights", "end_weights", "totals")


def _structure(model: ExactModel, S: int, A: int) -> tuple[list[int], list[int]]:
    indptr, indices = (np.asarray(x) for x in (model.indptr, model.indices))
    if indptr.dtype.kind not in "iu" or (indices.dtype.kind not in "iu" and indices.size):
        raise TypeError(f"indptr and indices have dtypes {indptr.dtype} and {indices.dtype}: expected integers")
    if indptr.shape != (S * A + 1,) or indices.ndim != 1:
        check.fail(f"indptr has shape {indptr.shape}, indices {indices.shape}: expected ({S * A + 1},) and one axis")
    ptr = indptr.tolist()
    if ptr[0] != 0 or ptr[-1] != len(indices) or any(x > y for x, y in pairwise(ptr)):
        check.fail(f"indptr must rise from 0 to {len(indices)}: it starts at {ptr[0]} and ends at {ptr[-1]}")
    return ptr, indices.tolist()


def _integer(x: Any, name: str, i: int) -> int:
    if isinstance(x, (bool, np.bool_)) or not isinstance(x, (int, np.integer)):
        raise TypeError(f"{name}[{i}] is {x!r}: expected an integer")
    return int(x)


def _check_row(row: dict[int, int], n: int, end: int, total: int, S: int, at: tuple[int, int], free: bool) -> None:
    where = check.place("P", at)
    if len(row) < n:
        check.fail(f"{where} gives a successor twice")
    if (bad := next((s for s in row if not 0 <= s < S), None)) is not None:
        check.fail(f"{where} has successor {bad}: states are 0 ... {S - 1}")
    if (bad := next((s for s, x in row.items() if x < 0), None)) is not None:
        check.fail(
            f"{check.place('P', (*at, bad))} has weight {check.shown(row[bad])}: a probability cannot be negative"
        )
    if end < 0:
        check.fail(f"{check.place('end', at)} has weight {check.shown(end)}: a probability cannot be negative")
    if free and (total <= 0 or sum(row.values()) + end != total):
        found = check.shown(sum(row.values()) + end)
        check.fail(f"{where} has weights that add up to {found} with its end: its total is {check.shown(total)}")


def _rewards(R: Sequence[Any], mask: np.ndarray) -> tuple[np.ndarray, list[Fraction] | None]:
    """Rewards as floats, and exactly where they are no floats."""
    S, A = mask.shape
    if len(R) != S * A:
        check.fail(f"R has {len(R)} entries: expected {S * A}")
    free = mask.ravel().tolist()
    exact = [check.to_fraction(x, "R", divmod(i, A)) if free[i] else Fraction(0) for i, x in enumerate(R)]
    floats = np.zeros(S * A)
    for i, x in enumerate(exact):
        floats[i] = check.to_float(x, "R", divmod(i, A))
    return (floats + 0.0).reshape(S, A), unless_floats(exact, floats)


def _start(rho: Sequence[Any] | None, S: int) -> tuple[np.ndarray | None, list[Fraction] | None]:
    if rho is None:
        return None, None
    box = np.empty(len(rho), dtype=object)
    box[:] = [check.to_fraction(x, "rho", (i,)) for i, x in enumerate(rho)]
    return check.check_distribution(box, S)
