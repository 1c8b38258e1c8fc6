r"""An independent checker of rational certificates: Python's standard library and integer arithmetic,
nothing else.

A certificate states a finite MDP in integers and rationals, and bounds V_lo, V_hi on its optimal values V*.
Row (s, a) moves to t with probability w_t / W and ends with probability w_end / W, where W is the sum of
the row's weights; Q_V(s, a) = R + gamma sum_t (w_t / W) V(t), and TV(s) is the greatest Q_V(s, a) over the
rows of s. It is accepted if V_lo <= V_hi, T V_lo >= V_lo and, with gamma < 1, T V_hi <= V_hi: then V_lo <=
V* <= V_hi, since T is a monotone contraction.

*Regularised.* With weights tau, lam and a reference mu (integer weights over their sum, in each state) V* is
the optimal value of rewards less tau sum pi log pi + lam sum pi log(pi / mu). Then TV = w log sum_a mu_a
exp((Q_V(s, a) - tau log mu_a) / w) with w = tau + lam (mu = 1 where lam = 0), again a monotone contraction, so
that T V <= V says sum_a mu_a exp((Q_V(s, a) - V(s) - tau log mu_a) / w) <= 1. Exponentials and logarithms are
enclosed at rising precision (see ``_exp``, ``_minus_log``) until the inequality is proved.

*Of index 2* (version 3). The entropy, or the divergence, is Tsallis': V* is the optimal value of rewards less w sum pi^2 / mu
- w, one of tau and lam being w and mu = 1 where it is tau. With x = (Q_V - V(s)) / w, T V <= V says that the greatest
sum pi x - sum pi^2 / mu + 1 is at most 0: which is y + 1 + sum mu (x - y)^2 / 4 over the x above y, where sum mu (x - y) = 2.
It is at most that, since for any y it adds y (1 - sum pi) = 0 and exceeds each term's greatest; and pi = mu (x - y) / 2 attains
it. All of it is rational.

*Total reward*, gamma = 1. T V_hi < V_hi is asked for in every state. Let d be the least V_hi - T V_hi and x =
V_hi - V_lo. For any policy the reward until step N is at most V_hi - E[V_hi after N] - d E[steps], so V* <= V_hi,
and policies that never end are worth minus infinity; a policy greedy for V_lo has x - P x >= d with x >= 0, so
it ends after at most x/d expected steps and its value is at least V_lo. Nothing changes with a regulariser.
Without one, *free* pairs are excepted, which earn nothing, do not end, and stay in a component of states (named
by the certificate; V_lo and V_hi are constant on it) that has V_hi >= 0. The first argument goes through with
the number of steps that are not free: where it is finite, play ends, or stays in a component, worth nothing <=
V_hi. For the second, every state of a component with V_lo > 0 must reach, by free pairs, a state where a pair
that is not free has Q_V_lo >= V_lo: going there until it is reached, and staying where V_lo <= 0, is a policy
whose other steps are at most x/d in expectation, and which is worth V_lo or more.

What is proved is about the model that the certificate lists; its hash ("model") is a label that nothing checks.

    python -m tabular.checker FILE       exit code 0 if accepted, 1 if rejected, 3 if there is no such file
"""

import json
import re
import sys
from fractions import Fraction
from functools import lru_cache
from math import isqrt, lcm
from typing import Any, NamedTuple

FORMAT, VERSION, INDEXED = "tabular-rational-certificate", 2, 3
NUMBER = re.compile(r"-?[0-9]{1,1200}(/[0-9]{1,1200})?")
MAX_STATES, MAX_ENTRIES, MAX_TEXT, MAX_DENOMINATOR_BITS = 10**6, 10**6, 2**28, 8192
LADDER = (128, 256, 512, 1024, 2048, 4096)  # bits of precision of exponentials and logarithms
MAX_VALUE_BITS = 2**30  # of all values over their common denominator: a few hundred megabytes
MAX_SOFT_PAIRS, MAX_WORK = 50_000, 2**28  # with a regulariser; work is in bits of operands, less than a minute's


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


