"""The comparison of the methods as a table: normalised error against queries for models of rising error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tabular.instances.absorbing_cliff import absorbing_cliff, smoothed
from tabular.mdp import MDP
from tabular.planning.mocovi.exact import K, mocovi, model_based, os_vi, vi
from tabular.planning.policy_iteration import policy_iteration
from tabular.solution import Run


class Row(NamedTuple):
    """One point of one curve. ``error`` is ``|V_k - V|_1 / |V|_1``, ``loss`` that of the policy's true value."""

    lam: float
    method: str
    k: int
    queries: int
    error: float
    loss: float


def table(
    mdp: MDP | None = None,
    *,
    lams: Sequence[Any] = (0.1, 0.5, 1),
    ds: Sequence[int] = (1, 2, 3),
    K: int = K,
    control: bool = False,
    towards: str = "support",
) -> list[Row]:
    """Rows for VI, the model alone, OS-VI and MoCoVI(d), on models smoothed by each of ``lams``.

    ``mdp`` is the cliff walk of ``absorbing_cliff`` if None; the policy evaluated is its optimal one, as in the source.
    Exact queries; ``K`` as in the methods. VI does not depend on the model and stands under every ``lam``. About a second
    for evaluation, ten for control. Source: mocovi, figure of exact experiments.
    """
    truth = absorbing_cliff() if mdp is None else mdp
    pi = None if control else policy_iteration(truth).pi
    plain, out = vi(truth, pi=pi, K=K), []
    for lam in lams:
        model = smoothed(truth, lam, towards)
        runs = [plain, model_based(truth, model, pi=pi), os_vi(truth, model, pi=pi, K=K)]
        runs += [mocovi(truth, model, d, pi=pi, K=K) for d in ds]
        out += [row for run in runs for row in _rows(float(lam), run)]
    return out


def _rows(lam: float, run: Run) -> list[Row]:
    curves = zip(run.history["queries"], run.history["error"], run.history["loss"], strict=True)
    name = run.info["method"]
    return [Row(lam, name, k, int(q), float(error), float(loss)) for k, (q, error, loss) in enumerate(curves)]
