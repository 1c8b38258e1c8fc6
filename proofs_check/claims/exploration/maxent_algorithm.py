r"""MaxEnt, part 3: what a run of the solver returns: visits that a policy has, their entropy, and their duality gap."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import Inequality, Mutant, claim, families, streams, twin
from proofs_check.claim import all_available, no_endings
from proofs_check.claims.exploration._replay import CLOSE

ROUNDS, SIGMA, ENOUGH = 2, 2.0**-4, 40


def solved(source: Any, rng: Any) -> list[np.ndarray]:
    """Of each trial, from a start distribution that is drawn: that (S,), d and pi (S, A), the objective, the gap and
    the bound of a run.
    """
    from tabular import MDP
    from tabular.exploration import max_ent

    models = [source[i] for i in range(source.B)] if hasattr(source, "B") else [source]
    weights = rng.uniform("start", source.S) + 0.125
    rho = weights / weights.sum(axis=-1, keepdims=True)
    parts: list[list[Any]] = [[] for _ in range(5)]
    for mdp, start in zip(models, rho.reshape(-1, source.S), strict=True):
        found = max_ent(MDP(mdp.P, mdp.rewards, mdp.gamma, rho=start), ROUNDS, sigma=SIGMA, record=[ROUNDS]).result
        for part, name in zip(parts, ("d", "pi", "objective", "gap", "upper"), strict=True):
            part.append(found[name])
    return [rho, *(np.reshape(np.stack(part), (*rng.batch, *np.shape(part[0]))) for part in parts)]


def _off(ops: Any, m: Any, rng: Any, second: Any) -> Inequality:
    """``second``: the weight of the slope's second term."""
    given = zip(solved(m.source, rng), (1, 2, 2, 0, 0, 0), strict=True)
    rho, d, pi, objective, gap, upper = (ops.array(x, n) for x, n in given)
    P, x = ops.successors(m)[:, :, : m.S], ops.sum(d)
    flow = x - (1 - m.gamma) * rho - m.gamma * ops.sum(ops.sum(d[:, :, None] * P, axis=-2), axis=-2)
    slope = -ops.log(x + SIGMA) - second * x / (x + SIGMA)
    entropy = -ops.sum(x * ops.log(x + SIGMA))
    best = ops.fori(ENOUGH, lambda _, V: ops.max(slope[:, None] + m.gamma * ops.dot(P, V[None, None, :])), 0 * x)
    rest = (1 - m.gamma) * ops.dot(rho, best) - ops.dot(slope, x)
    off = [
        ops.norm(flow),
        ops.norm(ops.sum(ops.abs(d - x[:, None] * pi))),
        ops.abs(objective - entropy),
        ops.abs(gap - rest),
        objective - upper,
        upper - objective - gap,
    ]
    return Inequality(ops.stack(off), ops.constant(CLOSE), axes=("what",), quotient=False)


@claim(
    id="maxent.C1r",
    family=families.garnet(3, 2, gamma=0.5),
    draws={"rng": streams()},
    assumptions=(all_available, no_endings),
    source="Hazan, Kakade, Singh and Van Soest 2019, Algorithm 1",
    kind="inequality",
    instances=(),
)
def runs_return_what_they_say(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""A run of MaxEnt returns occupancies d, the policy that has them, their smoothed entropy and its duality gap
    \max_{d'} \langle \nabla H_\sigma(d), d' - d \rangle, within 2^{-20}. Here two rounds, \sigma = 1/16, \gamma =
    1/2.

    Proof: these are the flow equations, the definitions, and value iteration of 40 steps for the largest :math:`\langle
    \nabla H_\sigma(d), d' \rangle`, whose error is below :math:`2^{-36}`.
    """
    return _off(ops, m, rng, 1)


@twin(runs_return_what_they_say, why="the gap of a slope without its second term")
def gaps_of_half_a_slope(ops: Any, m: Any, rng: Any) -> Inequality:
    return _off(ops, m, rng, 0)


def _planted(name: str, function: str, old: str, new: str) -> Mutant:
    return Mutant(name, "tabular.exploration.max_ent", function, old, new, met_by=("maxent.C1r",))


MUTANTS = (
    _planted("rounds that do not forget", "max_ent", "1.0 - weight", "1.0"),
    _planted("visits not normalised", "_visits", "mu / mu.sum()", "mu"),
    _planted("a slope without its second term, in the solver", "_gap",
             "-np.log(x + sigma) - x / (x + sigma)", "-np.log(x + sigma)"),
    _planted("the gap of the best answer alone", "_gap", "best - d", "best"),
    _planted("the answer before the best", "_gap", "improved(b, slope, act)", "act"),
    _planted("the entropy not smoothed", "_smoothed", "x + sigma", "x"),
    _planted("the policy of all states alike", "max_ent", "d / np.where(total > 0, total, 1.0)", "d"),
)  # fmt: skip