def _weight(x: Any, name: str) -> int:
    num, den = _number(x, name)
    _need(den == 1 and num >= 0, f"{name} is not a non-negative integer")
    return num


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
        num = _weight(w, f"a weight of {where}")
        if t is not None or entries:
            t = _index(t, S, f"a successor of {where}")
            _need(t not in seen, f"{where} names successor {t} twice")
            seen.add(t)
        entries.append((t, num))
    total = sum(w for _, w in entries)
    _need(total > 0, f"the weights of {where} are all zero")
    return s, a, _number(R, f"the reward of {where}"), entries[1:], total


def _quotient(n: int, d: int, up: bool) -> int:
    return -((-n) // d) if up else n // d


def _exp(z: int, q: int, up: bool) -> int:
    """An integer at most (``up``: at least) 2^q exp(z / 2^q).

    With r = |z| / 2^(q+j) < 1/2 the Taylor polynomials of exp(r), terms rounded down, are lower bounds; rounded up,
    with the last term n >= 1 at most one unit, what follows is at most r/(n+1) + ... < 1 unit. Reciprocals (z < 0)
    and j squarings of positive numbers keep the direction when they are rounded in it.
    """
    m = 8 + isqrt(q) // 3
    j = max(0, abs(z).bit_length() - q + m)
    Q = q + j + 16
    r, term, k = abs(z) << 16, 1 << Q, 0
    total, upper = term, up != (z < 0)
    while term > 1:
        k += 1
        term = _quotient(term * r, k << Q, upper)
        total += term
    y = total + (term if upper else 0)
    y = _quotient(1 << 2 * Q, y, up) if z < 0 else y
    for _ in range(j):
        y = _quotient(y * y, 1 << Q, up)
    return _quotient(y, 1 << (Q - q), up)


@lru_cache(maxsize=64)
def _log(n: int, d: int, q: int, up: bool) -> int:
    """An integer at most (``up``: at least) 2^q log((d + n) / (d - n)), for 0 <= n/d <= 1/3.

    It is 2 (u + u^3/3 + u^5/5 + ...) with u = n/d: the terms after one of at most a unit are less than it / 8 in all.
    """
    power = _quotient(n << q, d, up)
    square = _quotient(n * n << q, d * d, up)
    total, k = power, 1
    while power > 1:
        power, k = _quotient(power * square, 1 << q, up), k + 2
        total += _quotient(power, k, up)
    return 2 * (total + (power if up else 0))


def _minus_log(m: int, M: int, q: int, up: bool) -> int:
    """An integer at most (``up``: at least) -2^q log(m / M), 0 < m <= M: k log 2 - log f, f = 2^k m / M in [1, 2)."""
    k = M.bit_length() - m.bit_length()
    k += (m << k) < M
    g = q + 24
    bound = k * _log(1, 3, g, up) - _log((m << k) - M, (m << k) + M, g, not up)
    return max(0, _quotient(bound, 1 << 24, up))


class _Soft:
    """The regulariser of a certificate, and what it may still cost to check.

    A term is (n, d, m): the row's (Q_V - V) / w = n / d, and the weight m of its action, over the state's sum M.
    """

    def __init__(self, r: Any, pairs: int, indexed: bool) -> None:
        _need(type(r) is dict, "the regularizer is not an object")
        (tn, td), (ln, ld) = (_number(r.get(name), name) for name in ("tau", "lam"))
        _need(tn >= 0 and ln >= 0 and tn + ln > 0, "tau and lam are not weights, one of them positive")
        _need(r.get("index") == ("2" if indexed else None), f"the index is not {'2' if indexed else 'left out'}")
        _need(not (indexed and tn and ln), "tau and lam are both positive, with an index")
        self.indexed = indexed
        _need(pairs <= MAX_SOFT_PAIRS, "there are too many pairs for a regularizer")
        self.w = Fraction(tn, td) + Fraction(ln, ld)
        self.tilt = Fraction(tn, td) / self.w if ln else Fraction(0)
        self.mass = [1] * pairs
        if ln:
            self.mass = [_weight(x, "a weight of the reference") for x in _list(r.get("reference"), "reference", pairs)]
        _need(bool(ln) or r.get("reference") is None, "there is a reference, but lam is 0")
        self.normal, self.left = not ln, MAX_WORK

    def sums_to(self, terms: list[tuple[int, int, int]], above: bool, strict: bool) -> bool:
        """Whether sum m exp(n / d - tilt log(m / M)) is proved at least (or at most; or less than) M.

        With the index 2, whether the greatest sum pi x - sum pi^2 / mu + 1 is at least (at most, less than) 0.
        """
        M = 1 if self.normal else sum(m for _, _, m in terms)
        if self.indexed:
            value = self._greatest(terms, M)
            return value >= 0 if above else value < 0 if strict else value <= 0
        for q in LADDER:
            least, most = M << q, (M << q) - strict
            bound = self._sum(terms, M, q, not above)
            if bound >= least if above else bound <= most:
                return True
            bound = self._sum(terms, M, q, above)
            if bound < least if above else bound > most:
                return False
        return False

    def _greatest(self, terms: list[tuple[int, int, int]], M: int) -> Fraction:
        """Of sum pi x - sum pi^2 / mu + 1 over distributions, x = n / d and mu = m / M."""
        bits = sum(n.bit_length() + d.bit_length() + m.bit_length() for n, d, m in terms)
        self.left -= 4 * bits * len(terms)
        _need(self.left >= 0, "the inequalities of the regularizer take too long to decide")
        rows = sorted(((Fraction(n, d), Fraction(m, M)) for n, d, m in terms if m), reverse=True)
        mass, mean, y = Fraction(0), Fraction(0), rows[0][0] - 2 / rows[0][1]
        for x, mu in rows:
            if x <= y:
                break
            mass, mean = mass + mu, mean + mu * x
            y = (mean - 2) / mass
        return y + 1 + sum((mu * (x - y) ** 2 for x, mu in rows if x > y), Fraction(0)) / 4

    def _sum(self, terms: list[tuple[int, int, int]], M: int, q: int, up: bool) -> int:
        bits = sum(q + n.bit_length() + d.bit_length() + m.bit_length() for n, d, m in terms)
        self.left -= bits * (1 + q // 512) * (4 if self.tilt else 1)
        _need(self.left >= 0, "the inequalities of the regularizer take too long to decide")
        return sum(m * self._term(n, d, m, M, q, up) for n, d, m in terms if m)

    def _term(self, n: int, d: int, m: int, M: int, q: int, up: bool) -> int:
        """A bound of the exponential; what exceeds M on its own is cut off above it, which decides the sum the same."""
        z = _quotient(n << q, d, up)
        if self.tilt:
            z += _quotient(self.tilt.numerator * _minus_log(m, M, q, up), self.tilt.denominator, up)
        return int(up) if z < -(q << q) else _exp(min(z, (M.bit_length() + 1) << q), q, up)


def _check(c: Any) -> Verdict:
    if type(c) is str:
        _need(len(c) <= MAX_TEXT, "the text is too long")
        c = json.loads(c, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_refuse)
    _need(type(c) is dict, "not a certificate: an object is expected")
    _need(c.get("format") == FORMAT, f"the format is not {FORMAT}")
    _need(
        type(c.get("version")) is int and c["version"] in (VERSION, INDEXED),
        f"the version is not {VERSION} or {INDEXED}",
    )
    indexed = c["version"] == INDEXED
    _need(not indexed or c.get("regularizer") is not None, f"version {INDEXED} is for a regularizer with an index")
    S = _index(c.get("states"), MAX_STATES + 1, "the number of states")
    _need(S > 0, "there are no states")
    gn, gd = _number(c.get("gamma"), "gamma")
    _need(0 <= gn <= gd, "gamma is not in [0, 1]")
    total_reward = gn == gd
    bounds = [
        [_number(x, f"{name}[{s}]") for s, x in enumerate(_list(c.get(name), name, S))] for name in ("V_lo", "V_hi")
    ]
    D = 1
    for _, den in bounds[0] + bounds[1]:
        D = lcm(D, den)
        _need(D.bit_length() <= MAX_DENOMINATOR_BITS, "the values' common denominator is too long")
    _need(S * D.bit_length() <= MAX_VALUE_BITS, "the values take too many bits over their common denominator")
    lo, hi = ([n * (D // d) for n, d in side] for side in bounds)
    _need(all(x <= y for x, y in zip(lo, hi, strict=True)), "V_lo exceeds V_hi")
    pairs = _list(c.get("pairs"), "pairs")
    _need(S <= len(pairs), "a state has no action")
    _need(len(pairs) <= MAX_ENTRIES, "there are too many pairs")
    soft = _Soft(c["regularizer"], len(pairs), indexed) if c.get("regularizer") is not None else None
    home = list(range(S))
    if c.get("component") is not None:
        _need(total_reward and soft is None, "components are for total reward without a regularizer")
        home = [_index(x, S, "a component") for x in _list(c["component"], "component", S)]
        _need(all(lo[s] == lo[t] and hi[s] == hi[t] for s, t in enumerate(home)), "a component has two values")
    seen: set[tuple[int, int]] = set()
    good, present, entries_left = [False] * S, [False] * S, MAX_ENTRIES
    before: list[list[int]] = [[] for _ in range(S)]  # free pairs, backwards
    terms: list[list[list[tuple[int, int, int]]]] = [[[], []] for _ in range(S if soft else 0)]
    for k, pair in enumerate(pairs):
        entries_left -= len(pair[4]) if type(pair) is list and len(pair) == 5 and type(pair[4]) is list else 0
        _need(entries_left >= 0, "there are too many successors")
        s, a, (rn, rd), row, W = _row(pair, k, S)
        _need((s, a) not in seen, f"state {s}, action {a} appears twice")
        seen.add((s, a))
        present[s] = True
        base, unit, factor = rn * gd * W * D, rd * gd * W, rd * gn  # Q_V - V, times D rd gd W > 0
        above, below = (base + factor * sum(w * V[t] for t, w in row) - V[s] * unit for V in (hi, lo))
        if soft:
            for V, excess in zip(terms[s], (above, below), strict=True):
                V.append((excess * soft.w.denominator, D * unit * soft.w.numerator, soft.mass[k]))
        elif total_reward and rn == 0 and hi[s] >= 0 and sum(w for t, w in row if home[t] == home[s]) == W:
            good[s] = good[s] or lo[s] <= 0
            for t in (t for t, w in row if w):
                before[t].append(s)
        else:
            _need(above < 0 or (above == 0 and not total_reward), f"state {s}, action {a}: T V_hi is not below V_hi")
            good[s] = good[s] or below >= 0
    _need(all(present), "a state has no action")
    if soft:
        for s, (high, low) in enumerate(terms):
            _need(any(m for _, _, m in high), f"state {s}: the reference is zero")
            _need(soft.sums_to(high, False, total_reward), f"state {s}: T V_hi is not below V_hi")
            good[s] = soft.sums_to(low, True, False)
    todo = [s for s in range(S) if good[s]]
    while todo:
        for s in before[todo.pop()]:
            if not good[s]:
                good[s] = True
                todo.append(s)
    _need(all(good), f"state {good.index(False) if not all(good) else 0}: T V_lo is not above V_lo")
    proved = f"V_lo <= {'V*_Omega' if soft else 'V*'} <= V_hi is proved"
    return Verdict(True, proved, Fraction(max(y - x for x, y in zip(lo, hi, strict=True)), D))


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


def _shown(x: Fraction) -> str:
    try:
        return f"{float(x):.3g}"
    except OverflowError:  # beyond the range of floats
        return f"about 1e{len(str(x.numerator // x.denominator)) - 1}"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tabular.checker FILE", file=sys.stderr)
        return 3
    try:
        with open(arguments[0], encoding="utf-8") as file:
            text = file.read(MAX_TEXT + 1)
    except UnicodeDecodeError:
        text = ""
    except (OSError, ValueError) as error:  # the latter: a path with a null byte
        print(f"{arguments[0]!r}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 3
    verdict = check(text)
    gap = "" if verdict.gap is None else f", gap {_shown(verdict.gap)}"
    print(f"{'accepted' if verdict.accepted else 'rejected'}: {verdict.reason}{gap}")
    return 0 if verdict.accepted else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
