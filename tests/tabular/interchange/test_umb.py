"""UMB archives: round trips, every announced size compared, and archives that lie or explode refused in bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabular import MDP, ModelError
from tabular.errors import FormatError
from tabular.instances import gridworld
from tabular.interchange import read_umb, write_umb
from tabular.interchange.umb import _archive

ALL = ("discount", "start")


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_what_comes_back_is_what_went_in(model: MDP, compress: bool, tmp_path: Path) -> None:
    write_umb(tmp_path / "m.umb", model, end_label="done", drop=ALL, compress=compress)
    gamma = model.gamma_exact if model.is_exact else model.gamma
    back = read_umb(tmp_path / "m.umb", gamma, end_label="done" if model.has_end else None, sparse=model.is_sparse)
    start = model.rho is not None and model.rho.max() == 1.0
    assert back == (model if start else model._with(rho=None, exact=model._exact and model._exact._replace(rho=None)))
    assert (back.action_labels, back.name) == (model.action_labels, model.name)


def test_the_same_model_gives_the_same_bytes_in_xz_too(tmp_path: Path) -> None:
    m = gridworld("S.G\n.#T", gamma=F(1, 3), slip=0.1, step_reward=-0.04)
    for name in ("a", "b"):
        write_umb(tmp_path / name, m, end_label="done", drop=ALL)
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    (tmp_path / "x").write_bytes(lzma.compress(gzip.decompress(data)))
    assert read_umb(tmp_path / "x", F(1, 3), end_label="done") == m


def test_rationals_are_as_wide_as_they_need(tmp_path: Path) -> None:
    m = MDP.from_weights([[[10**100, 1]], [[0, 1]]], [[F(-1, 10**60)], [1]], 1)
    write_umb(tmp_path / "m", m)
    assert read_umb(tmp_path / "m", 1) == m


def parts(path: Path) -> dict[str, bytes]:
    data = path.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """The members of a small model: 3 states and an end, 13 choices."""
    write_umb(tmp_path / "m.umb", gridworld("S.G\n.#T", gamma=1, slip=0.1, step_reward=-0.04), end_label="done")
    return parts(tmp_path / "m.umb")


def read(path: Path, members: dict[str, bytes], **options: Any) -> MDP:
    path.write_bytes(_archive(members))
    return read_umb(path, 1, **{"end_label": "done"} | options)


def index(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, bytes]], None]:
    def apply(files: dict[str, bytes]) -> None:
        data = json.loads(files["index.json"])
        change(data)
        files["index.json"] = json.dumps(data).encode()

    return apply


def system(**fields: Any) -> Callable[[dict[str, bytes]], None]:
    return index(lambda data: data["transition-system"].update(fields))


def member(name: str, value: bytes | None) -> Callable[[dict[str, bytes]], None]:
    def apply(files: dict[str, bytes]) -> None:
        if value is None:
            del files[name]
        else:
            files[name] = value

    return apply


def patched(name: str, at: int, value: bytes) -> Callable[[dict[str, bytes]], None]:
    def apply(files: dict[str, bytes]) -> None:
        files[name] = files[name][:at] + value + files[name][at + len(value) :]

    return apply


def reward_of(data: dict[str, Any]) -> Any:
    return data["annotations"]["rewards"]["reward"]


REWARDS = "annotations/rewards/reward/choices/values.bin"
BAD: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "no index": (member("index.json", None), "there is no index.json"),
    "no JSON": (member("index.json", b"{\n 1}"), "index.json, line 2, column 2: Expecting property name"),
    "no object": (member("index.json", b"[]"), "index.json is no object"),
    "deep": (member("index.json", b"[" * 10**6), "index.json is no JSON: maximum recursion"),
    "latin": (member("index.json", b'"\xe4"'), "index.json is no JSON: .*utf-8"),
    "long": (member("index.json", b" " * 2**22 + b"{}"), r"index.json has \d+ bytes: at most"),
    "digits": (member("index.json", b"9" * 5000), "index.json is no JSON: Exceeds the limit"),
    "version": (index(lambda d: d.update({"format-version": 2})), "format-version is '2': this release reads 0 and 1"),
    "no system": (index(lambda d: d.pop("transition-system")), "transition-system in index.json is no object"),
    "time": (system(time="stochastic"), "time is 'stochastic': expected discrete"),
    "players": (system(**{"#players": 2}), "there are 2 players: an MDP has one"),
    "observations": (system(**{"#observations": 5}), "there are observations"),
    "states": (system(**{"#states": 10**18}), f"{10**18} states, 13 choices, .* each state has a choice"),
    "negative": (system(**{"#states": -1}), "#states is '-1': expected an integer from 1"),
    "text": (system(**{"#states": "3"}), "#states is '3': expected an integer"),
    "true": (system(**{"#states": True}), "#states is 'True'"),
    "branches": (system(**{"#branches": 10**18}), f"branch-to-target.bin has .* bytes: expected {8 * 10**18}"),
    "no targets": (member("branch-to-target.bin", None), "there is no branch-to-target.bin"),
    "target": (patched("branch-to-target.bin", 8, b"\x09"), r"branch-to-target.bin\[1\] is 9: states are 0 \.\.\. 3"),
    "starts": (patched("state-to-choices.bin", 8, b"\xff"), "state-to-choices.bin must rise from 0 to 13"),
    "no starts": (member("choice-to-branches.bin", None), "there is no choice-to-branches.bin, which 13 entries"),
    "short starts": (member("state-to-choices.bin", b"\0" * 8), "state-to-choices.bin has 8 bytes: expected 40"),
    "interval": (system(**{"branch-probability-type": {"type": "double-interval"}}), "expected double or rational"),
    "type list": (system(**{"branch-probability-type": {"type": ["double"]}}), "expected double or rational"),
    "no type": (system(**{"branch-probability-type": None}), "branch-probability-type in transition-system is no object"),
    "size": (system(**{"branch-probability-type": {"type": "rational", "size": 64}}), "size '64': expected a multiple of 128"),
    "width": (system(**{"branch-probability-type": {"type": "rational", "size": 2**31}}), "has size '2147483648'"),
    "wider": (system(**{"branch-probability-type": {"type": "rational", "size": 256}}), "branch-to-probability.bin has .* bytes"),
    "doubles": (system(**{"branch-probability-type": {"type": "double"}}), "branch-to-probability.bin has .* bytes"),
    "denominator": (patched("branch-to-probability.bin", 8, b"\0" * 8), r"branch-to-probability.bin\[0\] has the denominator zero"),
    "below zero": (patched("branch-to-probability.bin", 0, b"\xff" * 8), r"branch-to-probability.bin\[0\] is negative"),
    "sum": (patched("branch-to-probability.bin", 0, b"\x01" + b"\0" * 7), "choice 0: the choice of state 0 sums to"),
    "actions": (system(**{"#choice-actions": 10**9}), "#choice-actions is 1000000000: there are 13 choices"),
    "action": (patched("actions/choices/values.bin", 0, b"\x07"), r"actions/choices/values.bin\[0\] is 7: actions are 0 \.\.\. 3"),
    "names": (member("actions/choices/strings.bin", b"\xff" * 15), "actions/choices/strings.bin is not UTF-8"),
    "fewer names": (member("actions/choices/strings.bin", b"up"), "string-mapping.bin must rise from 0 to 2"),
    "bits": (member("state-is-initial.bin", b"\0" * 9), "state-is-initial.bin has 9 bytes: expected 8 for 4 states"),
    "bit": (member("state-is-initial.bin", b"\x10" + b"\0" * 7), "state-is-initial.bin has a bit beyond its 4 states"),
    "initial": (member("state-is-initial.bin", b"\x03" + b"\0" * 7), "2 states are initial"),
    "rewards": (member(REWARDS, b""), "annotations/rewards/reward/choices/values.bin has 0 bytes"),
    "applies": (index(lambda d: reward_of(d).update({"applies-to": ["players"]})), "rewards reward apply to"),
    "key": (index(lambda d: d["annotations"]["rewards"].update({"../x": {}})), r"annotation '\.\./x' of rewards"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_announced_must_be_there(case: str, files: dict[str, bytes], tmp_path: Path) -> None:
    change, message = BAD[case]
    change(files)
    with pytest.raises(FormatError, match=f"x.umb: .*{message}"):
        read(tmp_path / "x.umb", files)


def test_nan_and_infinity_are_no_numbers(tmp_path: Path) -> None:
    write_umb(tmp_path / "m.umb", MDP([[[1.0]]], [[2.0]], 1))
    files = parts(tmp_path / "m.umb")
    for value, name in ((np.nan, "branch-to-probability.bin"), (np.inf, REWARDS)):
        broken = files | {name: np.array([value]).tobytes()}
        with pytest.raises(FormatError, match=rf"{name}\[0\] is {value}: not a finite number"):
            read(tmp_path / "x.umb", broken, end_label=None)


def test_annotations_are_named_by_alias_or_identifier(files: dict[str, bytes], tmp_path: Path) -> None:
    whole = read(tmp_path / "x", files)
    assert (
        read(tmp_path / "x", files, end_label="end", reward="reward")
        == whole
        == read(tmp_path / "x", files, reward="r")
    )
    with pytest.raises(ValueError, match="has no 'gone' in aps: it has done"):
        read(tmp_path / "x", files, end_label="gone")
    index(
        lambda d: d["annotations"]["rewards"].update({"other": {"applies-to": ["states"], "type": {"type": "double"}}})
    )(files)
    with pytest.raises(ValueError, match="has 2 of rewards, r, other: name one"):
        read(tmp_path / "x", files)


def test_rewards_of_states_and_branches_are_added(files: dict[str, bytes], tmp_path: Path) -> None:
    plain = read(tmp_path / "x", files)
    note = {"applies-to": ["states", "branches"], "type": {"type": "double"}}
    index(lambda d: d["annotations"].update({"rewards": {"more": note}}))(files)
    n = len(files["branch-to-target.bin"]) // 8
    files["annotations/rewards/more/states/values.bin"] = np.array([1.0, 2.0, 3.0, -7.0]).tobytes()
    files["annotations/rewards/more/branches/values.bin"] = np.full(n, 7.0).tobytes()
    more = read(tmp_path / "x", files)
    assert more.R.tolist() == [[8.0] * 4, [9.0] * 4, [10.0] * 4] and np.array_equal(more.P, plain.P)


def tar(**fields: Any) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=fields.pop("format", tarfile.USTAR_FORMAT)) as archive:
        info = tarfile.TarInfo("index.json")
        for key, value in fields.items():
            setattr(info, key, value)
        archive.addfile(info, io.BytesIO(b"\0" * info.size))
    return stream.getvalue()


GOOD = tar(size=3)
ARCHIVES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "this is no tar archive"),
    "text": (b"hello " * 200, "byte 0 of the archive: this is no header of a POSIX tar"),
    "link": (tar(type=tarfile.SYMTYPE, linkname="/etc/passwd"), "a member of kind b'2': expected plain files"),
    "checksum": (b"x" + GOOD[1:], "the header does not fit its checksum"),
    "octal": (GOOD[:124] + b"9" * 11 + GOOD[135:], "the header's numbers are not octal"),
    "base 256": (GOOD[:124] + b"\x80" + GOOD[125:], "the header's numbers are not octal"),
    "cut": (GOOD[:513], "a member of 3 bytes: the archive ends after 1"),
    "twice": (GOOD[:1024] + GOOD[:1024], "byte 1024 of the archive: member 'index.json' occurs twice"),
    "renamed": (tar(format=tarfile.PAX_FORMAT, name="ä" * 200), "an extended header that renames or resizes"),
    "gzip cut": (gzip.compress(GOOD)[:-9], "is cut short|is damaged"),
    "gzip": (b"\x1f\x8b" + b"x" * 50, "is damaged"),
    "gzip after": (gzip.compress(GOOD) + b"x", "has 1 bytes after its compressed data"),
    "xz": (b"\xfd7zXZ\0" + b"x" * 50, "is damaged"),
    "xz memory": (
        lzma.compress(GOOD, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**30}]),
        "is damaged: Memory usage limit",
    ),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_what_is_no_archive_is_refused(case: str, tmp_path: Path) -> None:
    data, message = ARCHIVES[case]
    (tmp_path / "x.umb").write_bytes(data)
    with pytest.raises(FormatError, match=message):
        read_umb(tmp_path / "x.umb", 1)


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path) -> None:
    """Nested streams that would unpack to 2 GB, within a limit of a megabyte: a few megabytes of memory."""
    megabyte = b"\0" * 2**20
    for name, bomb in (("gzip", gzip.compress(megabyte) * 2000), ("xz", lzma.compress(megabyte) * 2000)):
        (tmp_path / name).write_bytes(bomb)
        tracemalloc.start()
        with pytest.raises(FormatError, match=f"unpacks to more than {2**23} bytes: pass max_bytes"):
            read_umb(tmp_path / name, 1, max_bytes=2**23)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**26


def test_what_the_format_cannot_say_is_refused(tmp_path: Path) -> None:
    grid = gridworld("S.G\n.#T", gamma=F(1, 3), slip=0.1, step_reward=-0.04)
    with pytest.raises(ModelError, match="the UMB format has no discount"):
        write_umb(tmp_path / "x", grid, end_label="done")
    with pytest.raises(ModelError, match="the UMB format cannot say that a step ends"):
        write_umb(tmp_path / "x", grid, drop="discount")
    with pytest.raises(ValueError, match="expected a name without control characters"):
        write_umb(tmp_path / "x", grid, end_label="a\n", drop="discount")
    assert not list(tmp_path.iterdir())


def test_sums_of_rationals_that_share_nothing_are_refused_in_time(tmp_path: Path) -> None:
    """Sixty branches to one state, whose probabilities have denominators of 2000 bits each."""
    width = 2048
    p = [F(1, 2**2000 + 2 * k + 1) for k in range(60)]
    data = b"".join(
        x.numerator.to_bytes(width // 8, "little") + x.denominator.to_bytes(width // 8, "little") for x in p
    )
    kind = {"type": "rational", "size": 2 * width}
    system = {
        "time": "discrete",
        "#players": 1,
        "#states": 1,
        "#choices": 1,
        "#branches": 60,
        "branch-probability-type": kind,
    }
    index = json.dumps({"format-version": 1, "transition-system": system}).encode()
    files = {"index.json": index, "branch-to-target.bin": b"\0" * 480, "branch-to-probability.bin": data}
    files["choice-to-branches.bin"] = np.array([0, 60], dtype="<u8").tobytes()
    with pytest.raises(FormatError, match="numbers with a common denominator of more than 65536 bits"):
        read(tmp_path / "x", files, end_label=None)
