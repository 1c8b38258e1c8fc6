r"""From an instance that breaks a claim to a small one that still does, confirmed exactly at every step.

Smaller means, in this order: fewer states, fewer actions, fewer available pairs; then fewer rows that are no points and
fewer endings; then shorter numbers, where 0 is shorter than 1, 1 than -1, and a fraction is as long as the bits of its
numerator and denominator. Candidates are tried in a fixed order, a simpler one is taken as soon as it is confirmed, and
the rounds end at an instance none of whose candidates is both simpler and confirmed, or with the allowance. The same
input gives the same output.

Every candidate meets the claim's assumptions, and what is drawn stays inside its domain (``domains``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from proofs_check import counterexample
from proofs_check.claim import Claim
from proofs_check.domains import Domain, Features, admitted, domains, model_features, sampled
from proofs_check.draws import Payload
from proofs_check.families import garnet
from proofs_check.settle import Settled, Settler, evaluate
from proofs_check.statements import NoStatement, statement
from tabular.errors import ModelError

ALLOWANCE = 2000  # instances settled
LARGEST = 64  # pairs; larger models are left as they are
COARSE = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24)  # bits behind the point that a number is rounded to
SIGNIFICANT = (-1, 0, 1, 2, 3, 4, 6, 8, 12, 16)  # bits behind the first one


@dataclass(frozen=True)
class Shrunk:
    """The small instance, how it was settled, and how many candidates were taken out of how many settled."""

    mdp: Any
    payloads: dict[str, Payload]
    settled: Settled
    taken: int
    tried: int


@dataclass
class Draft:
    """An instance in numbers that may be changed: a record with Fractions for its texts."""

    mdp: dict[str, Any]
    draws: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def S(self) -> int:
        return int(self.mdp["S"])

    @property
    def A(self) -> int:
        return int(self.mdp["A"])

    def models(self) -> list[dict[str, Any]]:
        """The model, and those drawn besides."""
        return [self.mdp, *(d["mdp"] for d in self.draws.values() if d["form"] == "model")]

    def cost(self) -> tuple[int, ...]:
        """See the module's docstring."""
        pairs = sum(bool(x) for m in self.models() for row in m["mask"] for x in row)
        rows = sum(len(row) > 1 for m in self.models() for row in m["P"])
        ends = sum(x != 0 for m in self.models() for x in m["end"])
        return self.S, self.A, pairs, rows + ends, sum(_length(x) for x in self._numbers())

    def _numbers(self) -> Iterator[Fraction]:
        for m in self.models():
            yield m["gamma"]
            yield from m["R"]
            yield from m["end"]
            yield from (p for row in m["P"] for _, p in row)
            yield from m["rho"] or ()
        for d in self.draws.values():
            yield from d.get("data", ())


def shrink(
    claim: Claim,
    mdp: Any,
    payloads: Mapping[str, Payload],
    keep: Callable[[Settled], bool] = lambda s: s.status == "refuted",
    *,
    settled: Settled | None = None,
    allowance: int = ALLOWANCE,
) -> Shrunk:
    """The smallest instance that a greedy descent reaches and ``keep`` accepts.

    ``settled`` is the given instance's, if known. Raises ValueError where ``keep`` does not accept that one.
    """
    settler = Settler(claim, full_ties=0)
    settled = settler(mdp, payloads) if settled is None else settled
    best = Shrunk(mdp, dict(payloads), settled, 0, 0)
    if not keep(settled):
        return best
    if mdp.S * mdp.A > LARGEST:
        return best
    work = _Work(claim, settler, keep, settled, allowance)
    draft = _draft(mdp, payloads)
    taken, before = 0, -1
    while taken > before:
        before = taken
        for move in work.moves:
            while (found := work.step(draft, move)) is not None:
                draft, taken = found[0], taken + 1
                best = Shrunk(found[1], found[2], found[3], taken, work.tried)
    return Shrunk(best.mdp, best.payloads, best.settled, taken, work.tried)


def recorded(claim: Claim, data: Mapping[str, Any]) -> dict[str, Any]:
    """A counterexample's record with its instance shrunk in ``steps``; ``address`` is where it began.

    As it is where the model is large, or no instance alone breaks the claim.
    """
    if len(data["mdp"]["R"]) > LARGEST:
        return dict(data)
    try:
        said = statement(claim)
    except NoStatement:
        return dict(data)
    mdp, payloads = counterexample.replay(data)
    small = shrink(said.claim, mdp, payloads, said.claimed)
    found = counterexample.record(small.mdp, small.payloads, data["address"])
    return dict(data) | found | {"size": small.mdp.S * small.mdp.A, "steps": small.taken}


