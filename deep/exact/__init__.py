"""Exact solvers at scale, in JAX: certified as those of ``tabular``, mapped over models, spread over devices.

===========================  =========================================================================
``solve``                    one discounted model, dense or sparse, on one device or over a mesh
``solve_batch``, ``sweep``   many models at once; one model at many temperatures, discounts and rewards
``backward_induction``       a finite horizon
``evaluate_policy``, ...     values and visits of given policies
``placed``, ...              a model or a batch whose arrays stay on the device
``mesh``, ``initialize``     devices in a row; several hosts
===========================  =========================================================================

Every function computes in float64 in a block of its own, takes models of ``tabular`` and returns NumPy arrays.
"""

from __future__ import annotations

from typing import Any

from tabular import _lazy

_HOME = {
    "backward_induction": "horizon",
    "evaluate_horizon": "policies",
    "evaluate_many": "policies",
    "evaluate_policy": "policies",
    "horizon_visits": "policies",
    "initialize": "placing",
    "mesh": "placing",
    "modified_policy_iteration": "solvers",
    "occupancy": "policies",
    "placed": "solvers",
    "placed_batch": "many",
    "policy_iteration": "solvers",
    "solve": "solvers",
    "solve_batch": "many",
    "sweep": "many",
    "value_iteration": "solvers",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    return _lazy.attribute(__name__, _HOME, name)
