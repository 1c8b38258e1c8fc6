"""Families: the same bits for ever, members that do not depend on how many are drawn, and models of the kind that is said."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular import MDP, MDPBatch, ModelError
from tabular.instances import (
    Family,
    bandits,
    chain,
    deterministic,
    garnet,
    garnet_sparse,
    hidden_path,
    mixed,
    near_decomposable,
    proper,
    random_endings,
    random_masks,
    random_masks_endings,
    raw_integers,
    self_loops,
    switches,
    two_armed,
    wrong_turns,
)  # fmt: skip
from tabular.instances.parts import DISCOUNTS, _network

FAMILIES = {
    "garnet": garnet(6, 3),
    "garnet k": garnet(6, 3, 2),
    "garnet 1": garnet(1, 1, resolution=1, gamma=0.5),
    "random_endings": random_endings(6, 3),
    "proper": proper(6, 3),
    "random_masks": random_masks(6, 3),
    "random_masks k": random_masks(6, 3, 2, gamma=(0.5, 0.75)),
    "deterministic": deterministic(6, 3),
    "near_decomposable": near_decomposable(6, 3, 3),
    "chain": chain(6, 3),
    "bandits": bandits(3),
    "self_loops": self_loops(6, 3),
    "hidden_path": hidden_path(6, 3),
    "two_armed": two_armed(),
    "random_masks_endings": random_masks_endings(6, 3),
    "switches": switches(3, 2),
    "wrong_turns": wrong_turns(),
}
FAMILIES["mixed"] = mixed(*(f for k, f in FAMILIES.items() if f(0, 1).S == 6 and k != "random_masks_endings"))

# Digests of 100 members of seed 2024. A change here is a change of what is drawn: a new version of the family.
DIGESTS: dict[str, str] = {
    "garnet": "4d5ab7171da291ce",
    "garnet k": "84cbb7e05bc21319",
    "garnet 1": "32392a2bca9f863c",
    "random_endings": "79911cf8d22555aa",
    "proper": "31b63dc960ddac44",
    "random_masks": "01e7354621722945",
    "random_masks k": "4d11ceeef869f157",
    "deterministic": "5b0b254bd565dc1b",
    "near_decomposable": "cf2fd1685530109b",
    "chain": "f2ace7d806a4e907",
    "bandits": "5e3b819f958a1b24",
    "self_loops": "dc7372b7f14473d8",
    "hidden_path": "ed07e915c82a5bac",
    "two_armed": "1ef865640fdbde39",
    "mixed": "c913a4c914c4744d",
    "random_masks_endings": "d4d2fb121cfbd8d5",
    "switches": "95e96d3926918763",
    "wrong_turns": "9a9feb5f352aa999",
}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_bits_are_the_same_for_ever(name: str, digest: Callable[[MDPBatch], str]) -> None:
    assert digest(FAMILIES[name](2024, 100)) == DIGESTS[name]


@pytest.mark.parametrize("name", FAMILIES)
def test_members_are_valid_exact_models(name: str) -> None:
    b = FAMILIES[name](7, 300)
    again = MDPBatch.from_weights(b.weights, b.R, b.gamma, end_weights=b.end_weights)
    assert again == b and b.is_exact and again.P.tobytes() == b.P.tobytes()
    assert (np.abs(b.rewards) <= 1).all() and (b.rewards * 1024 == np.rint(b.rewards * 1024)).all()
    for i in (0, 17):
        assert b[i] == MDP.from_weights(
            b.weights[i], b.R[i], float(b.gamma[i]), end_weights=b.end_weights[i] if b.has_end else None
        )


@pytest.mark.parametrize("name", FAMILIES)
def test_a_member_depends_on_its_number_alone(name: str) -> None:
    f = FAMILIES[name]
    whole = f(3, 40)
    assert f(3, 11) == whole[:11] and f(3, 9, start=23) == whole[23:32] and f.member(3, 39) == whole[39]
    assert f(4, 40) != whole and len({f(s, 1).content_hash for s in range(50)}) > (1 if name == "garnet 1" else 5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_its_key(name: str) -> None:
    f = FAMILIES[name]
    same = pickle.loads(pickle.dumps(f))
    assert same == f and hash(same) == hash(f) and same(1, 5) == f(1, 5) and f.key in repr(f)
    assert f.key.startswith(f"{f.name}/{f.version}(") and f != "a family"
    with pytest.raises(AttributeError, match="frozen"):
        f.version = 2


def test_keys_tell_families_apart() -> None:
    assert len({f.key for f in FAMILIES.values()}) == len(FAMILIES)
    assert garnet(3, 2) == garnet(3, 2) != garnet(2, 3) and garnet(3, 2, gamma=0.5) != garnet(3, 2, gamma=0.75)


def test_another_process_draws_the_same() -> None:
    code = "from tabular.instances import garnet; print(garnet(3, 2)(5, 10).content_hash)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == garnet(3, 2)(5, 10).content_hash


def pcg64(seed: np.random.SeedSequence) -> object:
    """PCG64 (XSL-RR, O'Neill 2014) from its definition, in Python integers."""
    a = [int(x) for x in seed.generate_state(4, np.uint64)]
    mask = 2**128 - 1
    inc = ((a[2] << 64 | a[3]) << 1 | 1) & mask
    multiplier = 0x2360ED051FC65DA44385DF649FCCF645
    state = ((inc + (a[0] << 64 | a[1])) * multiplier + inc) & mask
    while True:
        state = (state * multiplier + inc) & mask
        x, turn = (state >> 64 ^ state) & (2**64 - 1), state >> 122
        yield (x >> turn | x << (64 - turn)) & (2**64 - 1)


@given(st.integers(0, 2**64), st.integers(1, 2**32), st.integers(1, 9))
def test_raw_integers_scale_halves_of_pcg64(seed: int, bound: int, n: int) -> None:
    stream = pcg64(np.random.SeedSequence(seed))
    halves = [half for _ in range(5) for x in [next(stream)] for half in (x % 2**32, x >> 32)]
    drawn = raw_integers(np.random.PCG64(np.random.SeedSequence(seed)), n, bound)
    assert drawn.tolist() == [x * bound >> 32 for x in halves[:n]] and drawn.dtype == np.int64


def test_raw_integers_are_uniform() -> None:
    x = raw_integers(np.random.PCG64(1), 60_000, 6)
    count = np.bincount(x, minlength=6)
    assert ((count - 10_000) ** 2 / 10_000).sum() < 20.5  # chi square, 5 degrees: 1 in 1000; the stream is fixed
    bounds = np.arange(1, 101)
    assert (raw_integers(np.random.PCG64(1), 100, bounds) < bounds).all()
    for bound in (0, 2**32 + 1, -1):
        with pytest.raises(ValueError, match="expected 1"):
            raw_integers(np.random.PCG64(1), 2, bound)


@given(st.integers(1, 12), st.integers(0, 2**12 - 1))
def test_the_network_sorts_zeros_and_ones(k: int, bits: int) -> None:
    """By the 0-1 principle it then sorts everything."""
    x = [bits >> i & 1 for i in range(k)]
    for pairs in _network(k):
        for i, j in pairs:
            x[i], x[j] = min(x[i], x[j]), max(x[i], x[j])
    assert x == sorted(x)


def test_discounts_run_from_zero_to_nearly_one() -> None:
    assert DISCOUNTS[0] == 0 and 9e-10 < 1 - DISCOUNTS[-1] < 1e-9
    assert set(garnet(2, 1)(0, 2000).gamma.tolist()) == set(DISCOUNTS)
    assert set(garnet(2, 1, gamma=[0.25, 0.5])(0, 100).gamma.tolist()) == {0.25, 0.5}
    assert garnet(2, 1, gamma=0.25)(0, 3).gamma.tolist() == [0.25] * 3


def test_rewards_have_ties_in_some_members() -> None:
    R = garnet(6, 3)(0, 1000).R.reshape(1000, -1)
    levels = np.array([len(np.unique(x)) for x in R])
    assert (levels <= 3).mean() > 0.15 and (levels == 18).mean() > 0.1


def test_garnets_have_the_successors_that_they_should() -> None:
    b = garnet(7, 2, 3, resolution=2**20)(0, 500)
    assert ((b.P > 0).sum(-1) <= 3).all() and ((b.P > 0).sum(-1) == 3).mean() > 0.99
    hits = (b.P > 0).mean(axis=(0, 1, 2))
    assert np.abs(hits - 3 / 7).max() < 0.03  # 7000 rows: five standard deviations
    dense = garnet(4, 1, resolution=2**20)(0, 2000).P[:, 0, 0]
    assert np.abs(dense.mean(0) - 0.25).max() < 0.025
    assert np.abs((dense**2).mean(0) - 0.1).max() < 0.02  # E p^2 = 2 / (k (k + 1)) for a uniform draw of the simplex


def test_endings_masks_and_certainty() -> None:
    b = random_endings(4, 3)(0, 500)
    assert 0.45 < (b.end > 0).mean() < 0.55
    assert (proper(4, 3)(0, 500).end_weights >= 1).all() and set(proper(4, 3)(0, 9).gamma.tolist()) == {1.0}
    m = random_masks(4, 3)(0, 500)
    assert m.mask.any(-1).all() and 0.6 < m.mask.mean() < 0.72  # 1/3 + 2/3 * 1/2
    assert set(np.unique(deterministic(4, 3)(0, 100).P).tolist()) == {0.0, 1.0}


def test_blocks_are_left_with_a_power_of_two() -> None:
    b = near_decomposable(5, 2, 2)(0, 200)
    block = np.arange(5) * 2 // 5
    leak = [
        sum(F(int(b.weights[i, s, 0, t]), int(b.totals[i, s, 0])) for t in range(5) if block[t] != block[s])
        for i in range(200)
        for s in range(5)
    ]
    assert {x.numerator for x in leak} == {1} and {x.denominator.bit_length() - 1 for x in leak} <= set(range(1, 31))
    assert all(x.denominator & (x.denominator - 1) == 0 for x in leak) and len(set(leak)) > 20


def test_a_chain_goes_one_step_at_most() -> None:
    b = chain(5, 3)(0, 100)
    for x in range(5):
        for y in range(5):
            if abs(x - y) > 1:
                assert (b.P[:, x, :, y] == 0).all()
        assert (b.P[:, x, 0, max(x - 1, 0)] == 1).all()
        if 0 < x < 4:
            assert (b.P[:, x, 2, x + 1] >= b.P[:, x, 2, x - 1]).all()
    assert (b.R[:, 4, 2] == 1).all() and (b.R[:, 0, 0] <= 1 / 16).all() and np.count_nonzero(b.R) == 200


def test_self_loops_are_worth_one_over_one_minus_gamma() -> None:
    b = self_loops(3, 2, gamma=0.75)(0, 50)
    for m in b:
        V = np.linalg.solve(np.eye(3) - 0.75 * m.P[:, 0], m.R[:, 0])
        assert np.abs(V).tolist() == [4.0] * 3
    assert set(np.unique(b.R).tolist()) == {-1.0, 1.0}


def test_two_arms_stay_as_the_lower_bound_has_it() -> None:
    for m in two_armed()(0, 60):
        model, gamma = m.exact(), m.gamma_exact
        stay = [model.row(0, a).get(0, F(0)) for a in (0, 1)]
        assert min(stay) == (4 * gamma - 1) / (3 * gamma) and 0 <= 1 - max(stay) <= 1 - min(stay)
        assert model.row(1, 0) == {1: F(1)} and m.R.tolist() == [[1, 1], [0, 0]]


def test_masks_and_endings_meet_in_one_model() -> None:
    b = random_masks_endings(4, 3)(0, 500)
    assert b.mask.any(-1).all() and 0.6 < b.mask.mean() < 0.72
    assert 0.45 < (b.end > 0)[b.mask].mean() < 0.55 and (b.end[~b.mask] == 0).all()
    assert ((b.end > 0).any((1, 2)) & ~b.mask.all((1, 2))).mean() > 0.9


def test_wrong_turns_attain_the_loss_of_a_greedy_policy() -> None:
    """V = (1/2, -1/2) is wrong by 1/2; staying looks as good as leaving, and costs gamma / (1 - gamma), twice gamma / 2."""
    b = wrong_turns()(0, 100)
    V = np.array([0.5, -0.5])
    for m in b:
        Q = m.R + m.gamma * m.P @ V
        less = m.R[0, 0] + m.gamma
        assert less in (0.0, 2.0**-10) and Q[0, 0] - Q[0, 1] == less and Q[1, 0] > Q[1, 1]
        assert (m.R[:, 1] <= 0).all() and m.P[0, 0, 0] == m.P[0, 1, 1] == 1 and m.R[0, 1] == m.R[1, 0] == 0  # V* = 0
    assert set(b.gamma.tolist()) == {1 - 2.0**-j for j in range(1, 10)}


def test_switches_differ_in_transitions_alone() -> None:
    b = switches(3, 2, gamma=0.5)(0, 200)
    assert (b.R[:, 0] == 1).all() and (b.R[:, 1:] == -1).all()
    stays = b.P[:, np.arange(3), :, np.arange(3)]
    assert set(np.unique(stays).tolist()) == {0.0, 1.0} and 0.45 < stays.mean() < 0.55
    assert (stays + b.P[:, np.arange(3), :, (np.arange(3) + 1) % 3] == 1).all()


def test_a_hidden_path_has_one_policy_of_value() -> None:
    m = hidden_path(4, 3, gamma=0.5)(0, 1)[0]
    V = np.zeros(4)
    for _ in range(80):
        V = (m.R + 0.5 * m.P @ V).max(-1)
    assert V[0] == pytest.approx(0.5**3 / 0.5, abs=1e-15) and (m.P[:, :, 0] == 1).sum() >= 8


def test_a_union_has_members_of_each() -> None:
    a, b = deterministic(3, 2, gamma=0.5), proper(3, 2)
    union = mixed(a, b)(0, 400)
    kind = union.gamma == 1.0
    assert 0.4 < kind.mean() < 0.6
    assert union[~kind] == a(0, int((~kind).sum())) and union[kind] == b(0, int(kind.sum()))


def test_sparse_garnets() -> None:
    m = garnet_sparse(3, 2000, 3, 5)
    model = m.csr()
    assert m.is_sparse and m.nnz > 0.99 * 30_000 and (np.bincount(model.indices, minlength=2000) > 0).all()
    assert (np.add.reduceat(model.data, model.indptr[:-1]) == 1.0).all()
    assert m == garnet_sparse(3, 2000, 3, 5) != garnet_sparse(4, 2000, 3, 5)
    assert garnet_sparse(0, 3, 2, 3, gamma=1.0).S == 3


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda: garnet(0, 1), ModelError, "S is 0: expected at least 1"),
        (lambda: garnet(2.0, 1), TypeError, "S is 2.0: expected an integer"),
        (lambda: garnet(2, 1, 3), ModelError, "successors is 3: there are 2 states"),
        (lambda: garnet(2, 1, 0), ModelError, "successors is 0"),
        (lambda: garnet(2, 1, resolution=2**32), ModelError, "resolution is 4294967296"),
        (lambda: garnet(2, 1, gamma=[]), ModelError, "gamma is empty"),
        (lambda: garnet(2, 1, gamma=1.5), ModelError, "gamma is 1.5"),
        (lambda: garnet(2, 1, gamma=F(1, 3)), ModelError, "discounts that float64 holds exactly"),
        (lambda: chain(3, 1), ModelError, "A is 1: expected at least 2"),
        (lambda: near_decomposable(2, 1, 3), ModelError, "S is 2: expected at least 3"),
        (lambda: near_decomposable(2, 1, resolution=5000), ModelError, "at most 4096 together"),
        (lambda: mixed(), ModelError, "no families"),
        (lambda: mixed(garnet(2, 1), 1), TypeError, "1 is no Family"),
        (lambda: mixed(garnet(2, 1), garnet(3, 1)), ModelError, r"several shapes \(S, A\)"),
        (lambda: garnet_sparse(0, 3, 2, 4), ModelError, "successors is 4, S is 3"),
        (lambda: garnet_sparse(0, 3, 2, 2, resolution=100), ModelError, "expected a power of two"),
        (lambda: garnet(2, 1)(-1, 5), ValueError, "seed is -1"),
        (lambda: garnet(2, 1)(0, 0), ValueError, "n is 0"),
        (lambda: garnet(2, 1)(0, 1, start=-1), ValueError, "start is -1"),
        (lambda: garnet(2, 1)(0.5, 1), TypeError, "seed is 0.5"),
    ],
)
def test_impossible_wishes_are_refused(call: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_a_family_of_ones_own() -> None:
    def draw(tape: object, A: int) -> MDPBatch:
        return MDPBatch(np.ones((tape.n, 1, A, 1)), tape.integers("R", (1, A), 5), 0.5)

    f = Family("mine", 3, {"A": 2}, draw)
    assert f.key == "mine/3(A=2)" and f(0, 5).R.shape == (5, 1, 2) and f(0, 5)[:2] == f(0, 2)
