"""The attack: what it decodes is exact and inside the claim's kind, what it reports was settled, and it has teeth of its own."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proofs_check import Inequality, claim, counterexample, families, policies, scalars, temperatures, values
from proofs_check.adversary import attack
from proofs_check.adversary.coordinates import REACH, UNIT
from proofs_check.adversary.measure import measure
from proofs_check.adversary.starts import spaces, structured
from proofs_check.claims.planning import foundations
from proofs_check.domains import Domain, domains, model_features, sampled
from proofs_check.draws import deterministic_policies, distributions, integers, models, q_values
from proofs_check.loading import load_file
from proofs_check.settle import Settler, screen
from proofs_check.statements import statement

HERE = Path(__file__).resolve().parent
ATTACKED = {c.id: c for c in load_file(HERE / "attacked_claims.py")}
SAMPLE = {c.id: c for c in load_file(HERE / "sample_claims.py")}


@claim(
    id="attacked.all_draws",
    family=(families.random_endings(3, 2), families.random_masks(3, 4)),
    draws={
        "V": values(),
        "W": values(like="V"),
        "D": values(nonnegative=True),
        "Q": q_values(),
        "pi": policies(),
        "mu": policies(interior=True),
        "det": deterministic_policies(),
        "rho": distributions(),
        "tau": temperatures(),
        "e": scalars(0.25, 1.0),
        "n": integers(2, 9),
        "other": models(),
    },
    instances=(),
)
def all_draws(
    ops: Any,
    m: Any,
    V: Any,
    W: Any,
    D: Any,
    Q: Any,
    pi: Any,
    mu: Any,
    det: Any,
    rho: Any,
    tau: Any,
    e: Any,
    n: Any,
    other: Any,
) -> Inequality:
    """Takes everything that there is to draw."""
    return Inequality(ops.norm(V), ops.norm(W))


def test_domains_are_learnt() -> None:
    found = domains(all_draws)
    assert found["V"] == Domain("array", ("S",)) and found["D"].low == 0 and found["Q"].axes == ("S", "A")
    assert found["mu"].interior and not found["pi"].interior and found["det"].one_hot and not found["pi"].one_hot
    assert (found["e"].low, found["e"].high, found["e"].integer) == (0.25, 1.0, False)
    assert (found["n"].low, found["n"].high, found["n"].integer) == (2, 9, True)
    assert found["tau"].logarithmic and not found["e"].logarithmic and not found["n"].logarithmic
    features = model_features(all_draws)
    assert features.endings and features.masks and features.gamma == (0.0, 1 - 2.0**-30)
    plain = model_features(SAMPLE["sample.true"])
    assert not plain.endings and not plain.masks and plain.gamma == (0.5, 0.75)


@pytest.mark.parametrize("wild", [1.0, 1e6, float("inf")])
def test_whatever_is_decoded_is_exact_and_inside(wild: float) -> None:
    found = spaces(all_draws)
    assert [(s.S, s.A) for s in found] == [(3, 2), (3, 4)]
    for space in found:
        X = np.random.default_rng(0).standard_normal((50, space.size)) * min(wild, 1e300)
        X[0], X[1], X[2, ::3] = -REACH, 0.0, np.nan
        batch, payloads = space.decode(X)
        assert (batch.B, batch.S, batch.A) == (50, space.S, space.A)
        low, high = space.features.gamma
        assert ((batch.gamma >= low) & (batch.gamma <= high)).all()
        for i in range(50):
            mdp, one = batch[i], {name: p.take(i) for name, p in payloads.items()}
            for name, d in space.domains.items():
                assert d.form == "model" or d.admits(one[name].data, mdp.mask), (name, i)
            for name in ("V", "W", "D", "Q"):
                assert (one[name].data / UNIT == np.rint(one[name].data / UNIT)).all()
                assert np.abs(one[name].data).max() < 2.0**53 * UNIT
            again, same = counterexample.replay(counterexample.record(mdp, one, ""))
            assert again.exact().row(0, 0) == mdp.exact().row(0, 0) and again.gamma_exact == mdp.gamma_exact
            assert all(np.array_equal(same[k].data, one[k].data) for k in one if k != "other")


def test_coordinates_of_an_instance_lead_back_to_it() -> None:
    for f, space in enumerate(spaces(all_draws)):
        family = all_draws.family[f]
        batch = family(5, 60)
        drawn = sampled(all_draws, batch, lambda salt, family=family: family(salt, 60), 5)
        again, back = space.decode(space.encode(batch, drawn))
        assert np.array_equal(again.mask, batch.mask)
        free = batch.mask[..., None]
        assert np.allclose(np.where(free, again.P, 0), batch.P, atol=1e-6)
        assert np.allclose(again.rewards, batch.rewards, atol=1e-5)
        assert np.allclose(np.log2(1 - again.gamma), np.log2(1 - batch.gamma), atol=1e-2)
        for name in ("V", "W", "D", "Q"):
            scale = np.abs(drawn[name].data).max()
            assert np.allclose(back[name].data, drawn[name].data, atol=1e-5 * scale), name
        for name in ("n", "det"):
            assert np.array_equal(back[name].data, drawn[name].data), name
        assert np.allclose(np.log(back["tau"].data), np.log(drawn["tau"].data), atol=1e-4)


def test_constant_shifts_and_points_have_volume() -> None:
    space = next(s for s in spaces(foundations_claim("C1")) if (s.S, s.A) == (2, 2))
    batch, payloads = space.decode(np.random.default_rng(1).standard_normal((4000, space.size)) * 0.5)
    D = payloads["V"].data - payloads["W"].data
    level = (np.ptp(D, axis=-1) == 0) & (D[:, 0] != 0)
    assert 0.005 < level.mean() < 0.5
    assert 0.2 < (batch.P == 1).any(axis=-1).mean() < 0.8


def foundations_claim(number: str) -> Any:
    return next(
        c for part in foundations.PARTS for c in vars(part).values() if getattr(c, "id", "") == f"foundations.{number}"
    )


def test_structured_starts_meet_the_range_of_discounts() -> None:
    features = model_features(SAMPLE["sample.true"])
    kinds = dict(structured(2, 2, features, 0))
    assert {"self_loops", "two_armed", "hidden_path", "near_decomposable", "deterministic with ties"} <= set(kinds)
    for batch in kinds.values():
        assert ((batch.gamma >= 0.5) & (batch.gamma <= 0.75)).all()


def test_margins_know_every_sign() -> None:
    @claim(
        id="attacked.signs", family=families.bandits(1, gamma=0.0), draws={"x": scalars(), "y": scalars()}, instances=()
    )
    def signs(ops: Any, m: Any, x: Any, y: Any) -> Inequality:
        """x <= y."""
        return Inequality(x, y)

    batch = families.bandits(1, gamma=0.0)(0, 400)
    drawn = sampled(signs, batch, None, 0)
    x, y = drawn["x"].data, drawn["y"].data
    found = measure(statement(signs), batch, drawn)
    assert np.array_equal(found.wrong, x > y)
    both = np.maximum(np.abs(x), np.abs(y)) > 0
    assert np.array_equal(found.margin[both] > 0, (x > y)[both])
    assert (found.margin[~both] < -2).all()  # 0 <= 0 is no evidence
    inside = (x >= 0) & (y > 0) & (x <= y)
    assert np.allclose(found.margin[inside], (x / np.where(y > 0, y, 1))[inside] - 1)
    assert (found.apart[x == y] < -2).all()


def same(a: Any, b: Any) -> bool:
    return json.dumps(a.as_dict()) == json.dumps(b.as_dict())


def test_it_is_a_function_of_claim_seed_and_evaluations() -> None:
    c = ATTACKED["attacked.true"]
    one, two, other = attack(c, 3000, 5), attack(c, 3000, 5), attack(c, 3000, 6)
    assert same(one, two) and not same(one, other)


def test_a_plainly_false_theorem_is_refuted_by_a_minimal_instance() -> None:
    found = attack(ATTACKED["attacked.squared"], 2000)
    assert found.status == "refuted" and found.size == (1, 1)
    assert found.instance is not None
    mdp, payloads = counterexample.replay(found.instance)
    assert Fraction(mdp.gamma_exact) == Fraction(1, 2)
    assert Settler(ATTACKED["attacked.squared"])(mdp, payloads).arithmetic == "exact"


BARELY = ("attacked.loss", "attacked.between")


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", BARELY)
def test_a_barely_false_theorem_that_random_instances_miss(name: str, seed: int) -> None:
    c = ATTACKED[name]
    assert largest_of_random(c, 10_000, seed + 100) < 1
    found = attack(c, 40_000, seed)
    assert found.status == "refuted" and found.size is not None and found.size[0] <= 2
    assert found.random is not None and found.random < 1 and found.source != "random"
    assert found.instance is not None and "found by attack" in found.instance["address"]
    mdp, payloads = counterexample.replay(found.instance)
    settled = Settler(c)(mdp, payloads)
    assert settled.status == "refuted" and settled.arithmetic == "exact"


@pytest.mark.thorough
def test_a_million_random_instances_miss_it() -> None:
    """Their discounts are not where it is false; "attacked.loss" would be no example, as about one in a million refutes it."""
    assert largest_of_random(ATTACKED["attacked.between"], 1_000_000, 1000) < 1


def largest_of_random(c: Any, n: int, seed: int) -> float:
    """The largest ratio over ``n`` instances of the claim's families, none of which refutes it."""
    top, size, done = 0.0, 2000, 0
    while done < n:
        batch = c.family[done // size % len(c.family)](seed + done, size)
        found = measure(statement(c), batch, sampled(c, batch, lambda _, b=batch: b, seed + done))
        assert not found.wrong.any()
        top = max(top, float(np.max(found.ratio, initial=0.0, where=~np.isnan(found.ratio))))
        done += size
    return top


def test_a_true_bound_that_random_instances_do_not_reach_is_reached() -> None:
    c = ATTACKED["attacked.true"]
    found = attack(c, 20_000)
    assert found.status == "stands" and found.ratio is not None and found.random is not None
    assert found.random < 0.7 and 0.99 < found.ratio <= 1
    ratios = [r for _, r, _ in found.history]
    assert ratios == sorted(ratios) and all(r <= 1 for r in ratios)


@pytest.mark.parametrize(
    "name", ["sample.true", "sample.tight", "sample.barely_true", "sample.of_policy", "sample.identity"]
)
def test_what_is_true_stands(name: str) -> None:
    found = attack(SAMPLE[name], 3000)
    assert found.status == "stands" and (found.ratio is None or found.ratio <= 1)
    assert found.difference == 0


@pytest.mark.parametrize("name", ["sample.false", "sample.false_identity", "sample.barely_false"])
def test_what_is_false_is_refuted(name: str) -> None:
    found = attack(SAMPLE[name], 3000)
    assert found.status == "refuted" and found.size == (1, 1)


@pytest.mark.parametrize("name", ["sample.null", "sample.unmet", "sample.unknown"])
def test_nothing_is_no_evidence(name: str) -> None:
    found = attack(SAMPLE[name], 1000)
    assert found.status == "stands" and found.ratio is None and found.instance is None


def test_the_optimiser_draws_from_a_generator_of_its_own() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        attack(ATTACKED["attacked.true"], 1000)
        assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_screening_is_what_the_runner_screens() -> None:
    c = ATTACKED["attacked.true"]
    batch = c.family[0](0, 50)
    drawn = sampled(c, batch, lambda _: batch, 0)
    assert np.array_equal(measure(statement(c), batch, drawn).ratio, screen(c, batch, drawn).ratio, equal_nan=True)
