"""Backward induction on the device: one compiled scan where all stages are one model, a compiled stage at a time elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from deep.exact import core, members
from deep.exact.placing import fetched
from deep.exact.rounding import MORE
from deep.exact.solvers import check_weights
from deep.ops import DeviceModel, JaxOps
from deep.ops.models import arrays_of
from deep.precision import in_float64
from tabular import _border as border
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import MDP
from tabular.planning._finish import TOL, check_options, delivered, is_dear, judged, scale, size
from tabular.regularizers import Hard, checked
from tabular.solution import Solution, Status


class _Stage(NamedTuple):
    """What ``certify_stages`` asks of a stage: for ``longest`` entries a row, the room of ``deep.exact.rounding`` among them."""

    mdp: MDP
    longest: int
    reward_scale: float
    gamma: float
    hard: bool
    S: int
    A: int


@in_float64
def backward_induction(
    mdp: FiniteHorizonMDP, regularizer: Any = None, *, tol: float = TOL, throw: bool = True
) -> Solution:
    """Solve a finite-horizon model on the device.

    Returns a ``Solution`` as ``tabular.planning.backward_induction``: ``V`` (H+1, S), ``Q``, ``pi``, ``log_pi`` (H, S, A),
    certificates of all stages (of large models without regulariser a priori, else enclosed on the host). Raises NotConverged
    (``NONFINITE``), ModelError, TypeError.
    """
    border.expect(mdp, "backward_induction", "FiniteHorizonMDP")
    check_options(tol, throw, None)
    reg = checked(regularizer, mdp.stage(0).mask)
    check_weights(reg)
    terminal: Any = jnp.asarray(mdp.terminal)
    models = [mdp.stage(h) for h in range(mdp.H)]
    if all(m is models[0] for m in models):
        found = fetched(_scanned(jax.tree.map(jnp.asarray, arrays_of(models[0])), reg, terminal, mdp.H))
    else:
        rows, V = [], terminal
        for d in reversed(list(stages_of(mdp))):
            rows.append(_stage(d, reg, V))
            V = rows[-1][0]
        found = tuple(np.stack([np.asarray(x) for x in column[::-1]]) for column in zip(*rows, strict=True))
    V, Q, pi, log_pi = found
    V = np.concatenate([V, np.asarray(mdp.terminal)[None]])
    fields: dict[str, Any] = {
        "iterations": mdp.H,
        "method": "backward induction (jax)",
        "regularizer": None if isinstance(reg, Hard) else reg,
    }
    if not np.isfinite(V).all():
        return delivered(Solution(V, Q, pi, log_pi, {}, Status.NONFINITE, **fields), throw, tol)
    facts = [members.facts_of_model(m) for m in models]
    stages = [
        _Stage(m, f.longest, float(f.reward[0]), m.gamma, isinstance(reg, Hard), m.S, m.A)
        for m, f in zip(models, facts, strict=True)
    ]
    allowed = tol * scale(max(s.reward_scale for s in stages), V)
    certificates = _certified(mdp, stages, facts, V, pi, reg, allowed)
    error = float(certificates["V*(floats) - V*"].upper)
    solution = Solution(V, Q, pi, log_pi, certificates, Status.CONVERGED, model_error=error, **fields)
    return delivered(judged(solution, allowed), throw, tol)


def _certified(mdp: Any, stages: list[_Stage], facts: Any, V: Any, pi: Any, reg: Any, allowed: float) -> Any:
    from tabular import certificates
    from tabular.certificates.large import certify_stages

    dear = is_dear(max(stages, key=lambda s: size(s.mdp)), len(stages))  # type: ignore[arg-type]
    plain = all(s.hard and s.mdp._exact is None for s in stages) and mdp._terminal_exact is None
    if dear and plain and all(members.has_bounds(f, reg) for f in facts):
        found = certify_stages([s._replace(longest=s.longest + MORE) for s in stages], V)
        if float(found["V - V*"].upper.max()) <= allowed:
            return found
    return certificates.certify_finite(mdp, V, reg, pi, want=allowed if dear else None)


def stages_of(mdp: FiniteHorizonMDP) -> Iterator[DeviceModel]:
    """The stages' arrays on the device, each model's once."""
    known: dict[int, DeviceModel] = {}
    for h in range(mdp.H):
        m = mdp.stage(h)
        if id(m) not in known:
            known[id(m)] = jax.tree.map(jnp.asarray, arrays_of(m))
        yield known[id(m)]


def _backed(d: DeviceModel, reg: Any, V: Any) -> tuple[Any, ...]:
    ops = JaxOps(library=False)
    Q, TV, _, _ = core.backup(ops, d, reg, V)
    pi, log_pi = reg.policy(ops, Q, d.mask).data, reg.log_policy(ops, Q, d.mask).data
    return TV, jnp.where(d.mask, Q.data, -jnp.inf), pi, log_pi


_stage = jax.jit(_backed)


def _scan(d: DeviceModel, reg: Any, terminal: Any, H: int) -> Any:
    def step(V: Any, _: Any) -> Any:
        found = _backed(d, reg, V)
        return found[0], found

    return jax.lax.scan(step, terminal, None, length=H, reverse=True)[1]


_scanned = jax.jit(_scan, static_argnames=("H",))
