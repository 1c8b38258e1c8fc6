"""From a policy to an ``AverageSolution``: its gain and bias, certificates, and an honest status."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from tabular._backups import Backups
from tabular._resolvent import SUMS_ONLY
from tabular.certificates.doubled import down, up
from tabular.errors import ImproperModel, NotConverged
from tabular.markov_chains import gain_bias
from tabular.mdp import MDP
from tabular.planning._gain_bounds import REFERENCE, Components, component_bounds, components, reached
from tabular.planning.average_solution import AverageSolution
from tabular.solution import Certificate, Status


def finish(
    model: MDP,
    parts: Components,
    actions: np.ndarray,
    h: np.ndarray | None,
    status: Status,
    iterations: int,
    method: str,
    tol: float,
    why: str,
) -> AverageSolution:
    """The solution of the policy ``actions`` (S,); optimal gains are bounded with its bias and with ``h`` (S,), if given.

    ``CONVERGED`` is what is within ``tol`` times the largest reward; a loop that met its criterion while the bound stays
    above stands at the ``ROUNDING_FLOOR``, or is ``UNCERTIFIED`` where there is no bound.
    """
    b = Backups(model)
    pi = b.one_hot(actions)[0]
    g, bias = of_policy(b, actions)
    own = pi > 0
    classes = components(model, own)
    low, high = component_bounds(model, bias, classes)
    policy_low = reached(model, own, classes, low).lower
    policy_high = reached(model, own, classes, high).upper
    most = np.min([component_bounds(model, x, parts)[1] for x in (bias, h) if x is not None], axis=0)
    upper = reached(model, model.mask, parts, most).upper
    gap = max(0.0, float(up(upper - policy_low).max()))
    found = {
        "g - g*": Certificate("g - g*", "componentwise", down(g - upper), up(g - policy_low), REFERENCE),
        "g - g^pi": Certificate("g - g^pi", "componentwise", down(g - policy_high), up(g - policy_low), REFERENCE),
        "max(g* - g^pi)": Certificate("max(g* - g^pi)", "sup", 0.0, gap, REFERENCE),
    }
    if model.S <= SUMS_ONLY:
        found["h - h^pi"] = bias_certificate(model, actions, bias)
    info = {"end_components": parts.number, "recurrent_classes": classes.number}
    solution = AverageSolution(g, bias, pi, found, status, iterations, method, why, info)
    if not (np.isfinite(g).all() and np.isfinite(bias).all()):
        status = Status.NONFINITE
    elif solution.error_bound <= tol * reward_scale(b):
        status = Status.CONVERGED
    elif status is Status.CONVERGED:
        status = Status.ROUNDING_FLOOR if np.isfinite(solution.error_bound) else Status.UNCERTIFIED
    return AverageSolution(g, bias, pi, found, status, iterations, method, why, info)


def bias_certificate(model: MDP, actions: np.ndarray, bias: np.ndarray) -> Certificate:
    """The distance of a bias (S,) from that of the policy, by verified linear systems; infinite where these fail."""
    from tabular.certificates.exact_gain import gain_bias_of
    from tabular.reference.enclosure_ops import EnclosureOps

    ops = EnclosureOps()
    low, high = ops.bounds(gain_bias_of(ops, ops.model(model), actions)[1])
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    return Certificate("h - h^pi", "componentwise", down(bias - high), up(bias - low), "Rump 2010; Puterman 1994, 8.2")


def reward_scale(b: Backups) -> float:
    """What a tolerance is relative to: not zero, so that bounds of a few subnormal numbers are below it."""
    return max(b.reward_scale, 2.0**-960)


def of_policy(b: Backups, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain and bias (S,) of a deterministic policy."""
    return gain_bias(b.transition(actions), b.mdp.rewards[np.arange(b.S), actions])


def delivered(solution: AverageSolution, throw: bool, tol: float) -> AverageSolution:
    """The solution, or NotConverged with it."""
    if throw and solution.status in (Status.MAX_ITER, Status.NONFINITE):
        raise NotConverged(
            f"{solution.method}: {solution.status.value} after {solution.iterations} iterations; the gain is within "
            f"{solution.error_bound:.3g}, and {tol:g} of the largest reward was asked for. throw=False returns what "
            "there is",
            solution,
        )
    return solution


def of_no_use(error: ImproperModel) -> NoReturn:
    """Where floats cannot evaluate a policy no solver has an answer."""
    raise NotConverged(f"a policy met on the way has no gain in floats: {error}") from error
