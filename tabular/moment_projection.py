r"""Maximum-entropy corrections of rows of probabilities, thousands at once.

For a row :math:`\hat p`, functions :math:`\phi_1 \ldots \phi_d` and targets :math:`\psi`,

.. math:: \bar p = \arg\min_q KL(q \| \hat p) \text{ subject to } E_q \phi_i = \psi_i \qquad (\beta = 0),
.. math:: \bar p = \arg\min_q KL(q \| \hat p) + \beta^{-2} \sum_i (E_q \phi_i - \psi_i)^2 \qquad (\beta > 0).

Both are tilts :math:`\hat p(t) e^{\lambda\cdot\phi(t)} / Z`, with :math:`\lambda` the minimiser of
:math:`\log E_{\hat p} e^{\lambda\cdot\phi} - \lambda\cdot\psi + (\beta^2/4)|\lambda|^2`. Source: mocovi, problems (P1), (P2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.errors import NotConverged, TabularError
from tabular.mdp import CSR

RANK_TOL = 1e-10
MAX_ITER = 300
LEAST_BETA = 1e-150
STATUSES = ("CONVERGED", "INFEASIBLE", "MAX_ITER", "NONFINITE")


class InfeasibleMoments(TabularError):
    """No distribution on a row's support has the moments asked for; ``projection`` holds the proof."""

    def __init__(self, message: str, projection: MomentProjection) -> None:
        super().__init__(message)
        self.projection = projection


@dataclass(frozen=True)
class MomentProjection:
    """The corrected rows.

    Attributes
    ----------
    q : the corrected rows, dense (N, n) or a ``CSR``, as the rows were given.
    lam : (N, d) dual variables; zero for functions that were dropped.
    moments : (N, d) ``E_q phi``.
    kl : (N,) ``KL(q || p_hat)``, in nats.  dual : (N,) ``-f(lam)``, below the least divergence (with its penalty) up to
        rounding; for beta = 0 ``kl - dual`` is the duality gap.
    status : (N,) index into ``STATUSES``.  iterations : (N,) Newton steps.
    dropped : (N, d) functions that are, on the row's support, a combination of those before them and of a constant.
    direction : (N, d) where infeasible: ``direction . psi`` exceeds ``direction . phi`` on all of the support. Else zero.
    """

    q: Any
    lam: np.ndarray
    moments: np.ndarray
    kl: np.ndarray
    dual: np.ndarray
    status: np.ndarray
    iterations: np.ndarray
    dropped: np.ndarray
    direction: np.ndarray
    rows: CSR
    phi: np.ndarray
    psi: np.ndarray
    beta: float

    @property
    def residual(self) -> np.ndarray:
        """(N,) largest ``|E_q phi - psi|`` of a row, dropped functions included."""
        return np.asarray(np.abs(self.moments - self.psi).max(axis=1, initial=0.0))

    def certify(self) -> MomentCertificate:
        """Rigorous bounds for every row, rounding included; about a hundred times the cost of the projection itself."""
        return certify(self)


@dataclass(frozen=True)
class MomentCertificate:
    """What is proved of each row; infinite where nothing is.

    With a penalty, ``upper`` and ``distance`` are finite in every row that ended in finite numbers. Where ``beta`` is
    small beside the gap that it is to close, digits of the exponents are lost: then they are wide.

    Attributes
    ----------
    log_ratio : (N,) the exact correction by the functions kept is ``q`` times factors within ``exp(+-log_ratio)``.
    distance : (N,) upper bound on the sum of ``|q - exact correction|``: also where entries are below all floats.
    residual : (N,) upper bound on ``|E_q phi - psi|`` over the functions, dropped ones included.
    lower, upper : (N,) of the least divergence (with its penalty).
    margin : (N,) lower bound on ``direction . psi - max_t direction . phi(t)``: positive proves infeasibility.
    """

    log_ratio: np.ndarray
    distance: np.ndarray
    residual: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    margin: np.ndarray


