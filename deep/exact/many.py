"""Many models at once, by ``vmap``: the members of a batch, or one model at many temperatures, discounts and rewards.

Every member has its own stopping rule and its own certificate; the compiled loop ends with the last of them. Over a mesh the
members are spread, and no device waits for another before the end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from deep.exact import core, members
from deep.exact.placing import NOWHERE, fetched, place, spread_axes
from deep.exact.solvers import check_weights, chosen
from deep.ops import DeviceModel
from deep.ops.models import arrays_of
from deep.precision import in_float64
from tabular import _batch_border, _border
from tabular import _validate as check
from tabular._rounding import U
from tabular.batch import MDPBatch
from tabular.errors import ModelError, NotConverged
from tabular.mdp import MDP
from tabular.planning._finish import TOL, check_options
from tabular.planning.batch_solve import BatchSolution
from tabular.regularizers import BUILT_IN, Hard, checked


class PlacedBatch(NamedTuple):
    """A batch whose arrays are on the device, for several solves. ``B`` members; ``mask`` of the actions that all have."""

    B: int
    arrays: DeviceModel
    mask: np.ndarray
    on: Mesh | None
    facts: members.Facts


@in_float64
def placed_batch(batch: MDPBatch, on: Mesh | None = None) -> PlacedBatch:
    """Copies the arrays of a batch to the device, or spreads its members over a mesh."""
    _border.expect(batch, "placed_batch", "MDPBatch")
    d = arrays_of(batch).with_(rho=None)
    if on is not None:
        (d,) = _filled((d,), (0,), on.size)
    every = np.asarray(batch.mask.all(axis=0))
    return PlacedBatch(batch.B, place(d, on, 0), every, on, members.facts_of_batch(batch))


@in_float64
def solve_batch(
    batch: MDPBatch | PlacedBatch,
    regularizer: Any = None,
    method: str = "modified_policy_iteration",
    *,
    tol: float = TOL,
    max_iter: int = 10_000,
    sweeps: int = 200,
    on: Mesh | None = None,
    throw: bool = True,
) -> BatchSolution:
    """Solve every member of a batch of discounted models on the device.

    Parameters
    ----------
    batch : ``MDPBatch``: 8 B S^2 A bytes on the device, or on the mesh ``on`` over which its members are spread. Or what
        ``placed_batch`` made of one.
    regularizer : None, or a built-in one. Its weight may be (B,) weights, one for each member.
    method, tol, max_iter, sweeps, throw : as in ``deep.exact.solve``.

    Returns
    -------
    ``BatchSolution`` as that of ``tabular.solve_batch``: bounds of each member, rounding included. Without regulariser and under
    Shannon's they come from the device's residuals, else from enclosures on the host (seconds for thousands of members).

    Raises ModelError, NotConverged (with ``.solution``), TypeError, ValueError.
    """
    if not isinstance(batch, PlacedBatch):
        _border.expect(batch, "solve_batch", "MDPBatch")
        check_options(tol, throw, None, max_iter=max_iter, sweeps=sweeps)
        batch = placed_batch(batch, on)
    return _solved(
        batch.arrays, batch.B, batch.facts, regularizer, batch.mask, method, tol, max_iter, sweeps, batch.on, throw
    )


@in_float64
def sweep(
    mdp: MDP,
    regularizer: Any = None,
    method: str = "modified_policy_iteration",
    *,
    gamma: Any = None,
    R: Any = None,
    tol: float = TOL,
    max_iter: int = 10_000,
    sweeps: int = 200,
    on: Mesh | None = None,
    throw: bool = True,
) -> BatchSolution:
    """Solve one model, dense or sparse, under many temperatures, discounts and rewards; its transitions are stored once.

    Parameters
    ----------
    regularizer : None, or a built-in one, whose weight may be (B,) weights: ``Shannon(np.geomspace(.01, 10, 64))``.
    gamma : (B,) discounts below 1, or None for the model's.
    R : (B, S, A) rewards, finite where the model's are and ignored elsewhere, or None.
    method and the rest : as in ``deep.exact.solve``; ``on`` spreads the members.

    At least one of the three has an axis of members, and all that have one have the same. Returns and raises as ``solve_batch``.
    """
    _border.expect(mdp, "sweep", "MDP")
    d, f = arrays_of(mdp), members.facts_of_model(mdp)
    sizes = {name: len(x) for name, x in (("gamma", gamma), ("R", R)) if x is not None}
    sizes |= {f"{k} of the regularizer": len(v) for k, v in _weights(regularizer).items() if np.ndim(v) == 1}
    if not sizes:
        raise ValueError("nothing to sweep over: give (B,) weights, discounts gamma (B,), or rewards R (B, S, A)")
    if len(set(sizes.values())) != 1:
        raise ValueError(f"{', '.join(f'{k} has {n}' for k, n in sizes.items())} members: expected one number")
    (B,) = set(sizes.values())
    f = f.at(B)
    if gamma is not None:
        gammas, exact = _batch_border.gammas(gamma, B)
        f = f._replace(gamma=gammas, gamma_error=np.full(B, 0.0 if exact is None else U))
        d = d.with_(gamma=gammas)
    if R is not None:
        rewards = _rewards(R, B, mdp)
        f = f._replace(reward=np.abs(rewards).max(axis=(1, 2)), reward_error=np.zeros(B))
        d = d.with_(R=rewards)
    return _solved(d, B, f, regularizer, mdp.mask, method, tol, max_iter, sweeps, on, throw)


def _rewards(R: Any, B: int, mdp: MDP) -> np.ndarray:
    rewards = np.array(R, dtype=np.float64)
    if rewards.shape != (B, mdp.S, mdp.A):
        check.fail(f"R has shape {rewards.shape}: expected {(B, mdp.S, mdp.A)}")
    rewards[:, ~mdp.mask] = 0.0
    check.check_finite(rewards, "R")
    return rewards


def _weights(reg: Any) -> dict[str, Any]:
    """The fields of a regulariser that may differ between members."""
    return {k: v for k, v in reg._asdict().items() if k in ("tau", "lam")} if isinstance(reg, BUILT_IN) else {}


def _each(regularizer: Any, mask: np.ndarray, B: int) -> tuple[Any, Any, list[Any]]:
    """The regulariser with arrays of weights, its axes of members, and that of each member, checked."""
    own: Any = regularizer
    if regularizer is not None and not isinstance(regularizer, BUILT_IN):
        raise TypeError(f"{regularizer!r} is no built-in regulariser: deep.exact.solve takes your own, model by model")
    given = {k: np.asarray(v, dtype=np.float64) for k, v in _weights(regularizer).items()}
    many = {k: v for k, v in given.items() if v.ndim}
    for k, v in many.items():
        if v.shape != (B,):
            check.fail(f"{k} has shape {v.shape}: expected a number or ({B},), one for each member")
    if not many:
        one = checked(regularizer, mask)
        return one, None, [one] * B
    single = [checked(own._replace(**{k: v[b] for k, v in many.items()}), mask) for b in range(B)]
    if len({type(x) for x in single}) > 1:
        b = next(b for b, x in enumerate(single) if type(x) is not type(single[0]))
        check.fail(f"a weight of member {b} is 0 and drops a term that other members have: solve those apart")
    reg = single[0]
    axes = type(reg)(**{k: 0 if k in many else None for k in reg._fields}) if reg._fields else None
    fields = {k: np.array([getattr(x, k) for x in single]) for k in many if k in reg._fields}
    return (reg._replace(**fields) if fields else reg), axes, single


def _solved(
    d: DeviceModel, B: int, f: members.Facts, regularizer: Any, mask: np.ndarray, method: str, tol: float, max_iter: int,
    sweeps: int, on: Mesh | None, throw: bool,
) -> BatchSolution:  # fmt: skip
    check_options(tol, throw, None, max_iter=max_iter, sweeps=sweeps)
    method, _ = chosen(method, d)
    if (f.gamma >= 1.0).any():
        raise ModelError(f"gamma[{int(np.argmax(f.gamma >= 1.0))}] is 1: total reward is solved by tabular.solve")
    reg, reg_axes, single = _each(regularizer, mask, B)
    check_weights(reg)
    axes = d.with_(
        P=0 if np.ndim(d.P) == 4 else None,
        R=_axis(d.R, 3),
        end=_axis(d.end, 3),
        gamma=0,
        rho=None,
        mask=_axis(d.mask, 3),
    )
    d = d.with_(gamma=np.array(f.gamma), rho=None)
    setting = members.setting(f, tol, max_iter, sweeps)
    setting_axes = core.Setting(0, 0, 0, 0, None, None, None)
    V = np.zeros((B, d.S))
    trees, tree_axes = (d, reg, setting, V), (axes, reg_axes, setting_axes, 0)
    if on is not None:
        trees = _filled(trees, tree_axes, on.size)
    arguments = tuple(place(t, on, a) for t, a in zip(trees, tree_axes, strict=True))
    x = fetched(core.solve_many(method, tree_axes, *arguments))
    x = core.Answer(*(v[:B] for v in x))
    if members.has_bounds(f, reg):
        lower, upper, gap = members.bounds(f, reg, d.A, x)
    else:
        masks = np.asarray(d.mask)
        lower, upper, gap = members.bounds_by_enclosure(
            f, single, masks if masks.ndim == 3 else np.broadcast_to(masks, x.Q.shape), x
        )
    scale = np.maximum(f.reward, x.size)
    with np.errstate(invalid="ignore"):
        converged = np.maximum(np.abs(lower), np.abs(upper)) <= tol * scale
    given = None if isinstance(reg, Hard) else reg
    solution = BatchSolution(x.V, x.Q, x.pi, x.log_pi, lower, upper, gap, converged, x.iterations, given)
    failed = ~np.isfinite(x.V).all(axis=1) | (~converged & (x.status == core.MAX_ITER))
    if throw and failed.any():
        b = int(np.argmax(failed))
        raise NotConverged(
            f"{method}: {int(failed.sum())} of {B} members miss a relative tolerance of {tol:g}, member {b} after "
            f"{int(x.iterations[b])} backups first. throw=False returns what there is",
            solution,
        )
    return solution


def _axis(x: Any, ndim: int) -> int | None:
    return 0 if np.ndim(x) == ndim else None


def _filled(trees: tuple[Any, ...], axes: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    """Copies of the last member until the devices divide their number."""

    def more(x: Any, axis: int) -> Any:
        missing = 0 if axis == NOWHERE else -len(x) % n
        return np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) if missing else x

    return tuple(jax.tree.map(more, t, spread_axes(t, a)) for t, a in zip(trees, axes, strict=True))
