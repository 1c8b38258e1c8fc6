"""Environments for the trainer: models of ``tabular``, and gymnax's. ``make`` finds one by its name."""

from __future__ import annotations

import difflib
from typing import Any, NamedTuple

import numpy as np

from deep.envs import models
from deep.envs.gymnax_env import GymnaxEnv
from deep.envs.protocol import Env
from deep.envs.tabular import Tables, TabularEnv, tabular_env
from tabular.mdp import MDP

TABULAR = ("DeepSea", "FourRooms", "FrozenLake", "Pendulum-grid")


class Made(NamedTuple):
    """An environment, its arrays, and where there is one the model behind it with its features (S, d)."""

    env: Any
    params: Any
    mdp: MDP | None
    features: np.ndarray | None


def names() -> list[str]:
    """All names that ``make`` knows."""
    import gymnax

    return [*TABULAR, *gymnax.registered_envs]


def make(name: str, **options: Any) -> Made:
    """An environment by name; ``options`` go to the model's builder in ``deep.envs.models`` (gymnax's take none).

    ValueError for an unknown name, with what comes near; TypeError for options that the model does not have.
    """
    known = [*TABULAR] if name in TABULAR else names()  # gymnax is imported where it is asked for
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.4)
        raise ValueError(
            f"unknown environment {name!r}: {'did you mean ' + ' or '.join(near) if near else 'one of ' + ', '.join(known)}"
        )
    if name not in TABULAR:
        if options:
            raise TypeError(f"{name} takes no options, got {sorted(options)}")
        other = GymnaxEnv(name)
        return Made(other, other.params, None, None)
    known = models.options(name)
    if stray := sorted(set(options) - set(known)):
        raise TypeError(f"{name} has no option {stray[0]!r}: it has {', '.join(known)}")
    mdp, features, horizon = models.named(name, **options)
    env, tables = tabular_env(mdp, horizon, features=features, name=name)
    return Made(env, tables, mdp, np.eye(mdp.S) if features is None else features)


__all__ = ["TABULAR", "Env", "GymnaxEnv", "Made", "Tables", "TabularEnv", "make", "names", "tabular_env"]
