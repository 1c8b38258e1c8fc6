r"""Entropies of a finite horizon as formulas over ``ops``: of visits, of trajectories, and the games that maximise them.

Steps are 0 ... H-1, ``stages`` their models, ``plan`` a Markov policy (one (S, A) a step), ``rho`` (S,) the law of the first
state. All is undiscounted, and no step may end the process: an end is a state (``exploration.end_as_state``). With
:math:`d_h(s,a)` the probability of the pair at step h and :math:`\mathcal H(d) = -\sum d \log d`, in nats,

* visitation entropy :math:`VE = \sum_h \mathcal H(d_h)`; the pooled one is :math:`\mathcal H(\frac1H \sum_h d_h)`;
* trajectory entropy TE, that of the law of :math:`(s_0, a_0, \ldots, s_{H-1}, a_{H-1})`.

Source: fast_entropy (Tiapkin et al. 2023), sections 2 and 3; the dual functions are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tabular.reference import operators
from tabular.regularizers import Hard, Shannon


def entropy(ops: Any, x: Any) -> Any:
    """``-sum x log x`` over all event axes: a scalar."""
    terms = -ops.xlogx(x)
    for _ in range(x.ndim):
        terms = ops.sum(terms)
    return terms


def row_entropy(ops: Any, x: Any) -> Any:
    """``-sum x log x`` over the last axis."""
    return -ops.sum(ops.xlogx(x))


def transition_entropy(ops: Any, m: Any) -> Any:
    """Entropy of the next state, the end among them; zero where unavailable: (S, A)."""
    return row_entropy(ops, ops.successors(m))


def occupancies(ops: Any, stages: Sequence[Any], rho: Any, plan: Sequence[Any]) -> list[Any]:
    """Probability of each pair at steps 0 ... H-1: H values (S, A)."""
    d = operators.forward_visits(ops, stages, rho, plan)
    return [d[h][:, None] * pi for h, pi in enumerate(plan)]


def visitation_entropy(ops: Any, visits: Sequence[Any]) -> Any:
    r""":math:`\sum_h \mathcal H(d_h)`."""
    return sum(entropy(ops, d) for d in visits)


def mean(items: Sequence[Any]) -> Any:
    """The average of values of one shape."""
    return sum(items[1:], items[0]) / len(items)


def pooled_entropy(ops: Any, visits: Sequence[Any]) -> Any:
    r""":math:`\mathcal H(\frac1H \sum_h d_h)`: at least the mean of :math:`\mathcal H(d_h)`."""
    return entropy(ops, mean(visits))


def trajectory_entropy(ops: Any, stages: Sequence[Any], rho: Any, plan: Sequence[Any], last: int = 0) -> Any:
    r"""TE: :math:`\mathcal H(\rho) + \sum_{h<H} E\,\mathcal H(\pi_h) + \sum_{h<H-1} E\,\mathcal H(P_h)`.

    ``last`` 1 adds the transition of the last step, for the law of a trajectory with the state after it.
    """
    visits, rewards = occupancies(ops, stages, rho, plan), trajectory_rewards(ops, stages, last)
    total = entropy(ops, rho)
    for d, pi, reward in zip(visits, plan, rewards, strict=True):
        total = total + ops.dot(ops.sum(d), row_entropy(ops, pi)) + ops.sum(ops.dot(d, reward))
    return total


def trajectory_law(ops: Any, stages: Sequence[Any], rho: Any, plan: Sequence[Any]) -> Any:
    """Probabilities of all (S A)^H trajectories, an axis for each state and each action."""
    law = rho[:, None] * plan[0]
    for h, pi in enumerate(plan[1:], start=1):
        rows = ops.successors(stages[h - 1])[:, :, : stages[h].S]
        step = rows[:, :, :, None] * pi[None, None, :, :]
        law = law[..., None, None] * step[(*[None] * (2 * h - 2), ...)]
    return law


class Plan(NamedTuple):
    """``V`` (H+1 values (S,)), ``Q`` and ``pi`` (H values (S, A)) of one backward induction."""

    V: list[Any]
    Q: list[Any]
    pi: list[Any]


def induction(ops: Any, stages: Sequence[Any], rewards: Sequence[Any], regularizer: Any) -> Plan:
    """Backward induction from zero, with rewards (S, A) of each step in place of the models' own."""
    V, Q, pi = [0 * ops.dot(rewards[0], rewards[0])], [], []
    for m, reward in zip(reversed(stages), reversed(rewards), strict=True):
        Q.append(ops.where(m.mask, reward + ops.expect(m.P, V[-1]), 0))
        V.append(regularizer.conjugate(ops, Q[-1], m.mask))
        pi.append(regularizer.policy(ops, Q[-1], m.mask))
    return Plan(V[::-1], Q[::-1], pi[::-1])


def policy_values(ops: Any, stages: Sequence[Any], rewards: Sequence[Any], plan: Sequence[Any], tau: Any) -> Any:
    """Value (S,) at the first step of a Markov policy with these rewards plus ``tau`` times its entropy, each step."""
    V = 0 * ops.dot(rewards[0], rewards[0])
    for m, reward, pi in zip(reversed(stages), reversed(rewards), reversed(plan), strict=True):
        V = ops.dot(pi, reward + ops.expect(m.P, V)) + tau * row_entropy(ops, pi)
    return V


def trajectory_rewards(ops: Any, stages: Sequence[Any], last: int = 0) -> list[Any]:
    """The transition entropies as rewards: at the last step zero, unless ``last`` is 1."""
    once = {id(m): transition_entropy(ops, m) for m in {id(m): m for m in stages}.values()}
    found = [once[id(m)] for m in stages]
    return [*found[:-1], last * found[-1]]


