"""MDPtoolbox's arrays: ``to_mdptoolbox`` and ``from_mdptoolbox``; ``P (A, S, S)``, rewards ``(S,)``, ``(S, A)`` or ``(A, S, S)``.

There an action comes first, here a state does: where there are as many actions as states the shapes are the same, and nobody can
tell which is meant. Then the caller must say so. The arrays hold floats; they know no endings, no unavailable actions, no start.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.from_exact import stored
from tabular.interchange._says import settle
from tabular.mdp import CSR, MDP

AXES = ("ass", "sas")


def to_mdptoolbox(mdp: MDP, *, drop: Collection[str] = ()) -> tuple[Any, np.ndarray, float]:
    """``(P, R, gamma)``: ``P`` an (A, S, S) array, or a list of A scipy matrices for a sparse model; ``R`` (S, A).

    ``drop`` : what may be left out, ``"start"`` and ``"exact"``. Raises ModelError for endings and unavailable actions.
    """
    settle(mdp, "to_mdptoolbox", "MDPtoolbox", ("discount",), drop)
    if not mdp.is_sparse:
        return np.ascontiguousarray(np.moveaxis(mdp.P, 1, 0)), np.array(mdp.R), mdp.gamma
    from scipy.sparse import csr_matrix

    P = mdp.csr()
    rows = csr_matrix((P.data, P.indices, P.indptr), shape=(mdp.S * mdp.A, mdp.S))
    return [rows[np.arange(mdp.S) * mdp.A + a] for a in range(mdp.A)], np.array(mdp.R), mdp.gamma


def from_mdptoolbox(
    P: Any, R: Any, gamma: Any, *, axes: str | None = None, rho: Any = None, renormalise: bool = False,
    sparse: bool | None = None, **labels: Any,
) -> MDP:  # fmt: skip
    """The model of MDPtoolbox's arrays.

    Parameters
    ----------
    P : (A, S, S) array, or A matrices (S, S), dense or scipy sparse.
    R : (S,), earned in a state; (S, A), in a state by an action; (A, S, S), or A matrices, by a transition (averaged over ``P``).
    axes : ``"ass"``: arrays have the action first, as in MDPtoolbox; ``"sas"``: ``P (S, A, S)`` and rewards ``(S, A, S)``, as here.
        None: ``"ass"``, unless S == A, where both read the same: then it must be said.
    gamma, rho, renormalise, labels : as in ``MDP``.  sparse : store as CSR; None: dense where small.

    Raises ModelError naming the place, in this project's order of indices; TypeError for wrong types.
    """
    if axes is not None and axes not in AXES:
        raise ValueError(f"axes is {axes!r}: expected 'ass' or 'sas'")
    rows: Any
    if isinstance(P, Sequence) and any(hasattr(x, "tocsr") for x in P):
        S, A, rows = _stacked(P)
        if axes is None and S == A > 1 and getattr(R, "ndim", 0) == 3:
            check.fail(f"R has shape {np.shape(R)}, with as many actions as states: say axes='ass' or axes='sas'")
    else:
        dense = check.float_array(P, "P")
        if dense.ndim != 3 or 0 in dense.shape:
            check.fail(f"P has shape {dense.shape}: expected (A, S, S)")
        dense, axes = _action_second(dense, axes)
        (S, A), rows = dense.shape[:2], dense
    mean = _rewards(R, rows, S, A, axes)
    return stored(MDP(rows, mean, gamma, rho=rho, renormalise=renormalise, **labels), sparse)


def _action_second(P: np.ndarray, axes: str | None) -> tuple[np.ndarray, str]:
    """Transitions as (S, A, S), and the axes as they are meant."""
    if axes is None:
        if P.shape[0] == P.shape[1] == P.shape[2]:
            if P.shape[0] > 1:
                check.fail(
                    f"P has shape {P.shape}, with as many actions as states: axes='ass' says that the action comes first, as in "
                    "MDPtoolbox, axes='sas' that the state does, as here"
                )
        elif P.shape[0] == P.shape[2]:
            check.fail(
                f"P has shape {P.shape}, where the state seems to come first: MDPtoolbox has (A, S, S); or say axes='sas'"
            )
        axes = "ass"
    if axes == "ass":
        P = np.moveaxis(P, 0, 1)
    if P.shape[0] != P.shape[2]:
        expected = "(A, S, S)" if axes == "ass" else "(S, A, S)"
        check.fail(f"P has shape {np.moveaxis(P, 0, 1).shape if axes == 'ass' else P.shape}: expected {expected}")
    return P, axes


def _stacked(P: Sequence[Any]) -> tuple[int, int, CSR]:
    """A matrices of shape (S, S) as rows ``s * A + a``."""
    from scipy.sparse import csr_matrix, vstack

    shapes = {tuple(x.shape) for x in P}
    S, A = int(P[0].shape[0]), len(P)
    if shapes != {(S, S)} or S == 0:
        check.fail(f"the matrices of P have shapes {sorted(shapes)}: expected one square shape (S, S)")
    rows = vstack([csr_matrix(x) for x in P]).tocsr()[np.arange(A * S).reshape(A, S).T.ravel()]
    rows.sum_duplicates()
    return S, A, CSR(rows.indptr.astype(np.int64), rows.indices, rows.data)


def _rewards(R: Any, P: Any, S: int, A: int, axes: str | None) -> np.ndarray:
    """Mean rewards (S, A)."""
    if isinstance(R, Sequence) and any(hasattr(x, "tocsr") for x in R):
        R = np.stack([np.asarray(x.toarray() if hasattr(x, "tocsr") else x) for x in R])
    elif hasattr(R, "tocsr"):
        R = R.toarray()
    R = check.float_array(R, "R")
    check.check_finite(R, "R")
    if R.shape == (S,):
        return np.repeat(R[:, None], A, axis=1)
    if R.shape == (S, A):
        return R
    if R.ndim == 3:
        three = np.moveaxis(R, 0, 1) if axes != "sas" else R
        if three.shape == (S, A, S):
            return _mean(P, three, S, A)
    expected = f"({S},), ({S}, {A}) or {(A, S, S) if axes != 'sas' else (S, A, S)}"
    check.fail(f"R has shape {R.shape}: expected {expected}")


def _mean(P: Any, R: np.ndarray, S: int, A: int) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        if not isinstance(P, CSR):
            return np.asarray((P * R).sum(axis=-1))
        owner = np.repeat(np.arange(S * A), np.diff(P.indptr))
        flat = np.ascontiguousarray(R).reshape(S * A, S)[owner, P.indices]
        return np.bincount(owner, weights=P.data * flat, minlength=S * A).reshape(S, A)
