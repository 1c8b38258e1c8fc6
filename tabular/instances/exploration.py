"""Models that are hard to explore, exact in every number: one by one with their known values, and as families.

Episodes start where ``rho`` says; members of the families have no start distribution, and each docstring says where they
are meant to start.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.batch import MDPBatch
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.from_exact import decimal, stored
from tabular.instances import parts
from tabular.instances.family import Family, Tape, raw_integers
from tabular.instances.gridworld import gridworld
from tabular.mdp import MDP

HALF, NINETEEN_TWENTIETHS = Fraction(1, 2), Fraction(19, 20)
FOUR_ROOMS = """
#############
#.....#.....#
#.....#.....#
#...........#
#.....#.....#
#.....#.....#
##.####.....#
#.....###.###
#.....#.....#
#.....#.....#
#...........#
#.....#.....#
#############
"""
"""The 104 cells of Sutton, Precup and Singh (1999)."""


def point(S: int, s: int) -> list[Fraction]:
    """The distribution that is at s for certain, exactly."""
    return [Fraction(t == s) for t in range(S)]


def river_swim(S: int = 6, *, gamma: Any = NINETEEN_TWENTIETHS) -> MDP:
    r"""RiverSwim (Strehl and Littman 2008): left (action 0) always goes left, right (action 1) against the stream.

    Right: in state 0 it stays with probability 0.4 and moves with 0.6; in between it falls back with 0.05, stays with
    0.6, moves with 0.35; in the last state it falls back with 0.4. Left in state 0 pays 1/200, right in the last
    state 1. Start: state 0. Always right earns the gain :math:`x_{S-1} / \sum x`, :math:`x_0 = 1, x_i = 12 \cdot
    7^{i-1}` up to S-2 and :math:`x_{S-1} = \frac78 x_{S-2}` (for S = 2: 3/2), which is optimal: 0.4286 at S = 6.
    ValueError unless S >= 2.
    """
    parts.sizes(S=(S, 2))
    w = np.zeros((S, 2, S), dtype=np.int64)
    _river(w[None], np.array([1]), np.array([7]), np.array([12]), np.array([8]), 20)
    R = [[Fraction(0)] * 2 for _ in range(S)]
    R[0][0], R[S - 1][1] = Fraction(1, 200), Fraction(1)
    return MDP.from_weights(w, R, gamma, rho=point(S, 0), name=f"river_swim({S})")


def river_swims(S: int = 6, *, gamma: Any = None) -> Family:
    """RiverSwim with a stream of its own for each member, in 64ths: back with 1 ... 8, on with 9 ... 32, from the
    first state with 17 ... 48 and back from the last with 9 ... 32; left in state 0 pays up to 1/64. Start: state 0.
    """
    parts.sizes(S=(S, 2))
    return Family("river_swims", 1, {"S": S, "gamma": parts.discounts(gamma)}, _river_swims)


def _river_swims(tape: Tape, S: int, gamma: Any) -> MDPBatch:
    w = np.zeros((tape.n, S, 2, S), dtype=np.int64)
    back, on = tape.integers("back", (), 8) + 1, tape.integers("on", (), 24) + 9
    _river(w, back, on, tape.integers("first", (), 32) + 17, tape.integers("last", (), 24) + 9, 64)
    R = np.zeros((tape.n, S, 2))
    R[:, 0, 0] = (tape.integers("small", (), 16) + 1) / 1024
    R[:, S - 1, 1] = 1.0
    return parts.assembled(tape, w, 64, R, parts.draw_discounts(tape, gamma), tape.key)


def _river(w: np.ndarray, back: Any, on: Any, first: Any, last: Any, total: int) -> None:
    """Fill weights (n, S, 2, S) of streams that differ by member."""
    S = w.shape[1]
    s = np.arange(S)
    w[:, s, 0, np.maximum(s - 1, 0)] = total
    for i in range(1, S - 1):
        w[:, i, 1, i - 1], w[:, i, 1, i], w[:, i, 1, i + 1] = back, total - back - on, on
    w[:, 0, 1, 0], w[:, 0, 1, 1] = total - first, first
    w[:, S - 1, 1, S - 2], w[:, S - 1, 1, S - 1] = last, total - last


def deep_sea(N: int, *, slip: Any = 0, cost: Any = Fraction(1, 100), seed: int | None = None) -> FiniteHorizonMDP:
    r"""DeepSea (Osband et al. 2019), with rewards in [0, 1]: N columns, N steps, one path to the treasure.

    One action goes right, unless it slips (probability ``slip``) and goes left like the other; left pays ``cost /
    N``, right in the last column pays 1. Action 1 goes right, or, with a seed, one drawn for each column. Start:
    column 0. While ``cost`` is so small that trying pays, :math:`V^* = (1-p)^{N-1} + \sum_{j<N-1} (1-p)^j p (N-1-j)
    c/N`; a uniform policy finds the treasure with probability at most :math:`2^{-N}`. ValueError for ``cost`` or
    ``slip`` outside [0, 1).
    """
    parts.sizes(N=(N, 2))
    p, c = (_fraction(x, name) for x, name in ((slip, "slip"), (cost, "cost")))
    right = _code(seed, N, 2) if seed is not None else np.ones(N, dtype=np.int64)
    P = np.full((N, 2, N), Fraction(0), dtype=object)
    R = np.full((N, 2), Fraction(0), dtype=object)
    for s in range(N):
        a, left, ahead = right[s], max(s - 1, 0), min(s + 1, N - 1)
        P[s, 1 - a, left] = Fraction(1)
        P[s, a, ahead] += 1 - p
        P[s, a, left] += p
        R[s, 1 - a], R[s, a] = c / N, Fraction(s == N - 1)
    return FiniteHorizonMDP(P, R, H=N, rho=point(N, 0), name=f"deep_sea({N})")


def deep_seas(N: int, *, gamma: Any = None) -> Family:
    """DeepSea with the action that goes right drawn for each column; a coin says whether it slips, with probability
    1/N. Left pays 2**-10. Start: state 0, for N steps.
    """
    parts.sizes(N=(N, 2))
    return Family("deep_seas", 1, {"N": N, "gamma": parts.discounts(gamma)}, _deep_seas)


def _deep_seas(tape: Tape, N: int, gamma: Any) -> MDPBatch:
    n, s = tape.n, np.arange(N)
    right, slips = tape.integers("right", (N,), 2), tape.integers("slips", (), 2)
    w = np.zeros((n, N, 2, N), dtype=np.int64)
    R = np.full((n, N, 2), 2.0**-10)
    member = np.arange(n)[:, None]
    left, ahead = np.maximum(s - 1, 0), np.minimum(s + 1, N - 1)
    w[member, s, 1 - right, left] = N
    w[member, s, right, ahead] = N - slips[:, None]
    w[member, s, right, left] += slips[:, None]
    R[member, s, right] = 0.0
    R[np.arange(n), N - 1, right[:, N - 1]] = 1.0
    return parts.assembled(tape, w, N, R, parts.draw_discounts(tape, gamma), tape.key)


def combination_lock(H: int, A: int = 2, *, slip: Any = 0, seed: int = 0) -> FiniteHorizonMDP:
    """H steps, at each of which one action of A leads on (but for ``slip``) and all others to a dead state; the last
    right one pays 1.

    States 0 ... H-1 are places in the code, H is dead. Start: state 0. ``V* = (1 - slip)**(H - 1)``; a uniform policy
    is worth ``A**-H`` at most. ValueError for sizes or a ``slip`` outside [0, 1).
    """
    parts.sizes(H=(H, 1), A=(A, 2), seed=(seed, 0))
    p, code = _fraction(slip, "slip"), _code(seed, H, A)
    P = np.full((H + 1, A, H + 1), Fraction(0), dtype=object)
    P[:, :, H] = Fraction(1)
    R = np.full((H + 1, A), Fraction(0), dtype=object)
    for s in range(H - 1):
        P[s, code[s], s + 1], P[s, code[s], H] = 1 - p, p
    R[H - 1, code[H - 1]] = Fraction(1)
    return FiniteHorizonMDP(P, R, H=H, rho=point(H + 1, 0), name=f"combination_lock({H}, {A})")


def locks(H: int, A: int = 2, *, gamma: Any = None) -> Family:
    """Combination locks with a code of their own, and slips of j/64, j = 0 ... 7. H + 1 states. Start: state 0, for H steps."""
    parts.sizes(H=(H, 1), A=(A, 2))
    return Family("locks", 1, {"H": H, "A": A, "gamma": parts.discounts(gamma)}, _locks)


def _locks(tape: Tape, H: int, A: int, gamma: Any) -> MDPBatch:
    n = tape.n
    code, slips = tape.integers("code", (H,), A), tape.integers("slips", (), 8)
    w = np.zeros((n, H + 1, A, H + 1), dtype=np.int64)
    w[..., H] = 64
    member, s = np.arange(n)[:, None], np.arange(H - 1)
    w[member, s, code[:, :-1], s + 1] = 64 - slips[:, None]
    w[member, s, code[:, :-1], H] = slips[:, None]
    R = np.zeros((n, H + 1, A))
    R[np.arange(n), H - 1, code[:, -1]] = 1.0
    return parts.assembled(tape, w, 64, R, parts.draw_discounts(tape, gamma), tape.key)


def double_chain(
    L: int = 31, *, fail: Any = Fraction(1, 10), ends: Any = (0, 1), gamma: Any = NINETEEN_TWENTIETHS
) -> MDP:
    r"""L states in a row, started in the middle: left (action 0) and right go the other way with probability
    ``fail``; the ends keep what would leave. The first and the last state pay ``ends`` a step, for any action.

    Always right spends the share :math:`r^{L-1} / \sum_{i<L} r^i`, r = (1 - fail) / fail, of the time in the last
    state. ModelError for ``fail`` outside [0, 1).
    """
    parts.sizes(L=(L, 2))
    p = _fraction(fail, "fail")
    pay = [decimal(x, "ends") for x in ends]
    w = np.zeros((L, 2, L), dtype=object)
    _double(w[None], p.numerator, p.denominator)
    R = [[Fraction(0)] * 2 for _ in range(L)]
    R[0], R[L - 1] = [pay[0]] * 2, [pay[1]] * 2
    return MDP.from_weights(w, R, gamma, rho=point(L, L // 2), name=f"double_chain({L})")


def double_chains(L: int = 31, *, gamma: Any = None) -> Family:
    """The double chain with failures of j/64, j = 0 ... 15. Start: state L // 2."""
    parts.sizes(L=(L, 2))
    return Family("double_chains", 1, {"L": L, "gamma": parts.discounts(gamma)}, _double_chains)


