r"""PSRL, part 3: runs. Values are those of the model that was drawn, and what is drawn has the law of the posterior."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import Inequality, Mutant, Trial, claim, families, streams, twin
from proofs_check.claim import all_available, no_endings
from proofs_check.claims.exploration._replay import CLOSE, replay

OSBAND = "Osband, Russo and Van Roy 2013, the algorithm"
STEPS, EPISODES, MANY = 3, 4, 6
RUNS: dict[str, Any] = {
    "family": (families.garnet(2, 2), families.garnet(3, 2)),
    "draws": {"rng": streams()},
    "assumptions": (all_available, no_endings),
    "source": OSBAND,
    "instances": (),
}


def _tables(ops: Any, m: Any, rng: Any, ahead: int) -> Inequality:
    """Q of a run by its own model, and what its policy lacks of the best; ``ahead``: values of so many steps later."""
    from tabular.exploration import PSRL

    run = replay(m.source, rng, PSRL(), STEPS, EPISODES, ("P", "Q", "act"))
    lead, S, A = run.visits.shape[:-4], m.S, m.A
    P, Q = ops.array(run.own["P"].reshape(*lead, EPISODES, S, A, S), 4), ops.array(_split(run.own["Q"], A), 4)
    played = ops.array(_one_hot(run.own["act"], A), 4)
    end = 0 * m.R[:, 0]

    def episode(k: int) -> Any:
        def step(V: list[Any], _: int) -> tuple[list[Any], Any]:
            q = m.R + ops.dot(P[k], V[-ahead][None, None, :])
            return [*V, ops.max(q)], q

        return ops.stack(list(ops.scan(step, [end, end], list(range(STEPS)))[1][::-1]))

    found = ops.stack([episode(k) for k in range(EPISODES)])
    lacks = ops.max(Q) - ops.sum(played * Q)
    return Inequality(
        ops.stack([ops.abs(Q - found), lacks[..., None] + 0 * Q]),
        ops.constant(CLOSE), axes=("what", "k", "h", "s", "a"), quotient=False,
    )  # fmt: skip


def _one_hot(act: np.ndarray, A: int) -> np.ndarray:
    return (act[..., None] == np.arange(A)).astype(np.int64)


def _split(Q: np.ndarray, A: int) -> np.ndarray:
    return Q.reshape(*Q.shape[:-1], -1, A)


@claim(id="psrl.C1r", kind="inequality", **RUNS)
def plans_for_the_draw(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""In a run of PSRL every episode plays an optimal policy of the model drawn, whose values it has, within
    2^{-20}: \mu_k maximises Q_h = r + P_k \max_a Q_{h+1}. Here four episodes of three steps.

    Proof: it is what the algorithm says; floats err by less.
    """
    return _tables(ops, m, rng, 1)


@twin(plans_for_the_draw, why="with the values two steps later", family=families.garnet(2, 2))
def plans_for_later_values(ops: Any, m: Any, rng: Any) -> Inequality:
    return _tables(ops, m, rng, 2)


def strays(source: Any, rng: Any, level: float, first: int = 0) -> np.ndarray:
    """Whether the probability drawn for state 0, in the row of state 0 that was seen most, leaves the central
    interval of the posterior's law, a Beta. ``first`` : of the counts of so many episodes fewer.
    """
    from scipy.special import betainc

    from tabular.exploration import PSRL

    run = replay(source, rng, PSRL(), STEPS, MANY, ("P",))
    S, A = source.S, source.A
    visits, seen = run.visits[..., -1, 0, 0, :], run.seen[..., first - 1, 0, 0, :, :]
    row = visits.argmax(axis=-1)
    drawn = np.take_along_axis(run.own["P"][..., -1, :A, 0], row[..., None], axis=-1)[..., 0]
    counts = np.take_along_axis(seen, row[..., None, None], axis=-2)[..., 0, :]
    a, total = counts[..., 0] + 1.0 / S, counts.sum(axis=-1) + 1.0
    tail = betainc(a, total - a, drawn)
    return np.asarray(np.abs(tail - 0.5) > level / 2)


@claim(id="psrl.C1s", kind="probability", **RUNS)
def draws_from_the_posterior(ops: Any, m: Any, rng: Any) -> Trial:
    r"""In a run of PSRL the probabilities drawn lie within the central 98 per cent of their posterior's law, a Beta
    of the counts and of the prior Dirichlet(1/S), with probability at least 9/10. Here the sixth episode of three
    steps.

    Proof: the chance is 98 in a hundred, as the draw has that law.
    """
    return Trial(strays(m.source, rng, 0.98), 0.1)


@twin(draws_from_the_posterior, why="of the counts before the first episode: the prior", family=families.garnet(2, 2))
def draws_from_the_prior(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(strays(m.source, rng, 0.5, 1), 0.1)


def _planted(name: str, function: str, old: str, new: str, by: str = "psrl.C1r") -> Mutant:
    return Mutant(name, "tabular.exploration.psrl", function, old, new, met_by=(by,))


MUTANTS = (
    _planted("plans with the values of this step", "_plan", "own.V[h + 1]", "own.V[h]"),
    _planted("plans forwards", "_plan", "range(world.H - 1, -1, -1)", "range(world.H)"),
    _planted("plans without rewards", "_plan", "own.R[row]", "0.0"),
    _planted("plans with the first row's draw", "_plan", "own.P[row]", "own.P[0]"),
    _planted("the posterior is the prior", "draw_model", "counts.seen[i]", "0.0", "psrl.C1s"),
    _planted("the posterior of one visit", "draw_model", "counts.seen[i]", "counts.seen[i] * counts.share[row]", "psrl.C1s"),
    _planted("counts in the wrong places", "draw_model", "world.indices[i]", "world.S - 1 - world.indices[i]", "psrl.C1s"),
)  # fmt: skip
