"""Files and objects of other libraries, each by the library itself: what we write it reads as meant, and what it writes we read."""

from __future__ import annotations

import warnings
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import mdptoolbox.mdp
import numpy as np
import pytest
import stormpy
import stormpy.io
import umbi
from quantecon.markov import DiscreteDP

from tabular import MDP, ModelError
from tabular.certificates import exact_policy_iteration
from tabular.instances import garnet, gridworld, random_endings, random_masks
from tabular.interchange import (
    from_mdptoolbox,
    from_quantecon,
    read_drn,
    read_prism,
    read_umb,
    to_mdptoolbox,
    to_quantecon,
    undiscounted,
    write_drn,
    write_prism,
    write_umb,
)

MODELS = {
    "lake": lambda: MDP.from_gymnasium("FrozenLake-v1", F(99, 100), exact=True),
    "cliff": lambda: MDP.from_gymnasium("CliffWalking-v1", F(9, 10), exact=True, is_slippery=True),
    "grid": lambda: gridworld("S..G\n.#.T\n....", gamma=F(9, 10), slip=0.2, step_reward=-0.04),
    "endings": lambda: random_endings(6, 3, gamma=(0.5, 0.75, 0.984375)).member(0, 1),
    "masks": lambda: random_masks(6, 3, 2, gamma=(0.5, 0.75, 0.984375)).member(0, 4),
}
DONE = 'R{"r"}max=? [F "done"]'


def without_start(m: MDP) -> MDP:
    return m._with(rho=None, exact=m._exact and m._exact._replace(rho=None))


def values(built: Any, S: int, formula: str = DONE) -> list[F]:
    """Values of all states by Storm."""
    result = stormpy.model_checking(built, stormpy.parse_properties(formula)[0])
    return [F(str(result.get_value(s))) for s in range(S)]


@pytest.mark.parametrize("name", MODELS)
def test_storms_exact_engine_finds_our_values_in_our_drn(name: str, tmp_path: Path) -> None:
    m = MODELS[name]()
    u = undiscounted(m)
    write_drn(tmp_path / "m.drn", u, end_label="done", drop="start")
    built = stormpy.build_model_from_drn[stormpy.Rational](str(tmp_path / "m.drn"))
    assert values(built, m.S) == exact_policy_iteration(m).V
    stormpy.io.export_to_drn(built, str(tmp_path / "theirs.drn"))
    back = read_drn(tmp_path / "theirs.drn", 1, end_label="done")
    labels = [str(a) for a in range(u.A)]  # Storm was not asked for names of choices: columns are places
    assert back.mask.sum() == u.mask.sum() and back.S == u.S
    if u.mask.all():
        assert without_start(back) == without_start(u) and (
            back.action_labels is None or list(back.action_labels) == labels
        )


@pytest.mark.parametrize("name", MODELS)
def test_names_of_actions_pass_through_storm(name: str, tmp_path: Path) -> None:
    u = undiscounted(MODELS[name]())
    write_drn(tmp_path / "m.drn", u, end_label="done", drop="start")
    options = stormpy.io.DirectEncodingParserOptions()
    options.build_choice_labeling = True
    built = stormpy.build_model_from_drn[stormpy.Rational](str(tmp_path / "m.drn"), options=options)
    stormpy.io.export_to_drn(built, str(tmp_path / "theirs.drn"))
    names = u.action_labels or [str(a) for a in range(u.A)]
    back = read_drn(tmp_path / "theirs.drn", 1, end_label="done", action_labels=names)
    assert without_start(back) == without_start(u)


@pytest.mark.parametrize("name", MODELS)
def test_storm_and_umbi_read_our_umb(name: str, tmp_path: Path) -> None:
    m = MODELS[name]()
    u = undiscounted(m)
    write_umb(tmp_path / "m.umb", u, end_label="done", drop="start")
    options = stormpy.io.UmbImportOptions()
    options.value_type = stormpy.io.UmbImportValueType.RATIONAL
    options.build_state_valuations = False
    built = stormpy.build_model_from_umb(str(tmp_path / "m.umb"), options=options)
    assert values(built, m.S) == exact_policy_iteration(m).V
    theirs = umbi.ats.read(tmp_path / "m.umb")
    assert (theirs.num_states, theirs.num_choices) == (u.S + 1, int(u.mask.sum()) + 1)


