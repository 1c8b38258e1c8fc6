r"""EntGame, part 3: what the regrets of both say of the mixture, and fictitious play with known transitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import Identity, Inequality, claim, distributions, families, policies, stronger, twin
from proofs_check.claim import all_available, no_endings
from proofs_check.claims.exploration.fast_entropy_models import PAPER, SMALL, H
from tabular.reference import NumpyOps, visitation

ROUNDS: dict[str, Any] = {
    "family": SMALL,
    "draws": {f"pi{k}": policies() for k in range(4)}
    | {f"q{k}": policies(interior=True) for k in range(3)}
    | {"rho": distributions()},
    "assumptions": (no_endings,),
    "instances": (),
}


class Rounds:
    """Three rounds with any policies (of two steps) and any forecasts, beside a policy that is played in none."""

    def __init__(self, ops: Any, m: Any, rho: Any, plans: list[Any], q: list[Any]) -> None:
        stages = [m, m]
        self.ops = ops
        self.rival, *self.d = [visitation.occupancies(ops, stages, rho, [pi, pi]) for pi in plans]
        self.mean = [visitation.mean([d[h] for d in self.d]) for h in range(2)]
        self.costs = [-ops.log(x / m.S, where=m.mask) for x in q]
        self.own = [ops.where(ops.support(x), -ops.log(x, where=ops.support(x)), 0) for x in self.mean]

    def paid(self, d: list[Any], cost: Any) -> Any:
        return sum(self.ops.sum(self.ops.dot(x, cost)) for x in d)

    def sampler(self) -> Any:
        return sum(self.paid(self.rival, c) - self.paid(d, c) for d, c in zip(self.d, self.costs, strict=True))

    def forecaster(self) -> Any:
        ops = self.ops
        kept = sum(ops.sum(ops.dot(x, c)) for d in self.d for x, c in zip(d, self.own, strict=True))
        return sum(self.paid(d, c) for d, c in zip(self.d, self.costs, strict=True)) - kept

    def gap(self) -> Any:
        of = visitation.visitation_entropy
        return of(self.ops, self.rival) - of(self.ops, self.mean)


@claim(id="fast_entropy.C5", source=PAPER + ", section 3 (EntGame)", kind="inequality", **ROUNDS)
def two_regrets(
    ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, pi3: Any, q0: Any, q1: Any, q2: Any, rho: Any
) -> Inequality:
    r"""VE(d) - VE(\bar d_T) \le \frac1T [\sum_t \langle d - d^t, \log(1/q^t) \rangle + \sum_t \langle d^t,
    \log(1/q^t) - \log(1/\bar d_T) \rangle], the regrets of sampler and forecaster, for any d and any sequence.

    Here for T = 3 rounds of two steps. The difference is the mean of :math:`KL(d \| q^t)`. Proof: all else cancels (C3).
    """
    r = Rounds(ops, m, rho, [pi0, pi1, pi2, pi3], [q0, q1, q2])
    return Inequality(r.gap(), (r.sampler() + r.forecaster()) / 3, quotient=False)


@twin(two_regrets, why="without the regret of the forecaster")
def one_regret(
    ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, pi3: Any, q0: Any, q1: Any, q2: Any, rho: Any
) -> Inequality:
    r = Rounds(ops, m, rho, [pi0, pi1, pi2, pi3], [q0, q1, q2])
    return Inequality(r.gap(), r.sampler() / 3)


@twin(two_regrets, why="without the regret of the sampler")
def other_regret(
    ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, pi3: Any, q0: Any, q1: Any, q2: Any, rho: Any
) -> Inequality:
    r = Rounds(ops, m, rho, [pi0, pi1, pi2, pi3], [q0, q1, q2])
    return Inequality(r.gap(), r.forecaster() / 3)


@claim(id="fast_entropy.C5a", source="ours, after " + PAPER, kind="identity", **ROUNDS)
def two_regrets_exactly(
    ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, pi3: Any, q0: Any, q1: Any, q2: Any, rho: Any
) -> Identity:
    r"""The regrets of sampler and forecaster are T (VE(d) - VE(\bar d_T)) + \sum_t KL(d \| q^t), the divergences of
    all steps added.

    Proof: C3 for d, term by term.
    """
    r = Rounds(ops, m, rho, [pi0, pi1, pi2, pi3], [q0, q1, q2])
    missed = sum(r.paid(r.rival, c) for c in r.costs) - 3 * visitation.visitation_entropy(ops, r.rival)
    return Identity(r.sampler() + r.forecaster(), 3 * r.gap() + missed)


@twin(two_regrets_exactly, why="without the divergences")
def two_regrets_alone(
    ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, pi3: Any, q0: Any, q1: Any, q2: Any, rho: Any
) -> Identity:
    r = Rounds(ops, m, rho, [pi0, pi1, pi2, pi3], [q0, q1, q2])
    return Identity(r.sampler() + r.forecaster(), 3 * r.gap())


PLAYED = (2, 4, 8)
PLAY: dict[str, Any] = {
    "family": (families.garnet(2, 2), families.garnet(3, 2), families.deterministic(3, 2)),
    "draws": {"rho": distributions()},
    "assumptions": (no_endings, all_available),
    "instances": (),
}


class Played:
    """A game of PLAYED[-1] rounds, played in floats. What counts of it are its forecasts, and the Markov policies of its mixtures:
    they are taken as they are, and the values and entropies of them formed anew.

    ``upper``: the least value of a best response after the rounds PLAYED.  ``entropy``: VE of the mixture then.
    """

    def __init__(self, ops: Any, m: Any, rho: Any, rules: Any) -> None:
        floats = NumpyOps(ops.batch)
        model, start = floats.model(m.source), floats.array(ops.midpoint(rho), 1)
        found = visitation.entropy_game(floats, [model] * H, start, PLAYED[-1], rules)
        stages, values = [m] * H, []
        for game in found:
            forecast = [ops.array(floats.midpoint(q), q.ndim) for q in game.forecast]
            values.append(ops.dot(rho, rules.respond(ops, stages, forecast).V[0]))
        _, least = ops.scan(lambda low, x: (ops.minimum(low, x),) * 2, values[0], values)
        plans = [[ops.distribution(_rows(floats.midpoint(x))) for x in found[T - 1].visits] for T in PLAYED]
        visits = [visitation.occupancies(ops, stages, rho, plan) for plan in plans]
        self.upper = ops.stack([least[T - 1] for T in PLAYED])
        self.entropy = ops.stack([visitation.visitation_entropy(ops, d) for d in visits])

    @property
    def gap(self) -> Any:
        """What is left between them."""
        return self.upper - self.entropy


def _rows(d: np.ndarray) -> np.ndarray:
    """Weights of a policy: occupancies, and ones where there are none."""
    return np.asarray(d + (d.sum(axis=-1, keepdims=True) == 0))


def _bound(ops: Any, symbols: int, power: int = 1) -> Any:
    n = ops.constant(symbols)
    return ops.stack([H * n / ops.constant(T) ** power * (1 + ops.log(1 + ops.constant(T) / n)) for T in PLAYED])


@claim(id="fast_entropy.C6", source="ours, for " + PAPER + " (EntGame)", kind="rate", **PLAY)
def fictitious_play(ops: Any, m: Any, rho: Any) -> Inequality:
    r"""With known P and best responses to add-one forecasts, \max VE - VE(\bar d_T) \le \min_t V_0^t - VE(\bar d_T) \le \frac{H S
    A}{T} (1 + \log(1 + T/(SA))); the gap in the middle is computed. T = 2 ... 8.

    :math:`V_0^t` is the best value against the forecast :math:`q^t`. Proof: :math:`\max VE \le V_0^t` (C3a), and
    :math:`\min_t V_0^t \le \frac1T \sum_t \langle d^t, \log(1/q^t) \rangle`, by C4 at most :math:`VE(\bar d_T)` and
    the loss of H forecasters.
    """
    return Inequality(Played(ops, m, rho, visitation.PLAIN).gap, _bound(ops, m.S * m.A), axes=("T",))


stronger(fictitious_play, 0.25)


@twin(fictitious_play, why="rate 1/T^2")
def fictitious_play_squared(ops: Any, m: Any, rho: Any) -> Inequality:
    return Inequality(Played(ops, m, rho, visitation.PLAIN).gap, _bound(ops, m.S * m.A, 2), axes=("T",))


@claim(id="fast_entropy.C6a", source=PAPER + ", section 3 (EntGame)", kind="inequality", **PLAY)
def weak_duality(ops: Any, m: Any, rho: Any) -> Inequality:
    r"""VE(\bar d_T) \le \min_t V_0^t in both games, so that the gap computed bounds what the mixture falls short of the maximum by.

    T = 2 ... 8. Proof: C3a, and its soft form: :math:`\mathcal H(\mu_h) \le \langle \mu_h, \log(1/q_h) \rangle`.
    """
    return Inequality(*_sides(ops, m, rho), axes=("game", "T"))


def _sides(ops: Any, m: Any, rho: Any) -> tuple[Any, Any]:
    games = [Played(ops, m, rho, rules) for rules in (visitation.PLAIN, visitation.REGULARISED)]
    return ops.stack([game.entropy for game in games]), ops.stack([game.upper for game in games])


stronger(weak_duality, 0.95)


@claim(id="fast_entropy.C6b", source="ours, after " + PAPER + " (Reg-EntGame)", kind="rate", **PLAY)
def regularised_play(ops: Any, m: Any, rho: Any) -> Inequality:
    r"""With forecasts q_h(s) of the state alone and samplers that maximise \log(1/q_h(s)) plus the entropy of their policy, the gap
    is at most \frac{H S}{T} (1 + \log(1 + T/S)): without the factor A. T = 2 ... 8.

    Ours: of the paper's regularised game the details were not seen. Proof: :math:`\mathcal H(d_h) = \mathcal H(\mu_h)
    + E\,\mathcal H(\pi_h)`, whose second term :math:`C(d_h)` is concave in :math:`d_h` and whose first is
    :math:`\min_q \langle \mu_h, \log(1/q) \rangle`. So every soft value :math:`V_0^t` is at least max VE, and the
    mean of the :math:`V_0^t = \langle \mu^t, \log(1/q^t) \rangle + C(d^t)` at most :math:`\mathcal H(\bar\mu)` and
    the forecasters' loss, by C4 with m = S, and :math:`C(\bar d)`.
    """
    return Inequality(Played(ops, m, rho, visitation.REGULARISED).gap, _bound(ops, m.S), axes=("T",))


@twin(regularised_play, why="rate 1/T^2")
def regularised_play_squared(ops: Any, m: Any, rho: Any) -> Inequality:
    return Inequality(Played(ops, m, rho, visitation.REGULARISED).gap, _bound(ops, m.S, 2), axes=("T",))


@twin(regularised_play, why="the regularised bound for the game without regularisation, at a tenth")
def unregularised_play(ops: Any, m: Any, rho: Any) -> Inequality:
    return Inequality(Played(ops, m, rho, visitation.PLAIN).gap, _bound(ops, m.S) / 10, axes=("T",))
