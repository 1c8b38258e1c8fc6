"""Rows of transitions, dense or CSR: read, checked, made canonical, and divided by their sums."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular import _validate as check

LOST = "P or end has a positive entry below the range of float64: its structure would be lost"


class CSR(NamedTuple):
    """Sparse transitions, row ``s * A + a``: ``indptr`` (S*A+1,) int64, ``indices`` (nnz,) int32, ``data`` (nnz,)."""

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray


def finished(
    P: Any, e: np.ndarray, total: np.ndarray, mask: np.ndarray, declared: bool, renormalise: bool, *, owned: bool = True
) -> tuple[Any, np.ndarray, Any]:
    """``P`` (..., S, A, S) or CSR, ``e``, and what they were divided by: sums of one, or made so, and nothing where unavailable.

    ``total`` (..., S, A): sums with their ends.  declared : whether ends were given.  owned : whether a dense ``P``
    may be written to.
    """
    owner = np.repeat(np.arange(mask.size), np.diff(P.indptr)) if isinstance(P, CSR) else None
    scale = np.ones(())
    if renormalise:
        check.check_scales(total, mask)
        scale = np.where(mask, total, 1.0)
        used = _used(P, e)
        P = P / scale[..., None] if owner is None else P._replace(data=P.data / scale.ravel()[owner])
        e, owned = e / scale, True
        if _used(P, e) < used:
            check.fail(LOST)
    else:
        check.check_rows(total, mask, mask.shape[-2], declared)
    if not mask.all():
        e[~mask] = 0.0
        if owner is not None:
            P = kept(P, mask.ravel()[owner])
        elif (stray := ~mask & (P != 0).any(axis=-1)).any():
            P = P if owned else P.copy()
            P[stray] = 0.0
    return P, e, scale


def _used(P: Any, e: np.ndarray) -> int:
    return int(np.count_nonzero(P.data if isinstance(P, CSR) else P) + np.count_nonzero(e))


def as_csr(P: Any, S: int, A: int) -> CSR | None:
    """CSR triples and scipy matrices, canonical: rows in order, columns sorted, no duplicates, no zeros."""
    if isinstance(P, CSR):
        triple = P
    elif hasattr(P, "tocsr"):
        if P.shape != (S * A, S):
            check.fail(f"P has shape {P.shape}: expected ({S * A}, {S}), one row s*A + a for each pair")
        m = P.tocsr()
        if not m.has_canonical_format:
            m = m.copy()
            m.sum_duplicates()
        triple = CSR(m.indptr, m.indices, m.data)
    else:
        return None
    indptr, indices = (np.asarray(x) for x in triple[:2])
    if indptr.dtype.kind not in "iu" or indices.dtype.kind not in "iu":
        raise TypeError(f"P.indptr and P.indices have dtypes {indptr.dtype} and {indices.dtype}: expected integers")
    data = check.float_array(triple.data, "P.data") + 0.0
    if indptr.shape != (S * A + 1,) or indices.shape != data.shape or data.ndim != 1:
        check.fail(
            f"P has indptr of shape {indptr.shape}, indices {indices.shape}, data {data.shape}: "
            f"expected ({S * A + 1},) and two arrays of one length"
        )
    indptr = indptr.astype(np.int64)
    if indptr[0] != 0 or indptr[-1] != len(data) or (np.diff(indptr) < 0).any():
        check.fail(f"P.indptr must rise from 0 to {len(data)}: it starts at {indptr[0]} and ends at {indptr[-1]}")
    if len(indices) and not (0 <= indices.min() and indices.max() < S):
        i = int(np.argmax((indices < 0) | (indices >= S)))
        check.fail(f"P.indices[{i}] is {indices[i]}: states are 0 ... {S - 1}")
    owner = np.repeat(np.arange(S * A), np.diff(indptr))
    key = owner * S + indices
    if (np.diff(key) <= 0).any():
        order = np.argsort(key, kind="stable")
        key, indices, data = key[order], indices[order], data[order]
        if (np.diff(key) == 0).any():
            i = int(key[np.argmax(np.diff(key) == 0)])
            check.fail(f"{check.place('P', (i // S // A, i // S % A, i % S))} is given twice")
    return kept(CSR(indptr, indices.astype(np.int32), data), data != 0)


def kept(P: CSR, keep: np.ndarray) -> CSR:
    """Those transitions alone that are marked (nnz,)."""
    if keep.all():
        return P
    owner = np.repeat(np.arange(len(P.indptr) - 1), np.diff(P.indptr))[keep]
    indptr = np.zeros_like(P.indptr)
    np.cumsum(np.bincount(owner, minlength=len(indptr) - 1), out=indptr[1:])
    return CSR(indptr, P.indices[keep], P.data[keep])


def check_csr(P: CSR, A: int) -> None:
    """ModelError, naming the place, for an entry that is no probability."""
    bad = ~(np.isfinite(P.data) & (P.data >= 0))
    if bad.any():
        i = int(np.argmax(bad))
        row = int(np.searchsorted(P.indptr, i, side="right")) - 1
        why = "a probability cannot be negative" if P.data[i] < 0 else "not a finite number"
        check.fail(f"{check.place('P', (row // A, row % A, P.indices[i]))} is {P.data[i]}: {why}")
