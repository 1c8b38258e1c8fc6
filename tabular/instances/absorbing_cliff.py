"""A cliff walk whose terminals pay for ever, models smoothed towards ignorance, and Garnets with rewards of states.

Source: mocovi, section on experiments (its authors' environments); the smoothed models are theirs, too. Their maze is left out: its
layout is not known here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.batch import MDPBatch
from tabular.instances import parts
from tabular.instances.family import Family, Tape
from tabular.instances.garnet import garnet_weights
from tabular.mdp import MDP

SIZE = 6
TRAPS = {0: -32, 2: -16, 4: -8}
GOAL = (0, SIZE - 1)
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))


def absorbing_cliff(gamma: Any = Fraction(9, 10), success: Any = Fraction(9, 10)) -> MDP:
    """The 6 by 6 cliff walk: 36 states ``6 row + column``, row 0 on top, actions up, right, down, left; start 0.

    A move goes where it should with probability ``success``, else in one of the three other directions; at the border it
    stays. The goal (row 0, last column) pays 20; columns 1 to 4 of rows 0, 2 and 4 are traps, which pay -32, -16 and -8.
    Goal and traps absorb and pay at every step, so that they are worth their reward over ``1 - gamma``. Everywhere else a
    step pays -1. Numbers are exact; floats are read as the decimals that they print as. ModelError for ``success`` outside
    [0, 1]. Source: mocovi.
    """
    from tabular.from_exact import decimal

    p = decimal(success, "success")
    if not 0 <= p <= 1:
        check.fail(f"success is {success}: expected a probability")
    pay = {(row, c): reward for row, reward in TRAPS.items() for c in range(1, SIZE - 1)} | {GOAL: 20}
    S = SIZE * SIZE
    P = np.full((S, 4, S), Fraction(0), dtype=object)
    R = np.full((S, 4), -1, dtype=object)
    for s in range(S):
        r, c = divmod(s, SIZE)
        for a in range(4):
            if (r, c) in pay:
                P[s, a, s], R[s, a] = Fraction(1), pay[r, c]
                continue
            for b, (dr, dc) in enumerate(MOVES):
                inside = 0 <= r + dr < SIZE and 0 <= c + dc < SIZE
                t = SIZE * (r + dr) + c + dc if inside else s
                P[s, a, t] += p if a == b else (1 - p) / 3
    rho = [Fraction(int(s == 0)) for s in range(S)]
    labels = [f"{s // SIZE},{s % SIZE}" for s in range(S)]
    return MDP(
        P,
        R,
        decimal(gamma, "gamma"),
        rho=rho,
        state_labels=labels,
        action_labels=("up", "right", "down", "left"),
        name="absorbing_cliff",
    )


def smoothed(mdp: MDP, lam: Any, towards: str = "support") -> MDP:
    """The model ``(1 - lam) P + lam U``: U uniform on the row's support, or (``towards="self"``) staying where one is.

    Rewards, discount and endings stay: what ends is no part of a row. The result dominates ``P`` for ``lam < 1`` (with
    ``"support"`` for ``lam <= 1``). Exact; ModelError for ``lam`` outside [0, 1] or another ``towards``. Cost: O(S^2 A)
    rationals. Source: mocovi.
    """
    from tabular._border import expect
    from tabular.from_exact import decimal

    expect(mdp, "smoothed", "MDP")
    x = decimal(lam, "lam")
    if not 0 <= x <= 1:
        check.fail(f"lam is {lam}: expected a number from 0 to 1")
    if towards not in ("support", "self"):
        check.fail(f"towards is {towards!r}: expected 'support' or 'self'")
    e = mdp.exact()
    S, A = e.S, e.A
    P = np.full((S, A, S), Fraction(0), dtype=object)
    end = np.full((S, A), Fraction(0), dtype=object)
    for s in range(S):
        for a in range(A):
            if not mdp.mask[s, a]:
                continue
            row = e.row(s, a)
            end[s, a] = e.end(s, a)
            mass = 1 - end[s, a]
            for t, p in row.items():
                P[s, a, t] += (1 - x) * p + (x * mass / len(row) if towards == "support" else 0)
            if towards == "self":
                P[s, a, s] += x * mass
    R = np.array(e.R, dtype=object).reshape(S, A)
    return MDP(
        P,
        np.where(mdp.mask, R, -np.inf),
        e.gamma,
        end=end if mdp.has_end else None,
        rho=None if e.rho is None else list(e.rho),
        state_labels=mdp.state_labels,
        action_labels=mdp.action_labels,
        name=f"{mdp.name} smoothed by {lam}",
    )


def garnet_of_states(
    S: int = 36, A: int = 6, successors: int = 12, rewarded: int = 12, *, gamma: Any = 0.9, resolution: int = 1024
) -> Family:
    """Garnets in which ``rewarded`` random states pay, whatever is done there, and the others nothing.

    Rows as in ``garnet``; a reward is a multiple of 2^-10 in (0, 1]. The sizes are those of mocovi's experiments; how its
    authors draw the rewards is not said there. ModelError for impossible sizes.
    """
    parts.sizes(rewarded=(rewarded, 0))
    given = parts.row_sizes(S, A, resolution, successors)
    if rewarded > S:
        check.fail(f"rewarded is {rewarded}: expected at most S = {S}")
    given = {
        "S": S,
        "A": A,
        "successors": successors,
        "rewarded": rewarded,
        "gamma": parts.discounts(gamma),
        "resolution": resolution,
    }
    return Family("garnet_of_states", 1, given, _garnet_of_states)


def _garnet_of_states(
    tape: Tape, S: int, A: int, successors: int, rewarded: int, gamma: Any, resolution: int
) -> MDPBatch:
    w = garnet_weights(tape, S, A, successors, resolution)
    R = np.zeros((tape.n, S))
    if rewarded:
        at = parts.subsets(tape, (), rewarded, S, stream="rewarded")
        np.put_along_axis(R, at, (1 + tape.integers("R", (rewarded,), 1024)) / 1024, axis=-1)
    pairs = np.broadcast_to(R[:, :, None], (tape.n, S, A)).copy()
    return parts.assembled(tape, w, resolution, pairs, parts.draw_discounts(tape, gamma), tape.key)
