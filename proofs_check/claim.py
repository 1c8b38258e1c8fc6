r"""What a claim is: a statement, its assumptions, the instances it is tried on, and a body over ``ops``.

::

    @claim(id="mine.contraction", family=families.garnet(S=6, A=3), draws=dict(V=values(), W=values()))
    def contraction(ops, mdp, V, W):
        r"\|T V - T W\|_\infty \le \gamma \|V - W\|_\infty"
        return Inequality(ops.norm(ops.backup(mdp, V) - ops.backup(mdp, W)), mdp.gamma * ops.norm(V - W))

A module's claims are the ``Claim`` objects in its namespace, and in the modules that it names in ``PARTS``: see ``loading``.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from proofs_check.draws import Draw
from proofs_check.evidence import Evidence

Body = Callable[..., Evidence]
NOTES = "__decorated_claims__"  # in a module of claims: its spec, and the claims decorated in it
_ID = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z0-9_]+)+")


@dataclass(frozen=True)
class Assumption:
    """A condition of a theorem, decided exactly on each instance.

    ``holds`` takes an ``MDP`` or an ``MDPBatch`` and returns one truth value, or one for each model of the batch. It
    must not guess: what it reads (mask, end, gamma, which entries are zero) is the same in every arithmetic.
    """

    name: str
    holds: Callable[[Any], Any]

    def met(self, model: Any, count: int) -> np.ndarray:
        """Truth values as an array of length ``count``."""
        with contextlib.redirect_stdout(sys.stderr):
            return np.array(np.broadcast_to(np.asarray(self.holds(model), dtype=bool), (count,)))


discounted = Assumption("gamma < 1", lambda m: np.asarray(m.gamma) < 1)
no_endings = Assumption("no step ends the process", lambda m: ~(np.asarray(m.end) > 0).any(axis=(-2, -1)))
all_available = Assumption("every action is available in every state", lambda m: np.asarray(m.mask).all(axis=(-2, -1)))
some_choice = Assumption("some state has two actions", lambda m: (np.asarray(m.mask).sum(axis=-1) > 1).any(axis=-1))


@dataclass(frozen=True)
class Claim:
    """One statement and how it is tried; made by ``claim`` or ``twin``."""

    id: str
    body: Body
    family: tuple[Any, ...]
    draws: Mapping[str, Any]
    assumptions: tuple[Assumption, ...]
    source: str
    kind: str
    instances: tuple[str, ...]
    statement: str
    of: str | None = None  # the claim whose false variant this is
    why: str = ""
    least: int = 0
    twins: list[Claim] = field(default_factory=list, compare=False)

    def __call__(self, ops: Any, mdp: Any, **draws: Any) -> Evidence:
        """The body's evidence; what it prints goes to stderr, so that stdout has results alone."""
        with contextlib.redirect_stdout(sys.stderr):
            try:
                return self.body(ops, mdp, **draws)
            except SystemExit as error:  # nothing that a body calls may end a run, and look like its success
                raise RuntimeError(f"the body exits: SystemExit({error})").with_traceback(error.__traceback__) from None

    @property
    def module(self) -> str:
        """Name of the module that defines it."""
        return self.body.__module__

    @property
    def file(self) -> str:
        """The file that defines it."""
        return inspect.unwrap(self.body).__code__.co_filename

    @property
    def title(self) -> str:
        """First line of the statement."""
        return self.statement.partition("\n")[0]


def claim(
    *,
    id: str,
    family: Any,
    draws: Mapping[str, Any] | None = None,
    assumptions: Sequence[Assumption] = (),
    source: str = "",
    kind: str = "theorem",
    instances: Sequence[str] | None = None,
    least: int = 0,
) -> Callable[[Body], Claim]:
    """Make a claim of a body ``(ops, mdp, **draws) -> Evidence`` whose docstring states it in LaTeX.

    What a body returns says how it is judged: ``Inequality``, ``Identity``, ``Scaling``, ``Order`` and ``Witness`` by the
    signs on each instance; ``Trial``, ``Comparison`` and whatever is ``Sampled`` by the average over the family. A body
    that needs chance draws ``streams()`` (see ``proofs_check.sampling``): random numbers for each instance, the same
    whoever runs it.

    Parameters
    ----------
    id : ``"<paper>.<name>"``, never reused, e.g. ``"foundations.C1"``.
    family : a family of MDPs (see ``proofs_check.families``), or several.
    draws : what the body takes besides the model: name -> draw (see ``proofs_check.draws``), drawn in this order.
    assumptions : ``Assumption``s; an instance that does not meet them all does not count.
    source : author, year and place of the statement.
    kind : what the source calls it: theorem, lemma, identity, ...
    instances : names of fixed models that join besides (``families.FIXED``); None: all that meet the assumptions; ``()``: none.
    least : instances at every budget, for statements about chance that fewer trials cannot decide; the claim's twins get as many.
    """
    from proofs_check.families import FIXED, as_families

    if not (isinstance(id, str) and _ID.fullmatch(id)):
        raise ValueError(f'claim id {id!r}: expected "<paper>.<name>" in letters, digits and underscores')
    if isinstance(least, bool) or not isinstance(least, int):
        raise TypeError(f"{id}: least is {least!r}: expected how many instances, an integer")
    if least < 0:
        raise ValueError(f"{id}: least is {least}: expected how many instances, from 0")
    for each in assumptions if isinstance(assumptions, Sequence) else [assumptions]:
        if not isinstance(assumptions, Sequence) or not isinstance(each, Assumption):
            raise TypeError(f"{id}: assumptions holds {each!r}: expected a tuple of Assumption(name, holds)")
    names = tuple(FIXED) if instances is None else tuple(instances)
    if unknown := [name for name in names if name not in FIXED]:
        raise ValueError(f"{id}: no fixed model {unknown[0]!r}; there are {', '.join(FIXED)}")

    def make(body: Body) -> Claim:
        statement = " ".join((body.__doc__ or "").split("\n\n")[0].split())
        if not statement:
            raise ValueError(f"{id}: the docstring of {body.__name__} states the claim, and it is missing")
        parts, drawn = as_families(family, id), _draws(body, {} if draws is None else draws)
        # A statement about chance is about its families' average, which fixed models are no part of.
        fixed = () if instances is None and any(d.name == "streams" for d in drawn.values()) else names
        made = Claim(id, body, parts, drawn, tuple(assumptions), source, kind, fixed, statement, least=least)
        _note(made)
        return made

    return make


