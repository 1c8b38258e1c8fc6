"""What formats would lose in silence is refused, and small inputs that ask for much time or memory are refused at once."""

from __future__ import annotations

import gzip
import json
import time
from fractions import Fraction as F
from pathlib import Path

import pytest

from tabular import MDP, ModelError
from tabular.errors import FormatError
from tabular.interchange import read_drn, read_prism, read_umb, to_mdptoolbox, write_drn, write_prism, write_umb
from tabular.interchange._tar import members
from tabular.interchange.umb import _archive

P = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]


def test_labels_that_are_read_as_columns_are_refused(tmp_path: Path) -> None:
    for label in ("a{}", "{}"):
        swapped = MDP(P, [[1.0, 2.0], [3.0, 4.0]], 1, action_labels=[label.format(1), label.format(0)])
        with pytest.raises(ModelError, match=r"numbers in another order"):
            write_drn(tmp_path / "m.drn", swapped)
    with pytest.raises(ModelError, match=r"numbers in another order, a1, a0"):
        write_prism(tmp_path / "m", MDP(P, [[1.0, 2.0], [3.0, 4.0]], 1, action_labels=["a1", "a0"]))


def test_a_discount_that_is_no_float_is_not_rounded_unawares() -> None:
    third = MDP(P, [[1.0, 2.0], [3.0, 4.0]], F(1, 3))
    with pytest.raises(ModelError, match="the discount is 1/3: drop="):
        to_mdptoolbox(third)
    assert to_mdptoolbox(third, drop=["exact"])[2] == 1 / 3


def test_an_end_label_without_a_file_of_labels_is_refused(tmp_path: Path) -> None:
    write_prism(tmp_path / "m", MDP(P, [[1.0, 2.0], [3.0, 4.0]], 1))
    with pytest.raises(ValueError, match="end_label is 'done', and labels are in a file of their own"):
        read_prism(tmp_path / "m.tra", 1, end_label="done")


def test_many_streams_take_no_copies_of_the_rest(tmp_path: Path) -> None:
    (tmp_path / "m.umb").write_bytes(gzip.compress(b"") * 4000 + gzip.compress(bytes(range(256)) * 2**15, 0))
    began = time.process_time()
    with pytest.raises(FormatError, match="no header of a POSIX tar archive"):
        read_umb(tmp_path / "m.umb", 1)
    assert time.process_time() - began < 2.0


def test_little_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.umb").write_bytes(gzip.compress(bytes(2**26 + 1)))
    with pytest.raises(FormatError, match="unpacks to more than 67108864 bytes"):
        read_umb(tmp_path / "m.umb", 1)


def test_two_rewards_of_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.umb"
    write_umb(file, MDP([[[1.0]]], [[2.0]], 1))
    files = members(file.read_bytes(), "m", 2**20)
    index = json.loads(files["index.json"])
    rewards = index["annotations"]["rewards"]
    rewards["other"] = rewards["reward"]
    files["annotations/rewards/other/choices/values.bin"] = bytes(8)
    file.write_bytes(_archive(files | {"index.json": json.dumps(index).encode()}))
    with pytest.raises(FormatError, match="two of rewards have the name 'r'"):
        read_umb(file, 1)


def test_a_state_far_away_is_refused_at_once() -> None:
    for far in ((2**31 - 1, 0, {0: 1.0}, 0.0), (0, 0, {2**31 - 1: 1.0}, 0.0)):
        with pytest.raises(ModelError, match=r"state [01] has no pair"):
            MDP.from_pairs([far], 0.9)


def test_rows_that_are_long_only_on_a_common_denominator_are_bounded(tmp_path: Path) -> None:
    """150 kB of text in which each of 3000 entries is an integer of 6 kB."""
    n, q = 3000, [3**2700, 5**1800, 7**1500, 11**1200, 13**1100]
    rows = [f"\t\t{t} : {x // n}/{x}" for t, x in enumerate(q)] + [f"\t\t{t} : 1/{n}" for t in range(len(q), n)]
    lines = ["@type: MDP", "@value_type: rational", "@nr_states", str(n), "@model", "state 0", "\taction a [0]", *rows]
    lines += [f"state {s}\n\taction a [0]\n\t\t{s} : 1" for s in range(1, n)]
    (tmp_path / "m.drn").write_text("\n".join(lines))
    with pytest.raises(FormatError, match="line 7: rows on their common denominators need more than 1600000 bytes"):
        read_drn(tmp_path / "m.drn", 1, renormalise=True, max_bytes=200_000)
