# mypy: allow-untyped-defs
"""The average-reward loop: one stream of steps, epochs that end when a count doubles, extended value iteration between them.

The step t reads the stream (key, t, 0): word 0 for the successor, 1 for the reward.
"""

from math import log, sqrt
from typing import NamedTuple

import numpy as np

from tabular._jit import kernel
from tabular._kernels.interaction import count, successor, word
from tabular._kernels.sampling import stream
from tabular._kernels.widths import upper

DONE, FULL, STUCK = 0, 1, 2
"""Why `epochs` came back: all steps are played, no room for another policy, extended value iteration did not converge."""

STEP, STATE, MARK, EPOCHS = 0, 1, 2, 3
"""Places in `place`: steps played, the state, the next mark, epochs begun."""


class Diary(NamedTuple):
    """Epoch e begins at step `start[e]` in `state[e]` and plays `act[e]`, believing a gain of `gain[e]` and values of `span[e]`."""

    act: np.ndarray  # (n, S) int64
    start: np.ndarray  # (n,) int64, and so is state
    state: np.ndarray
    gain: np.ndarray  # (n,)
    span: np.ndarray


class Scratch(NamedTuple):
    before: np.ndarray  # (rows,) int64: visits at the start of the epoch
    R: np.ndarray  # (rows,): optimistic rewards
    u: np.ndarray  # (S,)
    next_u: np.ndarray


@kernel
def optimistic_rewards(world, counts, known, L, out):
    for row in range(out.size):
        if known:
            out[row] = world.R[row]
        else:
            n = max(1.0, float(counts.visits[row]))
            out[row] = min(1.0, counts.reward[row] / n + sqrt(3.5 * L / n))


@kernel
def extended_backup(width, world, counts, R, L, u, out, act):
    """out = the optimistic backup of u, with its maximisers in act; the least and the largest change."""
    top, bottom = u.max(), u.min()
    low, high = np.inf, -np.inf
    for s in range(world.S):
        best = -np.inf
        for a in range(world.A):
            row = s * world.A + a
            q = R[row] + top
            if counts.visits[row] > 0:
                q = R[row] + upper(width, world, counts, row, u, top, top - bottom, L)
            if q > best or (q == best and counts.visits[row] < counts.visits[s * world.A + act[s]]):
                best = q
                act[s] = a
        out[s] = best
        low, high = min(low, best - u[s]), max(high, best - u[s])
    return low, high


@kernel
def extended_value_iteration(width, world, counts, R, L, accuracy, limit, u, next_u, act):
    """Iterate from u until the changes differ by less than `accuracy`; the optimistic gain, NaN where `limit` did not do.

    On return `u` has minimum zero and `act` is greedy in it.
    """
    for _ in range(limit):
        low, high = extended_backup(width, world, counts, R, L, u, next_u, act)
        if high - low < accuracy:
            return 0.5 * (low + high)
        bottom = next_u.min()
        for s in range(world.S):
            u[s] = next_u[s] - bottom
    return np.nan


@kernel
def epochs(width, known, delta, world, counts, key, T, limit, marks, curve, diary, scratch, place, collected):
    """Play up to T steps, from where `place` says; `curve` holds the sums of rewards at the marks, `collected` (1,)
    the last one.
    """
    S, A = world.S, world.A
    rows = S * A
    t, s, mark = place[STEP], place[STATE], place[MARK]
    status = DONE
    while t < T:
        e = place[EPOCHS]
        if e == diary.act.shape[0]:
            status = FULL
            break
        optimistic_rewards(world, counts, known, log(2.0 * rows * (t + 1.0) / delta), scratch.R)
        L = log(2.0 * A * (t + 1.0) / delta)
        scratch.u[:] = 0.0
        gain = extended_value_iteration(
            width, world, counts, scratch.R, L, 1.0 / sqrt(t + 1.0), limit, scratch.u, scratch.next_u, diary.act[e]
        )
        if not gain < np.inf:
            status = STUCK
            break
        diary.start[e], diary.state[e], diary.gain[e], diary.span[e] = t, s, gain, scratch.u.max() - scratch.u.min()
        place[EPOCHS] = e + 1
        for row in range(rows):
            scratch.before[row] = counts.visits[row]
        while t < T:
            row = s * A + diary.act[e, s]
            if counts.visits[row] - scratch.before[row] >= max(1, scratch.before[row]):
                break
            z, increment = stream(key, t, 0)
            slot = successor(world, row, word(z, increment, 0))
            r = world.R[row]
            if world.noisy:
                r = 1.0 if word(z, increment, 1) < r else 0.0
            count(counts, row, slot, r)
            collected[0] += r
            s = np.int64(world.indices[slot])
            t += 1
            if mark < marks.size and marks[mark] == t:
                curve[mark] = collected[0]
                mark += 1
    place[STEP], place[STATE], place[MARK] = t, s, mark
    return status
