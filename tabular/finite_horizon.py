"""Finite-horizon MDPs: ``H`` stages, each a validated one-step model; stages that agree share their arrays.

The value of a policy from stage ``h`` is the expected sum of ``gamma**(k-h) R_k`` over ``k = h ... H-1`` plus
``gamma**(H-h)`` times ``terminal`` of the state after the last stage, unless the process ended before.
``gamma = 1`` is the usual case.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._ingest import Given, read_rewards
from tabular._rows import CSR
from tabular.errors import ModelError
from tabular.exact_model import ExactModel, normalised, unless_floats
from tabular.mdp import MDP

# Values of every stage are kept; more stages than this exceed any memory soon.
LARGEST_HORIZON = 10_000_000


class ExactHorizon(NamedTuple):
    """Exact numbers of a finite-horizon model; ``stages`` has H entries, repeated where they agree."""

    stages: tuple[ExactModel, ...]
    terminal: tuple[Fraction, ...]
    gamma: Fraction
    rho: tuple[Fraction, ...] | None


class FiniteHorizonMDP:
    """An MDP of ``H`` stages; state and action spaces are the same at each.

    Parameters
    ----------
    P : stationary: (S, A, S) array, ``CSR`` or scipy matrix of shape (S*A, S); by stage: (H, S, A, S), or a
        list of H such models. Floats, or exact rationals (object arrays).
    R : (S, A) or (H, S, A); ``-inf`` where the action is unavailable, which may differ between stages.
    H : number of stages; needed only where neither ``P`` nor ``R`` nor ``end`` says it.
    end : (S, A) or (H, S, A), optional. Probability that the step ends the process.
    rho : (S,), optional start distribution.  terminal : (S,), optional value after the last stage (zero by
        default).
    gamma : number in [0, 1].
    state_labels, action_labels, name : optional.  renormalise : divide rows by their sums instead of refusing
        them.

    Raises
    ------
    ModelError naming the place with its stage, ``P[h, s, a]``; TypeError for wrong types.
    """

    __slots__ = (
        "A", "H", "S", "_distinct", "_hash", "_index", "_rho_exact", "_terminal_exact", "action_labels",
        "gamma", "gamma_exact", "name", "rho", "state_labels", "terminal",
    )  # fmt: skip

    S: int
    A: int
    H: int
    gamma: float
    gamma_exact: Fraction
    rho: np.ndarray | None
    terminal: np.ndarray
    state_labels: tuple[str, ...] | None
    action_labels: tuple[str, ...] | None
    name: str
    _distinct: tuple[MDP, ...]
    _index: tuple[int, ...]
    _rho_exact: list[Fraction] | None
    _terminal_exact: list[Fraction] | None
    _hash: str | None

    def __init__(
        self,
        P: Any,
        R: Any,
        *,
        H: int | None = None,
        end: Any = None,
        rho: Any = None,
        terminal: Any = None,
        gamma: Any = 1,
        state_labels: Sequence[Any] | None = None,
        action_labels: Sequence[Any] | None = None,
        name: str = "",
        renormalise: bool = False,
    ) -> None:
        gamma_float, gamma_exact = check.check_gamma(gamma)
        renormalise = border.flag(renormalise, "renormalise")
        P, P_staged = _staged_transitions(P)
        R = _array(R, "R")
        end = None if end is None else _array(end, "end")
        staged = {"P": P_staged, "R": _is_staged(R, "R"), "end": end is not None and _is_staged(end, "end")}
        H = _horizon(H, {name: len(x) for name, x in (("P", P), ("R", R), ("end", end)) if staged[name]})
        options: dict[str, Any] = {"gamma": gamma_exact, "renormalise": renormalise}
        stages: list[MDP] = []
        for h in range(H if any(staged.values()) else 1):
            parts = {key: x[h] if staged[key] else x for key, x in (("P", P), ("R", R), ("end", end))}
            try:
                if stages and not staged["P"] and not staged["end"] and not renormalise:
                    stages.append(_other_rewards(stages[0], parts, options))
                else:
                    stages.append(MDP(parts["P"], parts["R"], end=parts["end"], copy=staged["P"], **options))
            except ModelError as error:
                raise ModelError(_placed(str(error), h, staged)) from None
            if stages[h].S != stages[0].S or stages[h].A != stages[0].A:
                check.fail(f"stage {h} has shape {stages[h].mask.shape}: expected {stages[0].mask.shape}, as stage 0")
        S, A = stages[0].mask.shape
        exact_rho: list[Fraction] | None = None
        if rho is not None:
            rho, exact_rho = check.check_distribution(rho, S)
        value, exact_value = _terminal(terminal, S)
        distinct: dict[int, int] = {}
        index = tuple(distinct.setdefault(id(m), len(distinct)) for m in stages) * (H if len(stages) == 1 else 1)
        unique = tuple({id(m): m for m in stages}.values())
        self._set(
            S=S, A=A, H=H, gamma=gamma_float, gamma_exact=gamma_exact, rho=rho, terminal=value,
            name=str(name),
            state_labels=check.check_labels(state_labels, S, "state_labels"),
            action_labels=check.check_labels(action_labels, A, "action_labels"),
            _distinct=unique, _index=index, _rho_exact=exact_rho, _terminal_exact=exact_value,
        )  # fmt: skip

    @classmethod
    def _repeated(cls, m: MDP, H: int, rho: Any, name: str) -> FiniteHorizonMDP:
        """H steps of a model that is validated, in floats, undiscounted; its start distribution unless ``rho`` is given."""
        stage = m._with(
            gamma=1.0, gamma_exact=Fraction(1), rho=None, exact=None, state_labels=None, action_labels=None, name=""
        )
        given = (m.rho, None) if rho is None else check.check_distribution(rho, m.S)
        fields = {"rho": given[0], "_rho_exact": given[1], "state_labels": None, "action_labels": None, "name": name}
        nothing = {"terminal": np.zeros(m.S), "_terminal_exact": None, "gamma": 1.0, "gamma_exact": Fraction(1)}
        return _restore(fields | nothing | {"S": m.S, "A": m.A, "H": H, "_distinct": (stage,), "_index": (0,) * H})

    def _set(self, **fields: Any) -> None:
        for key, value in (fields | {"_hash": None}).items():
            object.__setattr__(self, key, check.sealed(value) if isinstance(value, np.ndarray) else value)

    def _with(self, **changes: Any) -> FiniteHorizonMDP:
        return _restore({key: getattr(self, key) for key in self.__slots__ if key != "_hash"} | changes)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a FiniteHorizonMDP is frozen: build a new one to change {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a FiniteHorizonMDP is frozen")

    def __reduce__(self) -> Any:
        return _restore, ({key: getattr(self, key) for key in self.__slots__ if key != "_hash"},)

    def stage(self, h: int) -> MDP:
        """The one-step model of stage ``h`` (negative: from the end); equal stages share their arrays."""
        if isinstance(h, bool) or not hasattr(h, "__index__"):
            raise TypeError(f"stage {h!r}: expected an integer")
        if not -self.H <= h < self.H:
            raise IndexError(f"stage {h}: there are {self.H}")
        return self._distinct[self._index[h]]

    @property
    def is_stationary(self) -> bool:
        """Whether all stages are one model."""
        return len(self._distinct) == 1

    @property
    def is_sparse(self) -> bool:
        return all(m.is_sparse for m in self._distinct)

    @property
    def is_exact(self) -> bool:
        return (
            self._rho_exact is not None or self._terminal_exact is not None or any(m.is_exact for m in self._distinct)
        )

    @property
    def mask(self) -> np.ndarray:
        """(H, S, A) available pairs."""
        return np.stack([self.stage(h).mask for h in range(self.H)])

    @property
    def R(self) -> np.ndarray:
        """(H, S, A) rewards, ``-inf`` where unavailable."""
        return np.stack([self.stage(h).R for h in range(self.H)])

    def to_sparse(self) -> FiniteHorizonMDP:
        return self if self.is_sparse else self._with(_distinct=tuple(m.to_sparse() for m in self._distinct))

    def to_dense(self) -> FiniteHorizonMDP:
        """``8 S^2 A`` bytes for each distinct stage."""
        if not any(m.is_sparse for m in self._distinct):
            return self
        return self._with(_distinct=tuple(m.to_dense() for m in self._distinct))

    def exact(self) -> ExactHorizon:
        """Exact numbers: the given rationals, or the canonical lift of the floats."""
        models = [m.exact() for m in self._distinct]
        terminal = self._terminal_exact or [Fraction(x) for x in self.terminal.tolist()]
        rho = self._rho_exact
        if rho is None and self.rho is not None:
            rho = normalised(self.rho)
        return ExactHorizon(
            tuple(models[i] for i in self._index),
            tuple(terminal),
            self.gamma_exact,
            None if rho is None else tuple(rho),
        )

    @property
    def content_hash(self) -> str:
        """Hex digest of every number; the same for dense and sparse, shared and repeated stages."""
        if self._hash is None:
            digest = [m.content_hash for m in self._distinct]
            h = hashlib.blake2b(digest_size=16)
            h.update(repr((self.H, self.S, self.A, str(self.gamma_exact), [digest[i] for i in self._index])).encode())
            h.update((self.terminal + 0.0).tobytes() + (b"-" if self.rho is None else self.rho.tobytes()))
            exact = [None if x is None else [str(y) for y in x] for x in (self._rho_exact, self._terminal_exact)]
            h.update(repr(exact).encode())
            object.__setattr__(self, "_hash", h.hexdigest())
        return str(self._hash)

    def __eq__(self, other: object) -> bool:
        return self.content_hash == other.content_hash if isinstance(other, FiniteHorizonMDP) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        kind = "sparse" if self.is_sparse else "dense"
        stages = "stationary" if self.is_stationary else f"{len(self._distinct)} distinct stages"
        notes = [f"H={self.H}, S={self.S}, A={self.A}, gamma={border.discount(self.gamma)}, {kind}, {stages}"]
        if any(m.has_end for m in self._distinct):
            notes.append("may end early")
        if self.is_exact:
            notes.append("exact")
        return f"FiniteHorizonMDP({', '.join(notes)}{f', {self.name!r}' if self.name else ''})"

    def _repr_html_(self) -> str:
        """For notebooks: stages, sizes and what is special, in a table."""
        from tabular._html import finite_horizon

        return finite_horizon(self)


def _restore(fields: dict[str, Any]) -> FiniteHorizonMDP:
    self = object.__new__(FiniteHorizonMDP)
    self._set(**fields)
    return self


def _array(x: Any, name: str) -> np.ndarray:
    if isinstance(x, np.ndarray):
        return x
    if check.is_exact(x):
        return np.asarray(x, dtype=object)
    return check.float_array(x, name)


def _is_staged(x: np.ndarray, name: str) -> bool:
    if x.ndim not in (2, 3) or 0 in x.shape:
        check.fail(f"{name} has shape {x.shape}: expected (S, A) or (H, S, A), none of them zero")
    return x.ndim == 3


def _staged_transitions(P: Any) -> tuple[Any, bool]:
    """Transitions and whether they have a stage axis; stationary floats are copied once for all stages."""
    if isinstance(P, CSR) or hasattr(P, "tocsr"):
        return P, False
    if isinstance(P, (list, tuple)) and any(isinstance(x, CSR) or hasattr(x, "tocsr") for x in P):
        return P, True
    P = _array(P, "P")
    if P.ndim not in (3, 4):
        check.fail(f"P has shape {P.shape}: expected (S, A, S), (H, S, A, S), or sparse models")
    if P.ndim == 3 and P.dtype != object:
        P = check.float_array(P, "P") + 0.0
    return P, P.ndim == 4


def _horizon(H: Any, lengths: dict[str, int]) -> int:
    if H is not None:
        if isinstance(H, bool) or not hasattr(H, "__index__"):
            raise TypeError(f"H is {H!r}: expected an integer")
        lengths = {"H": int(H.__index__())} | lengths
    if not lengths:
        check.fail("H is missing: no array has a stage axis")
    if len(set(lengths.values())) > 1:
        check.fail("the number of stages differs: " + ", ".join(f"{name} says {n}" for name, n in lengths.items()))
    (length,) = set(lengths.values())
    if length < 1:
        check.fail(f"H is {length}: expected at least one stage")
    if length > LARGEST_HORIZON:
        check.fail(f"H is {length}: at most {LARGEST_HORIZON} stages (a discounted MDP has no such limit)")
    return length


def _other_rewards(first: MDP, parts: dict[str, Any], options: dict[str, Any]) -> MDP:
    """The model of a stage that differs from the first in rewards, perhaps in available actions."""
    R, given_R = read_rewards(parts["R"])
    exact = None if given_R is None else unless_floats(list(given_R.ravel()), R)
    if R.shape != first.mask.shape or not np.array_equal(check.check_rewards(R), first.mask):
        return MDP(parts["P"], parts["R"], end=parts["end"], copy=False, **options)
    if exact is None and first._exact is None:
        return first._with(rewards=np.where(first.mask, R, 0.0) + 0.0)
    given = (first._exact or Given(None, None, first.gamma_exact, None))._replace(R=exact)
    if given.weights is None and exact is None and given.gamma == Fraction(first.gamma):
        return first._with(rewards=np.where(first.mask, R, 0.0) + 0.0, exact=None)
    return first._with(rewards=np.where(first.mask, R, 0.0) + 0.0, exact=given)


def _terminal(terminal: Any, S: int) -> tuple[np.ndarray, list[Fraction] | None]:
    if terminal is None:
        return np.zeros(S), None
    exact = None
    if check.is_exact(terminal):
        exact = [
            check.to_fraction(x, "terminal", (i,)) for i, x in enumerate(np.asarray(terminal, dtype=object).ravel())
        ]
        floats = np.array([check.to_float(x, "terminal", (i,)) for i, x in enumerate(exact)])
        terminal, exact = floats, unless_floats(exact, floats)
    value = check.float_array(terminal, "terminal") + 0.0
    if value.shape != (S,):
        check.fail(f"terminal has shape {value.shape}: expected ({S},)")
    check.check_finite(value, "terminal")
    return value, exact


def _placed(message: str, h: int, staged: dict[str, bool]) -> str:
    """A stage's message with the stage in its places: ``P[s, a]`` is ``P[h, s, a]`` if ``P`` is staged."""
    names = [name for name, has in staged.items() if has]
    if not names:
        return message
    out, n = re.subn(rf"(?<![\w.])({'|'.join(names)})\[", rf"\g<1>[{h}, ", message)
    if n or (h == 0 and re.match(r"(P|R|end)\[", message)):  # the latter: an array that all stages share
        return out
    return f"stage {h}: {message}"
