"""PRISM's explicit files in both dialects: round trips, texts in PRISM's own manner, and refusals by file, line and column."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest

from tabular import MDP, ModelError
from tabular.errors import FormatError
from tabular.instances import gridworld
from tabular.interchange import read_prism, write_prism

ALL = ("discount", "start")


def read(stem: Path, gamma: object, **options: object) -> MDP:
    beside = {ending: stem.with_suffix(f".{ending}") for ending in ("lab", "srew", "trew", "sta")}
    return read_prism(stem.with_suffix(".tra"), gamma, **{k: p for k, p in beside.items() if p.exists()} | options)  # type: ignore[arg-type]


def test_what_comes_back_is_what_went_in(model: MDP, tmp_path: Path) -> None:
    files = write_prism(tmp_path / "m", model, end_label="done", drop=ALL)
    assert [f.suffix for f in files] == [".tra", ".lab", ".trew", ".sta"]
    gamma = model.gamma_exact if model.is_exact else model.gamma
    exact = model._exact is not None and model._exact.weights is not None
    back = read(tmp_path / "m", gamma, end_label="done", sparse=model.is_sparse, exact=exact)
    start = model.rho is not None and model.rho.max() == 1.0
    assert back == (model if start else model._with(rho=None, exact=model._exact and model._exact._replace(rho=None)))
    assert back.action_labels == model.action_labels


@pytest.mark.parametrize("worth", [0.0, 2.5])
def test_storms_dialect_comes_back_without_names(worth: float, tmp_path: Path) -> None:
    lake = MDP.from_gymnasium("FrozenLake-v1", 0.9)
    lake = MDP(lake.P, worth * lake.R, 0.9, end=lake.end, rho=lake.rho)
    files = write_prism(tmp_path / "m", lake, dialect="storm", end_label="done", drop="discount")
    assert [f.suffix for f in files] == [".tra", ".lab", ".trew"]
    assert files[2].stat().st_size > 10  # Storm reads no empty file
    assert read(tmp_path / "m", 0.9, end_label="done") == lake


# As PRISM writes a robot on four cells, in its exact mode.
TRA = """# Transitions (MDP)
4 6 9
0 0 0 2/5 east
0 0 1 3/5 east
0 1 1 1/10 south
0 1 2 9/10 south
1 0 1 1/2 south
1 0 2 1/2 south
2 0 3 1 stuck
2 1 1 1 east
3 0 3 1 stuck
"""
STA = "(s,t)\n0:(0,0)\n1:(0,1)\n2:(1,0)\n3:(1,1)\n"
LAB = '0="init" 1="deadlock" 2="goal"\n0: 0\n2: 2\n3: 2 1\n'
SREW = '# Reward structure "energy"\n# State rewards\n4 2\n0 7/2\n1 -0.25\n'
TREW = '# Reward structure "energy"\n# Transition rewards\n4 6 3\n0 0 0 3\n0 0 1 3\n2 1 1 1e1\n'
TEXTS = {"tra": TRA, "sta": STA, "lab": LAB, "srew": SREW, "trew": TREW}


def written(folder: Path, **changes: str) -> Path:
    for ending, text in (TEXTS | changes).items():
        (folder / f"m.{ending}").write_text(text, encoding="utf-8")
    return folder / "m"


def test_a_text_is_read_as_prism_means_it(tmp_path: Path) -> None:
    m = read(written(tmp_path), F(1, 2))
    assert (m.S, m.A, m.action_labels) == (4, 3, ("east", "south", "stuck"))
    assert m.mask.tolist() == [[True, True, False], [False, True, False], [True, False, True], [False, False, True]]
    x = m.exact()
    assert x.row(0, 1) == {1: F(1, 10), 2: F(9, 10)} and x.rho == (1, 0, 0, 0)
    assert (x.R[0], x.R[1], x.R[4], x.R[6], x.R[8]) == (F(13, 2), F(7, 2), F(-1, 4), F(10), 0)
    floats = read(tmp_path / "m", 0.5, exact=False)
    assert not floats.is_exact and floats.P[0, 0, 0] == 0.4


STORM = {
    "tra": "mdp\n0 0 0 0.4\n0 0 1 0.6\n0 1 1 1\n1 0 1 1\n",
    "lab": "#DECLARATION\ninit done\n#END\n0 init\n1 done\n",
    "srew": "0 1.5\n",
    "trew": "0 0 0 2\n0 0 1 1\n",
    "sta": STA,
}


def test_storm_averages_rewards_of_transitions(tmp_path: Path) -> None:
    stem = written(tmp_path, **STORM)
    stem.with_suffix(".sta").unlink()
    m = read(stem, 0.5, exact=True)
    assert m.exact().R[:2] == (F(3, 2) + F(14, 10), F(3, 2)) and m.mask.tolist() == [[True, True], [True, False]]
    ended = read(stem, 0.5, end_label="done", exact=True)
    assert (ended.S, ended.exact().end(0, 0), ended.rho.tolist()) == (1, F(3, 5), [1.0])


# Which file, what is changed in it, and what is said.
BAD: dict[str, tuple[str, str, str, str]] = {
    "chain": ("tra", "4 6 9", "4 9", r"m\.tra, line 2, column 1: 2 numbers: .* \(a Markov chain has two\)"),
    "states": ("tra", "4 6 9", "3 6 9", r"m\.tra, line 9, column 5: state '3': they are 0 \.\.\. 2"),
    "more states": ("tra", "4 6 9", "5 6 9", r"m\.tra, line 1: state 4 has no transition"),
    "room": ("tra", "4 6 9", "9999999999 6 9", r"m\.tra, line 2, column 1: 9999999999 states, 6 choices, 9 transitions"),
    "choices": ("tra", "4 6 9", "4 7 9", r"m\.tra, line 2, column 1: 7 choices are announced, and there are 6"),
    "entries": ("tra", "4 6 9", "4 6 10", r"m\.tra, line 2, column 5: 10 entries are announced, and 9 lines follow"),
    "words": ("tra", "1 0 1 1/2 south", "1 0 1", r"m\.tra, line 7, column 1: 3 words: expected state, choice"),
    "number": ("tra", "1 0 1 1/2", "1 0 1 half", r"m\.tra, line 7, column 7: 'half' is no number"),
    "negative": ("tra", "1 0 1 1/2", "1 0 1 -1/2", r"m\.tra, line 7, column 7: '-1/2' is negative"),
    "sum": ("tra", "1 0 1 1/2", "1 0 1 1/3", r"m\.tra, line 7: the choice of state 1 sums to 5/6"),
    "twice": ("tra", "1 0 2 1/2", "1 0 1 1/2", r"m\.tra, line 8, column 5: the transition 1 0 1 is given twice"),
    "names": ("tra", "1 0 2 1/2 south", "1 0 2 1/2 north", r"m\.tra, line 8, column 11: choice 0 of state 1 is named 'south'"),
    "gap": ("tra", "2 1 1 1", "2 2 1 1", r"m\.tra, line 10: choice 2 of state 2: expected 1"),
    "no names": ("sta", "(s,t)", "s,t", r"m\.sta, line 1, column 1: expected the names of variables"),
    "values": ("sta", "1:(0,1)", "1:0,1", r"m\.sta, line 3, column 1: expected state:\(values\)"),
    "order": ("sta", "1:(0,1)", "2:(0,1)", r"m\.sta, line 3, column 1: state '2': expected 1"),
    "fewer": ("sta", "3:(1,1)\n", "", r"m\.sta, line 5: 3 states: the transitions have 4"),
    "label": ("lab", '2="goal"', "2=goal", r"m\.lab, line 1, column 23: '2=goal': expected a new label"),
    "label twice": ("lab", '2="goal"', '1="goal"', r"m\.lab, line 1, column 23: .* expected a new label"),
    "undeclared": ("lab", "2: 2", "2: 7", r"m\.lab, line 3, column 4: label '7' is not declared"),
    "no colon": ("lab", "2: 2", "2 2", r"m\.lab, line 3, column 1: expected state: labels"),
    "labelled": ("lab", "2: 2", "9: 2", r"m\.lab, line 3, column 1: state '9'"),
    "initial": ("lab", "2: 2", "2: 2 0", r"m\.tra, line 1: 2 states are initial, 0 and 2 among them"),
    "srew states": ("srew", "4 2", "3 2", r"m\.srew, line 3, column 1: 3 states: the transitions have 4"),
    "srew twice": ("srew", "1 -0.25", "0 -0.25", r"m\.srew, line 5, column 1: state 0 is given twice"),
    "srew words": ("srew", "1 -0.25", "1 2 3", r"m\.srew, line 5, column 1: 3 words: expected state, reward"),
    "srew infinite": ("srew", "-0.25", "1e400000", r"m\.srew, line 5, column 3: the exponent of"),
    "trew choices": ("trew", "4 6 3", "4 5 3", r"m\.trew, line 3, column 1: 4 states and 5 choices: the transitions have 4 and 6"),
    "trew none": ("trew", "2 1 1", "2 1 2", r"m\.trew, line 6, column 1: there is no transition 2 1 2"),
    "trew differ": ("trew", "0 0 1 3", "0 0 1 4", r"m\.trew, line 5, column 7: rewards within choice 0 of state 0 differ"),
    "trew some": ("trew", "4 6 3\n0 0 0 3\n", "4 6 2\n", r"m\.trew, line 4: choice 0 of state 0 has rewards for 1 of 2"),
    "trew twice": ("trew", "0 0 1 3", "0 0 0 3", r"m\.trew, line 5, column 1: the reward of 0 0 0 is given twice"),
    "trew words": ("trew", "0 0 1 3", "0 0 1 3 3", r"m\.trew, line 5, column 1: 5 words"),
    "empty": ("trew", TREW, "# nothing\n", r"m\.trew, line 1: the file is empty"),
    "no transitions": ("tra", TRA, "", r"m\.tra, line 1: the file is empty"),
    "end that is left": ("lab", '"goal"', '"done"', r"m\.tra, line 10: state 2 is an end, and earns 10 there"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_refusals_name_file_line_and_column(case: str, tmp_path: Path) -> None:
    ending, old, new, message = BAD[case]
    assert old in TEXTS[ending]
    with pytest.raises(FormatError, match=message):
        read(written(tmp_path, **{ending: TEXTS[ending].replace(old, new, 1)}), 1, end_label="done")


BAD_STORM: dict[str, tuple[str, str, str, str]] = {
    "kind": ("tra", "mdp", "dtmc", r"m\.tra, line 1, column 1: the model is a 'dtmc': expected mdp"),
    "far": ("tra", "1 0 1 1", "1 0 999999999 1", r"m\.tra, line 1: state 999999999 occurs, and 4 transitions are too few"),
    "index": ("tra", "1 0 1 1", f"1 0 {10**20} 1", r"m\.tra, line 5, column 5: '1000+' is no state"),
    "words": ("tra", "1 0 1 1", "1 0 1", r"m\.tra, line 5, column 1: 3 words"),
    "labels": ("lab", "#END", "END", r"m\.lab, line 1: expected #DECLARATION, names of labels, #END"),
    "undeclared": ("lab", "1 done", "1 gone", r"m\.lab, line 5, column 3: label 'gone' is not declared"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_STORM)
def test_refusals_in_storms_dialect(case: str, tmp_path: Path) -> None:
    ending, old, new, message = BAD_STORM[case]
    stem = written(tmp_path, **STORM | {ending: STORM[ending].replace(old, new, 1)})
    stem.with_suffix(".sta").unlink()
    with pytest.raises(FormatError, match=message):
        read(stem, 1)


def test_a_dialect_that_is_said_must_be_the_files(tmp_path: Path) -> None:
    stem = written(tmp_path)
    with pytest.raises(FormatError, match="this is the dialect of prism, not of storm"):
        read(stem, 1, dialect="storm")
    with pytest.raises(ValueError, match="dialect is 'jani': expected prism or storm"):
        read(stem, 1, dialect="jani")


def test_what_a_dialect_cannot_say_is_refused(tmp_path: Path) -> None:
    grid = gridworld("S.G\n.#T", gamma=F(1, 3), slip=0.1, step_reward=-0.04)
    stem = tmp_path / "m"
    with pytest.raises(ModelError, match="Storm's explicit format holds floats, and the model is exact: drop="):
        write_prism(stem, grid, dialect="storm", end_label="done", drop="discount")
    with pytest.raises(ModelError, match=r"Storm's explicit format has no negative rewards, and R\[0, 0\] is one"):
        write_prism(stem, grid, dialect="storm", end_label="done", drop=["discount", "exact"])
    masks = MDP(np.ones((2, 2, 2)) / 2, [[1.0, 1.0], [-np.inf, 1.0]], 1)
    with pytest.raises(ModelError, match="has no names of actions: state 1 has action 1 and not action 0"):
        write_prism(stem, masks, dialect="storm")
    with pytest.raises(ModelError, match="PRISM's explicit format has no discount"):
        write_prism(stem, grid, end_label="done")
    with pytest.raises(ModelError, match=r"action_labels\[0\] is 'go on', which PRISM's explicit format cannot say"):
        write_prism(stem, MDP([[[1.0]]], [[0.0]], 1, action_labels=["go on"]))
    with pytest.raises(ValueError, match="end_label is 'deadlock'"):
        write_prism(stem, grid, end_label="deadlock", drop="discount")
    assert not list(tmp_path.iterdir())


def test_rewards_that_share_no_denominator_are_refused_in_time(tmp_path: Path) -> None:
    n = 40
    tra = "mdp\n" + "".join(
        f"{s} 0 {t} {'1/40' if s == 0 else 1 if t == s else 0}\n" for s in range(n) for t in range(n)
    )
    trew = "".join(f"0 0 {t} 1/{10**4200 + 2 * t + 1}\n" for t in range(n))
    stem = written(tmp_path, tra=tra, trew=trew)
    with pytest.raises(FormatError, match="line 2: numbers with a common denominator of more than 65536 bits"):
        read_prism(stem.with_suffix(".tra"), 1, trew=stem.with_suffix(".trew"))
