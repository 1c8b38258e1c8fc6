"""Whole programs, each as a user of one library would write it: ``python -m benchmarks.scripts.<name> ENV FILE``.

From import to ``V`` of a Gymnasium environment at gamma = .99, in a .npy file.
"""

from typing import Any

ENVIRONMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lake": ("FrozenLake-v1", {"map_name": "8x8"}),
    "taxi": ("Taxi-v4", {}),
}
GAMMA = 0.99
