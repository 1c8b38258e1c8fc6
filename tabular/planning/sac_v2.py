r"""The temperature as a dual variable: maximise a mean reward subject to a least entropy.

For rewards ``r`` of arms, :math:`\max_p \langle p, r \rangle` subject to :math:`H(p) \ge \bar H` has the dual

.. math:: g(\tau) = \tau \log \sum_a e^{r_a/\tau} - \tau \bar H, \qquad g'(\tau) = H(\mathrm{softmax}(r/\tau)) - \bar H,

convex in :math:`\tau \ge 0`; where the constraint binds, its minimiser solves :math:`H(\mathrm{softmax}(r/\tau)) =
\bar H`, and the softmax there is optimal. :math:`dH/d\tau = \mathrm{Var}(r)/\tau^3` under the softmax, so that the
root is unique. The same holds of rows of several states with the mean entropy under fixed weights. Entropies are in
nats, ``tau`` in units of reward: the alpha of the paper. Source: sac_v2 (Haarnoja et al. 2018), section 5; claims
sac_v2.C1, C4, C5. MDPs: ``tabular.planning.sac_v2_constraints``.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.errors import ImproperModel, NotConverged
from tabular.reference.enclosure_ops import EnclosureOps
from tabular.reference.numpy_ops import NumpyOps
from tabular.reference.value import Value
from tabular.solution import Certificate

STEPS = 200
FINEST = 2.0**-48
"""Relative width at which a root is first enclosed; it is doubled until the signs are proved."""


class Temperature(NamedTuple):
    """A root ``tau`` of the entropy equation, and ``lower <= root <= upper``, proved in enclosures."""

    tau: float
    lower: float
    upper: float


class ConstrainedBandit(NamedTuple):
    """The optimum of a bandit under an entropy constraint.

    Attributes
    ----------
    temperature : the dual optimum; 0 where the constraint does not bind.  policy : (A,), feasible up to rounding.
    value, dual : primal and dual values, in units of reward.
    certificates : ``"value"``: an enclosure of the optimal value by weak duality; ``"temperature"``.
    """

    temperature: float
    policy: np.ndarray
    value: float
    dual: float
    certificates: dict[str, Certificate]


def entropy_temperature(r: Any, target: float, *, weights: Any = None) -> Temperature:
    r"""The temperature at which the softmax of ``r`` has a given entropy.

    Parameters
    ----------
    r : (A,) rewards, ``-inf`` where unavailable; or (S, A) rows, of which the mean entropy over ``weights`` (S,) counts.
    target : nats.

    Raises
    ------
    ImproperModel where no temperature serves: a target of :math:`\log A` or more (nothing has more entropy, and only infinitely hot
    policies have that much), or one that every temperature exceeds (ties at the maximum leave :math:`\log m` nats at zero: the
    infimum of the dual over ``tau > 0`` is not attained). NotConverged where floats cannot tell the target from such a limit.
    ValueError for data, naming the place.

    Newton in :math:`\log\tau`, safeguarded by a bracket; then enclosures prove the signs at both ends. O(S A) a step.

    >>> round(entropy_temperature([1, 0.5, 0], 0.8).tau, 6)
    0.46472
    """
    x, mask, d = _rewards(r, weights)
    border.positive(target, "target", "an entropy in nats", zero=True)
    _feasible(x, mask, d, target)
    low, high = _bracket(x, mask, d, target)
    at = np.sqrt(low) * np.sqrt(high)  # the product may leave the range of floats
    for _ in range(STEPS):
        H, slope = mean_entropy(x, at, mask, d)
        low, high = (at, high) if H < target else (low, at)
        with np.errstate(over="ignore"):
            new = at * np.exp((target - H) / slope) if slope > 0 else np.inf
        if not low < new < high:
            new = np.sqrt(low) * np.sqrt(high)
        if new in (at, low, high) or abs(new - at) <= 2.0**-52 * at:
            break
        at = new
    return Temperature(float(at), *_proved(x, mask, d, target, float(at)))


def maximum_entropy_constrained(r: Any, target: float) -> ConstrainedBandit:
    """Maximise ``<p, r>`` over distributions with ``H(p) >= target``: value, dual value and policy, with an enclosure.

    r : (A,), ``-inf`` where unavailable.  target : nats; where ties at the maximum have as much entropy, the
    constraint does not bind and the temperature is zero. Raises as ``entropy_temperature`` does, for targets that
    nothing or only the uniform policy meets.

    >>> round(maximum_entropy_constrained([1, 0.5, 0], 0.8).value, 6)
    0.803217
    """
    x, mask, _ = _rewards(r, None)
    if x.shape[0] != 1 or np.ndim(r) != 1:
        check.fail(f"r has shape {np.shape(r)}: expected (A,)")
    border.positive(target, "target", "an entropy in nats", zero=True)
    best = x == x[mask].max()
    if target <= entropy_limits(x, mask, np.ones(1))[0]:
        p = (best / best.sum())[0]
        top = float(x[mask].max())
        found = {
            "value": Certificate("value", "sup", top, top, "the largest reward, attained by ties of enough entropy")
        }
        return ConstrainedBandit(0.0, p, top, top, found)
    tau, lower, upper = entropy_temperature(r, target)
    ops = EnclosureOps()
    value = ops.array(np.where(mask, x, 0.0), 2)

    def dual(t: float) -> Value:
        return ops.free_energy(value, ops.constant(t), where=mask)[0] - ops.constant(t) * ops.constant(target)

    # Hotter than the root is feasible, so its value is a lower bound; every dual value is an upper one.
    least = float(ops.bounds(ops.dot(ops.gibbs(value, ops.constant(upper), where=mask), value)[0])[0])
    most = float(ops.bounds(dual(tau))[1])
    p = softmax(x, tau, mask)[0][0]
    found = {
        "value": Certificate("value", "sup", least, most, "weak duality, sac_v2.C1a"),
        "temperature": Certificate("temperature", "sup", lower, upper, "monotone entropy, sac_v2.C4"),
    }
    primal = float(p @ np.where(mask, x, 0.0)[0])
    return ConstrainedBandit(tau, p, primal, float(ops.midpoint(dual(tau))), found)


def temperature_gradient(r: Any, target: float, tau: float, *, loss: str = "tau", wrt: str = "") -> float:
    r"""Derivative of a temperature loss at the policy ``softmax(r / tau)``, which is held fixed.

    ``loss="tau"``: :math:`E[-\tau (\log\pi + \bar H)]`. ``loss="log tau"``: :math:`E[-\log\tau\,(\log\pi + \bar H)]`. ``wrt``:
    ``"tau"`` or ``"log tau"``, by default what the loss is linear in. With the entropy H of the policy the four are
    :math:`H - \bar H`, times :math:`\tau` for the first loss by :math:`\log\tau`, over :math:`\tau` for the second by :math:`\tau`.
    """
    names = ("tau", "log tau")
    for name, given in (("loss", loss), ("wrt", wrt or loss)):
        if given not in names:
            raise ValueError(f"{name} is {given!r}: expected one of {names}")
    border.positive(tau, "tau", "a temperature in units of reward")
    x, mask, d = _rewards(r, None)
    if not np.isfinite(target):
        check.fail(f"target is {target}: expected a finite number of nats")
    excess = mean_entropy(x, tau, mask, d)[0] - target
    return float(excess * tau ** ((wrt or loss) == "log tau") / tau ** (loss == "log tau"))


def temperature_flow(r: Any, target: float, tau0: float, times: Any, *, loss: str = "tau") -> np.ndarray:
    r"""Temperatures at ``times`` of gradient descent in continuous time on the loss, in its own parameter, from ``tau0``.

    ``loss="tau"``: :math:`\dot\tau = \bar H - H(\tau)`. ``loss="log tau"``: :math:`\frac{d}{dt}\log\tau = \bar H - H(\tau)`. Both
    rest at the root alone; near it errors shrink at the rates of ``flow_rates``. Integrated in :math:`\log\tau` to a relative
    1e-10 by an implicit method (both are stiff at high temperatures).
    """
    from scipy.integrate import solve_ivp

    t = check.float_array(times, "times")
    if t.ndim != 1 or not len(t) or not (t[0] >= 0 and np.isfinite(t[-1]) and (np.diff(t) > 0).all()):
        raise ValueError("times: expected increasing numbers from 0 on")
    border.positive(tau0, "tau0", "a temperature in units of reward")

    def drift(_: float, log_tau: np.ndarray) -> np.ndarray:
        return np.array([-temperature_gradient(r, target, float(np.exp(log_tau[0])), loss=loss)]) / (
            np.exp(log_tau) if loss == "tau" else 1.0
        )

    temperature_gradient(r, target, tau0, loss=loss)  # refuses before the integration starts
    if t[-1] == 0:
        return np.array([float(tau0)])
    run = solve_ivp(drift, (0.0, float(t[-1])), [np.log(tau0)], t_eval=t, method="LSODA", rtol=1e-10, atol=1e-12)
    if not run.success:
        raise NotConverged(f"temperature_flow: {run.message}")
    return np.asarray(np.exp(run.y[0]))


def flow_rates(r: Any, target: float) -> dict[str, float]:
    r"""Rates at which the flows of the two losses approach the root: :math:`\mathrm{Var}/\tau^3` and
    :math:`\mathrm{Var}/\tau^2`.
    """
    x, mask, d = _rewards(r, None)
    tau = entropy_temperature(r, target).tau
    slope = mean_entropy(x, tau, mask, d)[1]
    return {"tau": slope / tau, "log tau": slope}


def mean_entropy(x: np.ndarray, tau: float, mask: np.ndarray, d: np.ndarray) -> tuple[float, float]:
    r"""Mean entropy over the weights ``d`` (S,) of the softmax of rows ``x`` (S, A), and its derivative by
    :math:`\log\tau`. Floats, unchecked.
    """
    p, log_p = softmax(x, tau, mask)
    r = np.where(mask, x, 0.0)
    centred = np.where(mask, r - (p * r).sum(axis=1, keepdims=True), 0.0)
    with np.errstate(over="ignore"):  # of actions that have no probability left
        scaled = np.where(p > 0, centred / tau, 0.0)
    variance = (p * scaled**2).sum(axis=1)
    return float(-(d @ (p * log_p).sum(axis=1))), float(d @ variance)


def softmax(x: np.ndarray, tau: float, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``softmax(x / tau)`` (S, A) and its logarithm, zero where the policy is. Floats, unchecked."""
    ops = NumpyOps()
    value = ops.array(np.where(mask, x, 0.0), 2)
    p = ops.gibbs(value, tau, where=mask).data
    return p, np.where(p > 0, ops.log_gibbs(value, tau, where=mask).data, 0.0)


