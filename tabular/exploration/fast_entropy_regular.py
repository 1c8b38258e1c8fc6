# mypy: allow-untyped-defs
r"""EntGame step by step with sampled transitions, and Reg-EntGame: with a regularised sampler; details and constants ours.

The first ``explore`` episodes are those of ``RF_RL_Explore``. Then the game begins. In its round t = 1, 2, ...

* the forecaster answers, from the states that were met in the rounds before, :math:`q^t_h(s) = (n_h(s) + 1)/(t - 1 + S)`;
* the sampler plays one episode of the policy that maximises :math:`\log(1/q^t_h(s))` a step plus its entropy in the model
  estimated from all episodes: soft backward induction at temperature 1.

The answer is the mixture of the policies of all T rounds over whole episodes, whose occupancies are known exactly here. With
``regularised=False`` forecasts are of pairs, :math:`(n_h(s,a) + 1)/(t - 1 + SA)`, and the sampler is greedy: EntGame as its
theorem has it, without a bonus.

**How far it is off** (ours). Let :math:`F_T`, :math:`G_T` be the mean regrets of forecaster and sampler, both exact in ``history``.

(i) :math:`\max VE - VE(\bar d_T) \le F_T + G_T`, on any path: the proof of fast_entropy.C5, for states, since
:math:`\mathcal H(d_h) = \mathcal H(\mu_h) + E\,\mathcal H(\pi_h)` and the second term is concave in :math:`d_h`.

(ii) With probability 1 - delta, with :math:`\tau = \min\{1, \sqrt{(S \log 2 + \log(2H/\delta))/(2T)}\}`,

.. math:: F_T \le H \left[ \tfrac1T \log\tbinom{T+S-1}{S-1} + \log(T+S) \sqrt{\tfrac{\log(2H/\delta)}{2T}} + \tau
    \log\tfrac{eS}{\tau} \right].

Proof: at each step, to the mean :math:`\langle \mu^t, \log(1/q^t) \rangle` of the loss corresponds :math:`\log(1/q^t(s_t))`,
of a range of at most :math:`\log(T + S)`: Azuma and Hoeffding give the second term. The sum of the latter is at most :math:`T
\mathcal H(\hat\mu_T)` plus the logarithm of the binomial (fast_entropy.C4a), with the frequencies :math:`\hat\mu_T` of the
states met. Their total variation from :math:`\bar\mu_T` is at most :math:`\tau`, by the same inequality for each of
:math:`2^S` sets of states; then fast_entropy.C11d. Half of delta goes to each, over H steps.

(iii) :math:`G_T \le \frac{H(H+1)}{4} \frac1T \sum_t \max_\pi E_\pi \sum_h |(\hat p - p) \hat V^t_{h+1}|^2` (fast_entropy.C11b):
squares, where an unregularised sampler loses errors. As :math:`0 \le \hat V \le H \log((T+S)A)`, after N rounds of the
first phase it is at most

.. math:: \tfrac{H^3(H+1)}{4} \log^2((T+S)A)\, [17.3\, HSA\beta(K)/((1 + replays) N) + HS\theta]

with the probability and by the proof of ``fast_entropy_reward_free``: with N of the order :math:`\sqrt T` it is of lower order.

So T of the order :math:`H^2 S \log^2/\varepsilon^2`, for the forecaster, and poly/epsilon episodes for the sampler. The paper's
:math:`\tilde O(H^2SA/\varepsilon^2)` is not better; its proof was not seen.
"""

from __future__ import annotations

from math import e, exp, lgamma, log, sqrt
from typing import NamedTuple

import numpy as np

from tabular import _border as border
from tabular._jit import kernel
from tabular._kernels.interaction import World, at_start, expected
from tabular._kernels.optimism import greedy
from tabular.exploration import reaching
from tabular.exploration.fast_entropy_agents import empirical, surprise
from tabular.exploration.fast_entropy_reward_free import soften
from tabular.exploration.learners import probability, register_learner
from tabular.exploration.reaching import aim, observe_width, pushed, targets
from tabular.finite_horizon import FiniteHorizonMDP


class Reg_EntGame(NamedTuple):
    """``explore`` episodes of the first phase; ``bonus_scale``, ``delta`` and ``replays`` are for these alone.

    Quantities, of the rounds so far (NaN before the first): ``visitation_entropy`` of the mixture, in nats; ``forecaster`` and
    ``sampler``, their mean regrets. The regret of the episodes means nothing.
    """

    explore: int = 0
    delta: float = 0.1
    bonus_scale: float = 1.0
    replays: int = 0
    regularised: bool = True


class Memory(NamedTuple):
    Q: np.ndarray  # (H, S*A)
    V: np.ndarray  # (H + 1, S)
    bonus: np.ndarray  # (H*S*A,)
    met: np.ndarray  # (H, S*A): visits of pairs in the rounds
    reward: np.ndarray  # (H, S*A): log 1/q
    mu: np.ndarray  # (H + 1, S)
    total: np.ndarray  # (H, S*A): summed occupancies
    best: np.ndarray  # (H + 1, S) and own: values of the best response and of the sampler, in the true model
    own: np.ndarray
    mask: np.ndarray  # (A,) of True
    log_pi: np.ndarray  # (A,)
    sums: np.ndarray  # (3,): rounds, losses of the forecaster, regret of the sampler


