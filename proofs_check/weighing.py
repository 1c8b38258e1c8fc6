"""From what was kept of trials, comparisons, scalings, orders and witnesses to a verdict.

Samples are weighed in the order of their chunks, and looked at whenever every family has had its turn: a refutation at any
look stands (Ville's inequality holds at all times at once), ``holds`` is for what was seen in the end. Numbers
printed are rounded outwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from math import floor, log
from typing import Any

import numpy as np

from proofs_check.statistics import confidence, eprocess
from proofs_check.statistics.eprocess import HOLDS, REFUTES

LEVEL = 1 / 20  # at which limits are printed
_TINY = 1e-300  # below, floats have fewer digits than are printed


@dataclass(frozen=True)
class Weighed:
    """A verdict with what it rests on, why, and its numbers; ``ratio`` as in ``Verdict``."""

    verdict: str
    rests_on: str
    reason: str
    details: dict[str, Any] = field(default_factory=dict)
    ratio: float | None = None
    ratio_at: str = ""


def weigh(kind: str, samples: list[dict[str, Any]], tally: Any) -> Weighed:
    """The verdict of samples of one kind; ``tally`` counts instances, refuted and open ones."""
    return _weighers()[kind](samples, tally)


def _trial(samples: list[dict[str, Any]], _: Any) -> Weighed:
    looks = _looks(samples, "failed")
    digits = np.concatenate([s["failed"] for s in samples])
    low, high = (np.concatenate([s[end] for s in samples]) for end in ("low", "high"))
    n = int(looks[-1])
    sure, possible = np.cumsum(digits == 1), np.cumsum(digits != 0)
    delta = float(high.max())
    constant = bool(low.min() == low.max() and high.min() == high.max())
    if constant:
        against = eprocess.log_rate_above(sure[looks - 1], looks, delta)
        for_it = float(eprocess.log_rate_below(possible[-1], n, low[0]))
    else:
        against = np.array([eprocess.log_each_above(digits[:k] == 1, high[:k]) for k in looks])
        for_it = eprocess.log_each_below(digits != 0, low)
    worst = int(np.argmax(against >= REFUTES)) if (against >= REFUTES).any() else len(looks) - 1
    upper = float(confidence.upper_rate(possible[-1], n, LEVEL))
    least = float(confidence.least_delta(sure[-1], n, REFUTES))
    details: dict[str, Any] = {
        "trials": n,
        "failures": int(sure[-1]),
        "open": int((digits == 2).sum()),
        "delta": [float(low.min()), delta],
        "upper_limit": upper,
        "least_delta": least,
        "log10_e_refutes": tens(against[worst]),
        "log10_e_holds": tens(for_it),
    }
    said = "delta" if not constant else f"delta = {delta:g}"
    failures, at_look = int(sure[-1]), int(sure[looks[worst] - 1])
    rests_on = (
        f"on {count(n, 'trial')}, {count(failures, 'failure')}{opened(details['open'])}: at most {up(upper)} on average "
        f"over the family (19/20, at any time) for {said}; e = {power(for_it)} that it is less"
    )
    if against[worst] >= REFUTES:
        reason = f"fails more often than {said}: {at_look:,} of {looks[worst]:,} trials, e = {power(against[worst])}"
        return Weighed("refuted", rests_on, reason, details)
    where = next((s["first"] for s in samples if "first" in s), "")
    ratio = least / delta if constant and where else None
    if for_it >= HOLDS:
        return Weighed("holds", rests_on, "", details, ratio, where)
    return Weighed("undecided", rests_on, f"e = {power(for_it)} for {said}, where 20 is needed", details, ratio, where)


def _comparison(samples: list[dict[str, Any]], _: Any) -> Weighed:
    looks = _looks(samples, "low")
    low, high, bound = (np.concatenate([s[name] for s in samples]) for name in ("low", "high", "bound"))
    bets = eprocess.timid()
    losses = (1.0 - high) / 2  # betting that B beats A
    against = np.array([float(eprocess.log_wealth(losses[:k], 0.5, bets)) for k in looks])
    for_it = float(eprocess.log_wealth((1.0 + low) / 2, 0.5, bets))
    first = float(confidence.lower_mean((1.0 + low) / 2, LEVEL))
    last = float(confidence.upper_mean((1.0 + high) / 2, LEVEL))
    one = bool(bound.min() == bound.max())
    scale = float(bound[0]) if one else 1.0
    interval = [
        float(np.nextafter((2 * first - 1) * scale, -np.inf)),
        float(np.nextafter((2 * last - 1) * scale, np.inf)),
    ]
    details: dict[str, Any] = {
        "pairs": int(looks[-1]),
        "mean": float(((low + high) / 2).mean() * scale),
        "interval": interval,
        "bound": [float(bound.min()), float(bound.max())],
        "relative": not one,
        "log10_e_holds": tens(for_it),
        "log10_e_refutes": tens(against.max()),
    }
    unit = "" if one else " of what is possible"
    within = f"[{down(interval[0])}, {up(interval[1])}]"
    rests_on = (
        f"on {count(int(looks[-1]), 'pair')}: mean difference {details['mean']:.4g}{unit}, in {within} "
        f"(each limit 19/20, at any time); |a - b| <= {up(details['bound'][1])}"
    )
    if against.max() >= REFUTES:
        return Weighed("refuted", rests_on, f"B beats A: e = {power(against.max())}", details)
    if for_it >= HOLDS:
        return Weighed("holds", rests_on, "", details)
    return Weighed("undecided", rests_on, f"e = {power(for_it)} for a positive mean, where 20 is needed", details)


def _looks(samples: list[dict[str, Any]], name: str) -> np.ndarray:
    """Numbers of trials at which the evidence is looked at: when every family has had its turn."""
    total = np.cumsum([len(s[name]) for s in samples])
    turn = [s["at"].rpartition(":")[2] for s in samples]
    last = [k for k in range(len(turn)) if k + 1 == len(turn) or turn[k] != turn[k + 1]]
    return np.asarray(total[last])


def count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def opened(n: int) -> str:
    return f", {n:,} open" if n else ""


def tens(log_e: Any) -> float:
    """log10, for JSON: finite, rounded downwards."""
    return floor(max(float(log_e), -1e6) / log(10) * 1000) / 1000


def power(log_e: Any) -> str:
    """E.g. "3.2e+08", rounded downwards; "0" below 10^-9."""
    exponent = float(log_e) / log(10)
    if exponent < -9:
        return "0"
    whole = floor(exponent)
    return f"{floor(10 ** (exponent - whole) * 10) / 10:.1f}e{whole:+03d}"


def up(x: float) -> str:
    """Four significant digits, upwards."""
    return _rounded(x, ROUND_CEILING)


def down(x: float) -> str:
    return _rounded(x, ROUND_FLOOR)


def _rounded(x: float, way: str) -> str:
    """In decimals, since the fourth digit of a number near 10^-308 is no float."""
    if x == 0 or not np.isfinite(x):
        return f"{x:g}"
    d = Context(prec=4, rounding=way).create_decimal_from_float(float(x))
    return f"{float(d):.4g}" if abs(x) > _TINY else f"{d:.3e}"


def _weighers() -> dict[str, Any]:
    from proofs_check import weighing_ranges as ranges

    return {
        "Trial": _trial,
        "Comparison": _comparison,
        "Scaling": ranges.scaling,
        "Order": ranges.order,
        "Witness": ranges.witness,
    }
