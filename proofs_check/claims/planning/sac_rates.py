r"""SAC, part 3: how fast soft policy iteration converges.

:math:`Q_k = Q^{\pi_k}` with :math:`\pi_{k+1} = \mathrm{sm}_\tau(Q_k)`, from any :math:`\pi_0`; :math:`Q^*` is the fixed point of
:math:`T_\tau Q = R + \gamma P \, \mathrm{lse}_\tau(Q)`.
"""

from __future__ import annotations

from typing import Any

from proofs_check import (
    Identity,
    Inequality,
    claim,
    deterministic_policies,
    families,
    policies,
    scalars,
    temperatures,
    twin,
)
from proofs_check.claim import discounted
from proofs_check.claims.planning.sac_improvement import HAARNOJA, ONE, PAIR, TAU
from proofs_check.claims.planning.sac_models import SMALL, almost_for_ever, given_policy, way_on
from tabular.reference import operators, soft_policies
from tabular.regularizers import Hard, Shannon

K = 2
THEOREM = HAARNOJA + ", Theorem 1"
HALF = (0.5, 0.875)
# Errors fall like exp(-gap / tau) and are squared: cold policies of long horizons would leave nothing that balls resolve.
RATE: dict[str, Any] = {
    "family": (
        families.garnet(3, 2),
        families.random_endings(3, 2, gamma=HALF),
        families.random_masks_endings(3, 3, gamma=HALF),
        families.deterministic(3, 2, gamma=HALF),
        families.hidden_path(4, 2, gamma=HALF),
        almost_for_ever(),
    ),
    "draws": {"pi": policies(), "tau": temperatures(orders=2)},
    "assumptions": (discounted,),
    "instances": (),
}


