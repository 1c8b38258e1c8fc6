r"""UCBVI, part 4: the table of a run is that of the algorithm as printed, in both forms."""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, Mutant, claim, families, streams, twin
from proofs_check.claim import no_endings
from proofs_check.claims.exploration._replay import CLOSE, replay
from proofs_check.claims.exploration.ucbvi_exact import PAPER

STEPS, EPISODES, DELTA, SCALE = 3, 6, 0.1, 2.0**-7


def _run(source: Any, rng: Any, form: str) -> Any:
    from tabular import exploration

    return replay(source, rng, getattr(exploration, form)(DELTA, SCALE), STEPS, EPISODES, ("Q",))


def _bonuses(ops: Any, m: Any, form: str, n: Any, p: Any, V: Any) -> Any:
    """(S, A), without the scale; ``p`` the frequencies (S, A, S)."""
    L = ops.log(ops.constant(5 * m.S * m.A * EPISODES * STEPS) / ops.constant(DELTA))
    mean = ops.dot(p, V[None, None, :])
    off = V[None, None, :] - mean[:, :, None]
    variance = ops.dot(p, off * off)
    return {
        "UCBVI_CH": 7 * STEPS * L / ops.sqrt(n),
        "UCBVI_BF": ops.sqrt(8 * L * variance / n) + 14 * STEPS * L / (3 * n) + ops.sqrt(8 * STEPS**2 / n),
    }[form]


def _tables(ops: Any, m: Any, rng: Any, form: str, behind: int = 1) -> tuple[Any, Any]:
    """Q (K, H, S, A) of a run, and of the algorithm, from the counts of that run; ``behind``: the step of whose
    values it is made.
    """
    run = _run(m.source, rng, form)
    visits, seen = ops.array(run.visits, 4), ops.array(run.seen, 5)
    H = ops.constant(STEPS)

    def episode(Q: list[Any], k: int) -> tuple[list[Any], Any]:
        unseen = run.visits[..., k, 0, :, :] == 0
        n = ops.maximum(visits[k, 0], 1)
        p = seen[k, 0] / n[:, :, None]

        def step(V: list[Any], h: int) -> tuple[list[Any], Any]:
            after = V[-behind]
            bonus = ops.constant(SCALE) * _bonuses(ops, m, form, n, p, after)
            q = ops.minimum(Q[h], ops.minimum(H, m.R + ops.dot(p, after[None, None, :]) + bonus))
            q = ops.where(unseen, H, q)
            return [*V, ops.max(q)], q

        end = 0 * m.R[:, 0]
        fresh = ops.scan(step, [end, end], list(range(STEPS))[::-1])[1][::-1]
        return list(fresh), ops.stack(fresh)

    first = [0 * m.R + H for _ in range(STEPS)]
    found = ops.scan(episode, first, list(range(EPISODES)))[1]
    return ops.array(run.own["Q"].reshape(*run.visits.shape[:-3], STEPS, m.S, m.A), 4), ops.stack(list(found))


FORMS = ("UCBVI_CH", "UCBVI_BF")


@claim(
    id="ucbvi.C3r",
    family=(families.river_swims(3), families.planted_arms(1, 2)),
    draws={"rng": streams},
    assumptions=(no_endings,),
    source=PAPER + ", Algorithms 1 to 4",
    kind="inequality",
    instances=(),
)
def tables_are_the_algorithms(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""The Q of a run of UCBVI-CH and -BF is that of the recursion from its counts, within 2^{-20}: \min\{Q_{k-1,h},
    H, r + \hat P V_{k,h+1} + b\}, H where N = 0. Here H = 3, K = 6, bonuses scaled by 1/128.

    Proof: it is what the algorithm says; floats err by less. The last term of BF's bonus is :math:`\sqrt{8 H^2 / N}`
    here: the other side of its minimum is below :math:`H^2` from some :math:`10^7` visits on.
    """
    pairs = [_tables(ops, m, rng, form) for form in FORMS]
    off = ops.stack([ops.abs(x - y) for x, y in pairs])
    return Inequality(off, ops.constant(CLOSE), axes=("form", "k", "h", "s", "a"), quotient=False)


@twin(tables_are_the_algorithms, why="with the values two steps later", family=families.river_swims(3))
def tables_of_later_values(ops: Any, m: Any, rng: Any) -> Inequality:
    pairs = [_tables(ops, m, rng, form, 2) for form in FORMS]
    off = ops.stack([ops.abs(x - y) for x, y in pairs])
    return Inequality(off, ops.constant(CLOSE), axes=("form", "k", "h", "s", "a"), quotient=False)


LEARNER = "tabular.exploration.ucbvi"


def _planted(name: str, function: str, old: str, new: str, reason: str = "") -> Mutant:
    return Mutant(name, LEARNER, function, old, new, reason, ("ucbvi.C3r",))


MUTANTS = (
    _planted("CH without bonus", "_observe_hoeffding", "learner.bonus_scale * 7.0", "0.0 * 7.0"),
    _planted("CH's bonus by N", "_observe_hoeffding", "sqrt(counts.visits[row])", "counts.visits[row]"),
    _planted("CH's bonus for the first action", "_observe_hoeffding", "s * world.A + a", "s * world.A"),
    _planted("CH plans with the values of this step", "_plan_hoeffding", "own.V[h + 1]", "own.V[h]"),
    _planted("CH plans forwards", "_plan_hoeffding", "range(world.H - 1, -1, -1)", "range(world.H)"),
    _planted("CH forgets its last table", "_lower_hoeffding", "min(Q[row], best[row] + total * share[row])",
           "best[row] + total * share[row]"),
    _planted("CH takes the largest successor", "_lower_hoeffding", "total * share[row]", "V.max()"),
    _planted("CH without known rewards", "_observe_hoeffding", "world.R[row]", "0.0"),
    _planted("BF without variance", "_lower_bernstein", "sqrt(8.0 * L * variance * part)", "0.0"),
    _planted("BF's variance not centred", "_lower_bernstein", "square * part - mean * mean", "square * part"),
    _planted("BF without its second term", "_lower_bernstein", "c * 14.0 / 3.0 * H * L * part", "0.0"),
    _planted("BF without its last term", "_lower_bernstein", "sqrt(8.0 * part * part * distant)", "0.0"),
    _planted("BF plans with the values of this step", "_plan_bernstein", "own.V[h + 1]", "own.V[h]"),
    _planted("BF forgets its last table", "_lower_bernstein", "min(Q[row], least + mean + c * wide)", "least + mean + c * wide"),
    _planted("a logarithm of one episode", "_log_term", "world.K", "1"),
    _planted("BF counts the state it leaves", "_observe_bernstein", "most / own.reached[h + 1, t]", "most / own.reached[h, s]",
           reason="below 100^2 H S^2 A L^2 visits of a state H^2 is the smaller: no run of seconds gets beyond"),
)  # fmt: skip
