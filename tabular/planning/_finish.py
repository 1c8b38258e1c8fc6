"""From an iterate to a ``Solution``: the policy of its ``Q``, certificates, and an honest status."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._backups import Backups
from tabular.errors import NotConverged
from tabular.mdp import MDP
from tabular.planning._loops import Backup, Iterate
from tabular.regularizers import Tsallis
from tabular.solution import Certificate, Later, Solution, Status

TOL = 1e-9
"""Default tolerance, relative to the largest of the rewards and the values."""
PAIR = 100
"""What a pair costs a certificate under a regulariser, in transitions: its residual is formed in balls."""


def finish(
    b: Backups,
    iterate: Iterate,
    method: str,
    tol: float,
    *,
    policy: tuple[np.ndarray, np.ndarray] | None = None,
    why: str = "",
    info: dict[str, Any] | None = None,
) -> Solution:
    """The solution that belongs to ``iterate.V``, its policy greedy unless one is given.

    The certificate has the last word: within the tolerance is ``CONVERGED``; a loop that met its criterion
    while the bound stays above the tolerance stands at the ``ROUNDING_FLOOR``, and is ``UNCERTIFIED`` where
    there is no bound (``error_bound`` is ``inf``: a regulariser without enclosures, a model too large).
    """
    V, status, backup = iterate.V, iterate.status, iterate.backup
    if not np.isfinite(V).all():
        status = Status.NONFINITE
    actions = None if backup is None else backup.actions
    Q: Any = Later(lambda: b.q(V))
    if actions is None:
        with np.errstate(invalid="ignore", over="ignore"):
            Q = b.q(V) if backup is None else backup.Q
        if status is not Status.NONFINITE and not np.isfinite(Q if b.full else Q[b.mask]).all():
            status = Status.NONFINITE
    pi: Any
    log_pi: Any
    if status is Status.NONFINITE:
        pi, log_pi = policy or (np.full((b.S, b.A), np.nan), np.full((b.S, b.A), np.nan))
        return Solution(
            V, Q, pi, log_pi, {}, status, iterate.iterations, method, why=why, info=info or {}, regularizer=b.given
        )
    allowed = tol * scale(b.reward_scale, V)
    pi, log_pi = policy or (maximising(b, Q) if actions is None else greedy(b, actions))
    certificates, model_error = certified(b, V, pi, allowed, None if policy else backup)
    solution = Solution(
        V, Q, pi, log_pi, certificates, status, iterate.iterations, method, model_error, why, info or {}, b.given
    )
    return judged(solution, allowed)


def greedy(b: Backups, actions: np.ndarray) -> tuple[Later, Later]:
    """The policy of maximisers (S,) or (H, S), and its logarithm, to be formed later."""
    return Later(lambda: b.one_hot(actions)[0]), Later(lambda: b.one_hot(actions)[1])


def maximising(b: Backups, Q: np.ndarray) -> tuple[Any, Any]:
    """The policy of action values (S, A), and its logarithm; of large models to be formed later."""
    if not b.large:
        return b.policy(Q)
    if isinstance(b.reg, Tsallis):
        pi = Later(lambda: b.maximiser(Q))
        return pi, Later(lambda: logarithm(pi.form()))
    both = Later(lambda: np.stack(b.policy(Q)))
    return Later(lambda: both.form()[0]), Later(lambda: both.form()[1])


@np.errstate(divide="ignore")
def logarithm(pi: np.ndarray) -> np.ndarray:
    return np.log(pi)


def judged(solution: Solution, allowed: float) -> Solution:
    """With the status that the certificates allow."""
    status, bound = solution.status, solution.error_bound
    if bound <= allowed:
        status = Status.CONVERGED
    elif status in (Status.CONVERGED, Status.ROUNDING_FLOOR):
        status = Status.ROUNDING_FLOOR if np.isfinite(bound) else Status.UNCERTIFIED
    return solution.with_(status=status)


def scale(rewards: float, V: np.ndarray) -> float:
    """What a tolerance is relative to: not zero, so that a bound of a few subnormal numbers is below it."""
    return max(rewards, float(V.max()), -float(V.min()), 2.0**-1000)


def certified(
    b: Backups, V: np.ndarray, pi: np.ndarray | Later, allowed: float, backup: Backup | None = None
) -> tuple[dict[str, Certificate], float]:
    """Certificates of ``V`` and ``pi``, and the part of the error due to reading floats as distributions.

    Where tighter bounds would cost a solve, those within the tolerance are enough: of a large model's last ``backup``,
    whose greedy policy ``pi`` then is, if that will do.
    """
    from tabular import certificates

    if backup is not None:
        from tabular.certificates.large import certify_backup

        quick = certify_backup(b, V, backup, pi)
        if max(float(quick["V - V*"].upper.max()), -float(quick["V - V*"].lower.min())) <= allowed:
            return quick, float(quick["V*(floats) - V*"].upper)
    pi = pi.form() if isinstance(pi, Later) else pi
    found = certificates.certify(b.mdp, V, b.reg, pi, want=allowed if is_dear(b, 1) else None)
    return found, float(found["V*(floats) - V*"].upper)


def is_dear(b: Backups, stages: int) -> bool:
    """Whether certificates in doubled precision take more than about a tenth of a second."""
    from tabular.certificates.float_bounds import MODERATE

    return stages * (size(b.mdp) if b.hard else PAIR * b.S * b.A) > MODERATE


def size(mdp: MDP) -> int:
    """Entries of the transitions as they are stored."""
    return len(mdp.P.data) if mdp.is_sparse else int(mdp.P.size)


def delivered(solution: Solution, throw: bool, tol: float) -> Solution:
    """The solution, or NotConverged with it."""
    if throw and solution.status in (Status.MAX_ITER, Status.NONFINITE):
        bound = f"; the error is at most {solution.error_bound:.3g}" if np.isfinite(solution.error_bound) else ""
        raise NotConverged(
            f"{solution.method}: {solution.status.value} after {solution.iterations} iterations, without "
            f"reaching a relative tolerance of {tol:g}{bound}. throw=False returns what there is",
            solution,
        )
    return solution


def check_options(tol: Any, throw: Any, threads: Any, **counts: Any) -> None:
    """ValueError for a tolerance that is not positive or a count below one; TypeError for other types."""
    border.positive(tol, "tol", "relative to the largest value")
    border.flag(throw, "throw")
    for name, n in (counts if threads is None else {"threads": threads} | counts).items():
        border.count(n, name)


def start(b: Backups, V0: Any, pi0: Any) -> np.ndarray | None:
    """A warm start: ``V0``, or the value of ``pi0``; None where neither is given."""
    if pi0 is not None:
        if V0 is not None:
            raise TypeError("V0 and pi0 are both given: a warm start is one of them")
        from tabular.operators import evaluate_policy

        return evaluate_policy(b.mdp, pi0, b.reg)
    if V0 is None:
        return None
    V = check.float_array(V0, "V0")
    if V.shape != (b.S,):
        check.fail(f"V0 has shape {V.shape}: expected ({b.S},)")
    check.check_finite(V, "V0")
    return V
