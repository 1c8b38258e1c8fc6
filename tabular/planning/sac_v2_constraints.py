r"""Finite horizons under an entropy constraint for each step, with one temperature a step.

Maximise :math:`E \sum_h \gamma^h R` subject to :math:`E_{s_h \sim \rho_\pi}[H(\pi_h(\cdot|s_h))] \ge \bar H_h` for
every h. In the occupancies :math:`\mu_h(s,a)` the return is linear and :math:`-\sum \mu \log(\mu / \sum_a \mu)`
concave, so this is a convex program, with the dual :math:`D(\tau_0, \ldots, \tau_{H-1}) = \rho V_0 - \sum_h \gamma^h
\tau_h \bar H_h`, where :math:`V` is the soft backward induction :math:`V_h = \mathrm{lse}_{\tau_h}(R + \gamma P
V_{h+1})`. Since :math:`\partial D / \partial \tau_h = \gamma^h (E_{s_h}[H(\pi_h)] - \bar H_h)` *under the state
distribution of the very policy*, the conditions of all steps are coupled. The recursion of the paper solves them one
by one, from the last step on, with the state distribution given: ``backward_temperatures``. Its answer is the optimum
exactly where the distribution given is that of its answer (sac_v2.C2); with another one it may not even be feasible
(sac_v2.C2b). ``constrained_backward_induction`` solves all of them together. The distribution cannot differ where
nobody influences the next state.

The optimal value is enclosed: any dual value is above it, and the policy, mixed in occupancies with enough of the
uniform one to meet the constraints, below. Source: sac_v2 (Haarnoja et al. 2018), section 5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._backups import Backups
from tabular.errors import ImproperModel, NotConverged
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.planning.sac_v2 import entropy_temperature, softmax
from tabular.reference import operators
from tabular.reference.enclosure_ops import EnclosureOps
from tabular.regularizers import Shannon
from tabular.solution import Certificate

STEPS = 200
ROOM = 1.0 + 2.0**-40
"""Weights of the uniform policy are rounded up by this."""


class ConstrainedPlan(NamedTuple):
    """The optimum under entropy constraints.

    Attributes
    ----------
    temperatures : (H,), or () for one.  pi : (H, S, A) or (S, A).  V : soft values, (H + 1, S) or (S,).
    entropies : (H,) or (), mean entropies of ``pi``, in nats.  value, dual : primal and dual values from ``rho``.
    certificates : ``"value"``, an enclosure of the optimal return from ``rho``, rounding included.
    """

    temperatures: Any
    pi: np.ndarray
    V: np.ndarray
    entropies: Any
    value: float
    dual: float
    certificates: dict[str, Certificate]


def backward_temperatures(fh: FiniteHorizonMDP, targets: Any, visits: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The paper's recursion: from the last step on, the temperature at which the mean entropy *under given visits* is the target.

    targets : (H,) nats.  visits : (H, S) a state distribution for each step. Returns temperatures (H,), soft values (H + 1, S) and
    policies (H, S, A). Raises as ``entropy_temperature`` does. H roots, O(S^2 A) each besides.
    """
    stages = _stages(fh, "backward_temperatures")
    target = _targets(targets, fh.H)
    d = check.float_array(visits, "visits")
    if d.shape != (fh.H, fh.S):
        check.fail(f"visits has shape {d.shape}: expected ({fh.H}, {fh.S})")
    tau, V, pi = np.empty(fh.H), np.empty((fh.H + 1, fh.S)), np.empty((fh.H, fh.S, fh.A))
    V[fh.H] = fh.terminal
    for h in reversed(range(fh.H)):
        Q = stages[h].q(V[h + 1])
        tau[h] = entropy_temperature(Q, float(target[h]), weights=d[h]).tau
        pi[h] = softmax(Q, tau[h], stages[h].mask)[0]
        V[h] = Backups(fh.stage(h), Shannon(float(tau[h]))).conjugate(Q)
    return tau, V, pi


def constrained_backward_induction(fh: FiniteHorizonMDP, targets: Any, rho: Any = None) -> ConstrainedPlan:
    """The best return under a least mean entropy for each step, with one temperature a step.

    Parameters
    ----------
    fh : gamma > 0, no step of which ends the process (use ``augmented`` stages otherwise: there is no entropy after the end).
    targets : (H,) positive numbers of nats, or one for all.  rho : (S,), the model's if None.

    Raises
    ------
    ImproperModel where the uniform policy has not more entropy at some step than its target (no point is known then at which all
    constraints hold strictly), and where a constraint does not bind (ties leave more entropy than asked for as its temperature
    tends to zero). NotConverged after 200 steps. ValueError for data.

    Newton's method on the convex dual, with its exact second derivatives, by backtracking. O(H^2 S^2 A) a step.
    """
    _stages(fh, "constrained_backward_induction")
    target, start = _targets(targets, fh.H), start_of(fh, rho)
    uniform = np.stack([uniform_policy(fh.stage(h).mask) for h in range(fh.H)])
    most = _mean_entropies(uniform, _visits(fh, start, uniform))
    for h in np.flatnonzero(target >= most):
        raise ImproperModel(
            f"step {h}: the target is {target[h]:.6g} nats and the uniform policy has {most[h]:.6g}; the constraints need a policy "
            "that meets all of them strictly"
        )
    tau = _newton(fh, target, start)
    V, pi = _soft(fh, tau)
    d = _visits(fh, start, pi)
    value = sum(
        fh.gamma**h * float(d[h] @ (pi[h] * fh.stage(h).rewards).sum(axis=1)) for h in range(fh.H)
    ) + fh.gamma**fh.H * float(d[fh.H] @ fh.terminal)
    dual = float(start @ V[0] - (fh.gamma ** np.arange(fh.H)) @ (tau * target))
    found = {"value": _horizon_certificate(fh, target, start, tau, pi, uniform)}
    return ConstrainedPlan(tau, pi, V, _mean_entropies(pi, d), value, dual, found)