def _memory(learner: Reg_EntGame, world: World) -> Memory:
    H, S, A = world.H, world.S, world.A
    Q, met, reward, total = (np.zeros((H, S * A)) for _ in range(4))
    V, mu, best, own = (np.zeros((H + 1, S)) for _ in range(4))
    mask, log_pi = np.ones(A, dtype=bool), np.zeros(A)
    return Memory(Q, V, np.full(len(world.R), np.inf), met, reward, mu, total, best, own, mask, log_pi, np.zeros(3))


def _check(learner: Reg_EntGame, model: FiniteHorizonMDP) -> None:
    reaching.check_exploration(learner, model)
    border.count(learner.explore, "explore", 0)
    border.flag(learner.regularised, "regularised")


@kernel
def _forecast(learner, world, own):
    """Rewards log 1/q, of states or of pairs."""
    H, S, A = world.H, world.S, world.A
    t, symbols = own.sums[0], float(S if learner.regularised else S * A)
    for h in range(H):
        for s in range(S):
            n = 0.0
            for i in range(s * A, (s + 1) * A):
                n += own.met[h, i]
            for i in range(s * A, (s + 1) * A):
                seen = n if learner.regularised else own.met[h, i]
                own.reward[h, i] = log((t + symbols) / (seen + 1.0))


@kernel
def _harden(world, counts, Q, V, policy):
    """Backward induction on the empirical transitions; Q holds the rewards, then the action values."""
    V[world.H] = 0.0
    for h in range(world.H - 1, -1, -1):
        for s in range(world.S):
            for i in range(s * world.A, (s + 1) * world.A):
                Q[h, i] += empirical(world, counts, h * world.stride + i, V[h + 1])
            V[h, s], _ = greedy(world, counts, Q, h, s, policy)
            for a in range(world.A):
                policy.pi[h, s, a] = 0.0
            policy.pi[h, s, policy.act[h, s]] = 1.0


@kernel
def _judge(learner, world, own, pi):
    """Values in the true model, of the best response and of the sampler's policy, with the entropies of policies if it is soft."""
    own.best[world.H] = 0.0
    own.own[world.H] = 0.0
    for h in range(world.H - 1, -1, -1):
        for s in range(world.S):
            top, value, total = -np.inf, 0.0, 0.0
            for a in range(world.A):
                i, p = s * world.A + a, pi[h, s, a]
                row = h * world.stride + i
                q = own.reward[h, i] + expected(world, row, own.best[h + 1])
                own.Q[h, i] = q
                top = max(top, q)
                if p > 0.0:
                    value += p * (own.reward[h, i] + expected(world, row, own.own[h + 1]))
                    if learner.regularised:
                        value -= p * log(p)
            if learner.regularised:
                for i in range(s * world.A, (s + 1) * world.A):
                    total += exp(own.Q[h, i] - top)
                top += log(total)
            own.best[h, s], own.own[h, s] = top, value


def _plan(learner, world, counts, own, policy, key, k):
    times = 1 + learner.replays
    if k < learner.explore:
        if k % times > 0:
            return 0
        aim(world, counts, own.Q, own.V, own.bonus, policy, (k // times) % targets(world))
        return world.H
    _forecast(learner, world, own)
    own.Q[:] = own.reward
    if learner.regularised:
        soften(world, counts, own.Q, own.V, policy.pi, own.mask, own.log_pi)
    else:
        _harden(world, counts, own.Q, own.V, policy)
    _judge(learner, world, own, policy.pi)
    pushed(world, policy.pi, own.mu)
    own.sums[0] += 1.0
    own.sums[2] += at_start(world, own.best[0]) - at_start(world, own.own[0])
    for h in range(world.H):
        for s in range(world.S):
            for a in range(world.A):
                i, p = s * world.A + a, own.mu[h, s] * policy.pi[h, s, a]
                own.total[h, i] += p
                own.sums[1] += p * own.reward[h, i]
    return world.H


def _observe(learner, world, counts, own, policy, k, h, s, a, r, t):
    if k < learner.explore:
        observe_width(learner, world, counts, own, policy, k, h, s, a, r, t)
    else:
        own.met[h, s * world.A + a] += 1.0


def _report(learner, world, counts, own, policy, out):
    T = own.sums[0]
    if T == 0.0:
        out[:] = np.nan
        return
    entropy, states = 0.0, 0.0
    for h in range(world.H):
        for s in range(world.S):
            mass = 0.0
            for i in range(s * world.A, (s + 1) * world.A):
                entropy += surprise(own.total[h, i] / T)
                mass += own.total[h, i] / T
            states += surprise(mass)
    out[0] = entropy
    out[1] = own.sums[1] / T - (states if learner.regularised else entropy)
    out[2] = own.sums[2] / T


register_learner(
    Reg_EntGame, plan=_plan, observe=_observe, report=_report, workspace=_memory,
    quantities=("visitation_entropy", "forecaster", "sampler"), per_step=True, stochastic=True, check=_check,
)  # fmt: skip


def forecaster_bound(symbols: int, H: int, T: int, delta: float = 0.1) -> float:
    r"""The bound (ii) above on the forecaster's mean regret after T rounds, with probability 1 - delta, in nats.

    symbols : S, or SA without regularisation. ValueError for numbers below one and delta outside (0, 1).
    """
    for x, name in ((symbols, "symbols"), (H, "H"), (T, "T")):
        border.count(x, name)
    probability(delta)
    L, S = log(2 * H / delta), symbols
    tau = min(1.0, sqrt((S * log(2) + L) / (2 * T)))
    counted = (lgamma(T + S) - lgamma(S) - lgamma(T + 1)) / T
    return H * (counted + log(T + S) * sqrt(L / (2 * T)) + tau * log(e * S / tau))
