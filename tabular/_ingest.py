"""Reading a model's numbers: floats or rationals, dense or CSR, checked and made canonical.

Everything that can be wrong with what a user gives is refused here, by name and place.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular import _validate as check
from tabular._rows import CSR, LOST, as_csr, check_csr, finished
from tabular.exact_model import rational_weights, rounded


class Given(NamedTuple):
    """Exact numbers as given; None where the floats are the model."""

    weights: tuple[list[int], list[int], list[int]] | None
    R: list[Fraction] | None
    gamma: Fraction
    rho: list[Fraction] | None

    def lists(self) -> list[Any]:
        return [*(self.weights or ()), self.R, self.rho]


class Rows(NamedTuple):
    P: Any
    R: np.ndarray
    mask: np.ndarray
    end: np.ndarray
    weights: tuple[list[int], list[int], list[int]] | None
    R_exact: list[Fraction] | None
    off: float | None = None  # largest |float row sum - 1|, where it was looked at


def fractions(n: np.ndarray, d: np.ndarray) -> np.ndarray:
    n, d = np.broadcast_arrays(n, d)
    out = np.empty(n.shape, dtype=object)
    out.flat[:] = [Fraction(int(x), int(y)) for x, y in zip(n.flat, d.flat, strict=True)]
    return out


def read_rewards(R: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Rewards as floats (with -inf) and, where rationals were given, as an object array of Fractions (0 where -inf)."""
    if not check.is_exact(R):
        return check.float_array(R, "R"), None
    R = np.asarray(R, dtype=object)
    exact = np.empty(R.shape, dtype=object)
    floats = np.empty(R.shape)
    for i, x in np.ndenumerate(R):
        if isinstance(x, float) and x == -np.inf:
            exact[i], floats[i] = Fraction(0), -np.inf
        else:
            exact[i] = y = check.to_fraction(x, "R", i)
            floats[i] = check.to_float(y, "R", i)
    return floats, exact


def _sizes(R: np.ndarray) -> tuple[int, int]:
    if R.ndim not in (2, 3) or 0 in R.shape:
        check.fail(f"R has shape {R.shape}: expected (S, A) with S, A >= 1 (or (S, A, S))")
    return R.shape[0], R.shape[1]


def _end(end: Any, S: int, A: int) -> np.ndarray:
    if end is None:
        return np.zeros((S, A))
    out = check.float_array(end, "end") + 0.0
    if out.shape != (S, A):
        check.fail(f"end has shape {out.shape}: expected ({S}, {A})")
    check.check_probabilities(out, "end")
    return out


def check_end_reward(end_reward: Any, ndim: int, ends: bool, S: int, A: int) -> None:
    """Rewards by next state say nothing of steps that end, which have none: ``end_reward`` must."""
    if end_reward is None:
        if ndim == 3 and ends:
            check.fail(
                "R of shape (S, A, S) says nothing of the steps that end: give end_reward (S, A), what such a step "
                "earns (zeros if nothing), or mean rewards R of shape (S, A)"
            )
        return
    if ndim == 2:
        check.fail(
            "end_reward goes with R of shape (S, A, S): R of shape (S, A) has the rewards of ending in its means"
        )
    if np.shape(end_reward) != (S, A):
        check.fail(f"end_reward has shape {np.shape(end_reward)}: expected ({S}, {A})")


def float_rows(P: Any, R: Any, end: Any, renormalise: bool, copy: bool, end_reward: Any = None) -> Rows:
    R, R_exact = read_rewards(R)
    S, A = _sizes(R)
    sparse = as_csr(P, S, A)
    if sparse is None:
        P = check.float_array(P, "P", copy)
        if P.shape != (S, A, S):
            check.fail(f"P has shape {P.shape}: expected ({S}, {A}, {S}) to match R of shape {R.shape}")
        check.check_probabilities(P, "P")
        if copy:
            P += 0.0  # no negative zeros
        total = check.row_sums(P)
    else:
        P = sparse
        check_csr(P, A)
        owner = np.repeat(np.arange(S * A), np.diff(P.indptr))
        total = np.bincount(owner, weights=P.data, minlength=S * A).reshape(S, A)
    three = R.ndim == 3
    e = _end(end, S, A)
    check_end_reward(end_reward, R.ndim, bool(e.any()), S, A)
    if three:
        R, R_exact = _mean_rewards(P, R, R_exact, S, A)
        if end_reward is not None:
            last = check.float_array(end_reward, "end_reward")
            check.check_finite(last, "end_reward")
            with np.errstate(over="ignore", invalid="ignore"):
                R = R + e * last
        check.check_finite(R, "the mean of R")
    mask = check.check_rewards(R)
    with np.errstate(over="ignore"):
        total = total + e
    P, e, scale = finished(P, e, total, mask, end is not None, renormalise, owned=copy)
    if three:
        R = R / scale
        check.check_finite(R, "the mean of R")
    rewards = np.where(mask, R, 0.0) + 0.0
    off = None if renormalise else float(np.abs(total - 1.0)[mask].max(initial=0.0))
    return Rows(P, rewards, mask, e, None, None if R_exact is None else list(R_exact.ravel()), off)


