r"""The iterations, compiled: one model in, the answer and what its certificate needs out. Pure functions of pytrees.

They are those of ``tabular.planning._loops``, decision by decision, with every decision on the device: ``vmap`` runs them on
many models at once until the last one is done, and a model whose arrays are spread over devices is solved where they lie.
Backups, policies and projections are the formulas of ``tabular.reference``, for any regulariser that is written over ``ops``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.sparse.linalg import bicgstab

from deep.ops import DeviceModel, JaxOps
from deep.ops.models import Listed, Padded, policy_matrix
from tabular.reference.value import Value
from tabular.regularizers import Hard

DENSE_SOLVE = 1_500
"""States up to which linear systems are solved by elimination."""
EPS = 2.0**-52
RUNNING, CONVERGED, ROUNDING_FLOOR, NONFINITE, MAX_ITER = range(5)


class Setting(NamedTuple):
    """Numbers of a member and of the iteration, all traced: masses ``1 - end`` of rows, largest reward, entries of a row."""

    mass_min: Any
    mass_max: Any
    reward: Any
    longest: Any
    tol: Any
    max_iter: Any
    sweeps: Any


class Answer(NamedTuple):
    """``Q``, ``TV``, ``pi``, ``log_pi`` of the ``V`` that is returned; extremes of ``TV - V``; largest ``|V|`` and ``|TV|``."""

    V: Any
    Q: Any
    pi: Any
    log_pi: Any
    low: Any
    high: Any
    size: Any
    size_after: Any
    status: Any
    iterations: Any


class State(NamedTuple):
    """Of a loop. ``best``, ``stale``: the least change so far, and for how long; ``left``: of the last sweeps."""

    V: Any
    k: Any
    status: Any
    best: Any
    stale: Any
    left: Any


def q_values(ops: JaxOps, d: DeviceModel, V: Any) -> tuple[Any, Any]:
    """``R + gamma P V`` (S, A) and the model, as a value and a ``Model``."""
    m = ops.model(d)
    return ops.q_backup(m, Value(ops, V, 1)), m


def backup(ops: JaxOps, d: DeviceModel, reg: Any, V: Any) -> tuple[Any, Any, Any, Any]:
    """``Q``, ``TV``, least and largest component of ``TV - V``."""
    Q, m = q_values(ops, d, V)
    TV = reg.conjugate(ops, Q, m.mask).data
    change = TV - V
    return Q, TV, change.min(), change.max()


# -- stopping -------------------------------------------------------------------------------------------------------
def _extend(x: Any, mass: Any, gamma: Any) -> Any:
    g = gamma * mass
    return jnp.where((x == 0) | (g == 0), 0.0, x * (g / (1.0 - g)))


def _judged(
    d: DeviceModel, f: Setting, TV: Any, low: Any, high: Any, s: State, patience: int
) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Status, change, shift of ``TV``, the part of the change that would be enough, and the new ``best``, ``stale``."""
    by_span = f.mass_min == f.mass_max
    change = jnp.where(by_span, high - low, jnp.maximum(-low, high))
    lo = _extend(low, jnp.where(low > 0, f.mass_min, f.mass_max), d.gamma)
    hi = _extend(high, jnp.where(high > 0, f.mass_max, f.mass_min), d.gamma)
    shift = jnp.where(by_span, 0.5 * lo + 0.5 * hi, 0.0)
    gap = jnp.where(by_span, 0.5 * hi - 0.5 * lo, jnp.maximum(-lo, hi))
    scale = jnp.maximum(f.reward, jnp.abs(TV + shift).max())
    stale = jnp.where(change < s.best, 0, s.stale + 1)
    best = jnp.minimum(s.best, change)
    noise = (f.longest + 4) * EPS * jnp.maximum(f.reward, jnp.abs(TV).max())
    floor = (stale >= patience) & (change <= 8 * noise)
    # gamma = 1 where a row does not end: there is no bracket. A change that is small ends the loop, and a certificate decides.
    gap = jnp.where(d.gamma * f.mass_max < 1.0, gap, jnp.maximum(-low, high))
    needed = jnp.where(gap > 0, 0.4 * f.tol * scale / jnp.where(gap > 0, gap, 1.0), 0.0)
    status = jnp.where(gap <= 0.5 * f.tol * scale, CONVERGED, jnp.where(floor, ROUNDING_FLOOR, RUNNING))
    finite = jnp.isfinite(low) & jnp.isfinite(high) & jnp.isfinite(scale)
    status = jnp.where(finite, status, NONFINITE)
    return status, change, shift, needed, best, stale