def _stages(fh: Any, who: str) -> list[Backups]:
    border.expect(fh, who, "FiniteHorizonMDP")
    if fh.gamma <= 0:
        raise ValueError(f"gamma = 0: {who} needs later steps to count")
    for h in range(fh.H):
        if fh.stage(h).has_end:
            raise ValueError(f"stage {h} may end the process: constraints are on entropies of all who started")
    return [Backups(fh.stage(h)) for h in range(fh.H)]


def _targets(targets: Any, H: int) -> np.ndarray:
    x = check.float_array(targets, "targets")
    if x.shape not in ((), (H,)):
        check.fail(f"targets has shape {x.shape}: expected ({H},), or a number for all steps")
    x = np.broadcast_to(x, (H,)).astype(np.float64)
    if not (np.isfinite(x) & (x > 0)).all():
        h = int(np.argmin(np.isfinite(x) & (x > 0)))
        check.fail(f"targets[{h}] is {x[h]}: expected a positive entropy in nats")
    return x


def start_of(model: Any, rho: Any) -> np.ndarray:
    start = model.rho if rho is None else check.check_distribution(rho, model.S)[0]
    if start is None:
        check.fail("rho is missing: the model has no start distribution")
    return np.asarray(start)


def uniform_policy(mask: np.ndarray) -> np.ndarray:
    return np.asarray(mask / mask.sum(axis=1, keepdims=True))