def _mean_rewards(P: Any, R3: np.ndarray, exact: Any, S: int, A: int) -> tuple[np.ndarray, None]:
    """``R[s, a] = sum_t P[s, a, t] R3[s, a, t]``, without what endings earn."""
    if exact is not None:
        check.fail("R of shape (S, A, S) in exact rationals needs exact P as well")
    if isinstance(P, CSR) or R3.shape != (S, A, S):
        check.fail(f"R has shape {R3.shape}: expected ({S}, {A}), or ({S}, {A}, {S}) beside a dense P")
    used = P > 0
    if not np.isfinite(R3[used]).all():
        i = check.first(used & ~np.isfinite(R3))
        check.fail(f"{check.place('R', i)} is {R3[i]}: a transition that can happen needs a finite reward")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sum(P * np.where(used, R3, 0.0), axis=-1), None


def exact_rows(P: Any, R: Any, end: Any, renormalise: bool, end_reward: Any = None) -> Rows:
    """Rows of rationals: they must sum to exactly one, or are divided by their sums."""
    if isinstance(P, CSR):
        check.fail("exact rationals come as a dense (S, A, S) array; use to_sparse() afterwards")
    R, R_exact = read_rewards(R)
    S, A = _sizes(R)
    P = np.asarray(P, dtype=object)
    if P.shape != (S, A, S):
        check.fail(f"P has shape {P.shape}: expected ({S}, {A}, {S}) to match R of shape {R.shape}")
    e = np.zeros((S, A), dtype=object) if end is None else np.asarray(end, dtype=object)
    if e.shape != (S, A):
        check.fail(f"end has shape {e.shape}: expected ({S}, {A})")
    indptr, indices, data, ends = [0], [], [], []
    R3 = R_exact if R_exact is not None else None
    if R.ndim == 3:
        if R.shape != P.shape:
            check.fail(f"R has shape {R.shape}: expected ({S}, {A}) or ({S}, {A}, {S})")
        R3 = R3 if R3 is not None else np.vectorize(Fraction, otypes=[object])(np.where(np.isfinite(R), R, 0.0))
        mean = np.empty((S, A), dtype=object)
    check_end_reward(end_reward, R.ndim, any(x != 0 for x in e.flat), S, A)
    last = None if end_reward is None else np.asarray(end_reward, dtype=object)
    mask = np.ones((S, A), dtype=bool) if R.ndim == 3 else check.check_rewards(R)
    for s in range(S):
        for a in range(A):
            row = {t: check.to_fraction(x, "P", (s, a, t)) for t, x in enumerate(P[s, a])}
            x = check.to_fraction(e[s, a], "end", (s, a))
            if (bad := next((t for t, p in row.items() if p < 0), None)) is not None:
                check.fail(f"P[{s}, {a}, {bad}] is {check.shown(row[bad])}: a probability cannot be negative")
            if x < 0:
                check.fail(f"end[{s}, {a}] is {check.shown(x)}: a probability cannot be negative")
            total = sum(row.values()) + x
            if renormalise and total > 0:
                row, x, total = {t: p / total for t, p in row.items()}, x / total, Fraction(1)
            if total != 1 and (mask[s, a] or total != 0):
                what = " with its end" if end is not None else ""
                check.fail(f"P[{s}, {a}] sums to {check.shown(total)}{what}: exact rows sum to exactly 1")
            if R.ndim == 3:
                if (bad := next((t for t, p in row.items() if p and not np.isfinite(R[s, a, t])), None)) is not None:
                    check.fail(
                        f"R[{s}, {a}, {bad}] is {R[s, a, bad]}: a transition that can happen needs a finite reward"
                    )
                mean[s, a] = sum((p * R3[s, a, t] for t, p in row.items()), Fraction(0))  # type: ignore[index]
                if last is not None:
                    mean[s, a] += x * check.to_fraction(last[s, a], "end_reward", (s, a))
            kept = {t: p for t, p in row.items() if p} if mask[s, a] else {}
            indices += list(kept)
            data += list(kept.values())
            ends.append(x if mask[s, a] else Fraction(0))
            indptr.append(len(indices))
    if R.ndim == 3:
        R_exact, R = mean, np.zeros((S, A))
        for i, y in np.ndenumerate(mean):
            R[i] = check.to_float(y, "the mean of R", i)
    ptr = np.array(indptr, dtype=np.int64)
    w, ew, totals = rational_weights(ptr, data, ends)
    dense = np.zeros((S * A, S))
    owner = np.repeat(np.arange(S * A), np.diff(ptr))
    dense[owner, np.array(indices, dtype=np.int64)] = rounded(w, [totals[i] for i in owner])
    end_float = rounded(ew, totals).reshape(S, A)
    if np.count_nonzero(dense) < len(w) or np.count_nonzero(end_float) < sum(x > 0 for x in ew):
        check.fail(LOST)
    rewards = np.where(mask, R, 0.0) + 0.0
    R_list = None if R_exact is None else list(R_exact.ravel())
    return Rows(dense.reshape(S, A, S), rewards, mask, end_float, (w, ew, totals), R_list)
