"""Runs of learners: as they end, and looked at between episodes, where claims compare them with an algorithm over ``ops``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

CLOSE = 2.0**-20
"""What is asked of floats that are computed from counts: roundings stay below, also those of a variance of zero, of
which the root is taken (the root of some 2^-50); a fault is above.
"""


def seeds_of(rng: Any) -> list[int]:
    """A seed for each trial."""
    return [int(x) for x in np.atleast_1d(rng.uniform("seed") * 2.0**53)]


def played(model: Any, learner: Any, K: int, rng: Any, *, record: Any = None, keep: Sequence[str] = ()) -> Any:
    """K episodes of one model for each trial; recorded at the last unless ``record`` names others."""
    from tabular.exploration import interact

    return interact(model, learner, K, seeds=seeds_of(rng), record=record or [K], keep=keep, threads=1)


def shaped(rng: Any, x: np.ndarray) -> np.ndarray:
    """(trials, ...) as the draws have it: without the axis of one trial."""
    return np.reshape(x, (*rng.batch, *np.shape(x)[1:]))


def plays(source: Any, rng: Any, learner: Any, steps: int, episodes: int) -> list[Any]:
    """A run of each model, from state 0, not begun."""
    from tabular.exploration import Play, episodic

    models = [source[i] for i in range(source.B)] if hasattr(source, "B") else [source]
    start = np.eye(source.S)[0]
    return [
        Play(episodic(mdp, steps, rho=start), learner, episodes, seed, record=[episodes])
        for mdp, seed in zip(models, seeds_of(rng), strict=True)
    ]


class Replay(NamedTuple):
    """Of each trial, in front: before every episode ``visits`` (K, n, S, A) and ``seen`` (K, n, S, A, S), integers,
    and whether a pair is ``unseen``, n = 1 for counts that forget the step, else H; and the learner's arrays and
    policy at its end, by name, (K, ...).
    """

    visits: np.ndarray
    seen: np.ndarray
    unseen: np.ndarray
    own: dict[str, np.ndarray]


def replay(source: Any, rng: Any, learner: Any, steps: int, episodes: int, names: Sequence[str]) -> Replay:
    """A run of each model, from state 0. ``names`` : of arrays of the learner's ``own`` or of its policy."""
    found: dict[str, list[Any]] = {name: [] for name in ("visits", "seen", *names)}
    for play in plays(source, rng, learner, steps, episodes):
        one: dict[str, list[Any]] = {name: [] for name in found}
        for _ in range(episodes):
            one["visits"].append(play.visits.copy())
            one["seen"].append(_dense(play))
            play.advance(1)
            for name in names:
                place = play.own if hasattr(play.own, name) else play.policy
                one[name].append(getattr(place, name).copy())
        for name, parts in one.items():
            found[name].append(np.stack(parts))
    stacked = {name: shaped(rng, np.stack(parts)) for name, parts in found.items()}
    visits = stacked.pop("visits")
    return Replay(visits, stacked.pop("seen"), visits == 0, stacked)


def _dense(play: Any) -> np.ndarray:
    """Transitions counted so far: (n, S, A, S) int64."""
    w = play.world
    out = np.zeros((len(w.R), w.S), dtype=np.int64)
    owner = np.repeat(np.arange(len(w.R)), np.diff(w.indptr))
    np.add.at(out, (owner, w.indices.astype(np.int64)), play.counts.seen.astype(np.int64))
    return out.reshape(-1, w.S, w.A, w.S)