def _centred(f: Setting, change: Any) -> Any:
    """Without its middle where all masses are equal: a shift makes up for constants at the end."""
    return change - jnp.where(f.mass_min == f.mass_max, 0.5 * change.min() + 0.5 * change.max(), 0.0)


def _loop(d: DeviceModel, f: Setting, V: Any, step: Callable[[State], State]) -> State:
    start = State(V, jnp.int32(0), jnp.int32(RUNNING), jnp.full_like(V[0], jnp.inf), jnp.int32(0), jnp.zeros_like(V[0]))
    last = jax.lax.while_loop(lambda s: (s.status == RUNNING) & (s.k < f.max_iter), step, start)
    return last._replace(status=jnp.where(last.status == RUNNING, MAX_ITER, last.status))


def _after(s: State, f: Setting, TV: Any, shift: Any, judged: Any, V: Any, left: Any) -> State:
    """The next state: the shifted backup where the loop ends here, else ``V``."""
    status, best, stale = judged
    ends = (status != RUNNING) | (s.k + 1 >= f.max_iter)
    return State(jnp.where(ends, TV + shift, V), s.k + 1, status.astype(jnp.int32), best, stale.astype(jnp.int32), left)


# -- one policy -----------------------------------------------------------------------------------------------------
def policy_rows(d: DeviceModel, pi: Any) -> Any:
    """Transitions of a policy, made once for many sweeps: (S, A) weights, or (S,) actions, whose rows are copied."""
    P, S, A = d.P, d.S, d.A
    if pi.ndim == 1 and isinstance(P, Padded):
        return Padded(*(jnp.take_along_axis(x, pi[None, None, :], axis=1) for x in P))
    if pi.ndim == 1 and not isinstance(P, Listed):
        return jnp.take_along_axis(P, pi[:, None, None], axis=1)[:, 0]
    weights = jax.nn.one_hot(pi, A, dtype=d.R.dtype) if pi.ndim == 1 else pi
    if isinstance(P, Padded):
        return Padded(P.indices, P.data * weights.T)
    if isinstance(P, Listed):
        return Listed(P.owner, P.indices, P.data * weights.reshape(-1)[P.owner])
    return policy_matrix(P, weights, S, A)


