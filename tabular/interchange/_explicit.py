"""Models as model checkers write them: each state lists its choices, and nothing is said of discounts or endings.

An ending is a state with a label, which is left for no other: written last, and taken away when read. Choices become columns
of actions by their names, see ``columns``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import fsum, lcm
from typing import Any, NamedTuple, NoReturn

from tabular import _border as border
from tabular import _validate as check
from tabular.from_exact import stored
from tabular.interchange._says import listed_actions, settle
from tabular.interchange._text import LARGEST_UNIT
from tabular.mdp import MDP
from tabular.pairs import from_pairs

Number = Fraction | float
PAIR_BYTES = 256  # of memory for each state-action pair of the product form


class Choice(NamedTuple):
    """One choice of a state: name (None: nameless), reward, successors, and the line where it stands."""

    name: str | None
    reward: Fraction
    row: dict[int, Fraction]
    line: int


@dataclass
class Explicit:
    """What a file says. ``refuse(line, message)`` names the place."""

    refuse: Callable[[int, str], NoReturn]
    choices: list[list[Choice]]
    initial: list[int] = field(default_factory=list)
    ends: set[int] = field(default_factory=set)


class Options(NamedTuple):
    """How a file is read; see ``read_drn``."""

    gamma: Any
    rho: Any = None
    exact: bool = False
    sparse: bool | None = None
    renormalise: bool = False
    action_labels: Sequence[str] | None = None
    max_bytes: int = 2**31
    name: str = ""


def to_mdp(given: Explicit, options: Options) -> MDP:
    """The model of a file. FormatError by line, ModelError for numbers that are no model."""
    check.check_gamma(options.gamma)
    renormalise = border.flag(options.renormalise, "renormalise")
    _check_ends(given)
    kept = [s for s in range(len(given.choices)) if s not in given.ends]
    if not kept:
        given.refuse(0, "every state is an end: no model is left")
    number = {s: i for i, s in enumerate(kept)}
    for s in kept:
        if not given.choices[s]:
            given.refuse(0, f"state {s} has no choice: each state needs one")
    names, column = columns([given.choices[s] for s in kept], options.action_labels)
    if PAIR_BYTES * len(kept) * len(names) > options.max_bytes:
        check.fail(
            f"{len(kept)} states and {len(names)} actions need about {PAIR_BYTES * len(kept) * len(names)} bytes, the limit is "
            f"{options.max_bytes}: pass max_bytes to allow more"
        )
    pairs = []
    for i, s in enumerate(kept):
        for k, choice in enumerate(given.choices[s]):
            _check_unit(given, choice)
            row = {number[t]: p for t, p in choice.row.items() if t not in given.ends}
            end = sum((p for t, p in choice.row.items() if t in given.ends), Fraction(0))
            if not renormalise:
                _check_sum(given, s, choice, options.exact)
            numbers: tuple[Any, ...] = (row, choice.reward, end)
            if not options.exact:
                numbers = tuple(_floats(x, given, choice) for x in numbers)
            pairs.append((i, column[i][k], *numbers))
    rho = options.rho
    if rho is None and given.initial:
        rho = _start(given, number, options.exact)
    labels = None if all(name == str(a) for a, name in enumerate(names)) else names
    mdp = from_pairs(
        pairs, options.gamma, S=len(kept), A=len(names), rho=rho, sparse=True, renormalise=renormalise, name=options.name,
        action_labels=labels,
    )  # fmt: skip
    return stored(mdp, options.sparse)


def columns(
    states: Sequence[Sequence[Choice]], labels: Sequence[str] | None = None
) -> tuple[list[str], list[list[int]]]:
    """Names of the actions, and the column of each choice of each state.

    Choices of the same name are one action; names that are the numbers 0 ... A-1 are these columns, others come in the order of
    ``labels``, or else in which they occur. Where a choice has no name, or a state two of the same, columns are places.
    """
    given = [[choice.name for choice in choices] for choices in states]
    if any(None in names or len(set(names)) < len(names) for names in given):
        A = max(map(len, given))
        return [str(a) for a in range(A)], [list(range(len(names))) for names in given]
    seen = list(dict.fromkeys(str(name) for names in given for name in names))
    if labels is not None:
        if missing := [name for name in seen if name not in set(labels)]:
            check.fail(f"action_labels leaves out {missing[0]!r}, which the file has")
        seen = list(labels)
    elif set(seen) == {str(a) for a in range(len(seen))}:
        seen = [str(a) for a in range(len(seen))]
    at = {name: a for a, name in enumerate(seen)}
    return seen, [[at[str(name)] for name in names] for names in given]


def _check_ends(given: Explicit) -> None:
    """A state that is an end is left for no other, and earns nothing."""
    for s in sorted(given.ends):
        for choice in given.choices[s]:
            if choice.reward:
                given.refuse(choice.line, f"state {s} is an end, and earns {check.shown(choice.reward)} there")
            if left := [t for t in choice.row if t not in given.ends]:
                given.refuse(choice.line, f"state {s} is an end, and is left for state {left[0]}")


def _check_sum(given: Explicit, s: int, choice: Choice, exact: bool) -> None:
    p = list(choice.row.values())
    if exact:
        if (total := sum(p, Fraction(0))) != 1:
            given.refuse(
                choice.line, f"the choice of state {s} sums to {check.shown(total)}: exact rows sum to exactly 1"
            )
        return
    off = fsum(_floats(x, given, choice) for x in p) - 1.0
    if not abs(off) <= check.row_tolerance(len(p) + 1):
        given.refuse(
            choice.line, f"the choice of state {s} sums to 1{off:+.3g}: renormalise=True divides rows by their sums"
        )


def _check_unit(given: Explicit, choice: Choice) -> None:
    unit = 1
    for p in choice.row.values():
        unit = lcm(unit, p.denominator)
        if unit.bit_length() > LARGEST_UNIT:
            given.refuse(choice.line, f"the row has a common denominator of more than {LARGEST_UNIT} bits")


def _floats(x: Any, given: Explicit, choice: Choice) -> Any:
    if isinstance(x, dict):
        return {t: _floats(p, given, choice) for t, p in x.items()}
    try:
        value = float(x)
    except OverflowError:
        given.refuse(choice.line, "a number is beyond the range of float64")
    if value == 0.0 and x != 0:
        given.refuse(choice.line, "a number is not zero but below the range of float64")
    return value


def _start(given: Explicit, number: dict[int, int], exact: bool) -> list[Number]:
    if len(given.initial) > 1:
        some = " and ".join(map(str, given.initial[:2]))
        given.refuse(
            0, f"{len(given.initial)} states are initial, {some} among them: that is no distribution, pass rho"
        )
    (s,) = given.initial
    if s not in number:
        given.refuse(0, f"the initial state {s} is an end")
    rho: list[Number] = [Fraction(0) if exact else 0.0] * len(number)
    rho[number[s]] = Fraction(1) if exact else 1.0
    return rho


class Written(NamedTuple):
    """What a writer needs.

    ``exact``: numbers are rationals; ``S`` states, of which ``initial`` is the initial one; ``ended``: the last is the end.
    """

    exact: bool
    S: int
    initial: int | None
    ended: bool
    rows: list[tuple[int, list[tuple[int, Number, dict[int, Number]]]]]

    @property
    def pairs(self) -> int:
        """Choices in all."""
        return sum(len(choices) for _, choices in self.rows)


def written(mdp: MDP, who: str, what: str, end_label: str | None, drop: Any, *, exact: bool = True) -> Written:
    """A model as choices: the end is one more state, whose one choice is to stay. Refuses what cannot be said."""
    says = {"unavailable"} | ({"exact"} if exact else set())
    border.expect(mdp, who, "MDP")
    initial = _initial(mdp)
    if mdp.rho is None or initial is not None:
        says.add("start")
    elif "start" not in ({drop} if isinstance(drop, str) else set(drop)):
        check.fail(f"{what} has initial states, but no distribution over them: leave rho out with drop=['start']")
    if end_label is not None:
        says.add("ends")
    elif mdp.has_end:
        check.fail(
            f"{what} cannot say that a step ends the process: end_label='done' writes the end as a state of that label"
        )
    rational = settle(mdp, who, what, says, drop)
    listed_actions(mdp, what)
    rows = list(_rows(mdp, rational))
    if mdp.has_end:
        rows.append((mdp.S, [(0, Fraction(0) if rational else 0.0, {mdp.S: Fraction(1) if rational else 1.0})]))
    return Written(rational, len(rows), initial, mdp.has_end, rows)


def _initial(mdp: MDP) -> int | None:
    """The one state in which the process starts, where there is one."""
    if mdp.rho is None or int((mdp.rho > 0).sum()) != 1 or float(mdp.rho.max()) != 1.0:
        return None
    return int(mdp.rho.argmax())


def _rows(mdp: MDP, rational: bool) -> Iterator[tuple[int, list[tuple[int, Number, dict[int, Number]]]]]:
    model = mdp.exact() if rational else None
    P = mdp.csr()
    for s in range(mdp.S):
        found: list[tuple[int, Number, dict[int, Number]]] = []
        for a in range(mdp.A):
            if not mdp.mask[s, a]:
                continue
            i = s * mdp.A + a
            row: dict[int, Number]
            reward: Number
            end: Number
            if model is not None:
                row, reward, end = dict(model.row(s, a)), model.R[i], model.end(s, a)
            else:
                part = slice(int(P.indptr[i]), int(P.indptr[i + 1]))
                row = dict(zip(P.indices[part].tolist(), P.data[part].tolist(), strict=True))
                reward, end = float(mdp.rewards[s, a]), float(mdp.end[s, a])
            if end:
                row[mdp.S] = end
            found.append((a, reward, row))
        yield s, found


def action_names(mdp: MDP, what: str, allowed: Callable[[str], bool]) -> list[str]:
    """The labels of actions, or their numbers; refused where a label cannot be written."""
    if mdp.action_labels is None:
        return [str(a) for a in range(mdp.A)]
    for a, label in enumerate(mdp.action_labels):
        if not allowed(label):
            check.fail(f"action_labels[{a}] is {label!r}, which {what} cannot say: it takes letters, digits and _-.")
    return list(mdp.action_labels)