def twin(of: Claim, *, why: str, family: Any = None, draws: Mapping[str, Any] | None = None) -> Callable[[Body], Claim]:
    """A false variant of a claim, which must come out refuted; ``why`` says what was changed and why it fails.

    ``family`` is where a witness is known to be; by default the claim's own. Assumptions are those of the claim.
    """
    from proofs_check.families import as_families

    if not isinstance(of, Claim):
        raise TypeError(f"twin({of!r}): expected the claim whose false variant this is, not its id or its body")

    def make(body: Body) -> Claim:
        parts = of.family if family is None else as_families(family, f"a twin of {of.id}")
        statement = " ".join((body.__doc__ or f"{of.statement} [{why}]").split("\n\n")[0].split())
        made = Claim(
            id=f"{of.id}.twin{len(of.twins) + 1}",
            body=body,
            family=parts,
            draws=_draws(body, of.draws if draws is None else draws),
            assumptions=of.assumptions,
            source=of.source,
            kind="twin",
            instances=(),
            statement=statement,
            of=of.id,
            why=why,
            least=of.least,
        )
        of.twins.append(made)
        return made

    return make


def stronger(of: Claim, factor: Any, *, why: str = "", family: Any = None) -> Claim:
    """The twin of an ``Inequality`` whose bound is ``factor`` times the claim's (a Fraction, for one that floats do not hold).

    It shows that the claim's constant cannot be replaced by a smaller one unnoticed.
    """
    from proofs_check.evidence import Inequality

    def body(ops: Any, mdp: Any, **draws: Any) -> Evidence:
        found = of.body(ops, mdp, **draws)
        if not isinstance(found, Inequality):
            raise TypeError(f"{of.id} returned {type(found).__name__}: only an Inequality has a bound to scale")
        if not found.quotient:
            raise TypeError(f"{of.id} has quotient=False, so that {factor} times its bound says nothing: write a twin")
        return replace(found, bound=found.bound * factor)

    functools.update_wrapper(body, of.body)
    body.__doc__ = None
    return twin(of, why=why or f"the bound times {factor}", family=family)(body)


def _draws(body: Body, given: Mapping[str, Any]) -> dict[str, Draw]:
    """Draws by name; a factory such as ``values`` stands for ``values()``. They must be what the body takes besides its model."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{body.__name__}: draws is {given!r}: expected names with their draws, e.g. dict(V=values())")
    drawn = {name: draw() if callable(draw) else draw for name, draw in given.items()}
    for name, draw in drawn.items():
        if not isinstance(draw, Draw):
            raise TypeError(f"{body.__name__}: {name}={given[name]!r} is no draw: see proofs_check.draws")
    takes = list(inspect.signature(body).parameters)[2:]
    if sorted(takes) != sorted(drawn):
        raise TypeError(
            f"{body.__name__} takes {takes} besides its arithmetic and its model, and draws are {list(drawn)}"
        )
    return drawn


def _note(made: Claim) -> None:
    """Remember, in the module that it is written in, that a claim was decorated there: ``loading.claims_of`` misses what a later
    definition of the same name hides. Claims that functions make are theirs to keep; a reload starts anew."""
    body: Any = inspect.unwrap(made.body)
    namespace, spec = body.__globals__, body.__globals__.get("__spec__")
    if spec is None or "<locals>" in body.__qualname__:
        return
    if namespace.get(NOTES, (None,))[0] is not spec:
        namespace[NOTES] = (spec, [])
    namespace[NOTES][1].append(made)
