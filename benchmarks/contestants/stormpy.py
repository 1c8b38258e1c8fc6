"""Storm: a discount is a probability ``1 - gamma`` of ending at each step; the end is a state. Total reward until then.

Rewards of one sign are what its sound methods accept, so that the least reward is taken off every step and its value,
``R_min / (1 - gamma)``, added to the answers.
"""

from __future__ import annotations

from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.contestants import Ready
from benchmarks.data import Task

METHODS = {
    "dense": "sparse engine, value iteration, precision set so that the error is below 1e-6 here",
    "sparse": "sparse engine, value iteration, precision set so that the error is below 1e-6 here",
    "exact": "exact engine (rational policy iteration), model read before",
}
REFUSALS = {
    "batch": "a call of the model checker for each model takes milliseconds: not meant for it",
    "horizon": "step-bounded rewards give the value of the start state alone",
    "ucbvi": "no learners",
}


def prepare(task: Task, options: dict[str, Any]) -> Ready:
    import stormpy

    exact = task.kind == "exact"
    formula = stormpy.parse_properties('R{"r"}max=? [F "done"]')[0]
    text, shift = _exact_drn(task) if exact else _drn(task)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.drn"
        file.write_text(text, encoding="ascii")
        del text
        model = stormpy.build_model_from_drn[stormpy.Rational if exact else float](str(file))
    S = model.nr_states - 1
    environment = stormpy.environments.exact() if exact else stormpy.environments.Environment()
    if not exact:
        solver = environment.solver().min_max()
        solver.method = stormpy.environments.MinMaxMethod.VALUE_ITERATION
        solver.precision = stormpy.Rational(task.facts["tolerance"] * (1 - task.facts["gamma"]))
        solver.relative_termination_criterion = False
        solver.maximal_number_of_iterations = 10_000_000

    def solve() -> Any:
        return stormpy.model_checking(model, formula, environment=environment)

    def answer(found: Any) -> tuple[np.ndarray, dict[str, Any]]:
        values = [found.get_value(s) for s in range(S)]
        if exact:
            return np.array([str(Fraction(str(v)) + shift) for v in values]), {}
        return np.array(values) + float(shift), {}

    return Ready(version("stormpy"), solve, answer)


def _lines(S: int, A: int, rational: bool) -> list[str]:
    kind = "rational" if rational else "double"
    head = ["@type: MDP", f"@value_type: {kind}", "@parameters", "", "@reward_models", "r", "@nr_states", str(S + 1)]
    return [*head, "@nr_choices", str(S * A + 1), "@model"]


def _drn(task: Task) -> tuple[str, float]:
    x, gamma = task.arrays, task.facts["gamma"]
    S, A = x["R"].shape
    if task.kind == "dense":
        flat = x["P"].reshape(S * A, S)
        indptr = np.concatenate([[0], np.cumsum((flat != 0).sum(axis=1))])
        indices, data = np.nonzero(flat)[1], flat[flat != 0]
    else:
        indptr, indices, data = x["indptr"], x["indices"], x["data"]
    low = float(x["R"].min())
    gains, ptr = (x["R"] - low).ravel().tolist(), indptr.tolist()
    to, p = indices.tolist(), (gamma * data).tolist()
    lines = _lines(S, A, rational=False)
    for i in range(S * A):
        if i % A == 0:
            lines.append(f"state {i // A} [0]{' init' if i == 0 else ''}")
        lines.append(f"\taction {i % A} [{gains[i]!r}]")
        row = range(ptr[i], ptr[i + 1])
        lines += [f"\t\t{to[k]} : {p[k]!r}" for k in row]
        lines.append(f"\t\t{S} : {1.0 - sum(p[k] for k in row)!r}")
    lines += [f"state {S} [0] done", "\taction 0 [0]", f"\t\t{S} : 1"]
    return "\n".join(lines) + "\n", low / (1 - gamma)


def _exact_drn(task: Task) -> tuple[str, Fraction]:
    x, gamma, unit = task.arrays, Fraction(task.facts["gamma"]), task.facts["unit"]
    S, A = x["rewards"].shape
    low = Fraction(int(x["rewards"].min()), unit)
    lines = _lines(S, A, rational=True)
    for s in range(S):
        lines.append(f"state {s} [0]{' init' if s == 0 else ''}")
        for a in range(A):
            lines.append(f"\taction {a} [{Fraction(int(x['rewards'][s, a]), unit) - low}]")
            for t in np.flatnonzero(x["weights"][s, a]).tolist():
                lines.append(f"\t\t{t} : {gamma * Fraction(int(x['weights'][s, a, t]), int(x['totals'][s, a]))}")
            lines.append(f"\t\t{S} : {1 - gamma}")
    lines += [f"state {S} [0] done", "\taction 0 [0]", f"\t\t{S} : 1"]
    return "\n".join(lines) + "\n", low / (1 - gamma)