@claim(id="sac.C3", source="ours, behind " + THEOREM, kind="inequality", **RATE | {"family": SMALL, "draws": ONE})
def sweep(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    r"""Q^{\pi_{k+1}} \ge T_\tau Q^{\pi_k} at every pair, for \gamma < 1: an iteration gains at least what a sweep of
    soft value iteration does.

    Proof: :math:`T_\tau Q_k = T^{\pi_{k+1}}_\tau Q_k`, at most :math:`T^{\pi_{k+1}}_\tau Q_{k+1} = Q_{k+1}` by C2 and monotony.
    """
    reg = Shannon(tau)
    Q, after = soft_policies.iterates(ops, m, pi, reg, 1)
    return Inequality(soft_policies.soft_backup(ops, m, Q, reg), after, axes=PAIR)


@twin(
    sweep,
    why="as much as two sweeps",
    family=families.hidden_path(4, 2, gamma=0.875),
    draws={"pi": deterministic_policies(), "tau": temperatures(orders=2)},
)
def two_sweeps(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    reg = Shannon(tau)
    Q, after = soft_policies.iterates(ops, m, pi, reg, 1)
    twice = soft_policies.soft_backup(ops, m, soft_policies.soft_backup(ops, m, Q, reg), reg)
    return Inequality(twice, after, axes=PAIR)


def _errors(ops: Any, m: Any, pi: Any, tau: Any) -> list[Any]:
    r""":math:`\|Q^* - Q_k\|` for k = 0 ... K."""
    reg = Shannon(tau)
    best = operators.q_backup(ops, m, ops.optimal_value(m, reg))
    return [ops.norm(best - Q) for Q in soft_policies.iterates(ops, m, pi, reg, K)]


def _linear(ops: Any, m: Any, pi: Any, tau: Any, rate: Any) -> Inequality:
    error = _errors(ops, m, pi, tau)
    return Inequality(ops.stack(error[1:]), ops.stack([rate**k * error[0] for k in range(1, K + 1)]), axes=("k",))


@claim(id="sac.C3a", source=THEOREM, kind="rate", **RATE)
def linear_rate(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    r"""\|Q^* - Q^{\pi_k}\|_\infty \le \gamma^k \|Q^* - Q^{\pi_0}\|_\infty for \gamma < 1: soft policy iteration
    converges; k = 1, 2.

    Proof: :math:`0 \le Q^* - Q_{k+1} \le T_\tau Q^* - T_\tau Q_k` by C3, and :math:`T_\tau` is a :math:`\gamma`-contraction.
    """
    return _linear(ops, m, pi, tau, m.gamma)


@twin(
    linear_rate,
    why="gamma squared an iteration, from the first on",
    family=way_on(),
    draws={"pi": given_policy([[0, 1]] * 3), "tau": scalars(0.0009765625, 0.0009765625)},
)
def faster_linear_rate(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    return _linear(ops, m, pi, tau, m.gamma**2)


def _quadratic(ops: Any, m: Any, pi: Any, tau: Any, constant: Any) -> Inequality:
    error = _errors(ops, m, pi, tau)
    return Inequality(ops.stack(error[1:]), ops.stack([constant * e**2 for e in error[:-1]]), axes=("k",))


@claim(id="sac.C3b", source="ours", kind="rate", **RATE)
def quadratic_rate(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    r"""\|Q^* - Q^{\pi_{k+1}}\|_\infty \le \frac{\gamma}{2\tau} \|Q^* - Q^{\pi_k}\|_\infty^2 for \gamma < 1, whatever
    the horizon; k = 0, 1.

    Proof: let :math:`d = Q^* - Q_k \ge 0`, e its norm, p the row of :math:`\pi_{k+1}`, :math:`L =
    \mathrm{lse}_\tau(Q^*) - \mathrm{lse}_\tau(Q_k) = \tau \log \langle p, e^{d/\tau} \rangle` and :math:`D = L -
    \langle p, d \rangle`. As :math:`T_\tau Q_k = T^{\pi_{k+1}}_\tau Q_k`, the error :math:`\delta = V^* - V_{k+1}`
    solves :math:`\delta(s) = D(s) + \gamma \langle p, P \delta \rangle`. With :math:`\Psi(x) = (2ex - x^2) / 2\tau`,
    which rises on [0, e] and is concave, :math:`\delta \le \Psi(L)`. For if it is so one step later, then
    :math:`\gamma P \delta \le \Psi(\gamma P L) \le \Psi(d)`, since :math:`\gamma P L \le \gamma P (V^* - V_k) = d`;
    and :math:`D + \langle p, \Psi(d) \rangle \le \Psi(L)`, which is Jensen's inequality for :math:`g(y) = f(\tau \log
    y)`, :math:`f(x) = x^2/2 + (\tau - e) x`, at :math:`y = e^{d/\tau}`: g is convex where :math:`f' \le \tau f''`,
    that is, :math:`x \le e`. So :math:`\delta \le \Psi(e) = e^2 / 2\tau`, and one backup more adds :math:`\gamma`.
    The constant is the best one: an action that ends against one that stays, the latter of probability near one,
    :math:`\gamma` nearer.
    """
    return _quadratic(ops, m, pi, tau, m.gamma / (2 * tau))


@twin(
    quadratic_rate,
    why="0.99 of the constant: close to the optimum of a choice between an end and almost surely none",
    family=almost_for_ever(),
    draws={"pi": given_policy([[1, 225]]), "tau": scalars(1.0, 1.0)},
)
def quadratic_rate_almost(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    return _quadratic(ops, m, pi, tau, 0.99 * m.gamma / (2 * tau))


@twin(quadratic_rate, why="without 1 / tau", family=families.deterministic(3, 3, gamma=0.5), draws=ONE)
def quadratic_rate_without_temperature(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    return _quadratic(ops, m, pi, tau, m.gamma / 2)


@claim(id="sac.C3c", source=THEOREM, kind="identity", family=SMALL, draws=TAU, assumptions=(discounted,), instances=())
def fixed_point(ops: Any, m: Any, tau: Any) -> Identity:
    r"""\pi^* = sm_\tau(Q^*) has the value Q^* = R + \gamma P lse_\tau(Q^*), for \gamma < 1.

    :math:`Q^*` is enclosed by its residual, :math:`Q^{\pi^*}` by a linear system, and beside it stands :math:`T_\tau
    Q^*`. Proof: :math:`T^{\pi^*}_\tau Q^* = T_\tau Q^* = Q^*`.
    """
    return _fixed(ops, m, tau, Shannon(tau))


def _fixed(ops: Any, m: Any, tau: Any, reg: Any) -> Identity:
    best = operators.q_backup(ops, m, ops.optimal_value(m, Shannon(tau)))
    policy = reg.policy(ops, best, m.mask)
    soft = Shannon(tau)
    value, swept = operators.q_of_policy(ops, m, policy, soft), soft_policies.soft_backup(ops, m, best, soft)
    return Identity(ops.stack([value, swept]), ops.stack([best, best]), axes=("of", *PAIR))


@twin(fixed_point, why="the greedy policy of Q*")
def fixed_point_of_the_greedy(ops: Any, m: Any, tau: Any) -> Identity:
    return _fixed(ops, m, tau, Hard())


@twin(fixed_point, why="the softmax at twice the temperature")
def fixed_point_too_hot(ops: Any, m: Any, tau: Any) -> Identity:
    return _fixed(ops, m, tau, Shannon(2 * tau))


def _sweeps(ops: Any, m: Any, pi: Any, tau: Any) -> tuple[Any, Any]:
    """Values after k = 1 ... K sweeps of soft value iteration, and after as many iterations."""
    reg = Shannon(tau)
    Q = soft_policies.iterates(ops, m, pi, reg, K)
    swept = [Q[0]]
    for k in range(K):
        swept.append(soft_policies.soft_backup(ops, m, swept[k], reg))
    return ops.stack(swept[1:]), ops.stack(Q[1:])


@claim(id="sac.C3d", source="ours", kind="inequality", **RATE)
def beside_value_iteration(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    r"""Q^{\pi_k} \ge (T_\tau)^k Q^{\pi_0} at every pair, for \gamma < 1: never more iterations than sweeps of soft
    value iteration; k = 1, 2.

    Proof: C3, and :math:`T_\tau` is monotone.
    """
    return Inequality(*_sweeps(ops, m, pi, tau), axes=("k", *PAIR))


@twin(beside_value_iteration, why="as many iterations as sweeps: the other way round")
def as_slow_as_value_iteration(ops: Any, m: Any, pi: Any, tau: Any) -> Inequality:
    swept, iterated = _sweeps(ops, m, pi, tau)
    return Inequality(iterated, swept, axes=("k", *PAIR))