def _double_chains(tape: Tape, L: int, gamma: Any) -> MDPBatch:
    w = np.zeros((tape.n, L, 2, L), dtype=np.int64)
    _double(w, tape.integers("fail", (), 16), 64)
    R = np.zeros((tape.n, L, 2))
    R[:, L - 1] = 1.0
    return parts.assembled(tape, w, 64, R, parts.draw_discounts(tape, gamma), tape.key)


def _double(w: np.ndarray, fail: Any, total: int) -> None:
    L = w.shape[1]
    for s in range(L):
        for a, to, other in ((0, s - 1, s + 1), (1, s + 1, s - 1)):
            w[:, s, a, min(max(to, 0), L - 1)] += total - fail
            w[:, s, a, min(max(other, 0), L - 1)] += fail


def fan(m: int, *, seed: int = 0) -> FiniteHorizonMDP:
    """A binary tree with certain moves to m rooms, in each of which two actions lead on by chance, to one of the same m ends.

    States: the m - 1 forks (as a heap: fork i leads to 2i + 1 and 2i + 2), then the rooms, then the ends, where one
    stays. Rows of rooms have weights 1 ... 16, drawn with the seed, and action 0 adds 24 m for the first end: it takes about
    three quarters. H is two more than the depth of the deepest room, and nothing is paid. There are 2m rows of m unknown
    probabilities: what has to be known for every reward is of the order of S^2 numbers. ValueError unless m >= 2.
    """
    parts.sizes(m=(m, 2), seed=(seed, 0))
    S, rooms = 3 * m - 1, np.arange(m - 1, 2 * m - 1)
    w = np.zeros((S, 2, S), dtype=np.int64)
    for s in range(m - 1):
        w[s, [0, 1], [2 * s + 1, 2 * s + 2]] = 1
    w[rooms, :, 2 * m - 1 :] = 1 + _code(seed, 2 * m * m, 16).reshape(m, 2, m)
    w[rooms, 0, 2 * m - 1] += 24 * m
    ends = np.arange(2 * m - 1, S)
    w[ends, :, ends] = 1
    mdp = MDP.from_weights(w, [[Fraction(0)] * 2 for _ in range(S)], HALF, rho=point(S, 0))
    H = (2 * m - 2).bit_length() + 1
    return FiniteHorizonMDP(mdp.P, mdp.R, H=H, rho=mdp.rho, name=f"fan({m})")


