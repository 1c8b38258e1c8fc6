"""Random families with a feature each: endings, masks, certainty, weakly coupled blocks; and their union."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.batch import MDPBatch
from tabular.instances import parts
from tabular.instances.family import Family, Tape
from tabular.instances.garnet import garnet_weights

RESOLUTION = 1024


def random_endings(S: int, A: int, *, gamma: Any = None, resolution: int = RESOLUTION) -> Family:
    """Dense Garnets in which half of the pairs may end the process, with a random probability."""
    given = parts.row_sizes(S, A, resolution) | {"gamma": parts.discounts(gamma), "resolution": resolution}
    return Family("random_endings", 1, given, _random_endings)


def _random_endings(tape: Tape, S: int, A: int, gamma: Any, resolution: int) -> MDPBatch:
    w, end = _ending_weights(tape, S, A, resolution)
    R = parts.draw_rewards(tape, S, A)
    return parts.assembled(tape, w, resolution, R, parts.draw_discounts(tape, gamma), tape.key, end_weights=end)


def _ending_weights(tape: Tape, S: int, A: int, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, S, A, S) weights and (n, S, A) end weights; where a pair may not end, another state has that weight."""
    w = parts.spacings(tape, (S, A), S + 1, resolution)
    end, w = w[..., -1].copy(), np.ascontiguousarray(w[..., :-1])
    stays = tape.integers("may end", (S, A), 2) == 0
    to = tape.integers("instead", (S, A), S)
    moved = np.take_along_axis(w, to[..., None], axis=-1)[..., 0] + np.where(stays, end, 0)
    np.put_along_axis(w, to[..., None], moved[..., None], axis=-1)
    end[stays] = 0
    return w, end


def proper(S: int, A: int, *, gamma: Any = 1.0, resolution: int = RESOLUTION) -> Family:
    """Dense Garnets in which every pair may end, with probability at least ``1 / (resolution + 1)``: every
    policy is proper.

    For total reward (``gamma`` = 1).
    """
    given = parts.row_sizes(S, A, resolution) | {"gamma": parts.discounts(gamma), "resolution": resolution}
    return Family("proper", 1, given, _proper)


def _proper(tape: Tape, S: int, A: int, gamma: Any, resolution: int) -> MDPBatch:
    w = parts.spacings(tape, (S, A), S + 1, resolution)
    end, w = w[..., -1] + 1, np.ascontiguousarray(w[..., :-1])
    R = parts.draw_rewards(tape, S, A)
    return parts.assembled(tape, w, resolution + 1, R, parts.draw_discounts(tape, gamma), tape.key, end_weights=end)


def random_masks(
    S: int, A: int, successors: int | None = None, *, gamma: Any = None, resolution: int = RESOLUTION
) -> Family:
    """Garnets in which each pair is unavailable with probability 1/2, but one action of each state."""
    given = parts.row_sizes(S, A, resolution, successors) | {
        "successors": successors,
        "gamma": parts.discounts(gamma),
    }
    return Family("random_masks", 1, given | {"resolution": resolution}, _random_masks)


def _random_masks(tape: Tape, S: int, A: int, successors: int | None, gamma: Any, resolution: int) -> MDPBatch:
    mask = _mask(tape, S, A)
    w = garnet_weights(tape, S, A, successors, resolution)
    R = parts.draw_rewards(tape, S, A)
    return parts.assembled(tape, w, resolution, R, parts.draw_discounts(tape, gamma), tape.key, mask=mask)


def _mask(tape: Tape, S: int, A: int) -> np.ndarray:
    """(n, S, A) whether a pair is available: each by a coin, and one of each state for certain."""
    mask = tape.integers("mask", (S, A), 2) == 1
    np.put_along_axis(mask, tape.integers("kept", (S, 1), A), True, axis=-1)
    return mask


def random_masks_endings(S: int, A: int, *, gamma: Any = None, resolution: int = RESOLUTION) -> Family:
    """Both: pairs that may be unavailable, as in ``random_masks``, and may end the process, as in ``random_endings``."""
    given = parts.row_sizes(S, A, resolution) | {"gamma": parts.discounts(gamma), "resolution": resolution}
    return Family("random_masks_endings", 1, given, _random_masks_endings)


