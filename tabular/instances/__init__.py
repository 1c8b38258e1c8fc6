"""Families of MDPs, and single models by construction.

``garnet(S=6, A=3)(seed, n)`` is a batch of ``n`` models; see ``tabular.instances.family`` for what stays the
same for ever.
"""

from tabular.instances.average import impatience, resets, switching
from tabular.instances.bandits import bandits
from tabular.instances.chains import chain
from tabular.instances.exploration import (
    combination_lock,
    deep_sea,
    deep_seas,
    double_chain,
    double_chains,
    fan,
    four_rooms,
    locks,
    river_swim,
    river_swims,
)
from tabular.instances.extremal import hidden_path, self_loops, switches, two_armed, wrong_turns
from tabular.instances.family import Family, raw_integers
from tabular.instances.garnet import garnet, garnet_sparse
from tabular.instances.gridworld import gridworld, render
from tabular.instances.lower_bounds import fortune
from tabular.instances.random_models import (
    deterministic,
    mixed,
    near_decomposable,
    proper,
    random_endings,
    random_masks,
    random_masks_endings,
)
from tabular.instances.regret_bounds import (
    gadgets,
    planted_arm,
    planted_arms,
    two_state_gadget,
    waiting_tree,
)
from tabular.instances.ring import ring

__all__ = [
    "Family",
    "bandits",
    "chain",
    "combination_lock",
    "deep_sea",
    "deep_seas",
    "deterministic",
    "double_chain",
    "double_chains",
    "fan",
    "fortune",
    "four_rooms",
    "gadgets",
    "garnet",
    "garnet_sparse",
    "gridworld",
    "hidden_path",
    "impatience",
    "locks",
    "mixed",
    "near_decomposable",
    "planted_arm",
    "planted_arms",
    "proper",
    "random_endings",
    "random_masks",
    "random_masks_endings",
    "raw_integers",
    "render",
    "resets",
    "ring",
    "river_swim",
    "river_swims",
    "self_loops",
    "switches",
    "switching",
    "two_armed",
    "two_state_gadget",
    "waiting_tree",
    "wrong_turns",
]