def four_rooms(
    *, goal: str = "11,11", slip: Any = 0, gamma: Any = Fraction(99, 100), sparse: bool | None = None
) -> MDP:
    """Four rooms with a door in each wall, 104 cells: each action in the cell ``goal`` (its label) pays 1, and
    nothing ends. Start: the first cell, ``1,1``. Without slips ``V*_H = max(0, H - distance)``. ModelError for a goal
    that is no free cell.
    """
    mdp = gridworld(FOUR_ROOMS, gamma=gamma, slip=slip)
    labels = list(mdp.state_labels or ())
    if goal not in labels:
        check.fail(f"goal is {goal!r}: expected the label of a free cell, such as '11,11'")
    at, exact = labels.index(goal), mdp.exact()
    R = [Fraction(i // mdp.A == at) for i in range(mdp.S * mdp.A)]
    model = exact._replace(R=R, rho=point(mdp.S, 0))
    return stored(
        MDP.from_exact(model, state_labels=labels, action_labels=mdp.action_labels, name="four_rooms"), sparse
    )


def _fraction(x: Any, name: str) -> Fraction:
    exact = decimal(x, name)
    if not 0 <= exact < 1:
        check.fail(f"{name} is {x}: expected a number in [0, 1)")
    return exact


def _code(seed: int, n: int, A: int) -> np.ndarray:
    """n integers of [0, A), for ever the same for a seed."""
    parts.sizes(seed=(seed, 0))
    return raw_integers(np.random.PCG64(np.random.SeedSequence(seed)), n, A)