class _Work:
    """Tries candidates of one claim."""

    def __init__(
        self, claim: Claim, settler: Settler, keep: Callable[[Settled], bool], first: Settled, allowance: int
    ) -> None:
        self.claim, self.settler, self.keep, self.allowance = claim, settler, keep, allowance
        self.domains: dict[str, Domain] = domains(claim)
        self.features: Features = model_features(claim)
        self.resizable = takes_any_shape(claim)
        self.tried = 0
        self._seen: set[str] = set()
        self._entries = first.sides.sign.shape[-1]

    @property
    def moves(self) -> list[Callable[[Draft], Iterator[Draft]]]:
        """Kinds of candidates, in order; each is used up before the next, and all begin again where one was taken."""
        from proofs_check import shrink_moves as m

        rest: list[Callable[[Draft], Iterator[Draft]]] = [lambda d: m.rows(d, self.features), m.coarse, m.numbers]
        return [m.sizes, *rest] if self.resizable else rest

    def step(
        self, draft: Draft, move: Callable[[Draft], Iterator[Draft]]
    ) -> tuple[Draft, Any, dict[str, Payload], Settled] | None:
        """The first candidate that is simpler and kept."""
        cost = draft.cost()
        for candidate in move(draft):
            if self.tried >= self.allowance:
                return None
            if not candidate.cost() < cost or (text := repr(candidate)) in self._seen:
                continue
            self._seen.add(text)
            if (found := self._confirmed(candidate, draft)) is not None:
                return candidate, *found
        return None

    def _confirmed(self, candidate: Draft, before: Draft) -> tuple[Any, dict[str, Payload], Settled] | None:
        try:
            mdp, payloads = counterexample.replay({"mdp": candidate.mdp, "draws": candidate.draws})
        except ModelError:  # e.g. weights beyond what floats tell apart
            return None
        low, high = self.features.gamma
        if not low <= mdp.gamma <= high or not admitted(self.claim, self.domains, mdp, payloads):
            return None
        self.tried += 1
        resized = (candidate.S, candidate.A) != (before.S, before.A)
        try:
            settled = self.settler(mdp, payloads)
        except (ArithmeticError, ValueError):  # the formula does not exist there
            return None
        except (LookupError, TypeError):
            if not resized:
                raise
            return None  # the body names states or actions that this shape has not
        if not self.keep(settled) or (resized and not self._follows(settled, candidate, before)):
            return None
        return mdp, payloads, settled

    def _follows(self, settled: Settled, candidate: Draft, before: Draft) -> bool:
        """Whether a statement about every state has as many entries as there are states now."""
        entries = settled.sides.sign.shape[-1]
        expected = {before.S: candidate.S, before.S * before.A: candidate.S * candidate.A, 1: 1}
        if expected.get(self._entries, self._entries) != entries:
            return False
        self._entries = entries
        return True


def takes_any_shape(claim: Claim) -> bool:
    """Whether the body runs on five states and three actions; one for a certain shape would broadcast on a smaller one."""
    from tabular.reference import EnclosureOps

    batch = garnet(5, 3, gamma=0.5)(0, 1)
    payloads = sampled(claim, batch, lambda _: batch, 0)
    try:
        evaluate(claim, EnclosureOps(1), batch, payloads)
    except (TypeError, ValueError, IndexError):
        return False
    return True


def _draft(mdp: Any, payloads: Mapping[str, Payload]) -> Draft:
    data = counterexample.record(mdp, payloads, "")
    return Draft(_fractions(data["mdp"]), {name: _drawn(d) for name, d in data["draws"].items()})


def _fractions(m: dict[str, Any]) -> dict[str, Any]:
    return m | {
        "gamma": Fraction(m["gamma"]),
        "R": [Fraction(x) for x in m["R"]],
        "end": [Fraction(x) for x in m["end"]],
        "P": [[[t, Fraction(p)] for t, p in row] for row in m["P"]],
        "rho": None if m["rho"] is None else [Fraction(x) for x in m["rho"]],
    }


def _drawn(d: dict[str, Any]) -> dict[str, Any]:
    if d["form"] == "model":
        return d | {"mdp": _fractions(d["mdp"])}
    return d | {"data": [Fraction(x) for x in d["data"]]}


def _length(x: Fraction) -> int:
    """Zero for 0, one for 1, two for -1; a power of two is shorter than other numbers of its size."""
    if x == 0:
        return 0
    n, d = abs(x.numerator), x.denominator
    exponent = (n & -n).bit_length() - (d & -d).bit_length()
    bits = n.bit_length() + d.bit_length() - 1 - abs(exponent)
    return 2 * bits - 1 + abs(exponent).bit_length() + (x < 0)


def edited(d: Draft) -> Draft:
    """A copy to change."""
    return copy.deepcopy(d)


def simpler(x: Fraction) -> list[Fraction]:
    """Shorter numbers near a number, the shortest first; all of them dyadic."""
    near = {Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(2)}
    for bits in COARSE:
        near |= {Fraction(k, 1 << bits) for k in (round(x * (1 << bits)), int(x * (1 << bits)))}
    if x != 0:
        near |= {rounded(x, order(x) - bits) for bits in SIGNIFICANT}
    if 0 < x < 1 and (1 - x).denominator > 1:
        near |= {1 - y for y in simpler_powers(1 - x)}
    return sorted((y for y in near if _length(y) < _length(x)), key=lambda y: (_length(y), y))


def rounded(x: Fraction, power: int) -> Fraction:
    """The nearest multiple of ``2^power``."""
    unit = Fraction(2) ** power
    return round(x / unit) * unit


def order(x: Fraction) -> int:
    """Binary order of magnitude of a number that is not zero."""
    return abs(x.numerator).bit_length() - x.denominator.bit_length()


def simpler_powers(x: Fraction) -> list[Fraction]:
    """Powers of two around a positive number."""
    power = order(x)
    return [Fraction(2) ** (power + i) for i in (-1, 0, 1)] + [Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)]


def exact_float(x: Fraction) -> bool:
    """Whether a number is a float."""
    return bool(np.isfinite(float(x))) and Fraction(float(x)) == x
