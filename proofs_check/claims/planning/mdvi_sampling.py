r"""MDVI, part 3: sampling. Hoeffding's bound on averaged errors, budgets, one draw per pair."""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, Trial, claim, families, scalars, streams, twin
from proofs_check.claims.planning import mdvi_runs as runs
from tabular.instances import fortune
from tabular.reference.mirror_descent import sequence_value

DELTA = 0.05
ITERATIONS = 64
DRAWS = 2
FORTUNE = fortune(gamma=(0.5, 0.75))
THEOREM = "Kozuno et al. 2022, Theorem 1"


def _failure(ops: Any, m: Any, rng: Any, alpha: Any, weights: str) -> Trial:
    a = ops.midpoint(alpha)
    E = runs.run(m.source, runs.successors(m.source, rng, ITERATIONS, DRAWS), a)[1]
    largest, bound = runs.hoeffding(m.source, E, DRAWS, a, DELTA, weights)
    return Trial(Inequality(ops.array(largest, 0), ops.array(bound, 0)), delta=DELTA)


@claim(
    id="mdvi.C4",
    family=(FORTUNE, families.garnet(3, 2, gamma=(0.75,)), families.random_endings(3, 2)),
    draws={"rng": streams(), "alpha": scalars(0.875, 1.0)},
    source="Kozuno et al. 2022, behind Theorem 1",
    kind="probability",
    instances=(),
)
def averaged_errors_concentrate(ops: Any, m: Any, rng: Any, alpha: Any) -> Trial:
    r"""With probability 1 - \delta, for all k \le K and all pairs: |E_k(s, a)| \le \gamma H \|R\| \sqrt{2 (\sum_{j<k}
    \alpha^{2j}) \log(2 S A K / \delta) / M}, at \beta = \infty. Here K = 64, M = 2, \delta = 1/20, \alpha \in [7/8,
    1].

    Proof: :math:`E_k` is a sum of martingale differences, M in each iteration, of range :math:`2 \alpha^{k-j} \gamma
    H \|R\| / M` (C2b): Azuma and Hoeffding, and a union over K and the available pairs.
    """
    return _failure(ops, m, rng, alpha, "squares")


@twin(
    averaged_errors_concentrate,
    why="the errors average as if they did not add up: 1 for the sum of squares",
    family=FORTUNE,
)
def averaged_errors_do_not_add(ops: Any, m: Any, rng: Any, alpha: Any) -> Trial:
    return _failure(ops, m, rng, alpha, "one")


def _loss(ops: Any, m: Any, rng: Any, K: int, M: int) -> Any:
    """Loss of the output policy of a run at alpha = gamma."""
    actions = runs.output_actions(m.source, rng, K, M)
    pi = [ops.distribution(runs.one_hot(actions[..., k, :], m.A)) for k in range(K + 1)]
    value = sequence_value(ops, m, pi[:0:-1], ops.evaluate(m, pi[0]))
    return ops.norm(ops.optimal_value(m) - value)


EPSILON = 1.0
BUDGET = (16, 5433)  # for rewards up to 1: mdvi_budget
GARNETS = families.garnet(3, 2, gamma=(0.75,))
LOCKS = families.hidden_path(3, 2, gamma=(0.75,))


@claim(
    id="mdvi.C5a",
    family=(GARNETS, LOCKS),
    draws={"rng": streams()},
    source="ours, after " + THEOREM,
    kind="probability",
    instances=(),
)
def budget(ops: Any, m: Any, rng: Any) -> Trial:
    r"""\|V^* - V^{\pi'_K}\| \le \varepsilon with probability 1 - \delta, at \alpha = \gamma, from the K and M of
    ``mdvi_budget``. Here \varepsilon = 1, \delta = 1/20, three states, two actions, \gamma = 3/4 and rewards in
    [-1, 1].

    Proof: by C3 the loss is at most :math:`2 (K+H) \gamma^K r + 2 \max_k |E_k|`, by C4 the errors are small: K makes
    the first half of :math:`\varepsilon`, M the second. A factor H more than Theorem 1, whose constants were not
    found.
    """
    return Trial(Inequality(_loss(ops, m, rng, *BUDGET), EPSILON), delta=DELTA)


@twin(budget, why="a single iteration", family=LOCKS)
def budget_of_one_iteration(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(Inequality(_loss(ops, m, rng, 1, BUDGET[1]), EPSILON), delta=DELTA)


@twin(budget, why="for any epsilon at all from one draw in each iteration: the policy is optimal", family=GARNETS)
def budget_of_one_draw(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(Inequality(_loss(ops, m, rng, BUDGET[0], 1), 0), delta=DELTA)


SINGLE: dict[str, Any] = {
    "family": families.garnet(6, 10, gamma=(0.875,)),
    "draws": {"rng": streams()},
    "source": "Kozuno et al. 2022, section 1",
    "kind": "comparison",
    "instances": (),
}
LONG = 256
RARE = 0.125


def _last_loss(ops: Any, m: Any, rng: Any, alpha: float, group: int = 1) -> Trial:
    """Whether the last policy loses more than a hundredth of the horizon; draws of ``group`` iterations taken at once."""
    drawn = runs.regrouped(runs.successors(m.source, rng, LONG, 1), group)
    pi = ops.distribution(runs.one_hot(runs.run(m.source, drawn, alpha)[0], m.A))
    loss = ops.norm(ops.optimal_value(m) - ops.evaluate(m, pi))
    return Trial(Inequality(loss, ops.norm(m.R) / (1 - m.gamma) / 100), delta=RARE)


@claim(id="mdvi.C8", **SINGLE)
def one_draw_suffices(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With one draw from each pair in each of 256 iterations, the last policy of MDVI with \alpha = 63/64 loses at
    most H \|R\| / 100 with probability 7/8, on Garnets of six states and ten actions, \gamma = 7/8; that of value
    iteration does not (twin 1).

    Open: a measurement. Without averaging the error of an iteration is that of one draw, however many iterations there are.
    """
    return _last_loss(ops, m, rng, 63 / 64)


@twin(one_draw_suffices, why="value iteration, alpha = 0")
def one_draw_suffices_without_averaging(ops: Any, m: Any, rng: Any) -> Trial:
    return _last_loss(ops, m, rng, 0.0)


@claim(id="mdvi.C8a", **SINGLE)
def many_draws_suffice(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With the same draws in four iterations of 64, value iteration is as good: it is the number of draws in an
    iteration that tells the two apart, not the budget.

    Open: a measurement.
    """
    return _last_loss(ops, m, rng, 0.0, 64)


@twin(many_draws_suffice, why="in 128 iterations of two")
def few_draws_suffice(ops: Any, m: Any, rng: Any) -> Trial:
    return _last_loss(ops, m, rng, 0.0, 2)
