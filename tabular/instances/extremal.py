"""Extremal families: where the usual bounds are attained, or nearly."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular.batch import MDPBatch
from tabular.instances import parts
from tabular.instances.family import Family, Tape


def self_loops(S: int, A: int, *, gamma: Any = None) -> Family:
    r"""Every pair stays where it is, with reward -1 or 1: ``V* = \pm 1 / (1 - gamma)``.

    A shift of V shrinks by exactly gamma; an error of a reward is amplified by exactly 1 / (1 - gamma); two
    such states keep their difference, so that contraction, simulation and span bounds hold with equality.
    """
    given = parts.row_sizes(S, A) | {"gamma": parts.discounts(gamma)}
    return Family("self_loops", 1, given, _self_loops)


def _self_loops(tape: Tape, S: int, A: int, gamma: Any) -> MDPBatch:
    w = np.zeros((tape.n, S, A, S), dtype=np.int64)
    w[:, np.arange(S), :, np.arange(S)] = 1
    R = 2.0 * tape.integers("R", (S, A), 2) - 1.0
    return parts.assembled(tape, w, 1, R, parts.draw_discounts(tape, gamma), tape.key)


def two_armed() -> Family:
    """Two states, two actions, after the lower bound of Azar, Munos and Kappen (2013).

    State 0 pays 1 a step and is left for state 1, worthless and absorbing. With ``gamma = 1 - 2**-j``, j = 2
    ... 30, arm 0 stays with probability ``(4 gamma - 1) / (3 gamma)``, that is, leaves with ``1 / (3 (2**j -
    1))``: there the variance of the value is of the order ``(1 - gamma)**-3``. Arm 1 leaves less often by the
    factor ``1 - d / 256``, d = 0 ... 255; a coin names the arms.
    """
    return Family("two_armed", 1, {}, _two_armed)


def _two_armed(tape: Tape) -> MDPBatch:
    n = tape.n
    j = tape.integers("j", (), 29) + 2
    leaves = np.full((n, 2), 256, dtype=np.int64)
    leaves[np.arange(n), tape.integers("better", (), 2)] -= tape.integers("d", (), 256)
    total = 256 * 3 * ((np.int64(1) << j) - 1)
    w = np.zeros((n, 2, 2, 2), dtype=np.int64)
    w[:, 0, :, 1] = leaves
    w[:, 0, :, 0] = total[:, None] - leaves
    w[:, 1, :, 1] = total[:, None]
    R = np.zeros((n, 2, 2))
    R[:, 0] = 1.0
    return parts.assembled(tape, w, total[:, None, None], R, 1.0 - 0.5**j, tape.key)


def hidden_path(S: int, A: int, *, gamma: Any = None) -> Family:
    """A combination lock: one action of each state leads on, all others back to the start; only the last
    state pays.

    The action that leads on is drawn for each state. ``V*(0) = gamma**(S-1) / (1 - gamma)`` is the value of
    one policy among ``A**S``; under a uniformly random one the last state is reached about once in ``A**S``
    steps.
    """
    given = parts.row_sizes(S, A) | {"gamma": parts.discounts(gamma)}
    return Family("hidden_path", 1, given, _hidden_path)


def _hidden_path(tape: Tape, S: int, A: int, gamma: Any) -> MDPBatch:
    on = tape.integers("on", (S, 1), A)
    to = np.zeros((tape.n, S, A), dtype=np.int64)
    ahead = np.broadcast_to(np.minimum(np.arange(S) + 1, S - 1)[:, None], on.shape)
    np.put_along_axis(to, on, ahead, axis=-1)
    w = np.zeros((tape.n, S, A, S), dtype=np.int64)
    np.put_along_axis(w, to[..., None], 1, axis=-1)
    R = np.zeros((tape.n, S, A))
    np.put_along_axis(R[:, S - 1], on[:, S - 1], 1.0, axis=-1)
    return parts.assembled(tape, w, 1, R, parts.draw_discounts(tape, gamma), tape.key)


def wrong_turns() -> Family:
    """Two states, of which the second is worthless and absorbing (arm 1 costs 1 there); in the first, arm 0 stays, at a
    cost of ``gamma`` or of ``gamma - 2**-10`` (a coin says), and arm 1 leads to the second, at no cost. ``gamma = 1 -
    2**-j``, j = 1 ... 9.

    ``V*`` is zero. Values ``(1/2, -1/2)``, wrong by 1/2, make both arms look alike, or staying a little better. Who stays
    for ever loses the cost over ``1 - gamma``: the loss of a greedy policy, ``2 gamma / (1 - gamma)`` times the error of
    the values, is attained.
    """
    return Family("wrong_turns", 1, {}, _wrong_turns)


def _wrong_turns(tape: Tape) -> MDPBatch:
    n = tape.n
    gamma = 1.0 - 0.5 ** (tape.integers("j", (), 9) + 1)
    w = np.zeros((n, 2, 2, 2), dtype=np.int64)
    w[:, :, :, 1] = 1
    w[:, 0, 0] = (1, 0)
    R = np.zeros((n, 2, 2))
    R[:, 0, 0] = tape.integers("less", (), 2) / 1024 - gamma
    R[:, 1, 1] = -1.0
    return parts.assembled(tape, w, 1, R, gamma, tape.key)


def switches(S: int, A: int, *, gamma: Any = None) -> Family:
    r"""Each pair stays, or goes on to the next state (from the last to the first), by a coin; state 0 pays 1 a step, all
    others pay -1.

    Two members differ in their transitions alone, and by as much as rows can. Where state 0 stays in one, and in the
    other leaves for a state that stays, what a small change of the transitions does to the value is what the
    simulation lemma says, with equality.
    """
    given = parts.row_sizes(S, A) | {"gamma": parts.discounts(gamma)}
    return Family("switches", 1, given, _switches)


def _switches(tape: Tape, S: int, A: int, gamma: Any) -> MDPBatch:
    on = tape.integers("on", (S, A, 1), 2)
    to = (np.arange(S)[:, None, None] + on) % S
    w = np.zeros((tape.n, S, A, S), dtype=np.int64)
    np.put_along_axis(w, to, 1, axis=-1)
    R = np.full((tape.n, S, A), -1.0)
    R[:, 0] = 1.0
    return parts.assembled(tape, w, 1, R, parts.draw_discounts(tape, gamma), tape.key)