def project_moments(
    p_hat: Any,
    phi: Any,
    psi: Any,
    *,
    beta: float = 0.0,
    rank_tol: float = RANK_TOL,
    max_iter: int = MAX_ITER,
    threads: int | None = 1,
    throw: bool = True,
) -> MomentProjection:
    """Correct N rows of probabilities by d moments each.

    Parameters
    ----------
    p_hat : (N, n) array, or ``CSR`` of N rows: non-negative rows that sum to one. Zeros stay zero.
    phi : (d, n) functions; with ``beta = 0`` earlier ones take precedence where they become collinear.
    psi : (N, d) their means asked for.
    beta : 0 for exact moments, positive for the penalty, in the unit of ``phi``: from 1e-150 to 1e150.
    rank_tol : with ``beta = 0``, a function is dropped whose part that is new on the support is below this share of it.
    threads : for parallel loops; None: all. The bits are the same.

    Raises
    ------
    ModelError naming the place for bad data; InfeasibleMoments naming the first row whose moments no distribution on its
    support has (by more than rounding), NotConverged for rows that ran out of steps, both unless ``throw=False``.

    Where targets are infeasible, a penalty drives ``lam`` to ``2 / beta^2`` times the gap, and digits are lost in its
    exponents: what is left is in ``residual`` and ``certify()``.

    Cost: a few Newton steps of ``O(support * d^2)`` for each row. Source: mocovi, (P1) and (P2).

    >>> project_moments([[0.5, 0.5]], [[0.0, 1.0]], [[0.25]]).q.round(12).tolist()
    [[0.75, 0.25]]
    """
    rows, dense = _rows(p_hat)
    n = dense[1] if dense else None
    F = check.float_array(phi, "phi")
    y = check.float_array(psi, "psi")
    N = len(rows.indptr) - 1
    if F.ndim != 2 or (n is not None and F.shape[1] != n) or (len(rows.indices) and F.shape[1] <= rows.indices.max()):
        check.fail(f"phi has shape {F.shape}: expected (d, {n if n is not None else int(rows.indices.max()) + 1})")
    if not len(F):
        check.fail(f"phi has shape {F.shape}: expected one function at least")
    if y.shape != (N, len(F)):
        check.fail(f"psi has shape {y.shape}: expected ({N}, {len(F)})")
    check.check_finite(F, "phi")
    check.check_finite(y, "psi")
    border.positive(beta, "beta", "the weight of exactness", zero=True)
    if beta and not LEAST_BETA <= beta <= 1 / LEAST_BETA:
        raise ValueError(
            f"beta is {beta}: expected 0, for exact moments, or a number from {LEAST_BETA:g} to {1 / LEAST_BETA:g}, "
            "whose square is a float"
        )
    border.positive(rank_tol, "rank_tol", "a share")
    border.count(max_iter, "max_iter")
    out = _run(rows, np.ascontiguousarray(F), np.ascontiguousarray(y), float(beta), rank_tol, int(max_iter), threads)
    if dense:
        full = np.zeros((N, F.shape[1]))
        full[np.repeat(np.arange(N), np.diff(rows.indptr)), rows.indices] = out["q"]
        out["q"] = full
    else:
        out["q"] = CSR(rows.indptr, rows.indices, out["q"])
    result = MomentProjection(rows=rows, phi=F, psi=y, beta=float(beta), **out)
    if border.flag(throw, "throw"):
        _refuse(result)
    return result


