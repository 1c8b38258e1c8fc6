"""Claims of the kinds that are weighed, through the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proofs_check import (
    Comparison,
    Inequality,
    Order,
    Sampled,
    Trial,
    addresses,
    claim,
    families,
    runner,
    sampling,
    scalars,
    streams,
)
from proofs_check.jobs import Job, run
from proofs_check.loading import file_module
from proofs_check.merging import decode, encode
from proofs_check.runner import BUDGETS, Budget, verify
from proofs_check.sampling import Streams, categorical
from proofs_check.statistics.confidence import lower_mean, upper_mean
from proofs_check.verdict import judge
from proofs_check.weighing_ranges import means
from tabular.instances.random_models import random_endings

FILE = Path(__file__).with_name("weighed_claims.py")
FAMILY = families.garnet(2, 2, gamma=(0.5,))

weighed = file_module(FILE)
SIZE = Budget("default", 2000, 2, 0, 2)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("trial_true", "holds"),
        ("trial_false", "refuted"),
        ("trial_edge", "undecided"),
        ("trial_drawn", "holds"),
        ("trial_drawn_false", "refuted"),
        ("beats", "holds"),
        ("loses", "refuted"),
        ("equals", "undecided"),
        ("scaling_true", "holds"),
        ("scaling_false", "refuted"),
        ("scaling_drifts", "undecided"),
        ("scaling_sampled", "holds"),
        ("order_flat", "holds"),
        ("order_log", "undecided"),
        ("order_constant", "refuted"),
        ("order_growth", "refuted"),
        ("witness", "holds"),
        ("no_witness", "undecided"),
        ("equality", "holds"),
    ],
)
def test_verdicts(name: str, verdict: str) -> None:
    found = verify(getattr(weighed, name), SIZE)
    assert found.verdict == verdict
    assert bool(found.reason) == (verdict in ("refuted", "undecided"))
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_concentration_bound_on_returns_holds() -> None:
    found = verify(weighed.returns, BUDGETS["quick"])
    assert found.verdict == "holds"
    assert found.evidence["upper_limit"] <= 0.05


def test_equality_all_along_has_not_grown() -> None:
    assert verify(weighed.order_equal, Budget("quick", 40, 0, 0, 0)).verdict == "holds"


def test_differences_without_a_bound_or_beyond_it_are_refused() -> None:
    with pytest.raises(ValueError, match="finite positive bound"):
        verify(weighed.unbounded, SIZE)
    with pytest.raises(ValueError, match="exceeds its bound"):
        verify(weighed.wrong_bound, SIZE)


def test_a_refutation_stands_from_the_look_at_which_it_was_made() -> None:
    """Later trials that do not fail take nothing back, and holds is for all of them."""
    bad = {"at": "f[0]:0", "failed": [1] * 100, "low": [0.05] * 100, "high": [0.05] * 100}
    good = {"at": "f[0]:1", "failed": [0] * 9000, "low": [0.05] * 9000, "high": [0.05] * 9000}

    def verdict(*samples: dict[str, Any]) -> str:
        tally = decode({"met": 1, "kind": "Trial", "samples": list(samples)})
        return judge("a.claim", tally).verdict

    assert verdict(good) == "holds"
    assert verdict(bad, good) == "refuted"
    # two families in one turn are looked at together: their average is what counts
    assert verdict(bad, good | {"at": "g[1]:0"}) == "holds"


def test_open_trials_help_no_verdict() -> None:
    def verdict(failed: list[int]) -> str:
        n = len(failed)
        sample = {"at": "f[0]:0", "failed": failed, "low": [0.05] * n, "high": [0.05] * n}
        return judge("a.claim", decode({"met": n, "kind": "Trial", "samples": [sample]})).verdict

    assert verdict([0] * 200) == "holds"
    assert verdict([1] * 20 + [0] * 180) != "holds"
    assert verdict([2] * 200) == "undecided"
    assert verdict([1] * 200) == "refuted"


@pytest.mark.parametrize("name", ["trial_false", "beats", "scaling_sampled", "scaling_true", "order_log", "witness"])
def test_a_tally_survives_the_disk(name: str) -> None:
    found = verify(getattr(weighed, name), BUDGETS["quick"])
    again = decode(json.loads(json.dumps(encode(found.tally), allow_nan=False)))
    assert judge(found.id, again).as_dict() == found.as_dict()


def test_workers_change_no_bit() -> None:
    jobs = [Job(f"weighed.{n}", None, str(FILE), BUDGETS["quick"], 0) for n in ("trial_false", "equals", "witness")]
    one, two = ([d.verdict and d.verdict.as_dict() for d in run(jobs[::s], workers=w)] for s, w in ((1, 1), (-1, 2)))
    assert all(one)
    assert one == two[::-1]


def test_a_twin_that_fails_too_often_is_refuted_in_a_hunt() -> None:
    @claim(id="hunt.always", family=FAMILY, draws={"rng": streams})
    def always(ops: Any, m: Any, rng: Any) -> Trial:
        """Half of all numbers are above 1/2 with probability at most 1/20."""
        return Trial(rng.uniform("u") > 0.5, 0.05)

    assert verify(always, runner.TEETH, hunt=True).verdict == "refuted"


def test_fixed_models_are_no_part_of_an_average() -> None:
    assert weighed.beats.instances == ()

    @claim(id="fixed.average", family=FAMILY, instances=("frozenlake4",))
    def average(ops: Any, m: Any) -> Comparison:
        """Rewards beat zero."""
        return Comparison(ops.norm(m.R), 0, ops.norm(m.R) + 1)

    found = verify(average, Budget("quick", 200, 2, 0, 0))
    assert found.evidence["pairs"] == found.tally.met == 200


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.5, float("nan")])
def test_probabilities_are_checked(delta: float) -> None:
    @claim(id="bad.delta", family=FAMILY, draws={"rng": streams})
    def bad(ops: Any, m: Any, rng: Any) -> Trial:
        """Nothing of the kind."""
        return Trial(rng.uniform("u") > 0.5, delta)

    with pytest.raises(ValueError, match=r"bad\.delta: delta"):
        verify(bad, BUDGETS["quick"])


def test_streams_are_a_function_of_their_place_alone() -> None:
    chunk = addresses.chunk_of(weighed.beats, "garnet[0]:3", 7)
    rng = Streams(chunk.payloads["rng"].data)
    u = rng.uniform("a", 5)
    assert u.shape == (addresses.LATER, 5) and 0 <= u.min() and u.max() < 1
    assert np.array_equal(u, rng.uniform("a", 5))
    assert not np.array_equal(u, rng.uniform("b", 5))
    _, payloads = addresses.instance(weighed.beats, "garnet[0]:3.17", 7)
    assert np.array_equal(Streams(payloads["rng"].data).uniform("a", 5), u[17])
    assert abs(float(rng.uniform("c", 500).mean()) - 0.5) < 5 * (1 / 12 / 100_000) ** 0.5


def test_categories_come_as_often_as_they_should() -> None:
    p = np.array([0.0, 0.25, 0.0, 0.75, 0.0])
    u = (np.arange(1000) + 0.5) / 1000
    assert np.bincount(categorical(u, np.broadcast_to(p, (1000, 5))), minlength=5).tolist() == [0, 250, 0, 750, 0]
    assert categorical(np.array(1 - 2.0**-53), np.array([0.1, 0.2, 0.0])) == 1


def test_sampled_transitions_and_returns_are_those_of_the_model() -> None:
    batch = random_endings(3, 2)(4, 3)
    rng = Streams(np.arange(12).reshape(3, 4))
    counts = sampling.transition_counts(batch, rng, 4000)
    assert (counts.sum(axis=-1) == np.where(batch.mask, 4000, 0)).all()
    assert np.abs(counts[..., :3] / 4000 - batch.P).max() < 5 * (0.25 / 4000) ** 0.5
    assert batch.end.mean() > 0.05  # so that forgetting the end would be seen
    pi = batch.mask / batch.mask.sum(axis=-1, keepdims=True)
    found = sampling.discounted_returns(batch, rng, pi, steps=6, replicates=4000)
    bound = sampling.return_bound(batch, 6)
    assert found.shape == (3, 4000) and (np.abs(found) <= bound[:, None]).all()
    for b in range(3):
        P, r, V = np.einsum("sa,sat->st", pi[b], batch.P[b]), (pi[b] * batch.rewards[b]).sum(axis=-1), np.zeros(3)
        for _ in range(6):
            V = r + batch.gamma[b] * P @ V
        assert abs(found[b].mean() - V[0]) < 5 * found[b].std() / 4000**0.5 + 1e-12
    alone = sampling.discounted_returns(batch[1], Streams(np.arange(4, 8)), pi[1], steps=6, replicates=10)
    several = sampling.discounted_returns(batch, rng, pi, steps=6, replicates=10)
    assert np.array_equal(alone, several[1])


def test_a_trial_whose_sides_overlap_is_open() -> None:
    @claim(id="open.trial", family=FAMILY, draws={"c": scalars(1.0, 2.0)}, instances=())
    def overlapping(ops: Any, m: Any, c: Any) -> Trial:
        """exp(c) exp(-c) <= 1, in floats."""
        return Trial(Inequality(ops.exp(c) * ops.exp(-c), 1), 0.05)

    found = verify(overlapping, BUDGETS["quick"])
    assert (found.verdict, found.evidence["open"], found.evidence["failures"]) == ("undecided", 200, 0)


def test_means_share_their_level() -> None:
    sample = {
        "at": "f[0]:0",
        "y": (np.arange(600).reshape(100, 6) % 7 / 7).tolist(),
        "high": [1.0, 2.0, 1.0, 1.0, 1.0, 1.0],
    }
    n, pairs = means([sample], 0.12)
    y = np.array(sample["y"])
    assert n == 100
    assert pairs[0][0] == pytest.approx(float(lower_mean(y[:, 0], 0.01)))
    assert pairs[1][1] == pytest.approx(2 * float(upper_mean(y[:, 1], 0.01)))


def test_what_trials_of_one_average_share_differs_in_no_chunk() -> None:
    """Outcomes are kept over their bound: with one bound for all, 1/2 of 1 and 1/2 of 4 would both count as 1/2."""
    same = {"x": [1.0, 2.0, 4.0, 8.0], "exponents": [-1.0, 1.0], "y": [[0.5] * 4] * 4000}
    order = {
        "x": [1.0, 2.0, 4.0, 8.0],
        "constant": 1.0,
        "growth": None,
        "shape": [[1.0, 1.0]] * 4,
        "y": [[0.5] * 4] * 4000,
    }
    for kind, sample in (("Scaling", same), ("Order", order)):

        def verdict(*highs: float, kind: str = kind, sample: dict[str, Any] = sample) -> Any:
            samples = [sample | {"at": f"f[0]:{k}", "high": [high] * 4} for k, high in enumerate(highs)]
            return judge("a.claim", decode({"met": 8000, "kind": kind, "samples": samples}))

        assert verdict(1.0, 1.0).verdict == "holds"
        assert verdict(1.0, 4.0).verdict == "undecided" and "'high' differs between chunks" in verdict(1.0, 4.0).reason


def test_a_shape_of_averages_is_one_for_all() -> None:
    @claim(id="weighed.shape", family=FAMILY, draws={"c": scalars(1.0, 2.0), "rng": streams}, instances=())
    def shaped(ops: Any, m: Any, c: Any, rng: Any) -> Order:
        """Averages against what is drawn."""
        return Order(Sampled(rng.uniform("u", 6)), [c * k for k in range(1, 7)], constant=1)

    with pytest.raises(ValueError, match="shape of an Order of averages differs"):
        verify(shaped, SIZE)


@pytest.mark.parametrize(("measured", "verdict"), [(0, "holds"), (1, "refuted")])
def test_a_shape_of_zero_is_settled_by_signs(measured: int, verdict: str) -> None:
    """A ratio to it has no fraction, and the constant needs none."""

    @claim(id="weighed.zero", family=FAMILY, draws={"c": scalars(1.0, 2.0)}, instances=())
    def zero(ops: Any, m: Any, c: Any) -> Order:
        """c measured <= 0."""
        return Order([c * measured for _ in range(6)], [0] * 6, constant=1)

    assert verify(zero, Budget("small", 100, 0, 0, 2)).verdict == verdict
