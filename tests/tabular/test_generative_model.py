"""The generative model: laws against the multinomial one, bits, borders."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from tabular import MDP
from tabular._kernels import sampling
from tabular.generative_model import GenerativeModel
from tabular.instances import garnet_sparse, random_masks_endings

FAR = 6.0
"""Standard deviations of a normal law: less than one in 10^8 lies beyond. Seeds are fixed, so a test that passes
passes for ever.
"""


def model(S: int = 12, A: int = 3, seed: int = 0) -> MDP:
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(S + 1, 0.7), size=(S, A))
    return MDP(np.ascontiguousarray(P[..., :S]), rng.random((S, A)), 0.9, end=P[..., S].copy(), renormalise=True)


@pytest.mark.parametrize("n", [1, 7, 60, 90, 400, 20_000, 3_000_000])
def test_counts_have_the_multinomial_law(n: int) -> None:
    """Pearson's statistic of all rows together, and the variance of each count over many steps."""
    mdp = model()
    g, steps = GenerativeModel(mdp, 11), 3000 if n == 1 else 300
    chance = np.concatenate([mdp.P, mdp.end[..., None]], axis=-1)
    drawn = np.stack([g.counts(n, k) for k in range(steps)])
    assert (drawn.sum(-1) == n).all() and (drawn >= 0).all()
    expected = n * steps * chance
    big = (expected > 20).all(axis=-1)
    assert big.any()
    chi = (((drawn.sum(0) - expected) ** 2 / expected).sum(-1))[big].sum()
    freedom = big.sum() * mdp.S
    assert abs(chi - freedom) < FAR * np.sqrt(2 * freedom)
    spread = ((drawn - n * chance) ** 2).mean(0) / (n * chance * (1 - chance))
    busy = n * chance > 20  # where counts are near enough to normal for the variance of their squares
    assert (np.abs(spread[busy] - 1) < FAR * np.sqrt(2.5 / steps)).all()


@pytest.mark.parametrize(
    ("n", "p"), [(9, 0.3), (40, 0.25), (41, 0.25), (50, 0.5), (1000, 0.02), (10**6, 0.4), (2**31 - 1, 1e-3)]
)
def test_binomials_against_scipy(n: int, p: float) -> None:
    """Both methods, near the place where they change over: all quantiles of 20,000 draws."""
    z, increment = sampling.stream(np.array([1, 2], dtype=np.uint64), 3, 4)
    found = np.empty(20_000, dtype=np.int64)
    for i in range(found.size):
        found[i], z = sampling.binomial(n, p, 1 - p, np.uint64(z), np.uint64(increment))
    law = stats.binom(n, p)
    edges = np.unique(law.ppf(np.linspace(0.02, 0.98, 25)))
    cells = np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]]))
    seen = np.bincount(np.searchsorted(edges, found), minlength=cells.size)
    chi = ((seen - found.size * cells) ** 2 / (found.size * cells)).sum()
    assert chi < stats.chi2(cells.size - 1).isf(1e-8)


def test_remainders_of_stirling() -> None:
    from scipy.special import gammaln

    for k in [*range(12), 50, 1000]:
        exact = gammaln(k + 1) - (k + 0.5) * np.log(k + 1) + (k + 1) - 0.5 * np.log(2 * np.pi)
        assert sampling.tail_of_stirling(k) == pytest.approx(exact, abs=1e-9 if k < 50 else 1e-11)


@pytest.mark.parametrize("n", [3, 300, 100_000])
def test_bits_depend_on_neither_threads_nor_order(n: int) -> None:
    mdp = model(40, 4)
    one, two = GenerativeModel(mdp, 5, threads=1), GenerativeModel(mdp, 5, threads=2)
    first = [one.counts(n, k) for k in range(4)]
    for k in (2, 0, 3, 1):
        np.testing.assert_array_equal(two.counts(n, k), first[k])
    assert any((first[0] != first[k]).any() for k in (1, 2, 3))
    assert (GenerativeModel(mdp, 6).counts(n) != first[0]).any()


