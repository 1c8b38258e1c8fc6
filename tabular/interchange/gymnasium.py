"""From Gymnasium environments that carry their table: ``P[s][a] = [(probability, next state, reward,
terminated), ...]``.

Termination belongs to the transition: the mass of terminated transitions becomes ``end``, their rewards are
earned, and their next states are not entered. (Marking those states absorbing would change other values: Taxi
passes through its goal states alive.) Time limits are not part of the model: values are those of the process
that runs until it terminates. The environment is neither reset nor stepped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.exact_model import ExactModel
from tabular.from_exact import decimal, stored
from tabular.mdp import CSR, MDP

# Wrappers that leave rewards and transitions as they are (a time limit truncates; it does not terminate).
HARMLESS = {
    "HumanRendering", "OrderEnforcing", "PassiveEnvChecker", "RecordEpisodeStatistics", "RecordVideo",
    "RenderCollection", "TimeLimit",
}  # fmt: skip

LARGEST_DENOMINATOR = 10**6

_ACTIONS = {
    "CliffWalkingEnv": ("up", "right", "down", "left"),
    "FrozenLakeEnv": ("left", "down", "right", "up"),
    "TaxiEnv": ("south", "north", "east", "west", "pickup", "dropoff"),
}


def from_gymnasium(
    env: Any, gamma: Any = None, *, exact: bool | None = None, sparse: bool | None = None, **make_kwargs: Any
) -> MDP:
    """The MDP of an environment with a table ``env.unwrapped.P``.

    Parameters
    ----------
    env : an environment, or its id, which ``gymnasium.make`` makes with ``make_kwargs`` (``map_name="8x8"``,
        ...).
    gamma : discount in [0, 1]; None: that of the environment, if it has one (those of ``to_gymnasium`` have).
    exact : read each probability as the rational of denominator up to a million that rounds to it
        (0.33333333333333337 is 1/3) and each reward as the decimal that it prints as, for an exact model;
        rows must then sum to exactly one. Else the floats stay as they are. Fractions in the table are themselves;
        None: True where the environment says that its table holds them (``exact``), else False.
    sparse : store as CSR; None: dense where small.

    Start distribution: the environment's ``initial_state_distrib`` or ``isd``, else None.

    Raises ModelError (naming ``P[s][a][i]``) for an environment without a table, a malformed table, a wrapper
    that may change rewards or transitions, or dynamics that the table does not describe (Taxi's fickle
    passenger); TypeError for entries of wrong type, or options beside an environment that is made already.
    """
    if isinstance(env, str):
        import gymnasium

        made = gymnasium.make(env, **make_kwargs)
        try:
            return from_gymnasium(made, gamma, exact=exact, sparse=sparse)
        finally:
            made.close()
    if make_kwargs:
        raise TypeError(
            f"{', '.join(make_kwargs)}: options of gymnasium.make, which need an id instead of an environment"
        )
    base = _unwrapped(env)
    gamma = getattr(base, "gamma", None) if gamma is None else gamma
    if gamma is None:
        check.fail(f"{type(base).__name__} has no discount: pass gamma")
    exact = bool(getattr(base, "exact", False)) if exact is None else exact
    S, A, rows = _table(base)
    start = _start(base)
    name = _name(env, base)
    labels = getattr(base, "state_labels", None) or _state_labels(base, S)
    actions = getattr(base, "action_labels", None) or _ACTIONS.get(type(base).__name__)
    if actions is not None and len(actions) != A:
        actions = None
    pairs = [_pair(row, S, divmod(i, A), exact) for i, row in enumerate(rows)]
    indptr = np.zeros(S * A + 1, dtype=np.int64)
    np.cumsum([len(p) for p, _, _ in pairs], out=indptr[1:])
    indices = np.array([t for p, _, _ in pairs for t in p], dtype=np.int64)
    if exact:
        weights, ends, totals = [], [], []
        for p, e, _ in pairs:
            den = np.lcm.reduce([x.denominator for x in (*p.values(), e)], dtype=object)
            weights += [int(x * den) for x in p.values()]
            ends.append(int(e * den))
            totals.append(int(den))
        R = [r for _, _, r in pairs]
        rho = None if start is None else [_rational(x, "initial_state_distrib", (i,)) for i, x in enumerate(start)]
        mask = np.ones((S, A), dtype=bool)
        model = ExactModel(S, A, mask, indptr, indices, weights, ends, totals, R, gamma, rho)
        mdp = MDP.from_exact(model, state_labels=labels, action_labels=actions, name=name)
    else:
        end = np.array([float(e) for _, e, _ in pairs]).reshape(S, A)
        mean = np.array([float(r) for _, _, r in pairs]).reshape(S, A)
        data = np.array([float(x) for p, _, _ in pairs for x in p.values()])
        mdp = MDP(
            CSR(indptr, indices, data),
            mean,
            gamma,
            end=end,
            rho=start,
            state_labels=labels,
            action_labels=actions,
            name=name,
        )
    return stored(mdp, sparse)


def _unwrapped(env: Any) -> Any:
    """The environment under its wrappers, which must not change the process."""
    base = getattr(env, "unwrapped", env)
    layer = env
    while layer is not base and layer is not None:
        if type(layer).__name__ not in HARMLESS:
            check.fail(
                f"wrapper {type(layer).__name__} may change the process, which the table does not show: "
                f"pass env.unwrapped for the environment beneath"
            )
        layer = getattr(layer, "env", None)
    if getattr(base, "fickle_passenger", False):
        check.fail(f"{type(base).__name__} has a fickle passenger: its table P does not describe its dynamics")
    return base


def _table(base: Any) -> tuple[int, int, list[Any]]:
    """Sizes and the rows ``s * A + a`` of the table."""
    P = getattr(base, "P", None)
    if P is None or not isinstance(P, (Mapping, Sequence)) or isinstance(P, (str, bytes)):
        check.fail(f"{type(base).__name__} has no table P of transitions: only tabular environments have one")
    S = _size(base, "observation_space", len(P))
    if S < 1:
        check.fail("P is empty: expected at least one state")
    states = [_entry(P, s, f"P[{s}]", S) for s in range(S)]
    if len(P) != S:
        check.fail(f"P has {len(P)} states: expected {S}")
    for s, actions in enumerate(states):
        if not isinstance(actions, (Mapping, Sequence)) or isinstance(actions, (str, bytes)):
            raise TypeError(f"P[{s}] is a {type(actions).__name__}: expected the actions of a state")
    A = _size(base, "action_space", len(states[0]))
    if A < 1:
        check.fail("P[0] is empty: expected at least one action")
    rows = []
    for s, actions in enumerate(states):
        rows += [_entry(actions, a, f"P[{s}][{a}]", A) for a in range(A)]
        if len(actions) != A:
            check.fail(f"P[{s}] has {len(actions)} actions: expected {A}")
    return S, A, rows


def _size(base: Any, space: str, default: int) -> int:
    n = getattr(getattr(base, space, None), "n", None)
    return default if n is None else int(n)


def _entry(table: Any, key: int, place: str, n: int) -> Any:
    try:
        return table[key]
    except (KeyError, IndexError):
        check.fail(f"{place} is missing: the table needs entries 0 ... {n - 1}")


def _pair(row: Any, S: int, at: tuple[int, int], exact: bool) -> tuple[dict[int, Fraction], Fraction, Fraction]:
    """Next states with their merged probabilities, the end, and the mean reward of a pair."""
    where = f"P[{at[0]}][{at[1]}]"
    if not isinstance(row, Sequence) or isinstance(row, (str, bytes)):
        raise TypeError(f"{where} is a {type(row).__name__}: expected a list of transitions")
    p: dict[int, Fraction] = {}
    end = reward = total = Fraction(0)
    for i, item in enumerate(row):
        prob, to, r, done = _transition(item, S, f"{where}[{i}]", exact)
        total += prob
        reward += prob * r
        if done:
            end += prob
        elif prob:
            p[to] = p.get(to, Fraction(0)) + prob
    if exact and total != 1:
        check.fail(f"{where} sums to {total} in the nearest small rationals, not to exactly 1: leave exact=False")
    if abs(total - 1) > check.row_tolerance(len(row)):
        check.fail(f"{where} sums to {float(total):.17g}, {float(total - 1):+.3g} from 1")
    return dict(sorted(p.items())), end, reward / total


def _transition(item: Any, S: int, where: str, exact: bool) -> tuple[Fraction, int, Fraction, bool]:
    if not isinstance(item, Sequence) or isinstance(item, (str, bytes)) or len(item) != 4:
        check.fail(f"{where} is {item!r}: expected (probability, next state, reward, terminated)")
    prob, to, r, done = item
    p = _rational(prob, where) if exact else check.to_fraction(prob, f"{where} probability")
    if p < 0:
        check.fail(f"{where} has probability {prob}: it cannot be negative")
    if isinstance(to, (bool, np.bool_)) or not isinstance(to, (int, np.integer)):
        raise TypeError(f"{where} has next state {to!r}: expected an integer")
    if not 0 <= to < S:
        check.fail(f"{where} has next state {to}: states are 0 ... {S - 1}")
    if not isinstance(done, (bool, np.bool_, int, np.integer)) or done not in (0, 1):
        raise TypeError(f"{where} has terminated = {done!r}: expected a truth value")
    reward = decimal(r, f"{where} reward") if exact else check.to_fraction(r, f"{where} reward")
    return p, int(to), reward, bool(done)


def _rational(x: Any, name: str, index: Any = ()) -> Fraction:
    """The rational of small denominator that a probability stands for, up to rounding relative to 1."""
    given = check.to_fraction(x, f"{name} probability" if not index else name, index)
    if isinstance(x, Fraction):
        return given
    near = given.limit_denominator(LARGEST_DENOMINATOR)
    if abs(near - given) > check.EPS:
        check.fail(
            f"{check.place(name, index)} is {x!r}: no rational of denominator up to {LARGEST_DENOMINATOR} "
            "rounds to it; leave exact=False"
        )
    return near


def _start(base: Any) -> Any:
    for key in ("initial_state_distrib", "isd"):
        if (rho := getattr(base, key, None)) is not None:
            return np.asarray(rho)
    return None


def _name(env: Any, base: Any) -> str:
    spec = getattr(env, "spec", None)
    return str(getattr(spec, "id", None) or type(base).__name__)


def _state_labels(base: Any, S: int) -> list[str] | None:
    """Cells as "r,c"; Taxi's states as "r,c passenger>destination"."""
    kind = type(base).__name__
    if kind == "TaxiEnv":
        places = ("R", "G", "Y", "B", "taxi")
        parts = [tuple(base.decode(s)) for s in range(S)]
        return [f"{r},{c} {places[i]}>{places[j]}" for r, c, i, j in parts]
    shape = {
        "FrozenLakeEnv": getattr(getattr(base, "desc", None), "shape", None),
        "CliffWalkingEnv": getattr(base, "shape", None),
    }
    size = shape.get(kind)
    if size is None or len(size) != 2 or size[0] * size[1] != S:
        return None
    return [f"{r},{c}" for r in range(size[0]) for c in range(size[1])]