@pytest.mark.parametrize(
    "name", ["lake", "cliff", "grid"]
)  # whose rationals have at most 64 bits: umbi writes no longer ones
def test_what_umbi_writes_we_read(name: str, tmp_path: Path) -> None:
    u = undiscounted(MODELS[name]())
    write_umb(tmp_path / "m.umb", u, end_label="done")
    umbi.ats.write(umbi.ats.read(tmp_path / "m.umb"), tmp_path / "theirs.umb")
    back = read_umb(tmp_path / "theirs.umb", 1, end_label="done")
    assert back == u and back.action_labels == u.action_labels


@pytest.mark.parametrize("compression", ["NO_COMPRESSION", "GZIP", "XZ"])
def test_what_storm_writes_as_umb_we_read(compression: str, tmp_path: Path) -> None:
    """Doubles; its export of rationals fails in stormpy 2.0.0."""
    m = MDP.from_gymnasium("FrozenLake-v1", 0.9)
    write_drn(tmp_path / "m.drn", m, end_label="done", drop="discount")
    options = stormpy.io.DirectEncodingParserOptions()
    options.build_choice_labeling = True
    built = stormpy.build_model_from_drn[float](str(tmp_path / "m.drn"), options=options)
    how = stormpy.io.UmbExportOptions()
    how.compression = stormpy.io.CompressionMode[compression]
    stormpy.io.export_to_umb(built, str(tmp_path / "m.umb"), options=how)
    assert read_umb(tmp_path / "m.umb", 0.9, end_label="done", action_labels=m.action_labels) == m


@pytest.mark.parametrize("name", ["lake", "masks"])
def test_storm_reads_our_explicit_files(name: str, tmp_path: Path) -> None:
    """Floats, rewards from 0, and actions that are the first ones of each state; the values to six digits."""
    given = undiscounted(MODELS[name]())
    dense = given.to_dense()
    order = np.argsort(~given.mask, axis=1, kind="stable")  # the available actions first
    P, R, end = (
        np.take_along_axis(x, order[..., None] if x.ndim == 3 else order, axis=1) for x in (dense.P, dense.R, dense.end)
    )
    m = MDP(P, np.where(R == -np.inf, R, np.abs(R)), 1, end=end, rho=np.eye(given.S)[0])
    write_prism(tmp_path / "m", m, dialect="storm", end_label="done")
    files = [str(tmp_path / f"m.{ending}") for ending in ("tra", "lab", "trew")]
    built = stormpy.build_model_from_explicit(*files[:2], transition_rewards=files[2])
    found = np.array([float(x) for x in values(built, m.S, 'Rmax=? [F "done"]')])
    ours = np.array([float(x) for x in exact_policy_iteration(m).V])
    assert np.abs(found - ours).max() <= 1e-5 * max(1.0, np.abs(ours).max())
    assert read_prism(files[0], 1, lab=files[1], trew=files[2], end_label="done") == m


def discounted(name: str) -> MDP:
    b = garnet(5, 3)(0, 2)
    masks = random_masks(6, 3, 2).member(0, 4)
    return {"full": MDP(b.P[0], b.R[0], 0.9), "masked": MDP(masks.P, masks.R, 0.75)}[name]


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("form", ["product", "pairs", None])
@pytest.mark.parametrize("name", ["full", "masked"])
def test_quantecon_there_and_back(name: str, form: str | None, sparse: bool) -> None:
    m = discounted(name).to_sparse() if sparse else discounted(name)
    if sparse and form == "product":
        with pytest.raises(
            ModelError, match="the product form of QuantEcon's DiscreteDP is dense, and the model is sparse"
        ):
            to_quantecon(m, form)
        return
    ddp = to_quantecon(m, form)
    assert isinstance(ddp, DiscreteDP)
    assert from_quantecon(ddp, A=m.A) == m
    theirs = ddp.solve(method="policy_iteration").v
    assert np.abs(theirs - np.array([float(x) for x in exact_policy_iteration(m).V])).max() <= 1e-11 * max(
        1, np.abs(theirs).max()
    )
    other = ddp.to_sa_pair_form() if form == "product" else ddp.to_product_form()
    assert from_quantecon(other, A=m.A) == m  # their own change of form, too


