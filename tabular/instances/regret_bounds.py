r"""Models behind the lower bounds of regret: arms that can hardly be told apart, each worth all that is left.

With a gap :math:`\varepsilon \asymp \sqrt{n / T}`, n the number of arms among which one is planted, no learner can do
much better than to lose :math:`\varepsilon` times what is left in every episode.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.batch import MDPBatch
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.from_exact import decimal
from tabular.instances import parts
from tabular.instances.exploration import HALF, NINETEEN_TWENTIETHS, _code, point
from tabular.instances.family import Family, Tape
from tabular.mdp import MDP


def planted_arm(M: int, A: int, H: int, epsilon: Any, *, seed: int = 0) -> FiniteHorizonMDP:
    r"""M states, each with A arms that lead to a state that pays 1 for ever with probability 1/2, else to one that
    pays nothing; one arm of each state, drawn by ``seed``, with :math:`1/2 + \varepsilon`. Stages agree: for learners
    that pool their counts.

    Episodes start in one of the M states, uniformly. :math:`V^* = (H-1)(1/2 + \varepsilon)`, and a policy that takes
    the planted arm with probability p is worth :math:`(H-1)(1/2 + p\varepsilon)`. With :math:`\varepsilon =
    \sqrt{MA/K}/4` regret is of the order :math:`H\sqrt{MAK}`. ModelError unless ``epsilon`` is in [0, 1/2].
    """
    parts.sizes(M=(M, 1), A=(A, 2), H=(H, 2))
    e, arms, S = _gap(epsilon), _code(seed, M, A), M + 2
    P = np.full((S, A, S), Fraction(0), dtype=object)
    for m in range(M):
        for a in range(A):
            up = HALF + (e if a == arms[m] else 0)
            P[m, a, M], P[m, a, M + 1] = up, 1 - up
    R = _absorbing(P, M)
    rho = [Fraction(int(s < M), M) for s in range(S)]
    return FiniteHorizonMDP(P, R, H=H, rho=rho, name=f"planted_arm({M}, {A})")


def planted_arms(M: int, A: int, *, gamma: Any = None) -> Family:
    """The same as models without a horizon, M + 2 states: gaps of j/256, j = 1 ... 64, one for each member; the
    planted arm of each state is drawn. Start: uniformly in the first M states.
    """
    parts.sizes(M=(M, 1), A=(A, 2))
    return Family("planted_arms", 1, {"M": M, "A": A, "gamma": parts.discounts(gamma)}, _planted_arms)


def _planted_arms(tape: Tape, M: int, A: int, gamma: Any) -> MDPBatch:
    n = tape.n
    arm, gap = tape.integers("arm", (M,), A), tape.integers("gap", (), 64) + 1
    w = np.zeros((n, M + 2, A, M + 2), dtype=np.int64)
    w[:, :M, :, M] = w[:, :M, :, M + 1] = 128
    w[:, M, :, M] = w[:, M + 1, :, M + 1] = 256
    member, m = np.arange(n)[:, None], np.arange(M)
    w[member, m, arm, M] += gap[:, None]
    w[member, m, arm, M + 1] -= gap[:, None]
    R = np.zeros((n, M + 2, A))
    R[:, M] = 1.0
    return parts.assembled(tape, w, 256, R, parts.draw_discounts(tape, gamma), tape.key)


def waiting_tree(
    depth: int, A: int, H: int, epsilon: Any, *, wait: int | None = None, seed: int = 0
) -> FiniteHorizonMDP:
    r"""One arm at one leaf of a tree at one time is better, after Domingues et al. (2021): the hard instance for
    learners that count step by step.

    State 0 waits: at stages before ``wait`` action 0 stays there; every other action, and action 0 from then on,
    enters the root (state 1) of a full A-ary tree of ``depth`` levels, whose actions choose a child. An arm of a leaf
    leads to the state that pays with probability 1/2; one arm of one leaf at one of the ``wait + 1`` times when
    leaves can be met with :math:`1/2 + \varepsilon`. It pays 1 from stage ``wait + depth + 1`` on (from 0), whenever
    it was reached, so that waiting costs nothing: :math:`V^* = (H - wait - depth - 1)(1/2 + \varepsilon)`, and every
    policy is worth that with :math:`p\varepsilon`, p its probability to meet the arm. ``wait``: None for H // 3.
    States: 3 + (A**depth - 1) / (A - 1), the last two paying and not. With :math:`\varepsilon \asymp \sqrt{n/K}`, n =
    (wait + 1) A**depth, regret is of the order :math:`H\sqrt{nK}`. ModelError unless H > wait + depth + 1 and
    ``epsilon`` is in [0, 1/2].
    """
    parts.sizes(depth=(depth, 1), A=(A, 2), H=(H, 1), wait=(0 if wait is None else wait, 0), seed=(seed, 0))
    W = H // 3 if wait is None else wait
    if H <= W + depth + 1:
        check.fail(f"H is {H}: expected more than wait + depth + 1 = {W + depth + 1}")
    e = _gap(epsilon)
    nodes, leaves = (A**depth - 1) // (A - 1), A ** (depth - 1)
    S, good = nodes + 3, nodes + 1
    planted = _code(seed, 1, (W + 1) * leaves * A)[0]
    when, which = int(planted) // (leaves * A) + depth, int(planted) % (leaves * A)
    first = 1 + nodes - leaves
    P = np.full((H, S, A, S), Fraction(0), dtype=object)
    R = np.full((H, S, A), Fraction(0), dtype=object)
    for s in range(1, first):
        for a in range(A):
            P[:, s, a, (s - 1) * A + a + 2] = Fraction(1)
    P[:, first:good, :, good] = P[:, first:good, :, good + 1] = HALF
    leaf, arm = first + which // A, which % A
    P[when, leaf, arm, good], P[when, leaf, arm, good + 1] = HALF + e, HALF - e
    P[:, good, :, good] = P[:, good + 1, :, good + 1] = Fraction(1)
    P[:W, 0, 0, 0], P[W:, 0, 0, 1], P[:, 0, 1:, 1] = Fraction(1), Fraction(1), Fraction(1)
    R[W + depth + 1 :, good] = Fraction(1)
    return FiniteHorizonMDP(P, R, rho=point(S, 0), name=f"waiting_tree({depth}, {A}, {H})")


def two_state_gadget(A: int, delta: Any, epsilon: Any, *, planted: int = 0, gamma: Any = NINETEEN_TWENTIETHS) -> MDP:
    r"""The average-reward lower bound (Jaksch, Ortner and Auer 2010): state 1 pays 1 and is left with probability
    ``delta``; state 0 pays nothing and is left with the same probability, by the action ``planted`` with
    :math:`\delta + \varepsilon`.

    The optimal gain is :math:`(\delta + \varepsilon)/(2\delta + \varepsilon)`, that of the other actions 1/2. Start:
    state 0. ModelError unless 0 < delta and delta + epsilon <= 1.
    """
    parts.sizes(A=(A, 1), planted=(planted, 0))
    d, e = decimal(delta, "delta"), decimal(epsilon, "epsilon")
    if not 0 < d <= d + e <= 1:
        check.fail(f"delta is {delta} and epsilon {epsilon}: expected 0 < delta <= delta + epsilon <= 1")
    if planted >= A:
        check.fail(f"planted is {planted}: actions are 0 ... {A - 1}")
    leave = [[d + (e if a == planted else 0) for a in range(A)], [d] * A]
    P = [[[1 - x, x] for x in leave[0]], [[x, 1 - x] for x in leave[1]]]
    R = [[Fraction(0)] * A, [Fraction(1)] * A]
    return MDP(P, R, gamma, rho=point(2, 0), name=f"two_state_gadget({A})")


def gadgets(A: int, *, gamma: Any = None) -> Family:
    """Two-state gadgets: delta = 2**-j, j = 2 ... 7, epsilon = k delta / 16, k = 1 ... 16; the planted action is
    drawn. Start: state 0.
    """
    parts.sizes(A=(A, 1))
    return Family("gadgets", 1, {"A": A, "gamma": parts.discounts(gamma)}, _gadgets)


def _gadgets(tape: Tape, A: int, gamma: Any) -> MDPBatch:
    n = tape.n
    total = 16 * (np.int64(1) << (tape.integers("j", (), 6) + 2))
    leave = np.full((n, 2, A), 16, dtype=np.int64)
    leave[np.arange(n), 0, tape.integers("planted", (), A)] += tape.integers("k", (), 16) + 1
    w = np.zeros((n, 2, A, 2), dtype=np.int64)
    w[:, 0, :, 1], w[:, 1, :, 0] = leave[:, 0], leave[:, 1]
    w[:, 0, :, 0], w[:, 1, :, 1] = total[:, None] - leave[:, 0], total[:, None] - leave[:, 1]
    R = np.zeros((n, 2, A))
    R[:, 1] = 1.0
    totals = np.broadcast_to(total[:, None, None], R.shape)
    return parts.assembled(tape, w, totals, R, parts.draw_discounts(tape, gamma), tape.key)


def _gap(epsilon: Any) -> Fraction:
    e = decimal(epsilon, "epsilon")
    if not 0 <= e <= HALF:
        check.fail(f"epsilon is {epsilon}: expected a number in [0, 1/2]")
    return e


def _absorbing(P: np.ndarray, M: int) -> np.ndarray:
    """States M and M + 1 stay for ever, of which the first pays; rewards (S, A)."""
    P[M, :, M] = P[M + 1, :, M + 1] = Fraction(1)
    R = np.full(P.shape[:2], Fraction(0), dtype=object)
    R[M] = Fraction(1)
    return R