def _run(
    rows: CSR, F: np.ndarray, y: np.ndarray, beta: float, rank_tol: float, max_iter: int, n: Any
) -> dict[str, Any]:
    from tabular import _jit
    from tabular._kernels import moment_projection as kernels

    N, d = y.shape
    out: dict[str, Any] = {"q": np.empty(len(rows.data)), "lam": np.empty((N, d)), "moments": np.empty((N, d))}
    out |= {"dropped": np.empty((N, d), dtype=bool), "direction": np.empty((N, d))}
    out |= {"status": np.empty(N, dtype=np.int64), "iterations": np.empty(N, dtype=np.int64)}
    out |= {"kl": np.empty(N), "dual": np.empty(N)}
    z, work = np.empty((len(rows.data), d)), np.empty((N, kernels.work_size(d)))
    loop = kernels.project if n == 1 else kernels.project_parallel
    with _jit.threads(n):
        loop(
            rows.indptr, rows.indices, rows.data, F, y, beta * beta / 2.0, float(rank_tol), max_iter, z, work, out["q"],
            out["lam"], out["moments"], out["dropped"], out["direction"], out["status"], out["iterations"], out["kl"],
            out["dual"],
        )  # fmt: skip
    return out


def _rows(p_hat: Any) -> tuple[CSR, tuple[int, int] | None]:
    """Rows on their supports, and the dense shape if they came so; ModelError names a bad row."""
    if isinstance(p_hat, CSR):
        indptr, indices, data = (np.ascontiguousarray(x) for x in p_hat)
        check.check_probabilities(data, "p_hat.data")
        if (data == 0).any():
            check.fail(f"p_hat.data[{int(np.argmin(data))}] is 0: a support lists what is positive")
        rows, dense = CSR(indptr.astype(np.int64), indices.astype(np.int32), data.astype(np.float64)), None
        total = np.bincount(
            np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), weights=data, minlength=len(indptr) - 1
        )
        width = int(np.diff(indptr).max(initial=1))
    else:
        P = check.float_array(p_hat, "p_hat")
        if P.ndim != 2:
            check.fail(f"p_hat has shape {P.shape}: expected (N, n)")
        check.check_probabilities(P, "p_hat")
        at, to = np.nonzero(P)
        indptr = np.zeros(len(P) + 1, dtype=np.int64)
        np.cumsum(np.bincount(at, minlength=len(P)), out=indptr[1:])
        rows, dense = CSR(indptr, to.astype(np.int32), P[at, to]), (P.shape[0], P.shape[1])
        total, width = P.sum(axis=1), P.shape[1]
    off = np.abs(total - 1.0)
    if (off > check.row_tolerance(width)).any():
        i = int(np.argmax(off))
        check.fail(f"p_hat[{i}] sums to {total[i]:.17g}, {total[i] - 1.0:+.3g} from 1")
    return rows, dense


def _refuse(result: MomentProjection) -> None:
    infeasible = np.flatnonzero(result.status == 1)
    if len(infeasible):
        i = int(infeasible[0])
        v = np.array2string(result.direction[i], precision=4)
        raise InfeasibleMoments(
            f"row {i} ({len(infeasible)} in all): no distribution on its support has the moments {result.psi[i]}: "
            f"along {v} they exceed every value of phi",
            result,
        )
    stuck = np.flatnonzero(result.status > 1)
    if len(stuck):
        i = int(stuck[0])
        raise NotConverged(
            f"row {i} ({len(stuck)} in all) stopped {STATUSES[result.status[i]]} after {result.iterations[i]} steps, "
            f"its moments {result.residual[i]:.3g} from the targets{_lost(result, i)}",
            result,
        )


def _lost(result: MomentProjection, i: int) -> str:
    """With a penalty, what rounding of the exponents alone does to a row: no step mends it."""
    lo, hi = result.rows.indptr[i : i + 2]
    reach = float(np.ptp(result.lam[i] @ result.phi[:, result.rows.indices[lo:hi]])) if hi > lo else 0.0
    if result.beta == 0.0 or not reach > 1e6:
        return ""
    return f"; lam . phi spans {reach:.3g} there, so that its rounding changes probabilities by {reach * 2.0**-52:.1g}"


