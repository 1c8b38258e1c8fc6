"""Families of MDPs, and single models by construction.

``garnet(S=6, A=3)(seed, n)`` is a batch of ``n`` models; see ``tabular.instances.family`` for what stays the
same for ever.
"""

from tabular.instances.average import impatience, resets, switching
from tabular.instances.bandits import bandits
from tabular.instances.chains import chain
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
from tabular.instances.ring import ring

__all__ = [
    "Family",
    "bandits",
    "chain",
    "deterministic",
    "fortune",
    "garnet",
    "garnet_sparse",
    "gridworld",
    "hidden_path",
    "impatience",
    "mixed",
    "near_decomposable",
    "proper",
    "random_endings",
    "random_masks",
    "random_masks_endings",
    "raw_integers",
    "render",
    "resets",
    "ring",
    "self_loops",
    "switches",
    "switching",
    "two_armed",
    "wrong_turns",
]
