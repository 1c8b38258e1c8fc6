"""The candidates of ``shrink``: what may be left out of an instance, or written shorter."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from proofs_check.domains import Features
from proofs_check.shrink import SIGNIFICANT, Draft, edited, exact_float, order, rounded, simpler

DISCOUNTS = (Fraction(0), Fraction(1, 2), Fraction(3, 4), Fraction(7, 8))
MOST_CHOICES = 64  # ways to leave out one action of each state


def sizes(d: Draft) -> Iterator[Draft]:
    """One state less, its mass redirected to another state or to the end of the process; one action less; one pair less."""
    if d.S > 1:
        for s in reversed(range(d.S)):
            for to in [t for t in range(d.S) if t != s] + [None]:
                yield _without_state(d, s, to)
    if d.A > 1:
        uniform = [(a,) * d.S for a in reversed(range(d.A))]
        mixed = product(range(d.A), repeat=d.S) if d.A**d.S <= MOST_CHOICES else iter(())
        for choice in [*uniform, *(c for c in mixed if len(set(c)) > 1)]:
            yield from _without_actions(d, choice)
    if any(not x for row in d.mdp["mask"] for x in row):
        for s, a in product(range(d.S), range(d.A)):
            if d.mdp["mask"][s][a] and sum(d.mdp["mask"][s]) > 1:
                yield _without_pair(d, s, a)


def _without_state(d: Draft, s: int, to: int | None) -> Draft:
    out = edited(d)
    S, A = d.S, d.A
    index = {t: t - (t > s) for t in range(S) if t != s}
    if to is not None:
        index[s] = index[to]
    for m in out.models():
        rows = []
        for i, row in enumerate(m["P"]):
            mass: dict[int, Fraction] = {}
            for t, p in row:
                if t == s and to is None:
                    m["end"][i] += p
                else:
                    mass[index[t]] = mass.get(index[t], Fraction(0)) + p
            rows.append([[t, mass[t]] for t in sorted(mass)])
        keep = [i for i in range(S * A) if i // A != s]
        m |= {"S": S - 1, "P": [rows[i] for i in keep], "R": [m["R"][i] for i in keep]}
        m |= {"end": [m["end"][i] for i in keep], "mask": [r for t, r in enumerate(m["mask"]) if t != s]}
        if m["rho"] is not None:
            m["rho"] = _renormalised([x for t, x in enumerate(m["rho"]) if t != s])
    for x in out.draws.values():
        _cut(x, S, 0, [t for t in range(S) if t != s])
    return out


def _without_actions(d: Draft, choice: tuple[int, ...]) -> Iterator[Draft]:
    """Without action ``choice[s]`` in each state."""
    if any(sum(m["mask"][s]) - m["mask"][s][a] < 1 for m in d.models() for s, a in enumerate(choice)):
        return
    out = edited(d)
    keep = [s * d.A + a for s in range(d.S) for a in range(d.A) if a != choice[s]]
    for m in out.models():
        for key in ("P", "R", "end"):
            m[key] = [m[key][i] for i in keep]
        m["mask"] = [[x for a, x in enumerate(row) if a != choice[s]] for s, row in enumerate(m["mask"])]
        m["A"] = d.A - 1
    for x in out.draws.values():
        if x["form"] != "model" and tuple(x["shape"]) == (d.S, d.A):
            x |= {"data": [x["data"][i] for i in keep], "shape": [d.S, d.A - 1]}
        elif x["form"] != "model" and tuple(x["shape"]) == (d.A,) and d.A != d.S:
            x |= {"data": [y for a, y in enumerate(x["data"]) if a != choice[0]], "shape": [d.A - 1]}
        _filled(x)
    yield out


def _without_pair(d: Draft, s: int, a: int) -> Draft:
    out = edited(d)
    i = s * d.A + a
    out.mdp["mask"][s][a] = False
    out.mdp["P"][i], out.mdp["R"][i], out.mdp["end"][i] = [], Fraction(0), Fraction(0)
    for x in out.draws.values():
        if x["form"] != "model" and tuple(x["shape"]) == (d.S, d.A):
            x["data"][i] = Fraction(0)
            _filled(x, out.mdp["mask"])
    return out


def _cut(x: dict[str, Any], S: int, axis: int, keep: list[int]) -> None:
    """Leave out a state of drawn data whose first axis are the states."""
    if x["form"] == "model" or not x["shape"] or x["shape"][axis] != S:
        return
    data = np.array(x["data"], dtype=object).reshape(x["shape"])[keep]
    x |= {"data": data.ravel().tolist(), "shape": list(data.shape)}
    _filled(x)


def _filled(x: dict[str, Any], mask: Any = None) -> None:
    """A row of weights that lost all of its mass becomes a point at its first entry."""
    if x["form"] != "distribution":
        return
    data = np.array(x["data"], dtype=object).reshape(x["shape"])
    rows = data.reshape(-1, data.shape[-1])
    for s, row in enumerate(rows):
        if not any(row):
            row[0 if mask is None else list(mask[s]).index(True)] = Fraction(1)
    x["data"] = rows.ravel().tolist()


def _renormalised(rho: list[Fraction]) -> list[Fraction]:
    total = sum(rho)
    return [x / total for x in rho] if total else [Fraction(int(t == 0)) for t in range(len(rho))]


def rows(d: Draft, f: Features) -> Iterator[Draft]:
    """Points of mass for rows of probabilities and weights; no endings; equal parts."""
    for k, m in enumerate(d.models()):
        for i, row in enumerate(m["P"]):
            if len(row) + (m["end"][i] != 0) > 1:
                yield from (_row(d, k, i, [[t, Fraction(1)]], Fraction(0)) for t, _ in row)
                if f.endings and m["end"][i]:
                    yield _row(d, k, i, [], Fraction(1))
                    yield _row(d, k, i, [[t, p / (1 - m["end"][i])] for t, p in row], Fraction(0))
                if len(row) > 1:
                    yield _row(d, k, i, [[t, Fraction(1, len(row))] for t, _ in row], Fraction(0))
                for one in (2, 4, 8, 16, 64, 1024):
                    if (simple := _rounded([*(p for _, p in row), m["end"][i]], one)) is not None:
                        yield _row(d, k, i, [[t, p] for (t, _), p in zip(row, simple, strict=False)], simple[-1])
    for name, x in d.draws.items():
        if x["form"] == "distribution":
            yield from _points(d, name, x)


def _row(d: Draft, k: int, i: int, row: list[Any], end: Fraction) -> Draft:
    out = edited(d)
    m = out.models()[k]
    m["P"][i], m["end"][i] = [[t, p] for t, p in row if p], end
    return out


def _rounded(parts: list[Fraction], one: int) -> list[Fraction] | None:
    """The parts in multiples of 1 / one, the largest taking up the difference; None where it would vanish."""
    out = [Fraction(round(p * one), one) for p in parts]
    largest = parts.index(max(parts))
    out[largest] += 1 - sum(out)
    return out if out != parts and min(out) >= 0 and out[largest] > 0 else None


def _points(d: Draft, name: str, x: dict[str, Any]) -> Iterator[Draft]:
    data = np.array(x["data"], dtype=object).reshape(-1, x["shape"][-1])
    for s, row in enumerate(data):
        support = np.flatnonzero(row)
        options = [np.eye(len(row), dtype=int)[j] for j in support] if len(support) > 1 or row.max() > 1 else []
        options += [(row > 0).astype(int)] if row.max() > 1 else []
        total = sum(row)
        for one in (2, 4, 8, 16, 64, 256, 4096):
            simple = _rounded([Fraction(w) / total for w in row], one)
            if simple is not None:
                options.append(np.array([int(p * one) for p in simple]))
        for option in options:
            out = edited(d)
            new = data.copy()
            new[s] = [Fraction(int(w)) for w in option]
            out.draws[name]["data"] = new.ravel().tolist()
            yield out


def numbers(d: Draft) -> Iterator[Draft]:
    """All numbers of reward times a power of two; array by array: zero, without their level, coarse, each number shorter."""
    for power in (20, 12, 8, 4, 2, 1, -1, -2, -4, -8, -12, -20):
        yield from _scaled(d, Fraction(2) ** -power)
    for k, m in enumerate(d.models()):
        for new in _arrays(m["R"]):
            yield _with_rewards(d, k, new)
        for y in simpler(m["gamma"]):
            out = edited(d)
            out.models()[k]["gamma"] = y
            yield out
    if len(d.models()) > 1 and len({m["gamma"] for m in d.models()}) == 1:
        for y in simpler(d.mdp["gamma"]):
            out = edited(d)
            for m in out.models():
                m["gamma"] = y
            yield out
    for name, x in d.draws.items():
        if x["form"] == "array":
            for new in _arrays(x["data"]):
                if all(map(exact_float, new)):
                    out = edited(d)
                    out.draws[name]["data"] = new
                    yield out


def _arrays(x: list[Fraction]) -> Iterator[list[Fraction]]:
    """Simpler arrays: zero; without its first entry's level; rounded throughout; then entry by entry."""
    if any(x):
        yield [Fraction(0)] * len(x)
    if len(x) > 1 and x[0]:
        yield [y - x[0] for y in x]
    top = order(max(map(abs, x))) if any(x) else 0
    for power in [top - bits for bits in SIGNIFICANT] + [-bits for bits in SIGNIFICANT]:
        new = [rounded(y, power) for y in x]
        if new != x:
            yield new
    for i, y in enumerate(x):
        for z in simpler(y):
            yield [*x[:i], z, *x[i + 1 :]]


