"""The project itself: ``tabular.solve``, its certificate included in the time.

Options: ``regularizer`` ("shannon", "tsallis") with ``tau``; ``method``; ``threads``; ``scale``, the largest of ``|R|`` and
``|V*|``, because the project's tolerance is relative to it and the task's is not.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from benchmarks.contestants import Ready
from benchmarks.data import Task

METHODS = {
    "dense": "solve, certificate included",
    "sparse": "solve, certificate included",
    "batch": "solve_batch, certificates included",
    "horizon": "solve (backward induction), certificate included",
    "exact": "exact_policy_iteration, from floats to rationals",
    "ucbvi": "interact with the same bonus, the exact value of every policy included",
}
REFUSALS: dict[str, str] = {}


def prepare(task: Task, options: dict[str, Any]) -> Ready:
    """``facts`` of an answer: method, iterations, ``error_bound``, and the passes over the model where they are known."""
    import tabular
    from tabular import CSR, MDP, FiniteHorizonMDP, MDPBatch, solve

    facts, x = task.facts, task.arrays
    if task.kind == "exact":
        from tabular import exact_policy_iteration

        gamma = Fraction(facts["gamma"])
        R = [[Fraction(int(r), facts["unit"]) for r in row] for row in x["rewards"]]
        rational = MDP.from_weights(x["weights"], R, gamma)
        return Ready(
            tabular.__version__,
            lambda: exact_policy_iteration(rational),
            lambda found: (np.array([str(v) for v in found.V]), {"iterations": found.iterations}),
        )
    if task.kind == "ucbvi":
        return _ucbvi(task)
    asked: dict[str, Any] = {"tol": facts["tolerance"] / options.get("scale", 1.0)}
    asked |= {key: options[key] for key in ("threads", "method") if options.get(key) is not None}
    if task.kind == "batch":
        from tabular import solve_batch

        batch = MDPBatch(x["P"], x["R"], facts["gamma"])
        asked.pop("method", None)
        return Ready(
            tabular.__version__,
            lambda: solve_batch(batch, _regularizer(options), **asked),
            lambda found: (
                found.V,
                {"error_bound": float(found.error_bound.max()), "iterations": int(found.iterations.max())},
            ),
        )
    mdp: MDP | FiniteHorizonMDP
    if task.kind == "horizon":
        mdp = FiniteHorizonMDP(x["P"], x["R"], H=facts["H"])
    elif task.kind == "sparse":
        mdp = MDP(CSR(x["indptr"], x["indices"], x["data"]), x["R"], facts["gamma"], copy=False)
    else:
        mdp = MDP(x["P"], x["R"], facts["gamma"], copy=False)
    regularizer = _regularizer(options)
    return Ready(tabular.__version__, lambda: solve(mdp, regularizer, **asked), _answer)


def _ucbvi(task: Task) -> Ready:
    import tabular
    from benchmarks.ucbvi import PlainUCBVI, recommended
    from tabular.exploration import interact

    x, H, episodes = task.arrays, task.facts["H"], task.facts["episodes"]
    S, A = x["R"].shape
    model = tabular.FiniteHorizonMDP(x["P"], x["R"], H=H, rho=np.eye(S)[0])

    def answer(run: Any) -> tuple[np.ndarray, dict[str, Any]]:
        seen = np.zeros((S * A, S))
        seen[np.repeat(np.arange(S * A), np.diff(x["indptr"])), x["indices"]] = run.result["seen"][0]
        Q = recommended(run.result["visits"][0, 0], seen.reshape(S, A, S), x["R"], H)
        return Q, {"episodes": episodes, "iterations": int(run.result["evaluations"][0])}

    return Ready(tabular.__version__, lambda: interact(model, PlainUCBVI(), episodes, keep="seen"), answer)


def _answer(solution: Any) -> tuple[np.ndarray, dict[str, Any]]:
    told = {"method": solution.method, "status": solution.status.name, "why": solution.why}
    numbers = {"iterations": solution.iterations, "error_bound": solution.error_bound}
    # One more read of the model for the certificate, unless the solver counts its reads itself.
    passes = solution.info.get("passes", solution.iterations + 1)
    return solution.V, told | numbers | {"passes": float(passes)}


def _regularizer(options: dict[str, Any]) -> Any:
    from tabular import Shannon, Tsallis

    kind = options.get("regularizer")
    if kind is None:
        return None
    return Shannon(options["tau"]) if kind == "shannon" else Tsallis(options["tau"], 2.0)
