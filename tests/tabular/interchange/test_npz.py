"""Files: what comes back equals what went in, and a hostile file is refused with bounded memory and a clear message."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from fractions import Fraction as F
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabular import MDP, FiniteHorizonMDP, MDPBatch, ModelError
from tabular.errors import FormatError
from tabular.instances import garnet, garnet_sparse, gridworld, random_endings, random_masks, two_armed
from tabular.interchange.npz import load, save


def with_thirds() -> MDP:
    """Floats beside exact rewards and an exact start distribution, unavailable actions, and labels."""
    m = random_masks(4, 3).member(5, 2)
    R = m.R.astype(object)
    R[0, int(np.argmax(m.mask[0]))] = F(1, 3)
    rho = np.array([F(1, 3), F(1, 6), F(1, 4), F(1, 4)], dtype=object)
    return MDP(m.P, R, 0.9, rho=rho, state_labels=list("abcd"), action_labels=["α", "β", '"'], name="héé\n")


def horizon(**options: Any) -> FiniteHorizonMDP:
    b = garnet(3, 2)(0, 5)
    return FiniteHorizonMDP(b.P, b.R, **options)


@cache
def models() -> dict[str, Any]:
    grid = gridworld("S.G\n.#T", gamma=F(1, 3), slip=0.1, step_reward=-0.04)
    masks = random_masks(4, 3)(3, 9)
    b = garnet(3, 2)(0, 5)
    index = [0, 1, 0, 2, 1]
    return {
        "floats": MDP(b.P[0], b.R[0], 0.9, rho=[0.2, 0.3, 0.5]),
        "sparse": garnet_sparse(0, 50, 3, 4),
        "thirds": with_thirds(),
        "thirds sparse": with_thirds().to_sparse(),
        "grid": grid,
        "grid sparse": grid.to_sparse(),
        "weights with a float start": grid._with(rho=np.array([0.1, 0.2, 0.7])),
        "masks": masks[4],
        "endings": random_endings(4, 3).member(0, 0),
        "lake": MDP.from_gymnasium("FrozenLake-v1", F(99, 100), exact=True),
        "discount": MDP(b.P[0], b.R[0], F(1, 3)),
        "large weights": MDP.from_weights([[[10**300, 1]], [[0, 1]]], [[0.0], [1.0]], 0.5),
        "one": MDP([[[1.0]]], [[0.0]], 0),
        "all end": MDP(np.zeros((1, 1, 1)), [[2.0]], 1, end=[[1.0]]).to_sparse(),
        "batch": masks,
        "batch of floats": MDPBatch(masks.P, masks.R, [F(1, 3)] * 9, rho=[0.1, 0.2, 0.3, 0.4], name="nine"),
        "batch of arms": two_armed()(0, 3),
        "horizon": horizon(rho=[0.2, 0.3, 0.5], terminal=[F(1, 3), 2, 3], state_labels=list("abc"), name="five"),
        "horizon exact start": horizon(rho=[F(1, 3), F(1, 6), F(1, 2)], gamma=F(1, 3)),
        "horizon stationary": FiniteHorizonMDP(b.P[0], b.R[0], H=7),
        "horizon sparse": FiniteHorizonMDP(b.P[0], b.R[0], H=3).to_sparse(),
        "horizon repeating": FiniteHorizonMDP(b.P[index], b.R[index]),
    }


@pytest.mark.parametrize("name", list(models()))
def test_what_comes_back_is_what_went_in(name: str, tmp_path: Path) -> None:
    m = models()[name]
    save(tmp_path / "m.npz", m)
    n = load(tmp_path / "m.npz")
    assert type(n) is type(m) and n == m and n.content_hash == m.content_hash and repr(n) == repr(m)
    assert n.name == m.name and n.is_exact == m.is_exact
    if not isinstance(m, MDPBatch):
        assert (n.state_labels, n.action_labels) == (m.state_labels, m.action_labels)
        assert n.is_sparse == m.is_sparse and n.exact() is not None
    first = (tmp_path / "m.npz").read_bytes()
    save(tmp_path / "m.npz", n)
    assert (tmp_path / "m.npz").read_bytes() == first
    with np.load(tmp_path / "m.npz", allow_pickle=False) as plain:
        assert json.loads(plain["header"].tobytes())["format"] == "tabular-model"


def test_nothing_is_left_beside_and_failure_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.npz"
    save(path, models()["one"])
    before = path.read_bytes()
    assert [x.name for x in tmp_path.iterdir()] == ["m.npz"]

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="no space"):
        save(path, models()["grid"])
    assert path.read_bytes() == before and [x.name for x in tmp_path.iterdir()] == ["m.npz"]


def test_what_is_no_model_or_too_long_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="save takes an MDP or a FiniteHorizonMDP or an MDPBatch, not int"):
        save(tmp_path / "m.npz", 3)  # type: ignore[arg-type]
    exact = MDP([[[1.0]]], np.array([[1 + F(1, 3**10000)]], dtype=object), 0.5)
    with pytest.raises(FormatError, match="too long to write"):
        save(tmp_path / "m.npz", exact)
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_an_error_of_the_file_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")


def parts(name: str) -> dict[str, bytes]:
    """Members of a saved model."""
    file = io.BytesIO(packed(name))
    with zipfile.ZipFile(file) as z:
        return {x: z.read(x) for x in z.namelist()}


@cache
def packed(name: str) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "m.npz", models()[name])
        return (Path(folder) / "m.npz").read_bytes()


def npy(x: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(x), **({"version": (1, 0)} | options))
    return out.getvalue()


def text(value: Any) -> bytes:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return npy(np.frombuffer(raw, dtype=np.uint8))


def header(name: str) -> dict[str, Any]:
    return json.loads(np.load(io.BytesIO(parts(name)["header.npy"])).tobytes())


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in members:
            z.writestr(name, data)
    return out.getvalue()


def altered(name: str, **changes: Any) -> bytes:
    """A saved model with other members ("P" for P.npy; None takes one away) or header entries ("h_S")."""
    members = parts(name)
    h = header(name)
    h |= {k[2:]: v for k, v in changes.items() if k.startswith("h_")}
    members["header.npy"] = text(h)
    for key, value in changes.items():
        if not key.startswith("h_"):
            members[f"{key}.npy"] = value
    return zipped([(k, v) for k, v in members.items() if v is not None])


def stage(name: str, **changes: Any) -> dict[str, Any]:
    return header(name)["stage"] | changes


def exact_part(name: str, **changes: Any) -> bytes:
    members = parts(name)
    return text(json.loads(np.load(io.BytesIO(members["exact.npy"])).tobytes()) | changes)


SHAPE = {"descr": "<f8", "fortran_order": False, "shape": (-3, -2)}


def npy_header(fields: dict[str, Any], body: bytes = b"") -> bytes:
    out = repr(fields).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(out)) + out + body


HOSTILE: dict[str, tuple[Any, str]] = {
    "empty": (lambda: b"", "not an .npz file"),
    "text": (lambda: b"hello world", "not an .npz file"),
    "a zip of nothing": (lambda: zipped([]), "member 'header.npy' is missing"),
    "truncated": (lambda: packed("grid")[:-30], "not an .npz file"),
    "pickle": (lambda: zipped([("header.npy", npy(np.array([{}], dtype=object)))]), "header has dtype object"),
    "twice": (lambda: twice("grid"), "a member occurs twice"),
    "bzip2": (lambda: zipped(list(parts("grid").items()), zipfile.ZIP_BZIP2), "compressed in an unknown way"),
    "a path": (lambda: altered("one", **{"../../etc/x": b"x"}), r"'../../etc/x.npy' does not belong"),
    "a foreign member": (lambda: altered("one", more=npy([1.0])), "'more.npy' does not belong"),
    "a missing member": (lambda: altered("one", P=None), "'P.npy' is missing"),
    "header no npy": (lambda: zipped([("header.npy", b"{}")]), "header is damaged"),
    "header no json": (lambda: zipped([("header.npy", text(b"{"))]), "header is no JSON"),
    "header deep": (lambda: zipped([("header.npy", text(b"[" * 10**6))]), "header is no JSON"),
    "header NaN": (lambda: zipped([("header.npy", text(b"NaN"))]), "header holds NaN"),
    "header list": (lambda: zipped([("header.npy", text([]))]), "the header is no JSON object"),
    "header long number": (lambda: zipped([("header.npy", text(b"1" * 10**5))]), "header is no JSON"),
    "format": (lambda: altered("one", h_format="other"), "names the format 'other'"),
    "version": (lambda: altered("one", h_version=2), "version 2 of the format is unknown"),
    "kind": (lambda: altered("one", h_kind="game"), "kind 'game' of model is unknown"),
    "kind list": (lambda: altered("one", h_kind=[]), r"kind \[\] of model"),
    "S text": (lambda: altered("one", h_S="1"), "S of the header is '1': expected an integer from 1"),
    "S bool": (lambda: altered("one", h_S=True), "S of the header is 'True'"),
    "S zero": (lambda: altered("one", h_S=0), "S of the header is '0'"),
    "S absurd": (lambda: altered("one", h_S=10**9), "R has 136 bytes: expected 8000000000"),
    "S beyond": (lambda: altered("one", h_S=10**30), "S of the header is"),
    "name": (lambda: altered("one", h_name=3), "name of the header is '3': expected str"),
    "gamma float": (lambda: altered("one", h_gamma=0.5), "gamma is '0.5': expected a fraction"),
    "gamma by zero": (lambda: altered("one", h_gamma="1/0"), "gamma is '1/0'"),
    "gamma exponent": (lambda: altered("one", h_gamma="1e999999999"), "gamma is '1e999999999'"),
    "gamma long": (lambda: altered("one", h_gamma="1/" + "9" * 5000), "expected a fraction n/d"),
    "gamma big": (lambda: altered("one", h_gamma="3/2"), "gamma is 3/2: a discount lies in"),
    "labels": (lambda: altered("one", h_state_labels=[1]), "state_labels of the header are no names"),
    "labels short": (lambda: altered("one", h_state_labels=[]), "state_labels has 0 entries: expected 1"),
    "stage": (lambda: altered("one", h_stage=3), "stage of the header is '3'"),
    "flags": (lambda: altered("one", h_stage=stage("one", rho=1)), "rho of the header is '1': expected bool"),
    "weights without exact": (lambda: altered("one", h_stage=stage("one", weights=True)), "announces weights"),
    "nnz": (lambda: altered("sparse", h_stage=stage("sparse", nnz=-1)), "nnz of the header is '-1'"),
    "nnz wrong": (lambda: altered("sparse", h_stage=stage("sparse", nnz=5)), "data has .* bytes: expected 40"),
    "dtype": (lambda: altered("one", P=npy(np.zeros((1, 1, 1), dtype=np.int64))), "P has dtype int64: expected float64"),
    "endian": (lambda: altered("one", P=npy(np.ones((1, 1, 1), dtype=">f8"))), "P has dtype >f8"),
    "shape": (lambda: altered("one", P=npy(np.ones((1, 1)))), r"P has shape \(1, 1\): expected \(1, 1, 1\)"),
    "negative shape": (lambda: altered("one", header=npy_header(SHAPE, b"x" * 48)), "header has dtype float64"),
    "order": (lambda: altered("floats", P=npy(np.asfortranarray(np.ones((3, 2, 3))))), "in Fortran order"),
    "npy version": (lambda: altered("one", P=npy([[[1.0]]], version=(2, 0))), "P has .npy version"),
    "npy code": (lambda: altered("one", P=npy_header({"descr": "__import__('os')"}, b"12345678")), "P is damaged"),
    "npy short": (lambda: altered("one", P=npy([[[1.0]]])[:-1]), "P has 135 bytes of data|P has"),
    "NaN": (lambda: altered("one", P=npy([[[np.nan]]])), r"P\[0, 0, 0\] is nan"),
    "sum": (lambda: altered("one", P=npy([[[0.5]]])), r"P\[0, 0\] sums to 0.5"),
    "R": (lambda: altered("grid", R=npy(np.full((3, 4), np.inf))), r"R\[0, 0\] is inf"),
    "exact text": (lambda: altered("grid", exact=text([])), "exact holds no weights"),
    "exact rewards": (lambda: altered("grid", exact=exact_part("grid", R=["1"])), "exact R is no list of 12 fractions"),
    "exact reward": (
        lambda: altered("grid", exact=exact_part("grid", R=["x"] * 12)), r"exact R\[0\] is 'x': expected a fraction"
    ),
    "exact weights": (lambda: altered("grid", exact=exact_part("grid", weights=[1])), "exact weights are no lists"),
    "exact weight": (
        lambda: altered("grid", exact=exact_part("grid", weights=[[1.5], [], []])), "exact weights are no lists of"
    ),
    "exact start": (
        lambda: altered("masks", exact=exact_part("masks", rho=["1/4"] * 4)), "exact has a start distribution, the header none"
    ),
    "exact weights unannounced": (
        lambda: altered("thirds", exact=exact_part("thirds", weights=[[], [], []])), "the header announces none"
    ),
    "horizon stages": (lambda: altered("horizon", h_stages=[1]), "describes no stages"),
    "horizon index": (lambda: altered("horizon", h_index=[0, 2, 1, 3, 4]), r"index\[1\] of the header is 2"),
    "horizon index text": (lambda: altered("horizon", h_index=["0"]), r"index\[0\] of the header is '0'"),
    "horizon unused": (lambda: altered("horizon", h_index=[0, 1]), "describes 5 stages and uses 2"),
    "horizon terminal": (lambda: altered("horizon stationary", terminal=npy([np.nan] * 3)), r"terminal\[0\] is nan"),
    "batch B": (lambda: altered("batch", h_B=10**12), "weights has .* bytes: expected"),
    "batch weights": (
        lambda: altered("batch", weights=npy(np.full((9, 4, 3, 4), -1))), r"weights\[0, 0, 0, 0\] is -1"
    ),
    "batch gamma": (lambda: altered("batch", h_gamma=["1"]), "gamma is no list of 9 fractions"),
}  # fmt: skip


def twice(name: str) -> bytes:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return zipped([*parts(name).items(), ("P.npy", b""), ("P.npy", b"")])


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_by_name(case: str, tmp_path: Path) -> None:
    make, message = HOSTILE[case]
    (tmp_path / "x.npz").write_bytes(make())
    with pytest.raises((FormatError, ModelError), match=message):
        load(tmp_path / "x.npz")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    raw = bytearray(packed("one"))
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 8] |= 1
    (tmp_path / "x.npz").write_bytes(raw)
    with pytest.raises(FormatError, match="is encrypted"):
        load(tmp_path / "x.npz")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """128 MB of zeros in less than a quarter of a megabyte: refused before they are read."""
    S = 4000
    shape = {"descr": "<f8", "fortran_order": False, "shape": (S, 1, S)}
    bomb = npy_header(shape, bytes(8 * S * S))
    h = header("floats") | {"S": S, "A": 1, "stage": stage("floats", rho=False)}
    members = [
        ("header.npy", text(h)),
        ("P.npy", bomb),
        ("R.npy", npy(np.zeros((S, 1)))),
        ("end.npy", npy(np.zeros((S, 1)))),
    ]
    path = tmp_path / "bomb.npz"
    path.write_bytes(zipped(members))
    assert path.stat().st_size < 2**18 < 2**26 < len(bomb)
    del bomb, members
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="the limit is 1000000: pass max_bytes"):
            load(path, max_bytes=10**6)
        assert tracemalloc.get_traced_memory()[1] < 5 * 10**6
    finally:
        tracemalloc.stop()


def test_a_member_larger_than_it_says_is_not_unpacked(tmp_path: Path) -> None:
    """The directory says 136 bytes, the stream unpacks to 64 MiB: the reader stops at what was announced."""
    raw = bytearray(
        altered("one", P=npy_header({"descr": "<f8", "fortran_order": False, "shape": (1, 1, 1)}, bytes(2**26)))
    )
    for signature, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        i = -1
        while (i := raw.find(signature, i + 1)) >= 0:
            if struct.unpack_from("<I", raw, i + at)[0] > 2**26:
                struct.pack_into("<I", raw, i + at, 136)
    (tmp_path / "x.npz").write_bytes(raw)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="P "):
            load(tmp_path / "x.npz")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(name=st.sampled_from(["grid", "thirds sparse", "horizon", "batch"]), data=st.data())
def test_damaged_files_are_refused_or_read_right(name: str, data: st.DataObject, tmp_path: Path) -> None:
    """Bytes changed anywhere, or the end cut off: the right model or an error of the project, never another."""
    raw = bytearray(packed(name))
    if data.draw(st.booleans()):
        for _ in range(data.draw(st.integers(1, 3))):
            raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    (tmp_path / "x.npz").write_bytes(raw)
    try:
        m = load(tmp_path / "x.npz")
    except (FormatError, ModelError) as error:
        assert str(error)
    else:
        assert m == models()[name]


leaf = st.none() | st.booleans() | st.integers(-3, 10) | st.integers() | st.text(max_size=3)
leaf |= st.floats(allow_nan=False, allow_infinity=False)
junk = st.recursive(
    leaf,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(name=st.sampled_from(["grid", "thirds sparse", "horizon", "batch"]), data=st.data())
def test_altered_headers_are_refused_or_read(name: str, data: st.DataObject, tmp_path: Path) -> None:
    """An entry of the header, or of the description of a stage, is anything: a model or an error of the project."""
    h = header(name)
    changes = {f"h_{data.draw(st.sampled_from(sorted(h)))}": data.draw(junk)}
    if "stage" in h and data.draw(st.booleans()):
        changes = {"h_stage": h["stage"] | {data.draw(st.sampled_from(sorted(h["stage"]))): data.draw(junk)}}
    (tmp_path / "x.npz").write_bytes(altered(name, **changes))
    try:
        load(tmp_path / "x.npz").content_hash  # noqa: B018
    except (FormatError, ModelError) as error:
        assert str(error)