def advance(rows: Any, x: Any, S: int, A: int) -> Any:
    """``P_pi x``: (S,)."""
    if isinstance(rows, Padded):
        return (rows.data * x[rows.indices]).sum(axis=(0, 1))
    if isinstance(rows, Listed):
        terms = rows.data * x[rows.indices]
        return jax.ops.segment_sum(terms, rows.owner // A, num_segments=S, indices_are_sorted=True)
    return rows @ x


def withdraw(rows: Any, x: Any, S: int, A: int) -> Any:
    """``P_pi^T x``: (S,)."""
    if isinstance(rows, Padded):
        return jnp.zeros_like(x).at[rows.indices].add(rows.data * x)
    if isinstance(rows, Listed):
        return jnp.zeros_like(x).at[rows.indices].add(rows.data * x[rows.owner // A])
    return x @ rows


def resolvent_solve(d: DeviceModel, pi: Any, b: Any, transpose: bool = False) -> Any:
    """``(I - gamma P_pi)^-1 b``, or with the transpose: elimination, in large models BiCGSTAB and one refinement."""
    if d.S <= DENSE_SOLVE:
        weights = jax.nn.one_hot(pi, d.A, dtype=d.R.dtype) if pi.ndim == 1 else pi
        matrix = jnp.eye(d.S, dtype=b.dtype) - d.gamma * policy_matrix(d.P, weights, d.S, d.A)
        return jnp.linalg.solve(matrix.T if transpose else matrix, b)
    rows, product = policy_rows(d, pi), withdraw if transpose else advance
    apply = lambda x: x - d.gamma * product(rows, x, d.S, d.A)  # noqa: E731
    find = partial(bicgstab, apply, tol=1e-12, maxiter=2_000)
    x = find(b)[0]
    return x + find(b - apply(x))[0]


def _greedy(ops: JaxOps, d: DeviceModel, reg: Any, Q: Any) -> Any:
    """Actions (S,) without regulariser, else weights (S, A)."""
    if isinstance(reg, Hard):
        return jnp.argmax(jnp.where(d.mask, Q.data, -jnp.inf), axis=-1)
    return reg.policy(ops, Q, d.mask).data


# -- loops ----------------------------------------------------------------------------------------------------------
def value_loop(ops: JaxOps, d: DeviceModel, reg: Any, f: Setting, V: Any) -> State:
    """``V <- TV``."""

    def step(s: State) -> State:
        _, TV, low, high = backup(ops, d, reg, s.V)
        status, _, shift, _, best, stale = _judged(d, f, TV, low, high, s, 16)
        return _after(s, f, TV, shift, (status, best, stale), s.V + _centred(f, TV - s.V), s.left)

    return _loop(d, f, V, step)


def modified_loop(ops: JaxOps, d: DeviceModel, reg: Any, f: Setting, V: Any) -> State:
    """A backup, then backups of its policy until their changes have shrunk thirtyfold, or are small enough to end."""
    by_span = f.mass_min == f.mass_max

    def step(s: State) -> State:
        Q, TV, low, high = backup(ops, d, reg, s.V)
        status, change, shift, needed, best, stale = _judged(d, f, TV, low, high, s, 16)
        rows, step = policy_rows(d, _greedy(ops, d, reg, Q)), _centred(f, TV - s.V)
        enough = change * jnp.where(change <= 2.0 * s.left, jnp.minimum(needed, 1.0 / 30), 1.0 / 30)

        def more(x: Any) -> Any:
            return (x[3] > enough) & (x[2] < f.sweeps)

        def sweep(x: Any) -> Any:
            W, step, n, _ = x
            step = d.gamma * advance(rows, step, d.S, d.A)
            low, high = step.min(), step.max()
            return W + step, step, n + 1, jnp.where(by_span, high - low, jnp.maximum(high, -low))

        first = jnp.where(status == RUNNING, jnp.inf, -jnp.inf)  # no sweeps where the loop ends
        W, _, _, left = jax.lax.while_loop(more, sweep, (s.V + step, step, jnp.int32(0), first))
        return _after(s, f, TV, shift, (status, best, stale), W, left)

    return _loop(d, f, V, step)


def newton_loop(ops: JaxOps, d: DeviceModel, reg: Any, f: Setting, V: Any) -> State:
    """(Soft) policy iteration: ``V <- V + (I - gamma P_pi)^-1 (TV - V)``, which is ``V^pi`` for the maximiser ``pi`` at ``V``."""

    def step(s: State) -> State:
        Q, TV, low, high = backup(ops, d, reg, s.V)
        status, _, shift, _, best, stale = _judged(d, f, TV, low, high, s, 2)
        change = resolvent_solve(d, _greedy(ops, d, reg, Q), _centred(f, TV - s.V))
        return _after(s, f, TV, shift, (status, best, stale), s.V + _centred(f, change), s.left)

    return _loop(d, f, V, step)


LOOPS = {"value_iteration": value_loop, "modified_policy_iteration": modified_loop, "policy_iteration": newton_loop}


def solved(method: str, d: DeviceModel, reg: Any, f: Setting, V: Any) -> Answer:
    """The loop, then one more backup of what it returns, by XLA's own sums: what is certified is this ``V``."""
    last = LOOPS[method](JaxOps(), d, reg, f, V)
    V = last.V
    ops = JaxOps(library=False)
    Q, TV, low, high = backup(ops, d, reg, V)
    pi, log_pi = reg.policy(ops, Q, d.mask).data, reg.log_policy(ops, Q, d.mask).data
    return Answer(
        V,
        jnp.where(d.mask, Q.data, -jnp.inf),
        pi,
        log_pi,
        low,
        high,
        jnp.abs(V).max(),
        jnp.abs(TV).max(),
        last.status,
        last.k,
    )


@partial(jax.jit, static_argnames=("method",))
def solve_one(method: str, d: DeviceModel, reg: Any, f: Setting, V: Any) -> Answer:
    return solved(method, d, reg, f, V)


@partial(jax.jit, static_argnames=("method", "axes"))
def solve_many(method: str, axes: tuple[Any, ...], d: DeviceModel, reg: Any, f: Setting, V: Any) -> Answer:
    """``solved`` mapped over the axes that ``axes`` = (model, regulariser, setting, V) name: 0, or None where shared."""
    return jax.vmap(partial(solved, method), in_axes=axes)(d, reg, f, V)