def _random_masks_endings(tape: Tape, S: int, A: int, gamma: Any, resolution: int) -> MDPBatch:
    mask = _mask(tape, S, A)
    w, end = _ending_weights(tape, S, A, resolution)
    R, discount = parts.draw_rewards(tape, S, A), parts.draw_discounts(tape, gamma)
    return parts.assembled(tape, w, resolution, R, discount, tape.key, end_weights=end, mask=mask)


def deterministic(S: int, A: int, *, gamma: Any = None) -> Family:
    """Each pair leads to one state, drawn uniformly."""
    return Family("deterministic", 1, parts.row_sizes(S, A) | {"gamma": parts.discounts(gamma)}, _deterministic)


def _deterministic(tape: Tape, S: int, A: int, gamma: Any) -> MDPBatch:
    w = np.zeros((tape.n, S, A, S), dtype=np.int64)
    np.put_along_axis(w, tape.integers("successors", (S, A, 1), S), 1, axis=-1)
    R = parts.draw_rewards(tape, S, A)
    return parts.assembled(tape, w, 1, R, parts.draw_discounts(tape, gamma), tape.key)


def near_decomposable(S: int, A: int, blocks: int = 2, *, gamma: Any = None, resolution: int = 64) -> Family:
    """Blocks of states that leave themselves with probability ``2**-j`` a step, j drawn from 1 ... 30 for
    each member.

    State ``s`` is in block ``s * blocks // S``; within and between blocks the weights are random. Mixing is
    slow, and values differ between the blocks by far more than within.
    """
    parts.sizes(blocks=(blocks, 2))
    parts.sizes(S=(S, blocks))
    given = parts.row_sizes(S, A, resolution) | {
        "blocks": blocks,
        "gamma": parts.discounts(gamma),
        "resolution": resolution,
    }
    if resolution + S > 4096:
        check.fail(f"resolution is {resolution}, S is {S}: expected at most 4096 together")
    return Family("near_decomposable", 1, given, _near_decomposable)


def _near_decomposable(tape: Tape, S: int, A: int, blocks: int, gamma: Any, resolution: int) -> MDPBatch:
    block = np.arange(S) * blocks // S
    same = (block[:, None] == block[None, :])[:, None, :]
    # One more of each weight, so that no block is empty: then a row within has sum n_in, one between n_out.
    w = parts.spacings(tape, (S, A), S, resolution) + 1
    inside, outside = np.where(same, w, 0), np.where(same, 0, w)
    n_in, n_out = inside.sum(axis=-1, keepdims=True), outside.sum(axis=-1, keepdims=True)
    one = np.int64(1) << tape.integers("leak", (), 30).reshape(-1, 1, 1, 1) + 1
    rows = inside * n_out * (one - 1) + outside * n_in
    R = parts.draw_rewards(tape, S, A)
    total = (n_in * n_out * one)[..., 0]
    return parts.assembled(tape, rows, total, R, parts.draw_discounts(tape, gamma), tape.key)


def mixed(*families: Family) -> Family:
    """The union of families of one shape: each member is drawn from one of them, chosen uniformly."""
    if not families:
        check.fail("no families to mix")
    for f in families:
        if not isinstance(f, Family):
            raise TypeError(f"{f!r} is no Family")
    shapes = {(b.S, b.A) for b in (f(0, 1) for f in families)}
    if len(shapes) > 1:
        check.fail(f"families of several shapes (S, A) do not mix: {sorted(shapes)}")
    return Family("mixed", 1, {"families": tuple(families)}, _mixed)


def _mixed(tape: Tape, families: tuple[Family, ...]) -> MDPBatch:
    """A member of kind ``k`` is the next unused one of that family: so members do not depend on ``n``."""
    before = Tape(tape.key, tape.seed, tape.start).integers("kind", (), len(families))
    kind = tape.integers("kind", (), len(families))
    pieces, places = [], []
    for k, family in enumerate(families):
        at = np.flatnonzero(kind == k)
        if at.size:
            pieces.append(family(tape.seed, at.size, start=int(np.count_nonzero(before == k))))
            places.append(at)
    whole = MDPBatch.concatenate(pieces, name=tape.key)
    return whole if len(pieces) == 1 else whole[np.argsort(np.concatenate(places), kind="stable")]
