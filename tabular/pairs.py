"""Models from their state-action pairs: what is listed is available, and nothing else is.

Two forms: records ``(s, a, row, r)`` one by one, and arrays over pairs as QuantEcon has them (``s_indices``, ``a_indices``,
rows of transitions). Either way the model is the one that ``MDP`` would make of the product form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.exact_model import ExactModel
from tabular.from_exact import stored
from tabular.mdp import CSR, MDP


def from_pairs(
    pairs: Iterable[Sequence[Any]],
    gamma: Any,
    *,
    S: int | None = None,
    A: int | None = None,
    rho: Any = None,
    sparse: bool | None = None,
    renormalise: bool = False,
    **labels: Any,
) -> MDP:
    """The MDP of a list of pairs.

    Parameters
    ----------
    pairs : records ``(s, a, row, r)`` or ``(s, a, row, r, end)`` in any order: in state ``s`` the action ``a`` earns ``r`` and
        leads to ``t`` with probability ``row[t]`` (a mapping, or S numbers), and ends the process with probability ``end``
        (0). A pair that is not listed is unavailable.
    gamma : discount in [0, 1].
    S, A : numbers of states and actions; None: as many as occur.
    rho, state_labels, action_labels, name, renormalise : as in ``MDP``.
    sparse : store as CSR; None: dense where small.

    Exact rationals in any row, end or reward make all of them exact: rows must then sum to exactly one.
    Raises ModelError naming the record and the pair; TypeError for what is no such record. Cost: linear in the entries.
    """
    listed = [_record(item, i) for i, item in enumerate(pairs)]
    if not listed:
        check.fail("pairs is empty: expected at least one state-action pair")
    n = 1 + max(max(s, *(t for t in row), s) for s, _, row, _, _ in listed)
    S = _size(S, n, "S", "states")
    A = _size(A, 1 + max(a for _, a, _, _, _ in listed), "A", "actions")
    listed = _in_order(listed, S, A)
    at = np.array([s * A + a for s, a, _, _, _ in listed], dtype=np.int64)
    counts = np.zeros(S * A, dtype=np.int64)
    counts[at] = [len(row) for _, _, row, _, _ in listed]
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = np.array([t for _, _, row, _, _ in listed for t in row], dtype=np.int64)
    numbers = [x for _, _, row, r, e in listed for x in (*row.values(), r, e)]
    if any(check.is_exact(x) for x in numbers):
        if renormalise:
            listed = [_divided(record) for record in listed]
        model = _exact(listed, at, (S, A), indptr, indices, gamma, rho)
        return stored(MDP.from_exact(model, **labels), sparse)
    data = np.array([float(x) for _, _, row, _, _ in listed for x in row.values()])
    R, end = np.full(S * A, -np.inf), np.zeros(S * A)
    R[at] = [float(r) for _, _, _, r, _ in listed]
    end[at] = [float(e) for _, _, _, _, e in listed]
    ends = end.reshape(S, A) if end.any() else None
    P = CSR(indptr, indices, data)
    return stored(MDP(P, R.reshape(S, A), gamma, end=ends, rho=rho, renormalise=renormalise, **labels), sparse)


def from_pair_arrays(
    s_indices: Any, a_indices: Any, P: Any, R: Any, gamma: Any, *, end: Any = None, A: int | None = None, **options: Any
) -> MDP:
    """The MDP of arrays over L pairs, in any order: pair i is action ``a_indices[i]`` in state ``s_indices[i]``.

    Parameters
    ----------
    s_indices, a_indices : (L,) integers.
    P : (L, S) array or scipy sparse matrix: row i has the transitions of pair i.  R : (L,) mean rewards.
    end : (L,), optional.  A : number of actions; None: as many as occur.
    options : ``rho``, ``sparse``, labels and so on, as in ``from_pairs``.

    Raises ModelError naming the entry, TypeError for wrong types. Cost: linear in the entries of ``P``.
    """
    s, a = _indices(s_indices, "s_indices"), _indices(a_indices, "a_indices")
    sparse = hasattr(P, "tocsr")
    matrix: Any = P.tocsr() if sparse else np.asarray(P) if check.is_exact(P) else check.float_array(P, "P")
    if matrix.ndim != 2:
        check.fail(f"P has shape {matrix.shape}: expected (L, S), one row for each pair")
    L, S = matrix.shape
    rewards = np.asarray(R) if check.is_exact(R) else check.float_array(R, "R")
    ends = None if end is None else np.asarray(end) if check.is_exact(end) else check.float_array(end, "end")
    for name, x in (("s_indices", s), ("a_indices", a), ("R", rewards), ("end", ends)):
        if x is not None and x.shape != (L,):
            check.fail(f"{name} has shape {x.shape}: expected ({L},), one entry for each row of P")
    for name, x in (("s_indices", s), ("a_indices", a)):
        if x.size and int(x.max()) >= 2**31:
            check.fail(f"{name}[{int(x.argmax())}] is {int(x.max())}: no model has so many")
    e = [0.0] * L if ends is None else ends.tolist()

    def row(i: int) -> dict[int, Any]:
        if sparse:
            part = slice(*matrix.indptr[i : i + 2])
            found: dict[int, Any] = {}
            for t, p in zip(matrix.indices[part].tolist(), matrix.data[part].tolist(), strict=True):
                found[t] = found.get(t, 0.0) + p
            return found
        return {t: p for t, p in enumerate(matrix[i].tolist()) if p != 0}

    r = rewards.tolist()
    return from_pairs([(s[i], a[i], row(i), r[i], e[i]) for i in range(L)], gamma, S=S, A=A, **options)


def _record(item: Any, i: int) -> tuple[int, int, dict[int, Any], Any, Any]:
    where = f"pairs[{i}]"
    if not isinstance(item, Sequence) or isinstance(item, (str, bytes)) or len(item) not in (4, 5):
        raise TypeError(f"{where} is {str(item)[:80]}: expected (s, a, row, reward) or (s, a, row, reward, end)")
    s, a, given, r, *rest = item
    for name, x in (("state", s), ("action", a)):
        _index(x, f"{where} has {name}")
    if hasattr(given, "tolist"):
        given = given.tolist()
    if isinstance(given, Mapping):
        row = dict(given)
    elif isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
        row = {t: p for t, p in enumerate(given) if not _is_zero(p)}
    else:
        raise TypeError(
            f"{where} has a row of type {type(given).__name__}: expected a mapping {{t: probability}} or S numbers"
        )
    for t, p in row.items():
        _index(t, f"{where} has successor")
        _number(p, f"the probability of {t} in {where}")
        if not p >= 0:
            check.fail(f"{where} has probability {p} of {t}: a probability cannot be negative")
    end = rest[0] if rest else 0
    _number(r, f"the reward of {where}")
    _number(end, f"the end of {where}")
    if not end >= 0:
        check.fail(f"{where} has end {end}: a probability cannot be negative")
    return int(s), int(a), dict(sorted((int(t), p) for t, p in row.items())), r, end


def _is_zero(p: Any) -> bool:
    return isinstance(p, (int, float, Fraction)) and p == 0


def _number(x: Any, name: str) -> None:
    """TypeError for what is no number, ModelError for what is not finite."""
    check.to_fraction(x, name)


def _index(x: Any, name: str) -> None:
    if isinstance(x, (bool, np.bool_)) or not isinstance(x, (int, np.integer)):
        raise TypeError(f"{name} {x!r}: expected an integer")
    if not 0 <= x < 2**31:
        check.fail(f"{name} {x}: indices count from 0, and no model has 2^31 of them")


def _indices(x: Any, name: str) -> np.ndarray:
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {x.dtype}: expected integers")
    return x


def _size(given: Any, least: int, name: str, what: str) -> int:
    if given is None:
        return least
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        raise TypeError(f"{name} is {given!r}: expected an integer")
    if given < least:
        check.fail(f"{name} is {given}, but there are {what} up to {least - 1}")
    return int(given)


def _in_order(listed: list[Any], S: int, A: int) -> list[Any]:
    """By state, then action; refused: a pair listed twice, a state that is listed in none."""
    seen: dict[tuple[int, int], int] = {}
    for i, (s, a, *_) in enumerate(listed):
        first = seen.setdefault((s, a), i)
        if first != i:
            check.fail(f"pairs[{i}] is state {s}, action {a}, as is pairs[{first}]: a pair is listed once")
    missing = sorted(set(range(S)) - {s for s, _ in seen}) if len({s for s, _ in seen}) < S else []
    if missing:
        check.fail(f"state {missing[0]} has no pair: each state needs an available action")
    return sorted(listed, key=lambda record: record[:2])


def _divided(record: Any) -> Any:
    s, a, row, r, e = record
    exact = {t: check.to_fraction(p, "P") for t, p in row.items()}
    last = check.to_fraction(e, "end")
    total = sum(exact.values(), last)
    if total == 0:
        check.fail(f"{check.place('P', (s, a))} sums to 0: no row to renormalise")
    return s, a, {t: p / total for t, p in exact.items()}, r, last / total


def _exact(
    listed: list[Any], at: np.ndarray, sizes: tuple[int, int], indptr: Any, indices: Any, gamma: Any, rho: Any
) -> Any:
    """Their exact model; floats among the rationals are taken as they are."""
    S, A = sizes
    weights: list[int] = []
    ends, totals, R = [0] * (S * A), [1] * (S * A), [Fraction(0)] * (S * A)
    for i, (s, a, row, r, e) in zip(at.tolist(), listed, strict=True):
        p = [check.to_fraction(x, "P", (s, a, t)) for t, x in row.items()]
        last = check.to_fraction(e, "end", (s, a))
        total = sum(p, last)
        if total != 1:
            check.fail(
                f"{check.place('P', (s, a))} sums to {check.shown(total)} with its end: exact rows sum to exactly 1"
            )
        unit = lcm(last.denominator, *(x.denominator for x in p))
        weights += [int(x * unit) for x in p]
        ends[i], totals[i], R[i] = int(last * unit), unit, check.to_fraction(r, "R", (s, a))
    mask = np.zeros(S * A, dtype=bool)
    mask[at] = True
    return ExactModel(S, A, mask.reshape(S, A), indptr, indices, weights, ends, totals, R, gamma, rho)
