"""The JAX arithmetic: the tests that every arithmetic passes, NumPy's results under jit and vmap, and derivatives by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deep.ops import JaxOps, on_device
from deep.precision import float64
from proofs_check import evidence
from proofs_check.domains import sampled
from proofs_check.loading import load_paper
from tabular import KL, MDP, Hard, Shannon, ShannonKL, Tsallis, TsallisKL
from tabular.instances import random_masks_endings
from tabular.reference import EnclosureOps, NumpyOps, operators
from tests.tabular.reference import test_operators, test_value

pytestmark = pytest.mark.xdist_group("deep ops")  # one worker compiles what they share

FAMILY = random_masks_endings(6, 4, gamma=0.9)
V = np.random.default_rng(0).normal(size=6)


def member(i: int = 4) -> MDP:
    return FAMILY(1, 8)[i]


def uniform(mdp: MDP) -> np.ndarray:
    return mdp.mask / mdp.mask.sum(axis=1, keepdims=True)


REGULARIZERS = {
    "hard": lambda mu: Hard(),
    "shannon": lambda mu: Shannon(0.3),
    "shannon-tiny": lambda mu: Shannon(1e-300),
    "shannon-huge": lambda mu: Shannon(1e300),
    "kl": lambda mu: KL(0.2, mu),
    "shannon+kl": lambda mu: ShannonKL(0.1, 0.4, mu),
    "tsallis-2": lambda mu: Tsallis(0.5, 2.0),
    "tsallis-0.5": lambda mu: Tsallis(0.5, 0.5),
    "tsallis-kl-3": lambda mu: TsallisKL(0.5, 3.0, mu),
    "tsallis-kl-1": lambda mu: TsallisKL(0.5, 1.0, mu),
}


# -- the suites of all arithmetics ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "test",
    [
        test_value.test_arithmetic_is_that_of_numbers,
        test_value.test_where_nothing_is_allowed_nothing_is_largest,
        test_value.test_the_instance_is_named_where_nothing_is_allowed,
        test_value.test_visits_need_a_start,
        test_value.test_batch_axes_meet_batch_axes,
        test_value.test_a_value_is_no_truth_value_and_no_array,
        test_value.test_shapes_at_the_border,
        test_value.test_where_takes_its_rank_from_values_or_mask,
        test_value.test_where_in_a_batch,
    ],
    ids=lambda f: f.__name__.removeprefix("test_"),
)
def test_the_suite_of_values(test: Any) -> None:
    with float64():
        test(JaxOps)


@pytest.mark.parametrize("batched", [False, True])
def test_indexing(batched: bool) -> None:
    with float64():
        test_value.test_indexing_the_event_axes(JaxOps, batched)


def test_the_suite_of_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_operators, "zero", lambda ops, x: bool(np.all(np.abs(ops.midpoint(x)) <= 1e-13)))
    with float64():
        test_operators.test_identities(JaxOps())
        test_operators.test_regularised_identities(JaxOps())


# -- against NumPy, compiled ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [*REGULARIZERS, "hard, sparse", "shannon, sparse"])
def test_backups_policies_and_derivatives_are_numpys(name: str) -> None:
    name, _, form = name.partition(", ")
    mdp = member().to_sparse() if form else member()
    plain, reg = NumpyOps(), REGULARIZERS[name](uniform(mdp))
    m, v = plain.model(mdp), plain.array(V, 1)
    pi = operators.policy_of(plain, m, v, reg)
    with float64():
        ops = JaxOps()

        @jax.jit
        def both(d: Any, V: Any) -> Any:
            def total(V: Any) -> Any:
                m, v = ops.model(d), ops.array(V, 1)
                TV = ops.backup(m, v, reg)
                return TV.data.sum(), (TV, operators.policy_of(ops, m, v, reg))

            return jax.grad(total, has_aux=True)(V)

        slope, (TV, found) = jax.tree.map(np.asarray, both(on_device(mdp), jnp.asarray(V)))
    want = plain.backup(m, v, reg).data
    np.testing.assert_allclose(TV.data, want, rtol=4e-15, atol=4e-15)
    np.testing.assert_allclose(found.data, pi.data, rtol=1e-12, atol=1e-14)
    # The derivative of a conjugate is its maximiser.
    np.testing.assert_allclose(slope, mdp.gamma * plain.transition(m.P, pi).data.sum(axis=0), rtol=1e-12, atol=1e-13)


def test_derivatives_by_differences() -> None:
    """Of policies, of energies in their weight, and at ties, where the largest entry is not one."""
    x = np.array([[0.3, 0.1, -0.2, 0.3], [1.0, 1.0, 1.0, 0.2]])
    mu = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    direction, h = np.array([[0.3, -0.5, 0.2, 0.7], [0.1, 0.4, -0.2, 0.9]]), 1e-6
    with float64():
        ops = JaxOps()

        def energies(x: Any, w: Any) -> Any:
            v, m = ops.array(x, 2), ops.array(mu, 2)
            pi, rho = ops.tsallis_policy(v, w, 2.0), ops.tsallis_policy(v, w, 0.5, weights=m)
            parts = [
                ops.free_energy(v, w), ops.free_energy(v, w, weights=m), ops.tsallis_energy(v, w, 2.0),
                ops.sum(ops.gibbs(v, w) * m),
                ops.tsallis_energy(v, w, 0.5, weights=m), ops.sum(pi * m), ops.sum(rho * m), ops.sum(ops.log_gibbs(v, w) * m),
            ]  # fmt: skip
            return jnp.stack([p.data for p in parts])

        run = jax.jit(energies)
        found = jax.jit(lambda x, w: jax.jvp(energies, (x, w), (jnp.asarray(direction), jnp.asarray(0.7))))(x, 0.8)[1]
        want = (run(x + h * direction, 0.8 + h * 0.7) - run(x - h * direction, 0.8 - h * 0.7)) / (2 * h)
        np.testing.assert_allclose(found, want, rtol=2e-8, atol=2e-9)
        with pytest.raises(NotImplementedError, match="no derivative of a Tsallis projection in its index"):
            jax.grad(lambda q: ops.tsallis_energy(ops.array(x, 2), 1.0, q).data.sum())(jnp.asarray(1.5))


def test_vmap_over_temperatures_and_discounts() -> None:
    mdp, plain = member(), NumpyOps()
    taus, gammas = np.geomspace(0.01, 10, 5), np.linspace(0, 0.99, 5)
    with float64():
        ops, d = JaxOps(), on_device(mdp)
        run = jax.jit(jax.vmap(lambda t, g: ops.backup(ops.model(d.with_(gamma=g)), ops.array(V, 1), Shannon(t)).data))
        found = np.asarray(run(jnp.asarray(taus), jnp.asarray(gammas)))
    for tau, gamma, row in zip(taus, gammas, found, strict=True):
        other = MDP(mdp.P, mdp.R, gamma, end=mdp.end)
        want = plain.backup(plain.model(other), plain.array(V, 1), Shannon(tau)).data
        np.testing.assert_allclose(row, want, rtol=1e-14, atol=1e-14)


# -- bodies of claims -----------------------------------------------------------------------------------------------
KEPT = [f"foundations.C{i}" for i in (1, 2, 3, 4, 10, 12, 15, 20, 24, 26, 28, 30, 33, 36)]


@pytest.mark.parametrize(
    "claim", [c for c in load_paper("planning", "foundations") if c.id in KEPT], ids=lambda c: c.id
)
def test_bodies_of_claims_run_as_they_are(claim: Any) -> None:
    """Both sides lie where the enclosures say, on a batch."""
    family, B = claim.family[0], 5
    batch = family(3, B)
    drawn = sampled(claim, batch, lambda salt: family(salt, B), 3)
    sound = EnclosureOps(B)
    want = evidence.values(
        sound, claim(sound, sound.model(batch), **{k: p.lift(sound) for k, p in drawn.items()}), claim.id
    )
    with float64():
        ops = JaxOps(B)
        found = evidence.values(
            ops, claim(ops, ops.model(batch), **{k: p.lift(ops) for k, p in drawn.items()}), claim.id
        )
        for x, y in zip(want[:2], found[:2], strict=True):
            middle, radius = x.data
            inside = np.abs(ops.midpoint(y) - middle) <= 4 * radius + 1e-14 * (1 + np.abs(middle))
            assert inside[np.isfinite(radius)].all() and np.isfinite(radius).any()


def test_a_body_is_compiled() -> None:
    claim = next(c for c in load_paper("planning", "foundations") if c.id == "foundations.C1")
    family, B = claim.family[0], 5
    batch = family(3, B)
    drawn = sampled(claim, batch, lambda salt: family(salt, B), 3)
    with float64():
        ops = JaxOps(B)
        lifted = {k: p.lift(ops) for k, p in drawn.items()}
        run = lambda d, given: evidence.values(ops, claim(ops, ops.model(d), **given), claim.id)[:2]  # noqa: E731
        for x, y in zip(jax.jit(run)(on_device(batch), lifted), run(batch, lifted), strict=True):
            np.testing.assert_allclose(x.data, y.data, rtol=1e-13, atol=1e-14)


# -- float64, and nothing global ------------------------------------------------------------------------------------
def test_float64_is_asked_for_where_it_is_needed() -> None:
    assert not jax.config.jax_enable_x64
    with pytest.raises(ValueError, match=r"set to float32 here.*deep\.precision\.float64"):
        JaxOps()
    narrow = JaxOps(dtype=jnp.float32)
    assert narrow.array(V, 1).data.dtype == jnp.float32
    with float64():
        assert JaxOps().array(V, 1).data.dtype == jnp.float64
        assert JaxOps() == JaxOps() != JaxOps(3) and hash(JaxOps()) == hash(JaxOps())
        with pytest.raises(TypeError, match="expected a number, got shape"):
            JaxOps().constant(jnp.ones(3))
        with pytest.raises(TypeError, match="event axes"):
            JaxOps().array(jnp.ones(3), 2)
        with pytest.raises(TypeError, match="cannot hold"):
            JaxOps(3).model(member())
        with pytest.raises(NotImplementedError):
            JaxOps().bounds(JaxOps().constant(1))
    assert not jax.config.jax_enable_x64