def trajectory_plan(ops: Any, stages: Sequence[Any], last: int = 0) -> Plan:
    r"""The policy of largest TE: soft backward induction at temperature 1; :math:`\mathcal H(\rho) + \rho V_0` is its TE."""
    return induction(ops, stages, trajectory_rewards(ops, stages, last), Shannon(ops.constant(1)))


def game_value(ops: Any, visits: Sequence[Any], forecast: Sequence[Any]) -> Any:
    r"""The sampler's pay-off :math:`\sum_h \langle d_h, \log(1/q_h) \rangle`."""
    paid = [ops.sum(ops.dot(d, -ops.log(q))) for d, q in zip(visits, forecast, strict=True)]
    return sum(paid[1:], paid[0])


def best_response(ops: Any, stages: Sequence[Any], forecast: Sequence[Any]) -> Plan:
    r"""The policy that is paid most, :math:`\log(1/q_h(s,a))` a step; :math:`\rho V_0 \ge` every VE."""
    return induction(ops, stages, [-ops.log(q) for q in forecast], Hard())


def soft_response(ops: Any, stages: Sequence[Any], forecast: Sequence[Any]) -> Plan:
    r"""The same against forecasts :math:`q_h(s)` of the state alone, (S,) each, with the policy's entropy as further reward.

    For :math:`\mathcal H(d_h) = \mathcal H(\mu_h) + E\,\mathcal H(\pi_h)` with :math:`\mu_h` the law of the state.
    """
    rewards = [0 * m.R - ops.log(q)[:, None] for m, q in zip(stages, forecast, strict=True)]
    return induction(ops, stages, rewards, Shannon(ops.constant(1)))


def forecast(counts: Any, t: Any, symbols: Any, prior: Any = 1) -> Any:
    """Add-``prior`` smoothing of the counts of t outcomes among so many symbols; where none is possible it is never asked."""
    return (counts + prior) / (t + prior * symbols)


def dual(ops: Any, stages: Sequence[Any], rho: Any, V: Sequence[Any], masks: Sequence[Any]) -> Any:
    r""":math:`\rho V_0 + \sum_h \log \sum_{s,a} e^{(P_h V_{h+1})(s,a) - V_h(s)}`: at least every VE, for any V (H values (S,)).

    With :math:`V_H = 0`; the sum is over the pairs that can be met (``masks``). Proof: for occupancies d of a policy
    :math:`\rho V_0 = \sum_h \langle d_h, V_h - P_h V_{h+1} \rangle`, and :math:`\mathcal H(d_h) \le \langle d_h, g
    \rangle + \log \sum e^{-g}` for every g (Gibbs). The least such value is max VE (a concave problem with linear
    constraints). To keep the exponentials in range, add constants to the V_h, which changes nothing.
    """
    total = ops.dot(rho, V[0])
    for terms in _weights(ops, stages, V, masks):
        total = total + ops.log(ops.sum(ops.sum(terms)))
    return total


def pooled_dual(ops: Any, stages: Sequence[Any], rho: Any, V: Sequence[Any], masks: Sequence[Any]) -> Any:
    r""":math:`\frac1H \rho V_0 + \log \sum_{s,a} \max_h e^{(P_h V_{h+1})(s,a) - V_h(s)}`: at least every pooled entropy.

    Proof: as for ``dual``, with :math:`g = \min_h (V_h - P_h V_{h+1})` for all steps.
    """
    found = _weights(ops, stages, V, masks)
    most, _ = ops.scan(lambda top, x: (ops.maximum(top, x), None), found[0], found[1:])
    return ops.dot(rho, V[0]) / len(found) + ops.log(ops.sum(ops.sum(most)))


def _weights(ops: Any, stages: Sequence[Any], V: Sequence[Any], masks: Sequence[Any]) -> list[Any]:
    after = [*V[1:], 0 * V[0]]
    steps = zip(stages, V, after, masks, strict=True)
    return [ops.where(mask, ops.exp(ops.expect(m.P, W) - U[:, None]), 0) for m, U, W, mask in steps]


class Game(NamedTuple):
    """After a round: the mean occupancies (H values (S, A)), and the forecasts that the round's response was to."""

    visits: list[Any]
    forecast: list[Any]


def available(m: Any) -> int:
    """Pairs that are available: in a batch, the most of them."""
    return int(m.mask.sum(axis=(-2, -1)).max())


class Rules(NamedTuple):
    """A game: what forecasters see of visits, among how many symbols, and how the sampler responds."""

    seen: Callable[[Any, Any], Any]
    symbols: Callable[[Any], int]
    respond: Callable[..., Plan]


PLAIN = Rules(lambda ops, d: d, available, lambda ops, stages, q: best_response(ops, stages, q))
REGULARISED = Rules(lambda ops, d: ops.sum(d), lambda m: m.S, lambda ops, stages, q: soft_response(ops, stages, q))


def entropy_game(ops: Any, stages: Sequence[Any], rho: Any, rounds: int, rules: Rules = PLAIN) -> list[Game]:
    """EntGame with the true transitions: add-one forecasters of what was visited, and best responses to them; after each round.

    ``REGULARISED``: forecasters of the state, (S,) each, and soft responses. In enclosures ties are not decided: run it in
    floats.
    """
    sums = [0 * m.R for m in stages]
    found: list[Game] = []
    for t in range(rounds):
        seen = [rules.seen(ops, x) for x in sums]
        q = [forecast(x, t, rules.symbols(m)) for x, m in zip(seen, stages, strict=True)]
        plan = rules.respond(ops, stages, q)
        d = occupancies(ops, stages, rho, plan.pi)
        sums = [x + y for x, y in zip(sums, d, strict=True)]
        found.append(Game([x / (t + 1) for x in sums], q))
    return found
