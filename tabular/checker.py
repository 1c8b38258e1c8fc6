"""An independent checker of rational certificates: Python's standard library and integer arithmetic,
nothing else.

A certificate states a finite MDP in integers and rationals, and bounds V_lo, V_hi on its optimal values V*.
Row (s, a) moves to t with probability w_t / W and ends with probability w_end / W, where W is the sum of
the row's weights; TV(s) is the greatest of R + gamma sum_t (w_t / W) V(t) over the rows of s. It is
accepted if V_lo <= V_hi, T V_lo >= V_lo and, with gamma < 1, T V_hi <= V_hi: then V_lo <= V* <= V_hi, since
T is a monotone contraction. With gamma = 1 (total reward) T V_hi < V_hi is asked for in every state: let d
be the least V_hi - T V_hi and x = V_hi - V_lo. For any policy the reward until step N is at most V_hi -
E[V_hi after N] - d E[steps], so V* <= V_hi, and policies that never end are worth minus infinity; a policy
greedy for V_lo has x - P x >= d with x >= 0, so it ends after at most x/d expected steps and its value is
at least V_lo.

    python -m tabular.checker FILE       exit code 0 if accepted, 1 if rejected, 3 if there is no such file
"""

import json
import re
import sys
from fractions import Fraction
from math import lcm
from typing import Any, NamedTuple

FORMAT, VERSION = "tabular-rational-certificate", 1
NUMBER = re.compile(r"-?[0-9]{1,1200}(/[0-9]{1,1200})?")
MAX_STATES, MAX_ENTRIES, MAX_TEXT, MAX_DENOMINATOR_BITS = 10**6, 10**6, 2**28, 8192


class Verdict(NamedTuple):
    """``gap`` is the greatest V_hi - V_lo of an accepted certificate, else None."""

    accepted: bool
    reason: str
    gap: Fraction | None


class _Rejected(Exception):
    pass


def _need(condition: bool, reason: str) -> None:
    if not condition:
        raise _Rejected(reason)


def _number(x: Any, name: str) -> tuple[int, int]:
    _need(type(x) is str and NUMBER.fullmatch(x) is not None, f"{name} is not a rational of at most 1200 digits")
    top, _, bottom = x.partition("/")
    _need(not bottom or int(bottom) != 0, f"{name} has denominator 0")
    return int(top), int(bottom or 1)


def _index(x: Any, limit: int, name: str) -> int:
    _need(type(x) is int and 0 <= x < limit, f"{name} is not an index below {limit}")
    return int(x)


def _list(x: Any, name: str, length: int | None = None) -> list:
    _need(type(x) is list, f"{name} is not a list")
    _need(length is None or len(x) == length, f"{name} does not have length {length}")
    return list(x)


def _row(pair: Any, k: int, S: int) -> tuple[int, int, tuple[int, int], list[tuple[int, int]], int]:
    s, a, R, end, row = _list(pair, f"pair {k}", 5)
    s, a = _index(s, S, f"the state of pair {k}"), _index(a, MAX_ENTRIES, f"the action of pair {k}")
    where, seen = f"state {s}, action {a}", set()
    entries: list[tuple[int, int]] = []
    for entry in [[None, end], *_list(row, f"the successors of {where}")]:
        t, w = _list(entry, f"a successor of {where}", 2)
        num, den = _number(w, f"a weight of {where}")
        _need(den == 1 and num >= 0, f"a weight of {where} is not a non-negative integer")
        if t is not None or entries:
            t = _index(t, S, f"a successor of {where}")
            _need(t not in seen, f"{where} names successor {t} twice")
            seen.add(t)
        entries.append((t, num))
    total = sum(w for _, w in entries)
    _need(total > 0, f"the weights of {where} are all zero")
    return s, a, _number(R, f"the reward of {where}"), entries[1:], total


