"""One model, solved on the device and certified: the same arguments, ``Solution`` and certificates as ``tabular.solve``."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

from deep.exact import core, members
from deep.exact.placing import fetched, filled, place
from deep.ops.models import Padded, arrays_of
from deep.precision import in_float64
from tabular import _border as border
from tabular import _validate as check
from tabular.certificates.float_bounds import MODERATE, REFERENCE
from tabular.certificates.large import _floats_change
from tabular.errors import ModelError
from tabular.mdp import MDP
from tabular.planning._finish import TOL, check_options, delivered, is_dear, judged, scale, size
from tabular.regularizers import Hard, checked
from tabular.solution import Certificate, Solution, Status

STATUS = {
    core.CONVERGED: Status.CONVERGED,
    core.ROUNDING_FLOOR: Status.ROUNDING_FLOOR,
    core.NONFINITE: Status.NONFINITE,
    core.MAX_ITER: Status.MAX_ITER,
}
NAMES = {name: name.replace("_", " ") for name in core.LOOPS}


class Placed(NamedTuple):
    """A model ``mdp`` whose ``arrays``, a ``DeviceModel``, are on the device, or over the mesh ``on``: for several solves."""

    mdp: MDP
    arrays: Any
    on: Mesh | None
    facts: members.Facts


@in_float64
def placed(mdp: MDP, on: Mesh | None = None) -> Placed:
    """Copies the arrays of a discounted model to the device, or spreads its states over a mesh.

    ModelError at ``gamma = 1``: what is iterated on then is not this model.
    """
    border.expect(mdp, "placed", "MDP")
    if mdp.gamma_exact == 1:
        raise ModelError(
            "gamma = 1: arrays that stay on the device are of discounted models. Total reward is solved by "
            "deep.exact.solve(mdp), which analyses end components first; values and visits of given policies by tabular"
        )
    return put(mdp, on)


def put(mdp: MDP, on: Mesh | None) -> Placed:
    """``placed`` without questions. Call it in float64."""
    d = arrays_of(mdp)
    if on is not None:
        d = filled(d, on.size)
    axes = d.with_(P=2 if isinstance(d.P, Padded) else 0, R=0, end=0, gamma=None, rho=None, mask=0)
    return Placed(mdp, place(d, on, axes), on, members.facts_of_model(mdp))


@in_float64
def solve(
    mdp: MDP | Placed,
    regularizer: Any = None,
    method: str = "auto",
    *,
    tol: float = TOL,
    max_iter: int = 100_000,
    sweeps: int = 200,
    V0: Any = None,
    on: Mesh | None = None,
    throw: bool = True,
) -> Solution:
    """Solve a model on the device, to a certified accuracy: discounted, or of total reward (``deep.exact.total``).

    Parameters
    ----------
    mdp : ``MDP``, or what ``placed`` made of one.  regularizer : None, ``Shannon(tau)``, ..., or one's own.
    method : "value_iteration", "modified_policy_iteration" (at most ``sweeps`` backups of a policy after each backup),
        "policy_iteration" (soft under a regulariser; a linear system a step), or "auto".
    tol : bound asked of ``error_bound``, relative to the largest of ``|R|`` and ``|V|``.  max_iter : backups.
    V0 : (S,) values to start from.  on : a mesh over whose devices the states are spread.
    throw : False returns a solution in any case.

    Certificates: of a large model of floats without regulariser or under Shannon's from the extremes of the device's own
    residual (``deep.exact.rounding``), one constant for all states; else ``tabular.certificates.certify`` of
    the returned ``V`` on the host.

    Raises ModelError (bad data; policy iteration at ``gamma = 1``), ImproperModel (``gamma = 1``), NotConverged (with
    ``.solution``), TypeError, ValueError.
    """
    if not isinstance(mdp, Placed):
        border.expect(mdp, "solve", "MDP")
    check_options(tol, throw, None, max_iter=max_iter, sweeps=sweeps)
    if not isinstance(mdp, Placed) and mdp.gamma_exact == 1:
        from deep.exact.total import solve_total_reward

        return solve_total_reward(mdp, regularizer, method, V0, tol, max_iter, sweeps, on, throw)
    model = mdp if isinstance(mdp, Placed) else placed(mdp, on)
    method, why = chosen(method, model.mdp)
    reg = checked(regularizer, model.mdp.mask)
    check_weights(reg)
    V = start(model, V0)
    f = members.one_setting(model.facts, tol, max_iter, sweeps)
    spare = place((spread_regularizer(reg, model.arrays.S), f), model.on, None)
    answer = core.solve_one(method, model.arrays, *spare, V)
    answer = fetched(answer)
    answer = answer._replace(**{k: getattr(answer, k)[: model.mdp.S] for k in ("V", "Q", "pi", "log_pi")})
    return delivered(_solution(model, reg, answer, method, tol, why), throw, tol)


def value_iteration(mdp: MDP | Placed, regularizer: Any = None, **options: Any) -> Solution:
    """``solve`` by value iteration."""
    return solve(mdp, regularizer, "value_iteration", **options)


def modified_policy_iteration(mdp: MDP | Placed, regularizer: Any = None, **options: Any) -> Solution:
    """``solve`` by modified policy iteration."""
    return solve(mdp, regularizer, "modified_policy_iteration", **options)


def policy_iteration(mdp: MDP | Placed, regularizer: Any = None, **options: Any) -> Solution:
    """``solve`` by policy iteration: under ``Shannon(tau)``, soft policy iteration."""
    return solve(mdp, regularizer, "policy_iteration", **options)


def chosen(method: Any, mdp: Any) -> tuple[str, str]:
    """The method and the reason. ValueError for an unknown one."""
    if method == "auto":
        if mdp.S <= core.DENSE_SOLVE:
            return "policy_iteration", f"linear systems of {mdp.S} equations are cheap, and few steps suffice"
        return "modified_policy_iteration", "a sweep over one policy's transitions is cheaper than one over all"
    if not isinstance(method, str) or method not in core.LOOPS:
        raise ValueError(f"method is {method!r}: expected 'auto' or one of {', '.join(map(repr, core.LOOPS))}")
    return method, "asked for by name"


def check_weights(reg: Any) -> None:
    """ModelError for a weight that the device may take for zero, and divide by."""
    for name in ("tau", "lam"):
        w = np.atleast_1d(np.asarray(getattr(reg, name, 1.0), dtype=np.float64))
        if ((w > 0) & (w < 2.0**-1022)).any():
            raise ModelError(
                f"{name} is {w[(w > 0) & (w < 2.0**-1022)][0]}: a subnormal number is zero on some devices"
            )


def spread_regularizer(reg: Any, S: int) -> Any:
    """The regulariser with arrays for numbers, its reference filled up to S states."""
    if isinstance(reg, Hard) or not hasattr(reg, "_replace"):
        return reg
    mu = getattr(reg, "reference", None)
    if mu is not None and S > len(mu):
        reg = reg._replace(reference=np.concatenate([mu, np.repeat(mu[-1:], S - len(mu), axis=0)]))
    return reg


def start(model: Placed, V0: Any) -> Any:
    """``V0`` (S,) on the device, zeros for None. ModelError for other shapes, or what is not finite."""
    S = model.mdp.S
    V = np.zeros(S) if V0 is None else check.float_array(V0, "V0")
    if V.shape != (S,):
        check.fail(f"V0 has shape {V.shape}: expected ({S},)")
    check.check_finite(V, "V0")
    V = np.concatenate([V, np.repeat(V[-1:], model.arrays.S - S)])
    return place(V, model.on, 0 if model.on is not None else None)


def _solution(model: Placed, reg: Any, x: core.Answer, method: str, tol: float, why: str) -> Solution:
    mdp, given = model.mdp, None if isinstance(reg, Hard) else reg
    V, status = x.V, STATUS[int(x.status)]
    fields: dict[str, Any] = {
        "iterations": int(x.iterations),
        "method": NAMES[method] + " (jax)",
        "why": why,
        "regularizer": given,
    }
    if not np.isfinite(V).all() or not np.isfinite(x.Q[mdp.mask]).all():
        return Solution(V, x.Q, x.pi, x.log_pi, {}, Status.NONFINITE, **fields)
    allowed = tol * scale(float(model.facts.reward[0]), V)
    certificates = certified(model, reg, x, allowed)
    error = float(certificates["V*(floats) - V*"].upper)
    return judged(Solution(V, x.Q, x.pi, x.log_pi, certificates, status, model_error=error, **fields), allowed)


def certified(model: Placed, reg: Any, x: core.Answer, allowed: float) -> dict[str, Certificate]:
    """From the device's residual where that is within the tolerance and the model large; else by the host."""
    mdp, f = model.mdp, model.facts
    if mdp._exact is None and size(mdp) > MODERATE and members.has_bounds(f, reg):
        one = core.Answer(*(np.asarray(v)[None] for v in x))
        lower, upper, gap = (float(b[0]) for b in members.bounds(f, reg, mdp.A, one))
        if max(-lower, upper) <= allowed:
            every = lambda b: np.broadcast_to(np.float64(b), x.V.shape)  # noqa: E731
            # V* - V^pi <= gap, so that V - V^pi is at most gap more than V - V*.
            change = _floats_change(
                float(f.row[0]),
                mdp.gamma,
                float(x.size) + max(-lower, upper),
                (1.0 - mdp.gamma) + mdp.gamma * float(f.least[0]),
            )
            return {
                "V - V*": Certificate("V - V*", "componentwise", every(-upper), every(-lower), REFERENCE),
                "V - V^pi": Certificate(
                    "V - V^pi", "componentwise", every(-upper), every(np.nextafter(gap - lower, np.inf)), REFERENCE
                ),
                "max(V* - V^pi)": Certificate("max(V* - V^pi)", "sup", 0.0, gap, REFERENCE),
                "V*(floats) - V*": Certificate("V*(floats) - V*", "sup", -change, change, "see model_error"),
            }
    from tabular import certificates

    class Host(NamedTuple):
        mdp: MDP
        hard: bool
        S: int
        A: int

    dear = is_dear(Host(mdp, isinstance(reg, Hard), mdp.S, mdp.A), 1)  # type: ignore[arg-type]
    return certificates.certify(mdp, x.V, reg, x.pi, want=allowed if dear else None)
