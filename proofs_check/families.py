"""Where claims find their instances: families of MDPs, and fixed models that every claim may meet.

A family is a callable ``family(seed, n) -> MDPBatch`` with a ``name`` and a ``key`` that says its parameters besides; those of
``tabular.instances`` are at hand here. Fixed models are Gymnasium's tables and three small gridworlds:
``cliff4`` with a cliff of two cells along the way, ``fourrooms5`` of four rooms with doors, and ``slippery4``, where a move in four
goes to a side, between traps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from tabular.instances import (
    bandits,
    chain,
    deep_seas,
    deterministic,
    double_chains,
    fortune,
    gadgets,
    garnet,
    hidden_path,
    impatience,
    locks,
    mixed,
    near_decomposable,
    planted_arms,
    proper,
    random_endings,
    random_masks,
    random_masks_endings,
    resets,
    river_swims,
    self_loops,
    switches,
    switching,
    two_armed,
    wrong_turns,
)

__all__ = [
    "FIXED",
    "LARGE",
    "SMALL",
    "Family",
    "as_families",
    "bandits",
    "chain",
    "deep_seas",
    "deterministic",
    "double_chains",
    "fixed",
    "fortune",
    "gadgets",
    "garnet",
    "general",
    "hidden_path",
    "impatience",
    "locks",
    "mixed",
    "near_decomposable",
    "planted_arms",
    "proper",
    "random_endings",
    "random_masks",
    "random_masks_endings",
    "resets",
    "river_swims",
    "self_loops",
    "switches",
    "switching",
    "two_armed",
    "unending",
    "wrong_turns",
]

FIXED = ("frozenlake4", "frozenlake8", "cliffwalking", "taxi", "cliff4", "fourrooms5", "slippery4")
LARGE = ("taxi",)
SMALL = tuple(name for name in FIXED if name not in LARGE)


@runtime_checkable
class Family(Protocol):
    """A named, versioned distribution over MDPs: the same bits for a seed, for ever."""

    name: str
    key: str

    def __call__(self, seed: int, n: int) -> Any:
        """``n`` models as an ``MDPBatch``."""


def as_families(family: Any, who: str) -> tuple[Family, ...]:
    """One family or several as a tuple, which ``who`` wants. TypeError for anything else, ValueError for none or two of a key."""
    parts = tuple(family) if isinstance(family, Sequence) and not isinstance(family, str) else (family,)
    for part in parts:
        if not isinstance(part, Family):
            raise TypeError(
                f"{who}: {part!r} is no family: expected a callable (seed, n) -> MDPBatch with a name and a key"
            )
    keys = [part.key for part in parts]
    if not keys:
        raise ValueError(f"{who}: no family is given, and instances are drawn from families")
    if len(set(keys)) < len(keys):
        raise ValueError(f"{who}: expected families of different keys, got {keys}")
    return parts


def general() -> tuple[Family, ...]:
    """Small models of every kind, of one to eight states: endings, masks, both, certainty, ties, a single state or action, attained
    bounds; discounts 0, 1/2, ..., 1 - 2^-30."""
    return (
        random_endings(3, 2),
        random_masks(4, 3),
        random_masks_endings(3, 2),
        deterministic(3, 2),
        self_loops(2, 2),
        wrong_turns(),
        garnet(2, 2),
        garnet(3, 1),
        bandits(3),
        random_masks_endings(8, 3),
        two_armed(),
        hidden_path(4, 2),
    )


def unending() -> tuple[Family, ...]:
    """The same without endings, for statements that need rows of mass one."""
    return (
        garnet(3, 2),
        random_masks(4, 3),
        deterministic(3, 2),
        self_loops(2, 2),
        wrong_turns(),
        garnet(3, 1),
        bandits(3),
        random_masks(8, 3),
        two_armed(),
        hidden_path(4, 2),
    )


@functools.cache
def fixed(name: str) -> tuple[Any, Any]:
    """A fixed model, discounted at 9/10: as ``MDP``, and as a batch of one."""
    from tabular.batch import MDPBatch

    model = _MODELS[name]()
    return model, MDPBatch.stack([model])


def _gymnasium(name: str, **options: Any) -> Callable[[], Any]:
    def load() -> Any:
        import gymnasium

        from tabular.mdp import MDP

        # Releases of Gymnasium differ in the newest version that they register.
        versions = [
            spec.version for spec in gymnasium.registry.values() if spec.name == name and spec.version is not None
        ]
        return MDP.from_gymnasium(f"{name}-v{max(versions)}", gamma=0.9, **options)

    return load


def _gridworld(rows: str, **options: Any) -> Callable[[], Any]:
    def load() -> Any:
        from tabular.instances.gridworld import gridworld

        return gridworld(rows.split(), gamma=0.9, **options)

    return load


_MODELS = {
    "frozenlake4": _gymnasium("FrozenLake", map_name="4x4"),
    "frozenlake8": _gymnasium("FrozenLake", map_name="8x8"),
    "cliffwalking": _gymnasium("CliffWalking"),
    "taxi": _gymnasium("Taxi"),
    "cliff4": _gridworld(".... .... .... STTG", step_reward=-1, goal_reward=0, trap_reward=-100),
    "fourrooms5": _gridworld("..#.G ..... #.#.# ..... S.#.."),
    "slippery4": _gridworld("S... .T.# ...T T..G", slip=0.25, step_reward=-0.0625),
}
