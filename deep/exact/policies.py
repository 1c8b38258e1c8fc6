"""Values and visits of given policies, discounted or of a finite horizon: arrays in, NumPy arrays out.

As in ``tabular.operators`` these are floats without error bounds: ``tabular.certificates.certify(mdp, V, regularizer, pi)``
encloses them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deep.exact.core import advance, policy_rows, resolvent_solve, withdraw
from deep.exact.placing import fetched
from deep.exact.solvers import Placed, placed
from deep.ops import DeviceModel, JaxOps
from deep.precision import in_float64
from tabular import _border as border
from tabular import _validate as check
from tabular.errors import ModelError, NotConverged
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import MDP
from tabular.reference import operators
from tabular.reference.value import Value
from tabular.regularizers import checked

ACCURATE = 1e-9
"""Relative residual of a linear system above which its solution is refused."""


@in_float64
def evaluate_policy(mdp: MDP | Placed, pi: Any, regularizer: Any = None) -> np.ndarray:
    """Value ``V^pi`` (S,) of a policy: ``pi`` (S, A), or actions (S,) of integers; a discounted model.

    Elimination up to ``core.DENSE_SOLVE`` states, else BiCGSTAB. NotConverged where the residual says that it failed; ModelError
    naming the bad row of ``pi``, and at ``gamma = 1``.
    """
    model = mdp if isinstance(mdp, Placed) else placed(mdp)
    p = _policy(model, pi)
    found = _evaluated(model.arrays, checked(regularizer, model.mdp.mask), p)
    return _trusted("evaluate_policy", model, *found)


@in_float64
def occupancy(mdp: MDP | Placed, pi: Any, rho: Any = None) -> np.ndarray:
    """Expected discounted visits of each pair from ``rho`` (S,), the model's if None: (S, A), unnormalised.

    ModelError where there is no start distribution; otherwise as ``evaluate_policy``.
    """
    model = mdp if isinstance(mdp, Placed) else placed(mdp)
    p = _policy(model, pi)
    start = model.mdp.rho if rho is None else check.check_distribution(rho, model.mdp.S)[0]
    if start is None:
        raise ModelError("the model has no start distribution: pass rho (S,), or build it with rho")
    start = np.concatenate([start, np.zeros(model.arrays.S - model.mdp.S)])
    return _trusted("occupancy", model, *_visited(model.arrays, p, jnp.asarray(start)))


@in_float64
def evaluate_many(mdp: MDP | Placed, policies: Any, regularizer: Any = None) -> np.ndarray:
    """Values (n, S) of n policies (n, S, A) of one model, mapped over the policies."""
    model = mdp if isinstance(mdp, Placed) else placed(mdp)
    p = jnp.stack([_policy(model, x) for x in policies])
    found = _evaluated_many(model.arrays, checked(regularizer, model.mdp.mask), p)
    return _trusted("evaluate_many", model, *found)


@in_float64
def evaluate_horizon(mdp: FiniteHorizonMDP, pi: Any, regularizer: Any = None) -> np.ndarray:
    """Values (H+1, S) of a Markov policy (H, S, A), or actions (H, S), of a finite horizon. H backups."""
    from deep.exact.horizon import stages_of

    border.expect(mdp, "evaluate_horizon", "FiniteHorizonMDP")
    p = jnp.asarray(border.staged_policy(pi, mdp))
    reg = checked(regularizer, mdp.stage(0).mask)
    V = [jnp.asarray(mdp.terminal)]
    for h, d in reversed(list(enumerate(stages_of(mdp)))):
        V.append(_own_backup(d, reg, p[h], V[-1]))
    return np.stack([np.asarray(v) for v in V[::-1]])


@in_float64
def horizon_visits(mdp: FiniteHorizonMDP, pi: Any, rho: Any = None) -> np.ndarray:
    """Probability of each pair at steps 0 ... H-1 from ``rho``, the model's if None: (H, S, A). ModelError where there is none."""
    from deep.exact.horizon import stages_of

    border.expect(mdp, "horizon_visits", "FiniteHorizonMDP")
    p = jnp.asarray(border.staged_policy(pi, mdp))
    start = mdp.rho if rho is None else check.check_distribution(rho, mdp.S)[0]
    if start is None:
        raise ModelError("the model has no start distribution: pass rho (S,), or build it with rho")
    d, found = jnp.asarray(start), []
    for h, stage in enumerate(stages_of(mdp)):
        found.append(d[:, None] * p[h])
        d = _after(stage, p[h], d)
    return np.stack([np.asarray(x) for x in found])


def _policy(model: Placed, pi: Any) -> Any:
    p = border.policy(pi, model.mdp.mask)
    return jnp.asarray(np.concatenate([p, np.repeat(p[-1:], model.arrays.S - len(p), axis=0)]))


def _trusted(who: str, model: Placed, x: Any, residual: Any, penalty: Any = 0.0) -> np.ndarray:
    """``x`` without what filled it up; errors where the policy's divergence (..., S) is infinite, or the system not solved."""
    infinite = ~np.isfinite(fetched(penalty)) if who != "occupancy" else np.zeros(1, dtype=bool)
    if infinite.any():
        check.fail(f"{check.place('pi', check.first(infinite))} has an infinite divergence from the reference")
    worst = float(np.max(fetched(residual)))
    if not worst <= ACCURATE:
        raise NotConverged(
            f"{who}: the linear system of {model.mdp.S} equations has a relative residual of {worst:.3g}", None
        )
    out = np.asarray(fetched(x))
    at: Any = (slice(None), slice(model.mdp.S)) if who == "evaluate_many" else slice(model.mdp.S)
    return out[at]


def _value_of(d: DeviceModel, reg: Any, pi: Any) -> tuple[Any, Any, Any]:
    ops = JaxOps()
    m, p = ops.model(d), Value(ops, pi, 2)
    reward = operators.policy_reward(ops, m, p, reg).data
    V = resolvent_solve(d, pi, reward)
    rows = policy_rows(d, pi)
    left = reward + d.gamma * advance(rows, V, d.S, d.A) - V
    V = V + resolvent_solve(d, pi, left)  # a step of refinement
    left = reward + d.gamma * advance(rows, V, d.S, d.A) - V
    return V, jnp.abs(left).max() / jnp.maximum(jnp.abs(V).max(), jnp.finfo(V.dtype).tiny), reward


@jax.jit
def _evaluated(d: DeviceModel, reg: Any, pi: Any) -> tuple[Any, Any, Any]:
    return _value_of(d, reg, pi)


@jax.jit
def _evaluated_many(d: DeviceModel, reg: Any, pi: Any) -> tuple[Any, Any, Any]:
    return jax.vmap(partial(_value_of, d, reg))(pi)


@jax.jit
def _visited(d: DeviceModel, pi: Any, rho: Any) -> tuple[Any, Any]:
    visits = resolvent_solve(d, pi, rho, transpose=True)
    left = rho + d.gamma * withdraw(policy_rows(d, pi), visits, d.S, d.A) - visits
    return visits[:, None] * pi, jnp.abs(left).max() / jnp.abs(visits).max()


@jax.jit
def _own_backup(d: DeviceModel, reg: Any, pi: Any, V: Any) -> Any:
    ops = JaxOps()
    return ops.policy_backup(ops.model(d), Value(ops, pi, 2), Value(ops, V, 1), reg).data


@jax.jit
def _after(d: DeviceModel, pi: Any, x: Any) -> Any:
    return withdraw(policy_rows(d, pi), x, d.S, d.A)