def entropies(pi: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.asarray(np.where(pi > 0, pi * np.log(pi), 0.0).sum(axis=-1))


def _mean_entropies(pi: np.ndarray, d: np.ndarray) -> np.ndarray:
    return np.asarray((d[: len(pi)] * entropies(pi)).sum(axis=1))


def _visits(fh: FiniteHorizonMDP, start: np.ndarray, pi: np.ndarray) -> np.ndarray:
    """(H + 1, S) state distributions."""
    d = [start]
    for h in range(fh.H):
        d.append(Backups(fh.stage(h)).transition(pi[h]).T @ d[-1])
    return np.stack(d)


def _soft(fh: FiniteHorizonMDP, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    V, pi = np.empty((fh.H + 1, fh.S)), np.empty((fh.H, fh.S, fh.A))
    V[fh.H] = fh.terminal
    for h in reversed(range(fh.H)):
        b = Backups(fh.stage(h), Shannon(float(tau[h])))
        Q = b.q(V[h + 1])
        V[h], pi[h] = b.conjugate(Q), b.policy(Q)[0]
    return V, pi


def _newton(fh: FiniteHorizonMDP, target: np.ndarray, start: np.ndarray) -> np.ndarray:
    power = fh.gamma ** np.arange(fh.H)
    tau, damping = _scales(fh), 0.0

    def dual(t: np.ndarray) -> float:
        return float(start @ _soft(fh, t)[0][0] - power @ (t * target))

    for _ in range(STEPS):
        e, slope = _entropies_and_slopes(fh, tau, start)
        F = e - target
        V = _soft(fh, tau)[0]
        spans = np.array([_span(fh, h, V[h + 1]) for h in range(fh.H)])
        if (tied := (F > 0) & ((spans == 0) | (tau <= 1e-12 * spans))).any():
            h = int(np.argmax(tied))
            raise ImproperModel(f"step {h}: ties leave more than {target[h]:.6g} nats as its temperature tends to 0")
        if np.abs(F).max() <= 2.0**-46 * max(1.0, float(target.max())):
            return tau
        # In log tau, in which the entropies change evenly over all scales.
        hessian = power[:, None] * slope * tau * tau[:, None]
        hessian = (hessian + hessian.T) / 2
        hessian += 2.0**-60 * (power * tau).max() * np.eye(fh.H)  # where all actions tie, entropies do not move
        g, value = power * tau * F, dual(tau)
        for _ in range(60):
            step = np.clip(np.linalg.solve(hessian + damping * np.diag(np.diag(hessian)), -g), -2.0, 2.0)
            new = tau * np.exp(step)
            after = dual(new)
            close = np.abs(_entropies_and_slopes(fh, new, start)[0] - target).max() < np.abs(F).max() / 2
            if close or after < value + 1e-4 * float(g @ step):
                damping = damping / 8 if damping > 1e-8 else 0.0
                tau = new
                break
            damping = max(8 * damping, 1e-6)
        else:
            break
    e = _entropies_and_slopes(fh, tau, start)[0]
    if np.abs(e - target).max() > 1e-6:
        raise NotConverged(
            f"constrained_backward_induction: entropies {e} against targets {target} when the steps ended"
        )
    return tau


def _scales(fh: FiniteHorizonMDP) -> np.ndarray:
    """(H,) temperatures of the size of what is at stake at each step, which may be smaller by far at one than at another."""
    tau, V = np.ones(fh.H), np.asarray(fh.terminal)
    for h in reversed(range(fh.H)):
        tau[h] = _span(fh, h, V) or 1.0
        b = Backups(fh.stage(h), Shannon(float(tau[h])))
        V = b.conjugate(b.q(V))
    return tau


def _span(fh: FiniteHorizonMDP, h: int, V: np.ndarray) -> float:
    """The widest range of action values in a state at step ``h``, under the later values ``V``."""
    Q = np.where(fh.stage(h).mask, Backups(fh.stage(h)).q(V), np.nan)
    return float(np.max(np.nanmax(Q, axis=1) - np.nanmin(Q, axis=1)))


def _entropies_and_slopes(fh: FiniteHorizonMDP, tau: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Mean entropies (H,) of the soft policies, and their derivatives [h, i] by :math:`\tau_i`."""
    H, S = fh.H, fh.S
    pi = _soft(fh, tau)[1]
    h_of, log_pi = entropies(pi), np.log(np.where(pi > 0, pi, 1.0))
    rise = np.zeros((H, S))  # dV_{h+1} / dtau_i
    turns: list[np.ndarray] = []
    for h in reversed(range(H)):
        P = fh.stage(h).to_dense().P
        dQ = fh.gamma * np.einsum("sat,it->isa", P, rise)
        own = (np.arange(H) == h)[:, None]
        rise = (pi[h] * dQ).sum(axis=2) + own * h_of[h]
        turns.append(pi[h] / tau[h] * (dQ - rise[:, :, None] - own[:, :, None] * log_pi[h]))
    turns.reverse()
    d, moved = start, np.zeros((H, S))
    e, slope = np.empty(H), np.empty((H, H))
    for h in range(H):
        P = fh.stage(h).to_dense().P
        e[h] = d @ h_of[h]
        slope[h] = moved @ h_of[h] - (turns[h] * log_pi[h]).sum(axis=2) @ d
        moved = np.einsum("is,sa,sat->it", moved, pi[h], P) + np.einsum("s,isa,sat->it", d, turns[h], P)
        d = np.einsum("s,sa,sat->t", d, pi[h], P)
    return e, slope


def _horizon_certificate(
    fh: FiniteHorizonMDP, target: np.ndarray, start: np.ndarray, tau: np.ndarray, pi: np.ndarray, uniform: np.ndarray
) -> Certificate:
    ops = EnclosureOps()
    stages = [ops.model(fh.stage(h)) for h in range(fh.H)]
    rho, last = ops.distribution(start, 1), ops.array(fh.terminal, 1)
    V, paid = last, ops.constant(0)
    for h in reversed(range(fh.H)):
        V = ops.backup(stages[h], V, Shannon(float(tau[h])))
        paid = ops.constant(float(tau[h])) * ops.constant(float(target[h])) + stages[h].gamma * paid
    most = ops.bounds(ops.dot(rho, V) - paid)[1]

    def point(policies: np.ndarray) -> tuple[float, np.ndarray]:
        """Lower bounds on the return of these policies and on what their entropies exceed the targets by."""
        rows = [ops.distribution(p) for p in policies]
        value = operators.policy_induction(ops, stages, last, rows)[0]
        d = operators.forward_visits(ops, stages, rho, rows)
        over = [ops.dot(d[h], -ops.sum(ops.xlogx(rows[h]))) - ops.constant(float(target[h])) for h in range(fh.H)]
        return float(ops.bounds(ops.dot(rho, value))[0]), np.array([float(ops.bounds(x)[0]) for x in over])

    return mixed(point(pi), point(uniform), float(most))


def mixed(best: tuple[float, np.ndarray], uniform: tuple[float, np.ndarray], most: float) -> Certificate:
    """Between the mixture of two occupancies that meets the constraints (entropies are concave in them) and a dual value."""
    short, spare = np.maximum(-best[1], 0.0), uniform[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        w = float(np.max(np.where(short > 0, short / (short + spare), 0.0))) * ROOM
    # Mixing must not spoil the constraints that held before it.
    usable = w == 0 or (w <= 1.0 and (spare[short > 0] > 0).all() and (spare >= 0).all())
    least = (1.0 - w) * best[0] + w * uniform[0] if usable else -np.inf
    least -= 2.0**-50 * (abs(best[0]) + abs(uniform[0]))
    return Certificate("value", "sup", float(least), most, "weak duality, sac_v2.C2a")
