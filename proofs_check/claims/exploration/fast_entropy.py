"""EntGame / UCBVI-Ent: Tiapkin et al. 2023, fast rates for maximum entropy exploration. By subject:

the objectives (C1 ... C3), forecasters and games (C4 ... C6), soft policies (C7, C8), samples (C9, C10), plans of runs (C10r), and
exploration without a reward (C11).
"""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.exploration import (
    fast_entropy_algorithm,
    fast_entropy_counts,
    fast_entropy_estimates,
    fast_entropy_forecasts,
    fast_entropy_games,
    fast_entropy_objectives,
    fast_entropy_reward_free,
    fast_entropy_sampling,
    fast_entropy_separation,
    fast_entropy_soft,
)

PARTS = (
    fast_entropy_objectives,
    fast_entropy_forecasts,
    fast_entropy_games,
    fast_entropy_soft,
    fast_entropy_counts,
    fast_entropy_sampling,
    fast_entropy_algorithm,
    fast_entropy_estimates,
    fast_entropy_reward_free,
    fast_entropy_separation,
)

FORMULAS = "tabular.reference.visitation"
_FORMULAS = (
    *(
        "C1",
        "C1a",
        "C2",
        "C2a",
        "C3",
        "C3a",
        "C3b",
        "C4",
        "C4a",
        "C4b",
        "C5",
        "C5a",
        "C6",
        "C6a",
        "C6b",
        "C7",
        "C7a",
        "C7b",
    ),
    *("C8", "C8a", "C9a", "C9b", "C10a", "C10b", "C11a", "C11b", "C11d"),
)
MET = tuple(f"fast_entropy.{label}" for label in _FORMULAS)
"""What meets faults in formulas: all claims but those that play runs, which take long without compiled loops."""


def _planted(name: str, module: str, function: str, old: str, new: str) -> Mutant:
    return Mutant(name, module, function, old, new, met_by=MET)


MUTANTS = (
    _planted("the last step's transition counted", FORMULAS, "trajectory_rewards", "last * found[-1]", "found[-1]"),
    _planted("no transition counted", FORMULAS, "trajectory_rewards", "found[:-1]", "[0 * x for x in found[:-1]]"),
    _planted(
        "policies' entropies left out",
        FORMULAS,
        "trajectory_entropy",
        "row_entropy(ops, pi)",
        "0 * row_entropy(ops, pi)",
    ),
    _planted("entropy of the wrong sign", FORMULAS, "row_entropy", "-ops.sum(ops.xlogx(x))", "ops.sum(ops.xlogx(x))"),
    _planted(
        "a policy's entropy doubled",
        FORMULAS,
        "policy_values",
        "tau * row_entropy(ops, pi)",
        "2 * tau * row_entropy(ops, pi)",
    ),
    _planted("stages in the wrong order", FORMULAS, "policy_values", "reversed(plan)", "plan"),
    _planted("the next step's policy a step late", FORMULAS, "trajectory_law", "plan[1:]", "plan[:-1]"),
    _planted("states in place of pairs", FORMULAS, "occupancies", "d[h][:, None] * pi", "d[0][:, None] * pi"),
    _planted("the next values forgotten", FORMULAS, "induction", "reward + ops.expect(m.P, V[-1])", "reward"),
    _planted("values of the first step for ever", FORMULAS, "induction", "V[-1]", "V[0]"),
    _planted("forecasts that forget the past", FORMULAS, "forecast", "counts + prior", "0 * counts + prior"),
    _planted("forecasts that do not sum to one", FORMULAS, "forecast", "t + prior * symbols", "t + prior"),
    _planted("rewards for what is visited", FORMULAS, "best_response", "-ops.log(q)", "ops.log(q)"),
    _planted(
        "soft samplers for what is visited",
        FORMULAS,
        "soft_response",
        "0 * m.R - ops.log(q)[:, None]",
        "0 * m.R + ops.log(q)[:, None]",
    ),
    _planted("stale counts", FORMULAS, "entropy_game", "x + y", "y"),
)
