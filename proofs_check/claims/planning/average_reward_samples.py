r"""Optimal sample complexity for average reward MDPs, part 2: what is sampled, and what noise does to optimal policies."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

import numpy as np

from proofs_check import (
    Inequality,
    Scaling,
    Trial,
    claim,
    families,
    policies,
    q_values,
    scalars,
    streams,
    stronger,
    twin,
)
from proofs_check.claim import all_available, discounted, no_endings
from proofs_check.claims.planning._uniform_ergodicity import chain_of, forgets_within, policies_of, stacked
from proofs_check.draws import integers
from tabular.reference import average

PAPER = "Wang, Blanchet and Glynn 2024"
EPSILON, DELTA, SAMPLES = 1 / 16, 0.05, 1 / 4


def _misses(source: Any, rng: Any, power: int, share: float = 1.0) -> np.ndarray:
    """Whether perturbed planning, as the reduction runs it, misses the best gain of two states by more than EPSILON.

    ``power`` of the minorisation time in the number of samples, of which a ``share`` is drawn. With leaving probabilities
    a and b (at most 1/2) of the two states ``p_m = 1 - (1 - a - b)^m``, so that the time of a policy is ``1 / (a + b)``,
    and its gain ``b / (a + b)``.
    """
    from tabular.planning.perturbed_planning import perturbed_planning, reduction_parameters

    models = [source[i] for i in range(source.B)] if hasattr(source, "B") else [source]
    seeds = np.atleast_1d(rng.uniform("seed") * 2.0**53).astype(np.int64)
    found = []
    for mdp, seed in zip(models, seeds.tolist(), strict=True):
        out, back = mdp.P[0, :, 1], mdp.P[1, :, 0]
        t = 1.0 / (out.min() + back.min())
        p = reduction_parameters(EPSILON, t, 2, 2, delta=DELTA, c=SAMPLES)
        n = max(1, round(p.n * t ** (power - 1) * share))
        actions = perturbed_planning(mdp, p.gamma, p.zeta, n, seed).result["actions"]
        a, b = out[actions[0]], back[actions[1]]
        found.append(back.max() / (out.min() + back.max()) - b / (a + b) > EPSILON)
    return np.array(found)


@claim(
    id="average_reward.C5",
    family=families.switching(),
    draws={"rng": streams},
    assumptions=(no_endings, all_available),
    source=PAPER + ", Theorem 1 (constants as recalled)",
    kind="probability",
)
def samples_suffice(ops: Any, m: Any, rng: Any) -> Trial:
    r"""n = \lceil \log(2SA/\delta) t / (4 \epsilon^2) \rceil samples of each pair give, with probability 1 - \delta, a policy
    with \alpha^* - \alpha^\pi \le \epsilon, by perturbed planning at \gamma = 1 - \epsilon / (19 t), t = t_{minorize}.

    Open: the paper's theorem leaves the constant and the powers of the logarithm unnamed. Here :math:`\epsilon = 1/16`,
    :math:`\delta = 1/20`, and the family is the authors' hard chain with a gap between its actions and minorisation times
    from 1 to 2^17.
    """
    return Trial(_misses(m.source, rng, 1), DELTA)


@twin(samples_suffice, why="a number of samples that does not grow with the minorisation time")
def samples_without_time(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(_misses(m.source, rng, 0), DELTA)


@twin(samples_suffice, why="a number of samples that does not grow with 1 / epsilon")
def samples_without_accuracy(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(_misses(m.source, rng, 1, share=EPSILON**2), DELTA)


SLOW = [2.0**k for k in range(3, 12)]


@claim(
    id="average_reward.C5b",
    family=(families.garnet(3, 2), families.switching(), families.garnet(2, 2)),
    draws={"pi": policies(interior=True)},
    assumptions=(no_endings, all_available, forgets_within(4)),
    source=PAPER + ", mechanism derived here",
    kind="rate",
    instances=(),
)
def samples_needed(ops: Any, m: Any, pi: Any) -> Scaling:
    r"""\sum_s \eta(s)^2 Var_{P_x(\cdot|s)}(h_x), which is lim n Var(\hat\alpha_n) of the gain of the empirical chain, is of
    the order of x for P_x = (1 - 1/x) I + P_\pi / x, whose minorisation time is of the order of x.

    Proof: :math:`\hat\alpha - \alpha = \hat\eta (\hat P - P) h` for the bias h of P, and :math:`\hat\eta \to \eta`; rows are
    drawn independently, n times each, hence the limit. The lazy chain has the same :math:`\eta` and the bias :math:`x h`, of
    which one step has the variance :math:`x Q - D^2` with :math:`Q(s) = \sum_t P(t|s) (h(t) - h(s))^2` and :math:`D = P h -
    h`: linear in x up to a constant. So about :math:`x / \epsilon^2` samples are what an error of :math:`\epsilon` takes.
    """
    return Scaling(SLOW, _needed(ops, m, pi), 0.9, 1.1)


def _needed(ops: Any, m: Any, pi: Any) -> list[Any]:
    P, _ = chain_of(ops, m, pi)
    eye = ops.identity(m.S)
    r = eye[0]  # one state pays: rewards that are equal everywhere would leave nothing to estimate
    eta = average.stationary(ops, P)
    h = ops.solve(eye - P + eye[:1], r - ops.dot(eta, r))
    drift = ops.dot(P, h[None, :] - h[:, None])
    spread = ops.dot(P, (h[None, :] - h[:, None]) ** 2)
    return [ops.dot(eta * eta, x * spread - drift * drift) for x in SLOW]


@twin(samples_needed, why="the square of the minorisation time, as in Jin and Sidford 2020")
def samples_needed_squared(ops: Any, m: Any, pi: Any) -> Scaling:
    return Scaling(SLOW, _needed(ops, m, pi), 1.9, 2.1)


@twin(samples_needed, why="its square root")
def samples_needed_root(ops: Any, m: Any, pi: Any) -> Scaling:
    return Scaling(SLOW, _needed(ops, m, pi), 0.4, 0.6)


DRAWN = [8, 12, 16, 24, 32, 48, 64]


def _binomial(n: int) -> tuple[list[int], Fraction]:
    """How many of the 2^n outcomes of n fair coins have i heads, for each i, and the weight of an outcome."""
    return [comb(n, i) for i in range(n + 1)], Fraction(1, 2**n)


def _mean_error(ops: Any, n: int) -> Any:
    """Mean of ``|b / (a + b) - 1/2|`` for two independent binomial numbers of n fair coins; 1/2 where both are zero."""
    counts, weight = _binomial(n)
    law, k = weight * ops.array(counts, 1), ops.array(list(range(n + 1)), 1)
    both = k[:, None] + k[None, :]
    off = ops.abs(k[None, :] - k[:, None]) / (2 * ops.maximum(both, Fraction(1, 2)))
    return ops.dot(law, ops.dot(off, law[None, :])) + Fraction(1, 2 ** (2 * n + 1))


@claim(
    id="average_reward.C5d",
    family=families.switching(),
    draws={},
    assumptions=(no_endings,),
    source=PAPER + ", on the authors' hard chain",
    kind="rate",
    instances=(),
)
def error_of_samples(ops: Any, m: Any) -> Scaling:
    r"""E|\hat\alpha_n - 1/2| is of the order of n^{-1/2} for the authors' chain at p = 1/2, whose rows are each estimated from n
    draws, \hat\alpha_n being the average reward of the empirical chain.

    Proof: with a and b of n draws leaving the two states :math:`\hat\alpha = b / (a + b)`, whose error is :math:`(b - a) / (2 (a +
    b))`, where :math:`b - a` is of the order of the root of n and :math:`a + b` near n. Computed exactly, as a sum over both
    numbers; of the instance only the chain's form is used.
    """
    return Scaling(DRAWN, [_mean_error(ops, n) for n in DRAWN], -0.55, -0.45)


@twin(error_of_samples, why="the slope -1/3 of a bound with epsilon cubed, as in Jin and Sidford 2021")
def error_of_samples_cubed(ops: Any, m: Any) -> Scaling:
    return Scaling(DRAWN, [_mean_error(ops, n) for n in DRAWN], -0.38, -0.28)


GRID, RISK, FAR = 2.0**30, 1 / 8, 2.0**40
NARROW, WIDE = 0.5, 8.0


def _perturbed(source: Any, rng: Any, width: float) -> Any:
    """The model with independent noise, uniform on a fine grid of [0, width), on each reward: the sums are exact floats."""
    from tabular.batch import MDPBatch
    from tabular.mdp import MDP

    Z = width * np.floor(rng.uniform("noise", source.S, source.A) * GRID) / GRID
    R = np.where(source.mask, source.rewards + Z, -np.inf)
    P = source.P if isinstance(source.P, np.ndarray) else source.to_dense().P
    kind = MDPBatch if hasattr(source, "B") else MDP
    return kind(P, R, source.gamma, end=source.end)


def _gap(ops: Any, m: Any, rng: Any, width: float) -> Any:
    """Least V*(s) - Q*(s, a) over the actions that are not the first maximiser, in the perturbed model."""
    e = ops.model(_perturbed(m.source, rng, width))
    V = ops.optimal_value(e)
    Q = ops.q_backup(e, V)
    return ops.smallest(V[:, None] - Q + FAR * ops.first_max(Q, where=m.mask), m.mask)


NOISY = (
    families.bandits(2, gamma=(0.0, 0.5)),
    families.garnet(3, 2, gamma=(0.0, 0.5, 0.9375)),
    families.random_masks(3, 3, gamma=(0.5, 0.9375)),
    families.random_endings(2, 2, gamma=(0.5, 0.9375)),
)


@claim(
    id="average_reward.C8",
    family=NOISY,
    draws={"rng": streams},
    assumptions=(discounted,),
    source="after Li, Wei, Chi, Gu and Chen 2020, with a bound derived here",
    kind="probability",
)
def unique_with_gap(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With Z(s, a) independent and uniform on (0, \zeta), the optimal policy of (P, R + Z, \gamma) is, with probability at
    least 1 - \delta, unique with V^*(s) - Q^*(s, a) > \delta \zeta / (SA) for all other actions.

    Proof: fix all noise but z = Z(s, a), and let v be the optimal value of s without action a. Where a is not optimal,
    the values do not depend on z, and the gap of a is :math:`z_0 - z`, where :math:`z_0` is the z at which a earns v. So
    it is at most x for z in an interval of length x, with probability at most :math:`x / \zeta`; add over the pairs. Here
    :math:`\delta = 1/8` and :math:`\zeta = 1/2`, on a grid of 2^30 points, which adds at most 2^-30 for each pair.
    """
    pairs = m.S * m.mask.shape[-1]
    return Trial(Inequality(RISK * NARROW / pairs, _gap(ops, m, rng, NARROW)), RISK + pairs / GRID)