def test_rows_have_streams_of_their_own() -> None:
    """Equal rows draw independently: counts of two pairs are uncorrelated."""
    row = np.full((2, 2, 2), 0.5)
    g = GenerativeModel(MDP(row, np.zeros((2, 2)), 0.5), 3)
    x = np.stack([g.counts(1000, k)[..., 0].ravel() for k in range(2000)])
    correlation = np.corrcoef(x.T)[np.triu_indices(4, 1)]
    assert (np.abs(correlation) < FAR / np.sqrt(2000)).all()


PLAIN = """
import sys, numpy as np
from tabular.generative_model import GenerativeModel
from tabular.instances import random_masks_endings
g = GenerativeModel(random_masks_endings(4, 2).member(3, 1), 9)
sys.stdout.write(repr([g.counts(n, 2).ravel().tolist() for n in (5, 400)]))
"""


def test_compiled_and_plain_loops_agree() -> None:
    """The kernels' own sources, run as plain Python, draw the same counts."""
    g = GenerativeModel(random_masks_endings(4, 2).member(3, 1), 9)
    compiled = [g.counts(n, 2).ravel().tolist() for n in (5, 400)]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    out = subprocess.run([sys.executable, "-c", PLAIN], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout == repr(compiled)


def test_mean_is_the_average_of_the_counts() -> None:
    mdp, V = model(), np.arange(12.0)
    g = GenerativeModel(mdp, 1)
    counts = g.counts(50, 7)
    np.testing.assert_allclose(g.mean(V, 50, 7), counts[..., :12] @ V / 50, rtol=1e-14)


def test_sparse_dense_masks_and_endings_draw_alike() -> None:
    mdp = random_masks_endings(5, 3).member(2, 0)
    dense, sparse = GenerativeModel(mdp, 4), GenerativeModel(mdp.to_sparse(), 4)
    np.testing.assert_array_equal(dense.counts(100), sparse.counts(100))
    counts = dense.counts(100)
    assert (counts.sum(-1) == np.where(mdp.mask, 100, 0)).all()
    assert (counts[..., :5][mdp.P == 0] == 0).all() and (counts[..., 5][mdp.end == 0] == 0).all()
    assert dense.pairs == mdp.mask.sum()


def test_empirical_model() -> None:
    mdp = model()
    found = GenerativeModel(mdp, 8).empirical(100_000)
    assert np.abs(found.P - mdp.P).max() < FAR * 0.5 / np.sqrt(100_000)
    assert found.gamma == mdp.gamma and (found.rewards == mdp.rewards).all()
    large = garnet_sparse(0, 200, 2, 3)
    assert GenerativeModel(large, 0).counts(10).sum() == 10 * 400


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": 1.5}, TypeError, "seed is 1.5"),
        ({"seed": 1, "threads": 0}, ValueError, "threads is 0"),
    ],
)
def test_refusals_of_the_constructor(arguments: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        GenerativeModel(model(), **arguments)


def test_refusals() -> None:
    g = GenerativeModel(model(), 0)
    with pytest.raises(TypeError, match="GenerativeModel takes an MDP"):
        GenerativeModel(np.eye(2), 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n is 0"):
        g.draw(0)
    with pytest.raises(ValueError, match="step is -1"):
        g.draw(1, -1)
    with pytest.raises(ValueError, match="at most 2147483647 draws"):
        g.draw(2**31)
    with pytest.raises(ValueError, match="step is 9223372036854775808: at most"):
        g.draw(1, 2**63)
    with pytest.raises(ValueError, match=r"V\[2\] is nan"):
        g.mean(np.where(np.arange(12) == 2, np.nan, 0.0), 1)
    with pytest.raises(ValueError, match=r"V has shape \(3,\): expected \(12,\)"):
        g.mean(np.zeros(3), 1)
