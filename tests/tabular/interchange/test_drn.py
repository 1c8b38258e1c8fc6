"""DRN files: what comes back is what went in, known texts are read as meant, and refusals name line and column."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabular import MDP, ModelError
from tabular.errors import FormatError
from tabular.instances import gridworld, random_masks
from tabular.interchange import read_drn, undiscounted, write_drn

ALL = ("discount", "start")


def without_start(m: MDP) -> MDP:
    return m._with(rho=None, exact=m._exact and m._exact._replace(rho=None))


def test_what_comes_back_is_what_went_in(model: MDP, tmp_path: Path) -> None:
    write_drn(tmp_path / "m.drn", model, end_label="done", drop=ALL)
    gamma = model.gamma_exact if model.is_exact else model.gamma
    back = read_drn(tmp_path / "m.drn", gamma, end_label="done", sparse=model.is_sparse)
    start = model.rho is not None and model.rho.max() == 1.0
    assert back == (model if start else without_start(model))
    assert back.action_labels == model.action_labels and back.is_exact == model.is_exact


TEXT = """// a robot on two cells
@type: MDP
@value_type: rational
@parameters

@reward_models
time energy
@nr_states
3
@nr_choices
4
@model
state 0 [1, 2.5] init
\taction east [1/3, 0]
\t\t0 : 2/5
\t\t1 : 3/5
\taction stay [0, 1e-1]
\t\t0 : 1
state 1 [0, 0] "a goal" far
\taction east [0, 4]
\t\t0 : 0.25
\t\t2 : .75
state 2 done
\taction stay [0, 0]
\t\t2 : 1
"""


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_text_is_read_as_it_is_meant(tmp_path: Path) -> None:
    file = written(tmp_path / "m.drn", TEXT)
    m = read_drn(file, 1, reward="energy", end_label="done")
    x = m.exact()
    assert (m.S, m.A, m.action_labels) == (2, 2, ("east", "stay")) and m.mask.tolist() == [[True, True], [True, False]]
    assert x.row(0, 0) == {0: F(2, 5), 1: F(3, 5)} and x.row(1, 0) == {0: F(1, 4)} and x.end(1, 0) == F(3, 4)
    assert x.R == (F(5, 2), F(26, 10), F(4), F(0)) and x.rho == (1, 0)
    time = read_drn(file, 0.9, reward="time", end_label="done", exact=False, action_labels=["stay", "none", "east"])
    assert time.R[0].tolist() == [1.0, -np.inf, 1 + 1 / 3] and not time.is_exact and time.A == 3
    kept = read_drn(file, 1, reward="time")
    assert kept.S == 3 and not kept.has_end and kept.mask[2].tolist() == [False, True]


def test_a_chain_and_placeholders(tmp_path: Path) -> None:
    lines = ["@type: DTMC", "@placeholders", "$p : 1/2", "@nr_states", "2", "@model", "state 0", "\t0 : $p", "\t1 : $p"]
    text = "\r\n".join([*lines, "state 1", "\t1 : 1"])
    m = read_drn(written(tmp_path / "m.drn", text), 0.5)
    assert (m.S, m.A) == (2, 1) and m.P[0, 0].tolist() == [0.5, 0.5] and m.R.tolist() == [[0.0], [0.0]]


def test_names_that_are_no_columns_are_places(tmp_path: Path) -> None:
    text = TEXT.replace("stay", "__NOLABEL__")
    m = read_drn(written(tmp_path / "m.drn", text), 1, reward="time", end_label="done")
    assert m.action_labels is None and m.A == 2
    twice = TEXT.replace("action stay [0, 1e-1]", "action east [0, 1e-1]")
    assert read_drn(written(tmp_path / "m.drn", twice), 1, reward="time", end_label="done").action_labels is None


def test_decimals_that_were_cut_are_divided_by_their_sum_when_asked(tmp_path: Path) -> None:
    text = TEXT.replace("2/5", "0.333").replace("3/5", "0.666").replace("rational", "double")
    file = written(tmp_path / "m.drn", text)
    with pytest.raises(FormatError, match=r"m\.drn, line 14: the choice of state 0 sums to 1-0\.001"):
        read_drn(file, 0.5, reward="time")
    m = read_drn(file, 0.5, reward="time", renormalise=True)
    assert m.P[0, 0, 0] == pytest.approx(1 / 3)
    assert read_drn(file, 1, reward="time", renormalise=True, exact=True).exact().row(0, 0)[0] == F(1, 3)


# What is changed in TEXT, and what is said of it.
BAD: dict[str, tuple[str, str, str]] = {
    "type": ("MDP", "POMDP", r"line 2, column 8: the model is a 'POMDP'"),
    "values": ("rational\n", "parametric\n", "line 3, column 14: values are 'parametric'"),
    "parameter": ("@parameters\n\n", "@parameters\np\n", "line 5, column 1: the model has the parameter 'p'"),
    "field": ("// a robot", "@robot", "line 1, column 1: '@robot' is no field of the header"),
    "twice": ("@reward_models\n", "@type: MDP\n@reward_models\n", "line 6, column 1: @type: is given twice"),
    "no model": ("@model", "// @model", r"line 13, column 1: 'state' is no field of the header"),
    "no states": ("@nr_states\n3\n", "", "line 10: @nr_states is missing before @model"),
    "states": ("\n3\n", "\n4\n", "the file ends after 3 states: @nr_states says 4"),
    "fewer states": ("\n3\n", "\n2\n", "line 22, column 3: state '2': they are 0 \\.\\.\\. 1"),
    "room": ("\n3\n", "\n999999999999999999\n", "line 1: @nr_states is 999999999999999999: the file has no room"),
    "huge": ("\n3\n", "\n" + "9" * 30 + "\n", "line 9, column 1: '9{30}' is no @nr_states"),
    "zero": ("\n3\n", "\n0\n", "line 1: @nr_states is 0"),
    "choices": ("\n4\n", "\n5\n", "the file has 4 choices: @nr_choices says 5"),
    "order": ("state 1", "state 2", "line 19, column 7: state 2: expected 1"),
    "state": ("state 1", "state x", "line 19, column 7: 'x' is no state"),
    "successor": ("1 : 3/5", "3 : 3/5", r"line 16, column 3: state '3': they are 0 \.\.\. 2"),
    "again": ("1 : 3/5", "0 : 3/5", "line 16, column 3: successor 0 is given twice"),
    "negative": ("3/5", "-3/5", "line 16, column 7: '-3/5' is negative"),
    "sum": ("3/5", "2/5", "line 14: the choice of state 0 sums to 4/5: exact rows"),
    "nan": ("3/5", "nan", "line 16, column 7: 'nan' is no number"),
    "exponent": ("3/5", "1e999999999", "line 16, column 7: the exponent of '1e999999999' is beyond 400"),
    "zero exponent": ("3/5", "0e-99999", "line 16, column 7: the exponent"),
    "division": ("3/5", "3/0", "line 16, column 7: '3/0' divides by zero"),
    "digits": ("3/5", "0." + "3" * 5000, "line 16, column 7: a number of more than 4300 digits"),
    "fraction": ("3/5", "1/" + "3" * 5000, "line 16, column 7: a fraction of more than 4300 digits"),
    "underscore": ("3/5", "0.6_0", "line 16, column 7: '0.6_0' is no number"),
    "other digits": ("3/5", "٣/٥", "line 16, column 7: .* is no number"),
    "placeholder": ("3/5", "$p", r"line 16, column 7: placeholder '\$p' is not defined"),
    "reward": ("1/3", "x", "line 14, column 15: 'x' is no number"),
    "rewards": ("[1/3, 0]", "[1/3, 0, 0]", "line 14, column 14: 3 rewards: there are 2 reward models"),
    "bracket": ("[1/3, 0]", "[1/3, 0", "line 14, column 14: ] is missing"),
    "after": ("[1/3, 0]", "[1/3, 0] x", "line 14, column 22: 'x' after a choice"),
    "label": ('"a goal"', '"a goal', "line 19, column 16: .* are no labels"),
    "early choice": ("state 0 [1, 2.5] init\n", "", "line 13, column 2: a choice before the first state"),
    "early successor": ("state 0", "\t0 : 1\nstate 0", "line 13, column 2: a successor before the first state"),
    "empty choice": ("\t\t0 : 2/5\n\t\t1 : 3/5\n", "", "line 15, column 2: the choice before has no successor"),
    "end that is left": ("\t\t2 : 1\n", "\t\t1 : 1\n", "line 24: state 2 is an end, and is left for state 1"),
    "end that earns": ("stay [0, 0]", "stay [0, -1]", "line 24: state 2 is an end, and earns -1 there"),
    "initial end": ("state 2 done", "state 2 done init", "line 1: 2 states are initial, 0 and 2 among them"),
    "no colon": ("1 : 3/5", "1 3/5", "line 16, column 3: '1 3/5' is no state, choice or successor"),
    "no choice": (
        "\taction east [0, 4]\n\t\t0 : 0.25\n\t\t2 : .75\n",
        "",
        "the file has 3 choices: @nr_choices says 4",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_refusals_name_line_and_column(case: str, tmp_path: Path) -> None:
    old, new, message = BAD[case]
    assert old in TEXT
    file = written(tmp_path / "m.drn", TEXT.replace(old, new, 1))
    with pytest.raises(FormatError, match=f"m\\.drn, {message}|m\\.drn, line [0-9]+: {message}"):
        read_drn(file, 1, reward="energy", end_label="done")


BYTES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "line 1: the file ends before @model"),
    "zero byte": (b"@type: MDP\n@nr_st\0ates", "line 2, column 7: a zero byte"),
    "latin": (b"@type: MDP\n//\xe4", "line 2, column 3: byte 0xe4: this is not UTF-8"),
    "utf-16": (TEXT.encode("utf-16"), "line 1, column 1: byte 0xff"),
    "mark": (b"\xef\xbb\xbf" + TEXT.encode(), "line 1, column 1: a byte order mark"),
    "gzip": (b"\x1f\x8b\x08\x00", r"is compressed \(gzip\): decompress it first"),
}


@pytest.mark.parametrize("case", BYTES)
def test_what_is_no_text_is_refused(case: str, tmp_path: Path) -> None:
    data, message = BYTES[case]
    with pytest.raises(FormatError, match=f"m\\.drn.*{message}"):
        read_drn(written(tmp_path / "m.drn", data), 1)


def test_limits_are_the_callers(tmp_path: Path) -> None:
    file = written(tmp_path / "m.drn", TEXT)
    with pytest.raises(FormatError, match="has more than 100 bytes: pass max_bytes"):
        read_drn(file, 1, max_bytes=100)
    wide = ["@type: MDP", "@nr_states", "300", "@model"]
    for s in range(300):
        wide += [f"state {s}", f"\taction only{s} [0]", f"\t\t{s} : 1"]
    file = written(tmp_path / "wide.drn", "\n".join(wide))
    with pytest.raises(ModelError, match="300 states and 300 actions need about 23040000 bytes, the limit is"):
        read_drn(file, 1, max_bytes=10**5)
    assert read_drn(file, 1).A == 300


def test_a_row_of_enormous_rationals_is_refused_in_time(tmp_path: Path) -> None:
    """The sum of 60 fractions whose denominators share nothing has 240,000 digits."""
    rows = [f"\t\t{t} : 1/{10**4200 + 2 * t + 1}" for t in range(60)]
    text = "\n".join(
        ["@type: MDP", "@value_type: rational", "@nr_states", "60", "@model", "state 0", "\taction a [0]", *rows]
    )
    text += "".join(f"\nstate {s}\n\taction a [0]\n\t\t0 : 1" for s in range(1, 60))
    with pytest.raises(FormatError, match="line 7: the row has a common denominator of more than 65536 bits"):
        read_drn(written(tmp_path / "m.drn", text), 1)


def test_a_file_without_the_reward_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path / "m.drn", TEXT)
    with pytest.raises(ValueError, match="reward is 'cost': the file has time, energy"):
        read_drn(file, 1, reward="cost")
    with pytest.raises(ValueError, match="the file has 2 reward models, time, energy: pass reward"):
        read_drn(file, 1)


def test_what_the_format_cannot_say_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.drn"
    grid = gridworld("S.G\n.#T", gamma=F(1, 3), slip=0.1, step_reward=-0.04)
    with pytest.raises(
        ModelError, match=r"the DRN format has no discount, and the model's is 0.3+: write undiscounted"
    ):
        write_drn(file, grid, end_label="done")
    with pytest.raises(ModelError, match="cannot say that a step ends the process: end_label='done'"):
        write_drn(file, grid, drop="discount")
    spread = MDP(grid.P, grid.R, 1, end=grid.end, rho=[0.5, 0.5, 0.0])
    with pytest.raises(ModelError, match="has initial states, but no distribution over them"):
        write_drn(file, spread, end_label="done")
    with pytest.raises(ModelError, match="lists available pairs alone, and action 1 is available in no state"):
        write_drn(file, MDP([[[1.0], [0.0]]], [[0.0, -np.inf]], 1))
    with pytest.raises(ModelError, match=r"action_labels\[0\] is 'go on', which the DRN format cannot say"):
        write_drn(file, MDP([[[1.0]]], [[0.0]], 1, action_labels=["go on"]))
    with pytest.raises(ValueError, match="drop names 'ends': what can be left out is discount, start, exact"):
        write_drn(file, grid, drop=["ends"], end_label="done")
    with pytest.raises(ValueError, match="end_label is 'init'"):
        write_drn(file, grid, end_label="init", drop=ALL)
    with pytest.raises(FormatError, match="a number is too long to write"):
        write_drn(file, _long())
    assert not list(tmp_path.iterdir())


def _long() -> Any:
    return MDP.from_weights([[[10**4400 + 1, 10**4400]], [[0, 1]]], [[0.0], [1.0]], 1)


def test_an_exact_model_as_floats_when_asked(tmp_path: Path) -> None:
    grid = gridworld("S.G\n.#T", gamma=F(1, 3), slip=0.1, step_reward=-0.04)
    write_drn(tmp_path / "m.drn", grid, end_label="done", drop=["discount", "exact"])
    back = read_drn(tmp_path / "m.drn", 1 / 3, end_label="done")
    assert not back.is_exact and np.array_equal(back.P, grid.P) and np.array_equal(back.R, grid.R)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_undiscounted_keeps_values(sparse: bool) -> None:
    from tabular.certificates import exact_policy_iteration

    m = random_masks(4, 3).member(5, 2)
    m = m.to_sparse() if sparse else m
    u = undiscounted(m)
    assert u.gamma_exact == 1 and u.is_sparse == sparse and np.array_equal(u.mask, m.mask)
    assert exact_policy_iteration(u).V == exact_policy_iteration(m).V
    assert undiscounted(u) is u
    with pytest.raises(TypeError, match="undiscounted takes an MDP"):
        undiscounted(3)  # type: ignore[arg-type]