def test_quantecon_pairs_in_any_order_and_rows_it_does_not_check() -> None:
    m = discounted("masked")
    s, a = np.nonzero(m.mask)
    order = np.random.default_rng(0).permutation(len(s))
    ddp = DiscreteDP(m.rewards[s, a][order], m.P[s, a][order], m.gamma, s[order], a[order])
    assert from_quantecon(ddp, A=m.A, rho=np.eye(m.S)[0]) == m._with(rho=np.eye(m.S)[0])
    Q = np.where(m.mask[..., None], m.P, 17.0)
    assert from_quantecon(DiscreteDP(np.array(m.R), Q, m.gamma)) == m
    with pytest.raises(ModelError, match=r"P\[0, 0\] sums to 1.5"):
        from_quantecon(DiscreteDP(np.zeros((1, 1)), np.full((1, 1, 1), 1.5), 0.9))


def test_quantecon_cannot_say_everything() -> None:
    m = discounted("full")
    with pytest.raises(ModelError, match="DiscreteDP has no start distribution: leave it out with drop="):
        to_quantecon(m._with(rho=np.full(m.S, 1 / m.S)))
    with pytest.raises(ModelError, match=r"cannot say that a step ends the process: write model\.augmented"):
        to_quantecon(MDP.from_gymnasium("FrozenLake-v1", 0.9), drop=["start"])
    with pytest.raises(ModelError, match="holds floats, and the model is exact"):
        to_quantecon(garnet(3, 2).member(0, 0))
    assert isinstance(to_quantecon(garnet(3, 2).member(0, 0), drop=["exact"]), DiscreteDP)
    with pytest.raises(ModelError, match="action 1 is available in no state"):
        to_quantecon(MDP([[[1.0], [0.0]]], [[0.0, -np.inf]], 0.5), "pairs")
    with pytest.raises(ValueError, match="form is 'sa': expected product or pairs"):
        to_quantecon(m, "sa")
    with pytest.raises(TypeError, match="from_quantecon takes a DiscreteDP, not int"):
        from_quantecon(3)
    with pytest.raises(ModelError, match=r"A is 4, and R has shape \(5, 3\)"):
        from_quantecon(to_quantecon(m), A=4)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_mdptoolbox_there_and_back(sparse: bool) -> None:
    m = discounted("full").to_sparse() if sparse else discounted("full")
    P, R, gamma = to_mdptoolbox(m)
    assert from_mdptoolbox(P, R, gamma, sparse=sparse) == m
    with warnings.catch_warnings():  # it compares sparse matrices in a way that SciPy calls slow
        warnings.simplefilter("ignore")
        solver = mdptoolbox.mdp.PolicyIteration(P, R, gamma)
        solver.run()
    assert np.abs(np.array(solver.V) - np.array([float(x) for x in exact_policy_iteration(m).V])).max() <= 1e-9


@pytest.mark.parametrize("shape", ["s", "sa", "ass"])
def test_mdptoolbox_means_by_rewards_what_we_read(shape: str) -> None:
    m = discounted("full")
    P, _, gamma = to_mdptoolbox(m)
    rng = np.random.default_rng(1)
    R = {"s": rng.normal(size=5), "sa": rng.normal(size=(5, 3)), "ass": rng.normal(size=(3, 5, 5))}[shape]
    solver = mdptoolbox.mdp.PolicyIteration(P, R, gamma)
    solver.run()
    ours = exact_policy_iteration(from_mdptoolbox(P, R, gamma)).V
    assert np.abs(np.array(solver.V) - np.array([float(x) for x in ours])).max() <= 1e-9
    assert np.array(solver.R).T == pytest.approx(from_mdptoolbox(P, R, gamma).R, abs=1e-14)
