"""Shrinking: always confirmed, never outside the claim's kind, deterministic, and down to what a person would write."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proofs_check import Inequality, claim, counterexample, families, policies, scalars, temperatures, values
from proofs_check.addresses import instance
from proofs_check.claim import no_endings
from proofs_check.claims.planning.foundations_horizon import backward_induction_short
from proofs_check.claims.planning.foundations_operators import contraction_squared, shift_undiscounted
from proofs_check.domains import admitted, domains, model_features
from proofs_check.runner import BUDGETS, chunks
from proofs_check.settle import Settler, screen
from proofs_check.shrink import Shrunk, _length, exact_float, recorded, shrink, simpler


def refutation(c: Any, skip: int = 0) -> tuple[Any, Any]:
    """The first instance (after ``skip``) that is separated the wrong way."""
    for chunk in chunks(c, BUDGETS["quick"], 3):
        if chunk.model is None:
            wrong = np.flatnonzero(screen(c, chunk.batch, chunk.payloads).wrong)
            if len(wrong) > skip:
                return chunk.instance(int(wrong[skip]))
    raise AssertionError(f"{c.id} was not refuted")


@claim(
    id="shrunk.squared",
    family=families.garnet(4, 3, gamma=(0.5, 0.75, 0.875)),
    draws={"V": values(), "W": values(like="V")},
    instances=(),
)
def squared(ops: Any, m: Any, V: Any, W: Any) -> Inequality:
    """A contraction with the square of gamma."""
    return Inequality(ops.norm(ops.backup(m, V) - ops.backup(m, W)), m.gamma**2 * ops.norm(V - W))


@claim(
    id="shrunk.needs_two",
    family=families.random_endings(3, 3),
    draws={"V": values(), "pi": policies(), "tau": temperatures(orders=4), "e": scalars(0.25, 1.0)},
    instances=(),
)
def needs_two(ops: Any, m: Any, V: Any, pi: Any, tau: Any, e: Any) -> Inequality:
    """False only where values differ: at least two states, and two actions that are mixed."""
    spread = ops.largest(V) - ops.smallest(V)
    mixed = ops.largest(ops.dot(pi, 1 - pi))
    return Inequality(e * tau * spread * mixed, 0)


def test_squared_modulus_shrinks_to_one_state() -> None:
    mdp, payloads = refutation(squared)
    small = shrink(squared, mdp, payloads)
    assert small.settled.status == "refuted" and small.settled.arithmetic == "exact"
    assert (small.mdp.S, small.mdp.A) == (1, 1)
    assert small.mdp.gamma == 0.5 and small.mdp.rewards.tolist() == [[0.0]]  # gamma is of the family's range
    V, W = (small.payloads[k].data.tolist() for k in "VW")
    assert sorted([*V, *W]) == [0.0, 1.0]


def test_what_is_needed_stays() -> None:
    mdp, payloads = refutation(needs_two)
    small = shrink(needs_two, mdp, payloads)
    assert (small.mdp.S, small.mdp.A) == (2, 2)
    assert sorted(abs(x) for x in small.payloads["V"].data.tolist()) == [0.0, 1.0]
    assert 0.25 <= float(small.payloads["e"].data) <= 1.0  # where the draw has it
    assert float(small.payloads["tau"].data) == 1.0
    rows = sorted(small.payloads["pi"].data.tolist())
    assert sorted(map(sorted, rows)) == [[0, 1], [1, 1]]


@pytest.mark.parametrize("skip", [0, 1, 2])
@pytest.mark.parametrize("c", [squared, contraction_squared, shift_undiscounted, needs_two], ids=lambda c: c.id)
def test_every_shrunk_instance_is_confirmed_and_admitted(c: Any, skip: int) -> None:
    mdp, payloads = refutation(c, skip)
    small = shrink(c, mdp, payloads)
    assert Settler(c)(small.mdp, small.payloads).status == "refuted"
    assert small.mdp.S <= mdp.S and small.mdp.A <= mdp.A
    assert admitted(c, domains(c), small.mdp, small.payloads)
    low, high = model_features(c).gamma
    assert low <= small.mdp.gamma <= high
    if no_endings in c.assumptions:
        assert not small.mdp.end.any()


def test_it_is_deterministic_and_bounded() -> None:
    mdp, payloads = refutation(needs_two)

    def text(small: Shrunk) -> str:
        return json.dumps(counterexample.record(small.mdp, small.payloads, ""))

    one, two = (shrink(needs_two, mdp, payloads) for _ in range(2))
    assert text(one) == text(two) and one.tried == two.tried
    few = shrink(needs_two, mdp, payloads, allowance=5)
    assert few.tried <= 5 and few.settled.status == "refuted"


def test_it_is_a_local_minimum() -> None:
    mdp, payloads = refutation(needs_two)
    small = shrink(needs_two, mdp, payloads)
    assert shrink(needs_two, small.mdp, small.payloads).taken == 0


def test_nothing_is_taken_where_nothing_is_kept() -> None:
    mdp, payloads = refutation(squared)
    small = shrink(squared, mdp, payloads, lambda s: False)
    assert small.mdp is mdp and small.taken == 0


def test_a_body_for_one_shape_is_not_resized() -> None:
    mdp, payloads = refutation(backward_induction_short)
    small = shrink(backward_induction_short, mdp, payloads)
    assert (small.mdp.S, small.mdp.A) == (2, 2) and small.settled.status == "refuted"


def test_record_keeps_its_address(tmp_path: Path) -> None:
    found = next(
        {"address": chunk.address(int(i)), "size": 12} | counterexample.record(*chunk.instance(int(i)), "")
        for chunk in chunks(squared, BUDGETS["quick"], 0)
        for i in np.flatnonzero(screen(squared, chunk.batch, chunk.payloads).wrong)[:1]
    )
    found["address"] = chunk_address = next(
        chunk.address(int(i))
        for chunk in chunks(squared, BUDGETS["quick"], 0)
        for i in np.flatnonzero(screen(squared, chunk.batch, chunk.payloads).wrong)[:1]
    )
    small = recorded(squared, found)
    assert small["address"] == chunk_address and small["size"] == 1 and small["steps"] > 0
    assert instance(squared, chunk_address, 0)[0].S == 4
    counterexample.save(tmp_path / "x.json", squared.id, squared.statement, small)
    mdp, payloads = counterexample.replay(counterexample.load(tmp_path / "x.json"))
    assert Settler(squared)(mdp, payloads).status == "refuted"


@pytest.mark.parametrize("x", ["17/13", "-5/1024", "1234567", "3/4", "-1", "2", "99/100", "1/1048577"])
def test_simpler_numbers_are_simpler_and_dyadic(x: str) -> None:
    given = Fraction(x)
    found = simpler(given)
    assert found and found[0] == 0
    assert all(_length(y) < _length(given) and exact_float(y) for y in found)


def saved(folder: Path) -> Path:
    path = folder / "x.json"
    mdp, payloads = refutation(needs_two)
    counterexample.save(path, needs_two.id, needs_two.statement, counterexample.record(mdp, payloads, "here"))
    return path


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda t: t[: len(t) // 2], "cannot be read"),
        (lambda t: t.replace('"gamma": "', '"gamma": "1', 1), "was changed"),
        (lambda t: "[1, 2]", "is no counterexample"),
        (lambda t: json.dumps({k: v for k, v in json.loads(t).items() if k != "draws"}), "has no 'draws'"),
        (lambda t: json.dumps({k: v for k, v in json.loads(t).items() if k != "digest"}), "has no 'digest'"),
        (lambda t: forged(t, ("mdp", "S"), 2), "holds no instance"),
        (lambda t: forged(t, ("mdp", "gamma"), "3/2"), "holds no instance"),
        (lambda t: forged(t, ("draws", "V", "data"), ["1/3", "0", "0"]), "holds exactly"),
        (lambda t: forged(t, ("draws", "V", "form"), "poem"), "holds no instance"),
    ],
    ids=[
        "half of it",
        "edited",
        "a list",
        "no draws",
        "no digest",
        "wrong size",
        "bad discount",
        "no dyadic",
        "no form",
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, damage: Any, says: str) -> None:
    path = saved(tmp_path)
    counterexample.load(path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(counterexample.Damaged, match=says) as error:
        counterexample.load(path)
    assert str(path) in str(error.value)


def forged(text: str, where: tuple[str, ...], what: Any) -> str:
    """With another entry, and the digest that goes with it."""
    data = json.loads(text)
    at = data
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = what
    return json.dumps(data | {"digest": counterexample.digest(data)})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(counterexample.Damaged, match="cannot be read"):
        counterexample.load(tmp_path / "none.json")
