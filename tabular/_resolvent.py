r"""Linear systems :math:`(I - \gamma P_\pi) x = b`, without cancellation where the discount does not help.

With ``gamma = 1`` what a state keeps from going round for ever is its end and its ways to other states, and both
may be far below the unit roundoff: :math:`1 - P_{ss}` would lose them. So the diagonal is formed as a sum of
non-negative numbers, :math:`(1 - \gamma) + \gamma (end_s + \sum_{t \ne s} P_{st})`, and small systems are
eliminated with sums only (Grassmann, Taksar and Heyman 1985): components then have small relative errors for
``b >= 0``, however long it takes to the end (O'Cinneide 1993). The same where ``1 - gamma`` is below what row
sums of floats may be off: the rows' float sums need not contract there, and rows are read as distributions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tabular._validate import row_tolerance

SPARSE_LU = 5_000
"""States up to which sparse linear systems are factorised first; beyond, iteration is tried first."""
SUMS_ONLY = 300
"""States up to which elimination without subtractions is a matter of milliseconds."""


def undamped(gamma: float, n: int) -> bool:
    """Whether the discount is too near one to tell ``gamma P`` from a distribution in floats."""
    return 1.0 - gamma <= row_tolerance(n)


def resolvent_solve(P_pi: Any, gamma: float, b: np.ndarray, end: np.ndarray, transpose: bool = False) -> np.ndarray:
    """``(I - gamma P_pi)^-1 b`` for an array or a scipy matrix, and ``end`` (n,) the probabilities of leaving.

    Raises ``numpy.linalg.LinAlgError`` where it is singular.
    """
    n = P_pi.shape[0]
    if undamped(gamma, n) and n <= SUMS_ONLY:
        return sums_only(P_pi, gamma, end)(b, transpose)
    if isinstance(P_pi, np.ndarray):
        M = system(P_pi, gamma, end)
        return np.linalg.solve(M.T if transpose else M, b)
    from scipy.sparse.linalg import bicgstab, splu

    M = system(P_pi, gamma, end)
    M = M.T.tocsr() if transpose else M
    if n > SPARSE_LU:
        x, failed = bicgstab(M, b, rtol=1e-13, atol=0.0, maxiter=2_000)
        if not failed and np.isfinite(x).all():
            return np.asarray(x)
    try:
        return np.asarray(splu(M.tocsc()).solve(b))
    except RuntimeError as error:  # SuperLU: "Factor is exactly singular"
        raise np.linalg.LinAlgError(str(error)) from None


def system(P_pi: Any, gamma: float, end: np.ndarray) -> Any:
    """``I - gamma P_pi``, an array or a CSR matrix as ``P_pi`` is."""
    n = P_pi.shape[0]
    if isinstance(P_pi, np.ndarray):
        M = -gamma * P_pi
        if undamped(gamma, n):
            np.fill_diagonal(M, 0.0)
            np.fill_diagonal(M, (1.0 - gamma) + gamma * end - M.sum(axis=1))
        else:
            M.flat[:: n + 1] += 1.0
        return M
    from scipy.sparse import diags_array, eye_array

    if not undamped(gamma, n):
        return (eye_array(n, format="csr") - gamma * P_pi).tocsr()
    off = P_pi.tocoo()
    aside = off.row != off.col
    leaves = np.bincount(off.row[aside], weights=off.data[aside], minlength=n)
    off.data = np.where(aside, -gamma * off.data, 0.0)
    return (off.tocsr() + diags_array((1.0 - gamma) + gamma * (end + leaves))).tocsr()


def sums_only(P_pi: Any, gamma: float, end: np.ndarray) -> Callable[..., np.ndarray]:
    """The inverse of ``I - gamma P_pi`` as a function of ``b`` (n,) and ``transpose``, from its triangular factors.

    Without ``transpose`` it takes columns (n, k), too.
    After each step of elimination a row's diagonal is again the sum of its other entries and of what it loses.
    """
    flow = gamma * (P_pi.copy() if isinstance(P_pi, np.ndarray) else P_pi.toarray())
    lost = (1.0 - gamma) + gamma * end
    n = len(flow)
    pivot = np.empty(n)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(n):
            pivot[k] = lost[k] + flow[k, k + 1 :].sum()
            if pivot[k] == 0.0:
                raise np.linalg.LinAlgError("no way out")
            flow[k + 1 :, k] /= pivot[k]
            share = flow[k + 1 :, k]
            flow[k + 1 :, k + 1 :] += share[:, None] * flow[k, k + 1 :]
            lost[k + 1 :] += share * lost[k]

    def solve(b: np.ndarray, transpose: bool = False) -> np.ndarray:
        x = np.array(b, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            if transpose:
                for k in range(n):
                    x[k] /= pivot[k]
                    x[k + 1 :] += flow[k, k + 1 :] * x[k]
                for k in range(n - 1, -1, -1):
                    x[k] += flow[k + 1 :, k] @ x[k + 1 :]
                return x
            for k in range(n):
                x[k + 1 :] += np.multiply.outer(flow[k + 1 :, k], x[k])
            for k in range(n - 1, -1, -1):
                x[k] = (x[k] + flow[k, k + 1 :] @ x[k + 1 :]) / pivot[k]
        return x

    return solve
