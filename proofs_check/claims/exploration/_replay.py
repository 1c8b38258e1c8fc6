"""Runs of learners, looked at between episodes: what the claims compare with an algorithm written out over ``ops``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

CLOSE = 2.0**-20
"""What is asked of floats that are computed from counts: roundings stay below, also those of a variance of zero, of
which the root is taken (the root of some 2^-50); a fault is above.
"""


class Replay(NamedTuple):
    """Of each trial, in front: before every episode ``visits`` (K, n, S, A) and ``seen`` (K, n, S, A, S), integers, n
    = 1 for counts that forget the step, else H; and the learner's arrays and policy at its end, by name, (K, ...).
    """

    visits: np.ndarray
    seen: np.ndarray
    own: dict[str, np.ndarray]


def replay(source: Any, rng: Any, learner: Any, steps: int, episodes: int, names: Sequence[str]) -> Replay:
    """A run of each model, from state 0. ``names`` : of arrays of the learner's ``own`` or of its policy."""
    from tabular.exploration import Play, episodic

    models = [source[i] for i in range(source.B)] if hasattr(source, "B") else [source]
    seeds = [int(x) for x in np.atleast_1d(rng.uniform("seed") * 2.0**53)]
    found: dict[str, list[Any]] = {name: [] for name in ("visits", "seen", *names)}
    for mdp, seed in zip(models, seeds, strict=True):
        model = episodic(mdp, steps, rho=np.eye(mdp.S)[0])
        play = Play(model, learner, episodes, seed, record=[episodes])
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
    stacked = {name: np.stack(parts) for name, parts in found.items()}
    shaped = {name: np.reshape(x, (*rng.batch, *x.shape[1:])) for name, x in stacked.items()}
    return Replay(shaped.pop("visits"), shaped.pop("seen"), shaped)


def _dense(play: Any) -> np.ndarray:
    """Transitions counted so far: (n, S, A, S) int64."""
    w = play.world
    out = np.zeros((len(w.R), w.S), dtype=np.int64)
    owner = np.repeat(np.arange(len(w.R)), np.diff(w.indptr))
    np.add.at(out, (owner, w.indices.astype(np.int64)), play.counts.seen.astype(np.int64))
    return out.reshape(-1, w.S, w.A, w.S)
