"""Hypothesis strategies for MDPs, policies, values and regularisers, for the tests of users as well as ours.

They fuzz and they shrink; for statistics and for speed use ``tabular.instances``, whose families are distributions.
Transition rows are small integer weights divided by their sums, so that zeros, ones and ties are common; everything
shrinks towards one state, one action, points of mass and zero rewards. ``from_type(MDP)`` works wherever Hypothesis
is installed beside this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

if TYPE_CHECKING:
    from tabular.finite_horizon import FiniteHorizonMDP
    from tabular.mdp import MDP

__all__ = ["STRUCTURES", "finite_horizon_mdps", "mdps", "policies", "regularizers", "values"]

STRUCTURES = ("any", "deterministic", "absorbing", "chain", "bandit", "ergodic")

STATES, ACTIONS = 4, 3  # at most, by default
LARGEST = 2**51  # reward

INDICES = (1, 2, 0.5, 1.5, 3, 0.0625, 16)
DISCOUNTS = (Fraction(0), Fraction(1, 2), Fraction(3, 4), Fraction(9, 10), Fraction(99, 100), 1 - Fraction(1, 2**20))


def mdps(
    *,
    states: Any = None,
    actions: Any = None,
    gamma: Any = None,
    rewards: tuple[int, int] = (-4, 4),
    structure: Any = "any",
    endings: bool = True,
    masks: bool = True,
    exact: bool = False,
) -> st.SearchStrategy[MDP]:
    """MDPs with few states.

    Parameters
    ----------
    states, actions : an int, or a strategy of ints from 1 on. Default: 1 ... 4, 1 ... 3.
    gamma : a number in [0, 1], or a strategy of them. Default: one of 0, 1/2, 3/4, 9/10, 99/100, 1 - 2^-20.
    rewards : least and largest reward, integers; rewards are multiples of 1/4 between them.
    structure : one of ``STRUCTURES``, or a strategy of them: "deterministic" rows are points; "absorbing" models have
        a last state that is never left; "chain" moves to neighbours; "bandit" rows are the same everywhere;
        "ergodic" rows are positive.
    endings : whether steps may end the process (never in "absorbing" and "ergodic" models).
    masks : whether actions may be unavailable.
    exact : rows, rewards and discount as rationals; else as the nearest floats.

    Shrinks towards one state and action, gamma 0, no endings, every action available, rows that are points, rewards 0.
    """
    rows, columns = _slots("states", states, STATES), _slots("actions", actions, ACTIONS)
    discounts = _discounts(gamma)
    low, high = _range("rewards", rewards)
    kinds = _structures(structure)
    _flags(endings=endings, masks=masks, exact=exact)

    @st.composite
    def build(draw: st.DrawFn) -> MDP:
        from tabular.mdp import MDP

        # What is drawn for a pair depends on no other, nor on the sizes: so any state or action can be shrunk away.
        kind, at, of = draw(kinds), draw(rows), draw(columns)
        S, A = sum(at), sum(of)
        can_end = endings and kind not in ("absorbing", "ergodic")
        pairs = st.lists(_pairs(len(at), low, high, can_end, masks), min_size=len(of), max_size=len(of))
        table = [draw(pairs) for _ in at]
        drawn = [
            [pair for pair, here in zip(row, of, strict=True) if here]
            for row, there in zip(table, at, strict=True)
            if there
        ]
        weights = np.zeros((S, A, S), dtype=np.int64)
        ends = np.zeros((S, A), dtype=np.int64)
        R = np.zeros((S, A))
        for s in range(S):
            free = [a for a in range(A) if not drawn[s][a].missing] or [0]
            for a in range(A):
                source = drawn[0 if kind == "bandit" else s][a]
                weights[s, a], ends[s, a] = _row(source, s, S, kind)
                R[s, a] = drawn[s][a].reward / 4 if a in free else -np.inf
        discount = draw(discounts)
        model = MDP.from_weights(weights, R, discount, end_weights=ends if can_end else None)
        if exact:
            return model
        return MDP(model.P, model.R, float(discount), end=model.end if can_end else None)

    return build()


def finite_horizon_mdps(
    *,
    horizon: Any = None,
    states: Any = None,
    actions: Any = None,
    gamma: Any = Fraction(1),
    rewards: tuple[int, int] = (-4, 4),
    stationary: bool = False,
    exact: bool = False,
) -> st.SearchStrategy[FiniteHorizonMDP]:
    """Finite-horizon MDPs: 1 ... 3 stages by default, each with rewards and transitions of its own unless ``stationary``.

    Other arguments as in ``mdps``. Shrinks towards one stage.
    """
    horizons = _sizes("horizon", horizon, 3)
    states = _sizes("states", states, 3)
    actions = _sizes("actions", actions, 2)
    discounts = _discounts(gamma)
    _range("rewards", rewards)
    _flags(stationary=stationary, exact=exact)

    @st.composite
    def build(draw: st.DrawFn) -> FiniteHorizonMDP:
        from tabular.finite_horizon import FiniteHorizonMDP

        H, S, A, discount = draw(horizons), draw(states), draw(actions), draw(discounts)
        stage = mdps(states=S, actions=A, gamma=discount, rewards=rewards, endings=False, masks=False, exact=exact)
        stages = [draw(stage) for _ in range(1 if stationary else H)]
        P = np.stack([_rationals(m) if exact else m.P for m in stages])
        R = np.stack([m.R for m in stages])
        discount = discount if exact else float(discount)
        return (
            FiniteHorizonMDP(P[0], R[0], H=H, gamma=discount) if stationary else FiniteHorizonMDP(P, R, gamma=discount)
        )

    return build()


def policies(mdp: MDP, *, deterministic: bool = False, exact: bool = False) -> st.SearchStrategy[np.ndarray]:
    """(S, A) policies of a model, zero where an action is unavailable.

    Rows are integer weights up to 4 over their sum, as floats, or as Fractions (``exact``). Shrinks towards the first
    available action of each state.
    """
    _flags(deterministic=deterministic, exact=exact)

    @st.composite
    def build(draw: st.DrawFn) -> np.ndarray:
        out = np.zeros((mdp.S, mdp.A), dtype=object)
        out[:] = Fraction(0)
        for s in range(mdp.S):
            free = np.flatnonzero(mdp.mask[s]).tolist()
            weights = {draw(st.sampled_from(free)): 1}
            if not deterministic:
                for a in free:
                    weights[a] = weights.get(a, 0) + draw(st.integers(0, 4))
            total = sum(weights.values())
            for a, w in weights.items():
                out[s, a] = Fraction(w, total)
        return out if exact else out.astype(np.float64)

    return build()


def values(mdp: MDP, *, bound: int = 8) -> st.SearchStrategy[np.ndarray]:
    """(S,) values: multiples of 1/4 up to ``bound`` in absolute value, so that ties are common. Shrinks towards zero."""
    if isinstance(bound, bool) or not isinstance(bound, int) or bound < 0:
        raise InvalidArgument(f"bound={bound!r}: expected an integer >= 0")
    quarters = st.lists(st.integers(-4 * bound, 4 * bound), min_size=mdp.S, max_size=mdp.S)
    return quarters.map(lambda k: np.array(k, dtype=np.float64) / 4 + 0.0)


def regularizers(mdp: MDP, *, hard: bool = True, orders: int = 12) -> st.SearchStrategy[Any]:
    """Regularisers for a model: none (if ``hard``), entropy, divergence from a policy, both, and Tsallis' two with an index.

    Weights are powers of two over ``orders`` decimal orders of magnitude below and above 1, indices those of ``INDICES``. Shrinks
    towards none, then weight 1.
    """
    _flags(hard=hard)
    if isinstance(orders, bool) or not isinstance(orders, int) or orders < 0:
        raise InvalidArgument(f"orders={orders!r}: expected an integer >= 0")
    from tabular.regularizers import KL, Hard, Shannon, ShannonKL, Tsallis, TsallisKL

    reach = int(orders / np.log10(2))
    weights = st.integers(-reach, reach).map(lambda k: float(np.ldexp(1.0, k)))
    kinds = [
        st.builds(Shannon, weights),
        st.builds(KL, weights, policies(mdp)),
        st.builds(ShannonKL, weights, weights, policies(mdp)),
        st.builds(Tsallis, weights, st.sampled_from(INDICES)),
        st.builds(TsallisKL, weights, st.sampled_from(INDICES), policies(mdp)),
    ]
    return st.one_of(*([st.builds(Hard)] if hard else []), *kinds)


def _flags(**given: Any) -> None:
    for name, value in given.items():
        if not isinstance(value, bool):
            raise InvalidArgument(f"{name}={value!r}: expected True or False")


def _rationals(m: MDP) -> np.ndarray:
    """(S, A, S) transitions of an exact model as Fractions."""
    e = m.exact()
    rows = [[e.row(s, a) for a in range(m.A)] for s in range(m.S)]
    return np.array([[[row.get(t, Fraction(0)) for t in range(m.S)] for row in pair] for pair in rows], dtype=object)


class _Pair(NamedTuple):
    """What is drawn for one pair of state and action, whatever the sizes: indices are taken modulo the number of successors."""

    target: int
    weights: list[int]
    end: int
    reward: int
    missing: bool


def _pairs(most: int, low: int, high: int, can_end: bool, masks: bool) -> st.SearchStrategy[_Pair]:
    """Pairs of models with up to ``most`` states; simplest: to state 0 for certain, no end, reward nearest to 0, available."""
    return st.builds(
        _Pair,
        st.integers(0, most - 1),
        st.lists(st.integers(0, 4), min_size=most, max_size=most),
        st.integers(0, 4) if can_end else st.just(0),
        st.integers(4 * low, 4 * high),
        st.booleans() if masks else st.just(False),
    )


def _row(pair: _Pair, s: int, S: int, kind: str) -> tuple[np.ndarray, int]:
    """Weights of one row and of its end."""
    out = np.zeros(S, dtype=np.int64)
    if kind == "absorbing" and s == S - 1:
        out[s] = 1
        return out, 0
    reached = [t for t in (s - 1, s, s + 1) if 0 <= t < S] if kind == "chain" else list(range(S))
    out[reached[pair.target % len(reached)]] = 1
    if kind == "deterministic":
        return out * (pair.end == 0), int(pair.end > 0)
    for t, weight in zip(reached, pair.weights, strict=False):
        out[t] += weight
    return out + (kind == "ergodic"), pair.end


def _sizes(name: str, given: Any, most: int) -> st.SearchStrategy[int]:
    """Sizes 1 ... ``most``, or as given; what a strategy draws is checked as it is drawn."""
    if given is None:
        return st.integers(1, most)

    def checked(n: Any) -> int:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            raise InvalidArgument(f"{name}={n!r}: expected an integer or a strategy of integers")
        if n < 1:
            raise InvalidArgument(f"{name}={n}: expected at least 1")
        return int(n)

    return given.map(checked) if isinstance(given, st.SearchStrategy) else st.just(checked(given))


def _slots(name: str, given: Any, most: int) -> st.SearchStrategy[list[bool]]:
    """Which of ``most`` slots are taken, one at least, each of which can be given up by itself; or as many as are given."""
    if given is not None:
        return _sizes(name, given, most).map(lambda n: [True] * n)
    return st.lists(st.booleans(), min_size=most, max_size=most).map(
        lambda taken: taken if any(taken) else [True, *taken[1:]]
    )


def _discounts(given: Any) -> st.SearchStrategy[Any]:
    if given is None:
        return st.sampled_from(DISCOUNTS)

    def checked(x: Any) -> Any:
        if isinstance(x, bool) or not isinstance(x, (int, float, Fraction)):
            raise InvalidArgument(f"gamma={x!r}: expected a number or a strategy of numbers")
        if not 0 <= x <= 1:
            raise InvalidArgument(f"gamma={x}: expected a discount in [0, 1]")
        return x

    return given.map(checked) if isinstance(given, st.SearchStrategy) else st.just(checked(given))


def _range(name: str, given: Any) -> tuple[int, int]:
    if (
        not isinstance(given, Sequence)
        or len(given) != 2
        or any(isinstance(x, bool) or not isinstance(x, int) for x in given)
    ):
        raise InvalidArgument(f"{name}={given!r}: expected two integers, the least and the largest")
    low, high = given
    if low > high:
        raise InvalidArgument(f"{name}={given!r}: the least is above the largest")
    if max(abs(low), abs(high)) > LARGEST:
        raise InvalidArgument(f"{name}: expected integers of at most 2^51, whose quarters floats hold exactly")
    return low, high


def _structures(given: Any) -> st.SearchStrategy[str]:
    def checked(kind: Any) -> str:
        if not isinstance(kind, str) or kind not in STRUCTURES:
            raise InvalidArgument(f"structure={kind!r}: expected one of {', '.join(STRUCTURES)}, or a strategy of them")
        return kind

    return given.map(checked) if isinstance(given, st.SearchStrategy) else st.just(checked(given))
