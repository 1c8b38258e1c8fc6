"""What a solve knows of its models on the host: sizes for stopping and certificates, one entry for each member."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from deep.exact.core import Answer, Setting
from deep.exact.rounding import backup_error, covered, policy_error, q_error
from tabular._rounding import U
from tabular.batch import MDPBatch
from tabular.certificates.large import Residual, constant_bounds
from tabular.mdp import CSR, MDP
from tabular.regularizers import Hard, Shannon


class Facts(NamedTuple):
    """Arrays (B,), or (1,) of one model.

    Attributes
    ----------
    gamma : discounts.  gamma_error : what rounding them cost.  reward : largest available ``|R|``.  reward_error : likewise.
    least, most : of the ends.  row : bound on the deviation of rows from one.  longest : entries of the longest row.
    """

    gamma: np.ndarray
    gamma_error: np.ndarray
    reward: np.ndarray
    reward_error: np.ndarray
    least: np.ndarray
    most: np.ndarray
    row: np.ndarray
    longest: int

    def at(self, B: int) -> Facts:
        """The same for B members."""
        wide: dict[str, Any] = {k: np.broadcast_to(v, (B,)) for k, v in self._asdict().items() if k != "longest"}
        return self._replace(**wide)


def facts_of_model(mdp: MDP) -> Facts:
    exact = mdp._exact
    end = mdp.end[mdp.mask] if mdp.has_end else np.zeros(1)
    reward = float(np.abs(mdp.rewards).max())
    given = exact is not None and exact.weights is not None
    one = lambda x: np.array([float(x)])  # noqa: E731
    return Facts(
        gamma=one(mdp.gamma),
        gamma_error=one(0.0 if mdp.gamma_exact == mdp.gamma else U),
        reward=one(reward),
        reward_error=one(0.0 if exact is None or exact.R is None else U * reward),
        least=one(end.min()),
        most=one(end.max()),
        row=one(4.0 * U if given else mdp.row_error),
        longest=int(np.diff(mdp.P.indptr).max(initial=0)) if isinstance(mdp.P, CSR) else mdp.S,
    )


def facts_of_batch(batch: MDPBatch) -> Facts:
    flat = lambda x, fill: np.asarray(np.where(batch.mask, x, fill)).reshape(batch.B, -1)  # noqa: E731
    if batch.totals is not None:
        row = np.full(batch.B, 4.0 * U)
    else:
        total = np.matmul(batch.P, np.ones(batch.S)) + batch.end
        row = np.abs(flat(total, 1.0) - 1.0).max(axis=1) + 2.0 * (batch.S + 1) * U
    return Facts(
        gamma=batch.gamma,
        gamma_error=np.full(batch.B, 0.0 if batch._gamma_exact is None else U),
        reward=np.abs(batch.rewards).max(axis=(1, 2)),
        reward_error=np.zeros(batch.B),
        least=flat(batch.end, np.inf).min(axis=1),
        most=flat(batch.end, 0.0).max(axis=1),
        row=row,
        longest=batch.S,
    )


def setting(f: Facts, tol: float, max_iter: int, sweeps: int) -> Setting:
    """What the loops need; (B,) arrays but for the last three."""
    number = lambda x: np.full(len(f.gamma), float(x))  # noqa: E731
    return Setting(
        1.0 - f.most,
        1.0 - f.least,
        np.array(f.reward),
        number(f.longest),
        np.float64(tol),
        np.int32(max_iter),
        np.int32(sweeps),
    )


def one_setting(f: Facts, tol: float, max_iter: int, sweeps: int) -> Setting:
    """``setting`` of one model: scalars."""
    s = setting(f, tol, max_iter, sweeps)
    return s._replace(**{k: np.asarray(getattr(s, k))[0] for k in ("mass_min", "mass_max", "reward", "longest")})


def has_bounds(f: Facts, reg: Any) -> bool:
    """Whether the rounding of device backups is bounded a priori: sizes within range, no regulariser or Shannon's."""
    weights = np.atleast_1d(reg.tau) if isinstance(reg, Shannon) else np.zeros(1)
    return (
        isinstance(reg, (Hard, Shannon))
        and all(covered(float(r)) for r in f.reward)
        and covered(1.0, *weights.tolist())
    )


def action_radius(f: Facts, size: Any) -> np.ndarray:
    """(B,) bound on what separates the device's action values, of ``|V| <= size``, from the exact ones."""
    size = 1.001 * np.asarray(size)
    return np.asarray(q_error(f.longest, f.reward, size, f.row) + f.gamma_error * size + f.reward_error)


def bounds(f: Facts, reg: Any, A: int, x: Answer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``lower <= V* - V <= upper`` and the policy gap, (B,) each, from the extremes of the residual alone."""
    r = action_radius(f, x.size)
    # The last term: of the difference TV - V.
    wide = r + backup_error(reg, A, x.size_after) + 2 * U * (x.size + x.size_after)
    found = constant_bounds(
        Residual(x.low, x.high, wide, policy_error(reg, A) + 2 * r), f.gamma, f.least, f.most, f.row, f.gamma_error
    )
    return finite(x, found)


def enclosed(
    f: Facts, reg: Any, mask: np.ndarray, x: Answer, b: int
) -> tuple[tuple[float, float], tuple[float, float] | None]:
    """Extremes of ``TV - V`` and of ``T_pi V - V`` of member b, its conjugates enclosed on the host around its action values."""
    from tabular.certificates.float_bounds import Enclosed

    r = float(action_radius(f, x.size)[b])
    held = Enclosed.around(mask, x.Q[b], r, x.V[b])
    low, high = held.optimal(reg)
    star = float(np.min(low)), float(np.max(high))
    try:
        own = held.of_policy(reg, x.pi[b])
    except NotImplementedError:  # Omega of a given policy is unknown
        return star, None
    return star, (float(own[0].min()), float(own[1].max()))


def bounds_by_enclosure(f: Facts, regs: list[Any], masks: Any, x: Answer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As ``bounds`` for any built-in regulariser, member by member: seconds for thousands of members."""
    B = len(x.low)
    low, high, spare = np.empty(B), np.empty(B), np.empty(B)
    for b in range(B):
        if not np.isfinite(x.V[b]).all():
            low[b], high[b], spare[b] = -np.inf, np.inf, np.inf
            continue
        star, own = enclosed(f, regs[b], masks[b], x, b)
        low[b], high[b] = star
        spare[b] = np.inf if own is None else max(star[0] - own[0], 0.0)
    found = constant_bounds(Residual(low, high, np.zeros(B), spare), f.gamma, f.least, f.most, f.row, f.gamma_error)
    return finite(x, found)


def finite(x: Answer, found: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Infinite where nothing is known."""
    bad = ~np.isfinite(x.low) | ~np.isfinite(x.size)
    lower, upper, gap = (np.where(bad | np.isnan(b), np.inf * s, b) for b, s in zip(found, (-1, 1, 1), strict=True))
    return lower, upper, gap