@twin(
    unique_with_gap, why="four times the gap, of noise that exceeds all rewards", family=families.bandits(2, gamma=0.5)
)
def unique_with_larger_gap(ops: Any, m: Any, rng: Any) -> Trial:
    pairs = m.S * m.mask.shape[-1]
    return Trial(Inequality(4 * RISK * WIDE / pairs, _gap(ops, m, rng, WIDE)), RISK + pairs / GRID)


def _misled(ops: Any, m: Any, q: Any, u: Any, e: Any) -> tuple[Any, Any]:
    """The loss of a policy that is best with noise in [0, zeta], and zeta: random noise, and some that favours low rewards."""
    noise = u * ops.abs(q) + e * (ops.largest(m.R) - m.R)
    pis = policies_of(ops, m)
    chains = [chain_of(ops, m, pi) for pi in pis]
    true = stacked(ops, [average.unichain_gain(ops, P, r) for P, r in chains])
    seen = [average.unichain_gain(ops, P, r + ops.dot(pi, noise)) for (P, r), pi in zip(chains, pis, strict=True)]
    return ops.max(true) - ops.dot(ops.first_max(stacked(ops, seen)), true), ops.largest(noise)


@claim(
    id="average_reward.C8b",
    family=(
        families.garnet(3, 2),
        families.resets(2, 2),
        families.switching(),
        families.bandits(3),
        families.bandits(2),
    ),
    draws={"q": q_values, "u": integers(0, 1), "e": scalars(0.5, 1.5)},
    assumptions=(no_endings, all_available, forgets_within(9)),
    source=PAPER,
    kind="inequality",
    instances=(),
)
def cost_of_noise(ops: Any, m: Any, q: Any, u: Any, e: Any) -> Inequality:
    r"""\alpha^* - \alpha^\pi \le \zeta for a policy \pi that is optimal for the average of R + Z with 0 \le Z \le \zeta.

    Proof: every policy's average reward rises by something between 0 and :math:`\zeta`. Attained where the noise makes
    two policies equal.
    """
    return Inequality(*_misled(ops, m, q, u, e))


cost_almost = stronger(cost_of_noise, 0.9, family=families.bandits(2))


@twin(cost_of_noise, why="no loss at all", family=families.bandits(2))
def cost_of_nothing(ops: Any, m: Any, q: Any, u: Any, e: Any) -> Inequality:
    return Inequality(_misled(ops, m, q, u, e)[0], 0)