def entropy_limits(x: np.ndarray, mask: np.ndarray, d: np.ndarray) -> tuple[Decimal, Decimal]:
    """Mean entropies as ``tau`` tends to zero (ties at the maximum) and to infinity (uniform), to 60 digits.

    A float target is compared with them as it is: log 3 as a float is more than any three actions have, log 2 as a float is less.
    """
    ties = (mask & (x == np.where(mask, x, -np.inf).max(axis=1, keepdims=True))).sum(axis=1)
    with localcontext(prec=60):
        weights = [Decimal(w) for w in d.tolist()]
        least, most = (
            sum(w * Decimal(n).ln() for w, n in zip(weights, counts.tolist(), strict=True)) / sum(weights)
            for counts in (ties, mask.sum(axis=1))
        )
    return Decimal(least), Decimal(most)


def _rewards(r: Any, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.atleast_2d(check.float_array(r, "r"))
    if x.ndim != 2 or not x.size:
        check.fail(f"r has shape {np.shape(r)}: expected (A,) or (S, A)")
    mask = check.check_rewards(x, "r")
    d = np.full(len(x), 1.0 / len(x)) if weights is None else check.check_distribution(weights, len(x), "weights")[0]
    return x, mask, d


def _feasible(x: np.ndarray, mask: np.ndarray, d: np.ndarray, target: float) -> None:
    least, most = entropy_limits(x, mask, d)
    if target >= most:  # a float and a decimal compare exactly
        raise ImproperModel(
            f"target is {target:.17g} nats: policies have at most {float(most):.17g}, the uniform one alone, at no finite "
            "temperature"
        )
    if target <= least:
        raise ImproperModel(
            f"target is {target:.17g} nats: ties at the maximum leave {float(least):.17g} as tau tends to 0, so that the "
            "constraint never binds and the infimum of the dual is not attained at any tau > 0"
        )


def _bracket(x: np.ndarray, mask: np.ndarray, d: np.ndarray, target: float) -> tuple[float, float]:
    finite = np.where(mask, x, np.nan)
    start = float(np.nanmax(np.nanmax(finite, axis=1) - np.nanmin(finite, axis=1)))
    low = high = start if start > 0 else 1.0
    for _ in range(STEPS):
        if mean_entropy(x, high, mask, d)[0] > target:
            break
        high *= 16.0
    for _ in range(STEPS):
        if mean_entropy(x, low, mask, d)[0] < target:
            break
        low /= 16.0
    if not (0.0 < low and np.isfinite(high) and mean_entropy(x, high, mask, d)[0] > target):
        raise NotConverged(f"target is {target:.17g} nats: floats cannot tell it from a limit of the entropies")
    return low, high


def _proved(x: np.ndarray, mask: np.ndarray, d: np.ndarray, target: float, tau: float) -> tuple[float, float]:
    """Ends around ``tau`` at which enclosures prove that the mean entropy is below and above the target."""
    ops = EnclosureOps()
    value, weights = ops.array(np.where(mask, x, 0.0), 2), ops.distribution(d, 1)

    def excess(t: float) -> tuple[float, float]:
        p = ops.gibbs(value, ops.constant(t), where=mask)
        low, high = ops.bounds(-ops.dot(weights, ops.sum(ops.xlogx(p))) - ops.constant(target))
        return float(low), float(high)

    width, lower, upper = FINEST, 0.0, np.inf
    while width < 1.0 and not (lower and np.isfinite(upper)):
        if not lower and excess(tau * (1 - width))[1] < 0:
            lower = tau * (1 - width)
        if not np.isfinite(upper) and excess(tau * (1 + width))[0] > 0:
            upper = tau * (1 + width)
        width *= 2.0
    if not (lower and np.isfinite(upper)):
        raise NotConverged(f"target is {target:.17g} nats: floats cannot tell it from a limit of the entropies")
    return lower, upper