def _check(c: Any) -> Verdict:
    if type(c) is str:
        _need(len(c) <= MAX_TEXT, "the text is too long")
        c = json.loads(c, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_refuse)
    _need(type(c) is dict, "not a certificate: an object is expected")
    _need(c.get("format") == FORMAT, f"the format is not {FORMAT}")
    _need(type(c.get("version")) is int and c["version"] == VERSION, f"the version is not {VERSION}")
    S = _index(c.get("states"), MAX_STATES + 1, "the number of states")
    _need(S > 0, "there are no states")
    gn, gd = _number(c.get("gamma"), "gamma")
    _need(0 <= gn <= gd, "gamma is not in [0, 1]")
    bounds = [
        [_number(x, f"{name}[{s}]") for s, x in enumerate(_list(c.get(name), name, S))] for name in ("V_lo", "V_hi")
    ]
    D = 1
    for _, den in bounds[0] + bounds[1]:
        D = lcm(D, den)
        _need(D.bit_length() <= MAX_DENOMINATOR_BITS, "the values' common denominator is too long")
    lo, hi = ([n * (D // d) for n, d in side] for side in bounds)
    _need(all(x <= y for x, y in zip(lo, hi, strict=True)), "V_lo exceeds V_hi")
    pairs = _list(c.get("pairs"), "pairs")
    _need(len(pairs) <= MAX_ENTRIES, "there are too many pairs")
    seen: set[tuple[int, int]] = set()
    reached, present, entries_left = [False] * S, [False] * S, MAX_ENTRIES
    for k, pair in enumerate(pairs):
        entries_left -= len(pair[4]) if type(pair) is list and len(pair) == 5 and type(pair[4]) is list else 0
        _need(entries_left >= 0, "there are too many successors")
        s, a, (rn, rd), row, W = _row(pair, k, S)
        _need((s, a) not in seen, f"state {s}, action {a} appears twice")
        seen.add((s, a))
        present[s] = True
        base, unit, factor = (
            rn * gd * W * D,
            rd * gd * W,
            rd * gn,
        )  # R + gamma w V / W against V, times D rd gd W > 0
        excess = base + factor * sum(w * hi[t] for t, w in row) - hi[s] * unit
        _need(excess < 0 or (excess == 0 and gn < gd), f"state {s}, action {a}: T V_hi is not below V_hi")
        reached[s] = reached[s] or base + factor * sum(w * lo[t] for t, w in row) >= lo[s] * unit
    _need(all(present), "a state has no action")
    _need(all(reached), f"state {reached.index(False) if not all(reached) else 0}: T V_lo is not above V_lo")
    return Verdict(True, "V_lo <= V* <= V_hi is proved", Fraction(max(y - x for x, y in zip(lo, hi, strict=True)), D))


def _unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
    _need(len({key for key, _ in items}) == len(items), "a key appears twice")
    return dict(items)


def _refuse(text: str) -> None:
    raise _Rejected(f"{text[:20]} is not an exact number")


def check(certificate: dict | str) -> Verdict:
    """Accept or reject a certificate, as a dictionary or as JSON text; never raises on bad input."""
    try:
        return _check(certificate)
    except _Rejected as rejected:
        return Verdict(False, str(rejected), None)
    except (ValueError, RecursionError) as error:  # what the JSON parser raises
        return Verdict(False, f"not readable as JSON: {type(error).__name__}", None)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tabular.checker FILE", file=sys.stderr)
        return 3
    try:
        with open(arguments[0], encoding="utf-8") as file:
            text = file.read(MAX_TEXT + 1)
    except UnicodeDecodeError:
        text = ""
    except OSError as error:
        print(f"{arguments[0]}: {error.strerror}", file=sys.stderr)
        return 3
    verdict = check(text)
    gap = "" if verdict.gap is None else f", gap {float(verdict.gap):.3g}"
    print(f"{'accepted' if verdict.accepted else 'rejected'}: {verdict.reason}{gap}")
    return 0 if verdict.accepted else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
