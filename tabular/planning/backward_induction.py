r"""Backward induction, :math:`V_H =` terminal, :math:`V_h = T_h V_{h+1}`, for any regulariser: a finite
horizon needs no iteration.

Source: Bellman 1957; Puterman 1994, section 4.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._backups import COMPILE_ABOVE, Backups
from tabular._border import expect
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.planning._finish import TOL, check_options, delivered, greedy, is_dear, judged, scale, size
from tabular.solution import Later, Solution, Status


def backward_induction(
    mdp: FiniteHorizonMDP,
    regularizer: Any = None,
    *,
    tol: float = TOL,
    threads: int | None = None,
    throw: bool = True,
    why: str = "",
) -> Solution:
    """Solve a finite-horizon model.

    Returns a ``Solution`` with ``V`` (H+1, S), ``Q`` (H, S, A) where ``Q[h]`` is the backup of ``V[h+1]``,
    and ``pi``, ``log_pi`` (H, S, A). A reference of the regulariser, (S, A), serves every stage. ``tol`` is
    relative to the largest reward or value and only names the result: rounding is the only error. Cost: H
    backups. Raises NotConverged (``NONFINITE``), ModelError, TypeError.
    """
    expect(mdp, "backward_induction", "FiniteHorizonMDP")
    check_options(tol, throw, threads)
    H, S, A = mdp.H, mdp.S, mdp.A
    models = {id(m): m for m in map(mdp.stage, range(H))}
    work = max(size(m) for m in models.values())
    compiled = None if H * work <= COMPILE_ABOVE else True
    stages = {i: Backups(m, regularizer, compiled=compiled, threads=threads) for i, m in models.items()}
    V = np.empty((H + 1, S))
    one = stages[id(mdp.stage(0))]
    fused = one.compiled and one.hard
    Q: Any
    pi: Any
    log_pi: Any
    if fused:
        from tabular._maxima import stages as maxima

        actions = np.empty((H, S), dtype=np.int32)
        Q, (pi, log_pi) = Later(lambda: action_values(mdp, stages, V)), greedy(one, actions)
    else:
        Q, pi, log_pi = (np.empty((H, S, A)) for _ in range(3))
    V[H] = mdp.terminal
    h = H
    while h > 0:
        b, last = stages[id(mdp.stage(h - 1))], h
        with np.errstate(over="ignore", invalid="ignore"):  # the next lines see it
            if fused:  # all stages of one model at once
                while h > 0 and stages[id(mdp.stage(h - 1))] is b:
                    h -= 1
                maxima(b, V[h : last + 1], actions[h:last])
            else:
                h -= 1
                Q[h] = b.q(V[h + 1])
                V[h] = b.conjugate(Q[h])
        finite = np.isfinite(V[h:last]).all(axis=1)
        if not finite.all():
            h += int(np.flatnonzero(~finite)[-1])
            V[:h] = np.nan
            Q, pi, log_pi = (x.form() if isinstance(x, Later) else x for x in (Q, pi, log_pi))
            Q[:h], pi[: h + 1], log_pi[: h + 1] = np.nan, np.nan, np.nan
            failed = Solution(
                V, Q, pi, log_pi, {}, Status.NONFINITE, H - h, "backward induction", why=why, regularizer=b.given
            )
            return delivered(failed, throw, tol)
        if not fused:
            pi[h], log_pi[h] = b.policy(Q[h])
    from tabular import certificates

    rewards = max(b.reward_scale for b in stages.values())
    allowed = tol * scale(rewards, V)
    dear = is_dear(max(stages.values(), key=lambda b: size(b.mdp)), H)
    found = None
    if dear and all(b.plain and b.hard for b in stages.values()) and mdp._terminal_exact is None:
        from tabular.certificates.large import certify_stages

        found = certify_stages([stages[id(mdp.stage(h))] for h in range(H)], V)
        found = found if float(found["V - V*"].upper.max()) <= allowed else None
    if found is None:
        formed = pi.form() if isinstance(pi, Later) else pi
        found = certificates.certify_finite(mdp, V, regularizer, formed, want=allowed if dear else None)
    model_error = float(found["V*(floats) - V*"].upper)
    solution = Solution(
        V, Q, pi, log_pi, found, Status.CONVERGED, H, "backward induction", model_error=model_error, why=why,
        regularizer=b.given,
    )  # fmt: skip
    return judged(solution, allowed)


def action_values(mdp: FiniteHorizonMDP, stages: dict[int, Backups], V: np.ndarray) -> np.ndarray:
    """Backups of ``V`` (H+1, S): (H, S, A)."""
    Q = np.empty((mdp.H, mdp.S, mdp.A))
    with np.errstate(over="ignore", invalid="ignore"):
        for h in range(mdp.H):
            stages[id(mdp.stage(h))].q(V[h + 1], Q[h])
    return Q