def certify(result: MomentProjection) -> MomentCertificate:
    """Bounds on every row of a projection by ``tabular.reference.moments``, in float64 enclosures."""
    from tabular.reference import EnclosureOps
    from tabular.reference.moments import by_penalty, enclose

    (N, d), rows = result.psi.shape, result.rows
    width = np.diff(rows.indptr)
    m = int(width.max(initial=1))
    owner = np.repeat(np.arange(N), width)
    place = np.arange(len(rows.data)) - np.repeat(rows.indptr[:-1], width)
    p, where = np.zeros((N, m)), np.zeros((N, m), dtype=bool)
    p[owner, place], where[owner, place] = rows.data, True
    phi = np.zeros((N, d, m))
    phi[owner, :, place] = result.phi[:, rows.indices].T
    # Tilts do not change where constants are added to phi; centred and scaled, less cancels.
    centre = phi.sum(axis=2) / np.maximum(width, 1)[:, None]
    size = np.abs(np.where(where[:, None], phi - centre[..., None], 0.0)).max(axis=2, initial=0.0)
    size = np.exp2(np.ceil(np.log2(np.where(size > 0, size, 1.0))))  # powers of two divide exactly
    ops = EnclosureOps(N)
    lift = lambda x: ops.array(x, 1)  # noqa: E731
    keep = lift((~result.dropped).astype(np.float64))
    weights = ops.distribution(p, 1)
    full = (ops.array(phi, 2) - lift(centre)[:, None]) / lift(size)[:, None]
    targets = (lift(result.psi) - lift(centre)) / lift(size)
    beta = ops.constant(result.beta)
    with np.errstate(all="ignore"):
        lam, scale = lift(result.lam) * lift(size), lift(size)
        ridge = beta * beta / 2 / (scale * scale)
        found = enclose(ops, weights, full, targets, lam, ridge, keep, where)
        q = np.zeros((N, m))
        q[owner, place] = result.q.data if isinstance(result.q, CSR) else result.q[owner, rows.indices]
        off = ops.where(where, ops.log(ops.array(q, 1), where) - found.log_q, 0)  # what rounding made of the tilt
        spread, most = by_penalty(ops, full, found, ridge, where)
        moved = np.fmin(ops.bounds(found.spread)[1], ops.bounds(spread)[1])
        moved = np.where(np.isnan(moved), np.inf, moved)
        ratio = ops.bounds(ops.constant(moved) + ops.norm(off))[1]
        distance = _distance(ops, found, ops.array(q, 1), moved, where)
        gap = (ops.dot(full, ops.array(q, 1)[None, :]) - targets * ops.sum(ops.array(q, 1))) * scale
        residual = ops.bounds(ops.norm(gap))[1]
        beyond = ops.dot(ops.transpose(full - targets[:, None]), (lift(result.direction) * scale)[None, :])
        margin = -ops.bounds(ops.max(beyond, where))[1]
        low = ops.bounds(found.lower)[0]
        high = np.fmin(ops.bounds(found.upper)[1], ops.bounds(most)[1])
    feasible = (np.isfinite(moved) | (result.beta > 0)) & (result.status != 1)  # else no correction is known to exist
    unknown = lambda x: np.where(feasible & ~np.isnan(x), x, np.inf)  # noqa: E731
    margin = np.where(result.status == 1, margin, -np.inf)
    return MomentCertificate(unknown(ratio), unknown(distance), residual, low, unknown(high), margin)


def _distance(ops: Any, found: Any, q: Any, moved: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Bound (N,) of the sum of ``|q - q*|``, where the logarithms of the tilt and of ``q*`` differ by at most ``moved``.

    Of two distributions it is at most twice the sum of the positive differences over all entries but any one.
    """
    tilt, L = ops.where(where, found.q, 0), ops.constant(moved)
    rest = where & (np.arange(where.shape[1]) != np.argmax(ops.midpoint(tilt), axis=1)[:, None])
    others = ops.where(rest, ops.exp(found.log_q + L), 0)
    between = np.fmin(ops.bounds(ops.exp(L) - 1)[1], ops.bounds(2 * ops.sum(others))[1])
    rounding = ops.sum(ops.abs(q - tilt))
    return np.fmin(ops.bounds(ops.constant(between) + rounding)[1], ops.bounds(ops.sum(q) + 1)[1])
