r"""SAC-v2, part 3: the entropy of a softmax as a function of its temperature, and gradient flows of temperature losses.

:math:`H(\tau)` is the entropy of :math:`p = \mathrm{sm}_\tau(r)`, Var the variance of r under p,
:math:`\mathrm{sp}(r)` its range. With :math:`b = 1/\tau`, :math:`dH/db = -b \mathrm{Var}` and :math:`|d \log
\mathrm{Var} / db| \le \mathrm{sp}(r)`, since the third central moment is at most the range times the variance.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, claim, scalars, twin
from proofs_check.claims.planning.sac_v2_bandit import BANDITS, HEAT, entropy, rooted

STEP = {"u": scalars(0.0, 0.5)}


def _variance(ops: Any, r: Any, p: Any) -> Any:
    return ops.dot(p, (r - ops.dot(p, r)) ** 2)


def _hotter(ops: Any, r: Any, tau: Any, u: Any) -> tuple[Any, Any, Any, Any]:
    r"""A temperature above ``tau``, with :math:`\delta = 1/\tau - 1/\tau' = u / (\tau + \mathrm{sp}(r))`; its
    entropy, delta, and the range.
    """
    span = ops.largest(r) - ops.smallest(r)
    delta = u / (tau + span)
    other = 1 / (1 / tau - delta)
    return other, entropy(ops, ops.gibbs(r, other)), delta, span


@claim(id="sac_v2.C4", draws=HEAT | STEP, kind="inequality", **BANDITS)
def monotone(ops: Any, m: Any, heat: Any, u: Any) -> Inequality:
    r"""H(\tau) \le H(\tau') for \tau \le \tau'.

    Proof: C4a.
    """
    r, tau, _, H = rooted(ops, m, heat)
    return Inequality(H, _hotter(ops, r, tau, u)[1])


@twin(monotone, why="strictly convex: at most the mean of the entropies at both ends, in the middle")
def convex(ops: Any, m: Any, heat: Any, u: Any) -> Inequality:
    r, tau, _, H = rooted(ops, m, heat)
    other, above, _, _ = _hotter(ops, r, tau, u)
    return Inequality(entropy(ops, ops.gibbs(r, (tau + other) / 2)), (H + above) / 2)


@twin(monotone, why="the other way round")
def falling(ops: Any, m: Any, heat: Any, u: Any) -> Inequality:
    r, tau, _, H = rooted(ops, m, heat)
    return Inequality(_hotter(ops, r, tau, u)[1], H)


def _derivative(ops: Any, r: Any, tau: Any, p: Any) -> Any:
    r""":math:`-\sum_a \dot p_a (\log p_a + 1)` with :math:`\dot p_a = -p_a (r_a - \langle p, r \rangle) / \tau^2`."""
    moving = -p * (r - ops.dot(p, r)) / tau**2
    return -ops.dot(moving, ops.log_gibbs(r, tau) + 1)


@claim(id="sac_v2.C4a", draws=HEAT, kind="identity", **BANDITS)
def derivative(ops: Any, m: Any, heat: Any) -> Identity:
    r"""dH/d\tau = Var(r) / \tau^3: the covariance of r and \log p over \tau^2, and \log p is r / \tau up to a constant.

    Proof: on the left is the entropy differentiated term by term, with :math:`\dot p = -p (r - \langle p, r \rangle) / \tau^2`.
    """
    r, tau, p, _ = rooted(ops, m, heat)
    return Identity(_derivative(ops, r, tau, p), _variance(ops, r, p) / tau**3)


@twin(derivative, why="the square of the temperature")
def derivative_by_the_square(ops: Any, m: Any, heat: Any) -> Identity:
    r, tau, p, _ = rooted(ops, m, heat)
    return Identity(_derivative(ops, r, tau, p), _variance(ops, r, p) / tau**2)


@claim(id="sac_v2.C4b", draws=HEAT | STEP, kind="inequality", **BANDITS)
def difference(ops: Any, m: Any, heat: Any, u: Any) -> Inequality:
    r"""\frac{Var}{\tau'} \delta e^{-\delta sp(r)} \le H(\tau') - H(\tau) \le \frac{Var}{\tau} \delta e^{\delta
    sp(r)}, \delta = 1/\tau - 1/\tau' \ge 0.

    With differences alone, so that no derivative is taken for granted: both bounds over :math:`\tau' - \tau = \delta
    \tau \tau'` tend to :math:`\mathrm{Var} / \tau^3`. Proof: integrate :math:`b \mathrm{Var}_b` over b from
    :math:`1/\tau'` to :math:`1/\tau`.
    """
    return _between(ops, m, heat, u, 1)


def _between(ops: Any, m: Any, heat: Any, u: Any, curvature: int) -> Inequality:
    r, tau, p, H = rooted(ops, m, heat)
    other, above, delta, span = _hotter(ops, r, tau, u)
    var, grown = _variance(ops, r, p), ops.exp(curvature * delta * span)
    rise = above - H
    return Inequality(
        ops.stack([var / other * delta / grown, rise]), ops.stack([rise, var / tau * delta * grown]), axes=("part",)
    )


@twin(difference, why="as if the variance were the same at all temperatures")
def difference_without_curvature(ops: Any, m: Any, heat: Any, u: Any) -> Inequality:
    return _between(ops, m, heat, u, 0)


@twin(difference, why="nine tenths of the variance")
def difference_of_less_variance(ops: Any, m: Any, heat: Any, u: Any) -> Inequality:
    found = _between(ops, m, heat, u, 1)
    return Inequality(found.measured[1], 0.9 * found.bound[1])


@claim(id="sac_v2.C5", draws=HEAT | STEP | {"other": HEAT["heat"]}, kind="identity", **BANDITS)
def gradients(ops: Any, m: Any, heat: Any, other: Any, u: Any) -> Identity:
    r"""The loss -\tau E[\log\pi + \bar H] by \tau, and the loss -\log\tau E[\log\pi + \bar H] by \log\tau, both have
    the gradient H(\pi) - \bar H.

    So both flows rest where the entropy is the target, and nowhere else (C4). Proof: the policy is held fixed and the
    losses are linear in their parameters; of these the difference quotients are taken here.
    """
    return _gradients(ops, m, heat, other, u, 1)


def _gradients(ops: Any, m: Any, heat: Any, other: Any, u: Any, factor: Any) -> Identity:
    """``factor``: what the quotient of the first loss is multiplied by."""
    r, tau, p, H = rooted(ops, m, heat)
    target = entropy(ops, ops.gibbs(r, other * tau))
    mean = ops.dot(p, ops.log_gibbs(r, tau)) + target
    later = tau * (1 + u + 1)
    first = (-later * mean + tau * mean) / (later - tau)
    second = (-ops.log(later) * mean + ops.log(tau) * mean) / (ops.log(later) - ops.log(tau))
    return Identity(ops.stack([factor * first, second]), ops.stack([H - target, H - target]), axes=("loss",))


@twin(gradients, why="equal gradients by log tau: that of the first loss is tau times as large")
def gradients_by_the_logarithm(ops: Any, m: Any, heat: Any, other: Any, u: Any) -> Identity:
    return _gradients(ops, m, heat, other, u, rooted(ops, m, heat)[1])


@claim(id="sac_v2.C5a", draws=HEAT | STEP, kind="inequality", **BANDITS)
def rates(ops: Any, m: Any, heat: Any, u: Any) -> Inequality:
    r"""The linearised rates at the root are Var / \tau^3 of the first flow and Var / \tau^2 of the second: speeds
    differ by the factor \tau.

    As bounds on differences: :math:`\frac{Var}{\tau \tau'^2} e^{-\delta sp} (\tau' - \tau) \le H(\tau') - H(\tau) \le
    \frac{Var}{\tau^2 \tau'} e^{\delta sp} (\tau' - \tau)`, and :math:`\frac{Var}{\tau'^2} e^{-\delta sp} \log
    \frac{\tau'}{\tau} \le H(\tau') - H(\tau) \le \frac{Var}{\tau^2} e^{\delta sp} \log \frac{\tau'}{\tau}`, where the
    flows are :math:`\dot\tau = \bar H - H` and :math:`\frac{d}{dt} \log\tau = \bar H - H`. Proof: C4b, and :math:`1 -
    \tau/\tau' \le \log(\tau'/\tau) \le \tau'/\tau - 1`.
    """
    return _rates(ops, m, heat, u, 0)


def _rates(ops: Any, m: Any, heat: Any, u: Any, power: int) -> Inequality:
    """``power``: of the temperature by which the rate of the second flow is divided besides."""
    r, tau, p, H = rooted(ops, m, heat)
    other, above, delta, span = _hotter(ops, r, tau, u)
    var, grown, rise = _variance(ops, r, p), ops.exp(delta * span), above - H
    moved, logs = other - tau, ops.log(other) - ops.log(tau)
    lower = [var / (tau * other**2) / grown * moved, rise, var / other**2 / grown * logs / tau**power, rise]
    higher = [rise, var / (tau**2 * other) * grown * moved, rise, var / tau**2 * grown * logs / tau**power]
    return Inequality(ops.stack(lower), ops.stack(higher), axes=("part",))


@twin(rates, why="the same rate for both flows")
def equal_rates(ops: Any, m: Any, heat: Any, u: Any) -> Inequality:
    return _rates(ops, m, heat, u, 1)