def _with_rewards(d: Draft, k: int, new: list[Fraction]) -> Draft:
    out = edited(d)
    m = out.models()[k]
    allowed = [bool(x) for row in m["mask"] for x in row]
    m["R"] = [y if free else Fraction(0) for y, free in zip(new, allowed, strict=True)]
    return out


def coarse(d: Draft) -> Iterator[Draft]:
    """Every discount at once with every rounding of rewards and of drawn arrays: ways out of a minimum in each alone."""
    arrays = [x["data"] for x in d.draws.values() if x["form"] == "array" and x["shape"]]
    largest = max((abs(y) for x in [*arrays, *(m["R"] for m in d.models())] for y in x), default=Fraction(0))
    if not largest:
        return
    powers = [order(largest) - bits for bits in (0, 1, 2, 3, 4)]
    for gamma, R, V in product([*DISCOUNTS, d.mdp["gamma"]], powers, powers):
        out = edited(d)
        for m in out.models():
            m["gamma"], m["R"] = gamma, [rounded(y, R) for y in m["R"]]
        for x in out.draws.values():
            if x["form"] == "array" and x["shape"]:
                x["data"] = [rounded(y, V) for y in x["data"]]
        if all(exact_float(y) for x in out.draws.values() if x["form"] == "array" for y in x["data"]):
            yield out


def _scaled(d: Draft, factor: Fraction) -> Iterator[Draft]:
    """Rewards and all drawn arrays times a power of two, and the same with scalars left as they are."""
    for scalars in (True, False):
        out = edited(d)
        for m in out.models():
            m["R"] = [x * factor for x in m["R"]]
        for x in out.draws.values():
            if x["form"] == "array" and (x["shape"] or scalars):
                x["data"] = [y * factor for y in x["data"]]
        if all(exact_float(y) for x in out.draws.values() if x["form"] == "array" for y in x["data"]):
            yield out
