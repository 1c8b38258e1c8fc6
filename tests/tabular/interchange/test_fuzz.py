"""Every reader of files, fed with noise: valid files with bytes changed, and texts made of the formats' own words.

Only FormatError, ModelError or a plain ValueError may come out, and what is read is a model: its rows, read back in rationals, are
distributions. ``make test-thorough`` runs a hundred times as many.
"""

from __future__ import annotations

import gzip
import re
import tempfile
from collections.abc import Callable
from fractions import Fraction as F
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabular import MDP, ModelError
from tabular.errors import FormatError
from tabular.instances import gridworld
from tabular.interchange import load, read_drn, read_prism, read_umb, save, write_drn, write_prism, write_umb
from tabular.interchange._tar import members
from tabular.interchange.umb import _archive

FEW, MANY = 150, 15_000
LIMIT = 2**20  # bytes of a file; eight times that for a model


@cache
def valid() -> dict[str, tuple[bytes, ...]]:
    """Files of two small models, one exact that ends, and one of floats."""
    grid = gridworld("S.G\n.#T", gamma=F(1, 3), slip=0.1, step_reward=-0.04)
    lake = MDP.from_gymnasium("FrozenLake-v1", 0.9)
    floats = MDP(lake.P, lake.R + 1, 0.9, end=lake.end, rho=lake.rho)
    drop, found = ("discount",), {}
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "m"
        for name, m in (("exact", grid), ("floats", floats)):
            write_drn(stem, m, end_label="done", drop=drop)
            found[f"drn {name}"] = (stem.read_bytes(),)
            write_umb(stem, m, end_label="done", drop=drop, compress=name == "floats")
            found[f"umb {name}"] = (stem.read_bytes(),)
            files = write_prism(stem, m, end_label="done", drop=drop, dialect="prism" if name == "exact" else "storm")
            found[f"prism {name}"] = tuple(f.read_bytes() for f in files)
        save(stem, grid)
        found["npz"] = (stem.read_bytes(),)
    return found


def read(kind: str, files: tuple[bytes, ...], folder: Path) -> MDP:
    """Write the files and read them."""
    paths = [folder / f"f{i}" for i in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    options: dict[str, Any] = {"end_label": "done", "max_bytes": LIMIT}
    if kind.startswith("drn"):
        return read_drn(paths[0], 1, **options)
    if kind.startswith("umb"):
        return read_umb(paths[0], F(1, 3), **options)
    if kind.startswith("prism"):
        beside = dict(zip(("lab", "trew", "sta"), paths[1:], strict=False))
        return read_prism(paths[0], 1, **beside, **options)  # type: ignore[arg-type]
    found = load(paths[0], max_bytes=8 * LIMIT)
    assert isinstance(found, MDP)
    return found


def attempt(kind: str, files: tuple[bytes, ...], seen: dict[str, int]) -> None:
    """One file: refused with a message, or a model whose rows are distributions."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            m = read(kind, files, Path(folder))
        except ValueError as error:  # FormatError and ModelError are
            mine = isinstance(error, (FormatError, ModelError)) or re.search(
                "reward models|name one|in aps: it has", str(error)
            )
            assert mine and 0 < len(str(error)) < 2000, error
            seen["refused"] += 1
            return
    x = m.exact()
    for s in range(m.S):
        assert m.mask[s].any()
        for a in range(m.A):
            if m.mask[s, a]:
                row = x.row(s, a)
                assert sum(row.values()) + x.end(s, a) == 1 and min(row.values(), default=0) >= 0 <= x.end(s, a)
    assert m.R[m.mask].min() > float("-inf") and m.R.max() < float("inf")
    seen["read"] += 1


@st.composite
def edits(draw: st.DrawFn, files: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """One of the files with a few changes: bytes replaced, put in, cut out, repeated, or the end left out."""
    which = draw(st.integers(0, len(files) - 1))
    data = bytearray(files[which])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        how = draw(st.sampled_from(("byte", "bit", "put", "cut", "again", "end", "word")))
        if how == "byte" and data:
            data[at] = draw(st.integers(0, 255))
        elif how == "bit" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "put":
            data[at:at] = draw(st.binary(max_size=9))
        elif how == "cut":
            del data[at : at + draw(st.integers(1, 40))]
        elif how == "again":
            data[at:at] = data[at : at + draw(st.integers(1, 200))]
        elif how == "end":
            del data[at:]
        else:
            data[at : at + draw(st.integers(0, 8))] = draw(st.sampled_from(WORDS)).encode()
    return (*files[:which], bytes(data), *files[which + 1 :])


WORDS = """state 0|state|action a|action|[1/2]|[|]|:|0 : 1|1 : 1/2|init|done|@model|@type: MDP|@type: DTMC|@value_type: rational|
@nr_states|@nr_choices|@reward_models|@parameters|@placeholders|$p : 1|$p|0|1|2|3|-1|1/3|2/3|1/0|0.5|.5|5.|1e-320|1e400|1e999999999|
-0|nan|inf|99999999999999999999|0x1|1_0|mdp|dtmc|3 3 3|#DECLARATION|#END|0="init"|1="done"|0: 0|(s)|0:(0)|#|//|é|0 0 0 1|0 0 0 1/2|
0 0 1 1/2 a|0 1 0 1|1 0 1 1|2 0 2 1 b""".replace("\n", "").split("|")
WORDS += ["\n", "\t", " ", "\r\n", "\0", "\ufeff"]

texts = st.lists(
    st.sampled_from(WORDS) | st.from_regex(r"[0-9]{1,3}( [0-9./e-]{1,4}){0,4}\n", fullmatch=True), max_size=60
).map(lambda words: "".join(f"{w}{'' if w.isspace() else ' '}" for w in words).encode("utf-8", "surrogatepass"))
numbers = st.sampled_from(("0", "1", "1/2", "0.5", "1/3", "2/3", "1e0", "-1", "1e-400", "3/7", "x", "1e999", "10", ""))


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """One thing, and now and then another."""
    return st.sampled_from([usual] * 12 + list(others))


@st.composite
def drn_texts(draw: st.DrawFn) -> bytes:
    """Files that keep DRN's grammar, more or less: numbers, counts and names at will."""
    S = draw(st.integers(1, 4))
    body, choices = [], 0
    for s in range(S):
        body.append(f"state {s}{draw(mostly('', ' [1]', ' [1, 2]', ' init', ' done', ' [0] init done'))}")
        for a in range(draw(mostly(1, 2, 0, 3))):
            choices += 1
            name = draw(mostly(str(a), "a", "b", "__NOLABEL__", ""))
            body.append(f"\taction {name}{draw(mostly(' [0]', '', ' [-1/2]', ' [1, 2]', ' [x]'))}")
            p = draw(mostly(("1",), ("1/2", "0.5"), ("1/3", "2/3"), ("1/3", "0.6"), ()))
            body += [f"\t\t{t} : {x}" for t, x in zip(draw(st.permutations(range(S))), p, strict=False)]
            if draw(mostly(False, True)):
                body.append(f"\t\t{draw(st.integers(0, S))} : {draw(numbers)}")
    head = [
        f"@type: {draw(mostly('MDP', 'DTMC', 'SMG'))}",
        f"@value_type: {draw(mostly('rational', 'double', 'parametric'))}",
    ]
    head += ["@reward_models", draw(mostly("r", "r q", "")), "@nr_states", str(draw(mostly(S, S + 1)))]
    head += ["@nr_choices", str(draw(mostly(choices, choices + 1, "x"))), "@model"]
    return "\n".join(head + body).encode()


@st.composite
def explicit_texts(draw: st.DrawFn) -> tuple[bytes, ...]:
    """Transitions, labels and rewards that belong together, more or less."""
    S = draw(st.integers(1, 4))
    prism = draw(st.booleans())
    rows, rewards, choices = [], [], 0
    for s in range(S):
        for c in range(draw(st.sampled_from((1, 1, 2, 0)))):
            choices += 1
            row = draw(st.sampled_from((("1",), ("1",), ("1/2", "0.5"), ("1/3", "2/3"), ("x",), ("1", "1"))))
            for t, p in zip(draw(st.permutations(range(S))), row, strict=False):
                rows.append(f"{s} {c} {t} {p}{draw(st.sampled_from(('', ' a', ' b'))) if prism else ''}")
                rewards.append(f"{s} {c} {t} {draw(numbers)}")
    n = len(rows) + draw(st.sampled_from((0, 0, 0, 1)))
    tra = [f"{S} {choices} {n}" if prism else draw(st.sampled_from(("mdp", "MDP", "dtmc"))), *rows]
    trew = ([f"{S} {choices} {len(rewards)}"] if prism else []) + rewards
    labels = [
        f"{s}{':' if prism else ''} {draw(st.sampled_from(('0', '1', 'init', 'done')))}"
        for s in range(draw(st.integers(0, S)))
    ]
    lab = (['0="init" 1="done"'] if prism else ["#DECLARATION", "init done", "#END"]) + labels
    return tuple("\n".join(lines).encode() for lines in (tra, lab, trew)[: draw(st.sampled_from((1, 2, 3)))])


@st.composite
def umb_archives(draw: st.DrawFn) -> bytes:
    """Archives whose headers are right, and whose members are changed: tar's checksum lets few mutations through."""
    files = members(valid()["umb exact"][0], "m.umb", LIMIT)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(files)))
        (files[name],) = draw(edits((files[name],)))
    packed = _archive(files)
    return gzip.compress(packed, mtime=0) if draw(st.booleans()) else packed


def hunt(strategy: st.SearchStrategy[Any], check: Callable[[Any], None], n: int) -> None:
    """``check`` of ``n`` examples."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    settings(max_examples=n, suppress_health_check=slow, database=None)(given(strategy)(check))()


def cases() -> dict[str, tuple[str, Callable[[], st.SearchStrategy[Any]]]]:
    """Kind of the reader, and where its files come from."""
    mutated = {f"{kind}, bytes changed": (kind, lambda kind=kind: edits(valid()[kind])) for kind in valid()}
    grammar: dict[str, tuple[str, Callable[[], st.SearchStrategy[Any]]]] = {
        "drn, of its words": ("drn", lambda: texts.map(lambda t: (t,))),
        "drn, by its grammar": ("drn", lambda: drn_texts().map(lambda t: (t,))),
        "prism, of its words": ("prism", lambda: st.tuples(texts, texts, texts)),
        "prism, by its grammar": ("prism", explicit_texts),
        "umb, members changed": ("umb", lambda: umb_archives().map(lambda t: (t,))),
        "umb, any bytes": ("umb", lambda: st.binary(max_size=3000).map(lambda t: (t,))),
    }
    return mutated | grammar


def run(case: str, n: int) -> dict[str, int]:
    kind, strategy = cases()[case]
    seen = {"refused": 0, "read": 0}
    hunt(strategy(), lambda files: attempt(kind, files, seen), n)
    print(f"{case}: {seen}")
    return seen


@pytest.mark.parametrize("case", list(cases()))
def test_noise_is_refused_or_a_model(case: str) -> None:
    seen = run(case, FEW)
    assert seen["refused"] > FEW // 20  # or else nothing was tried
    if case not in BLIND:
        assert seen["read"] > 0


# Archives under a checksum, and words at random, which no reader takes for a model within the few.
BLIND = (
    "drn, of its words",
    "prism, of its words",
    "umb, any bytes",
    "umb floats, bytes changed",
    "npz, bytes changed",
)


@pytest.mark.thorough
@pytest.mark.parametrize("case", list(cases()))
def test_noise_is_refused_or_a_model_at_length(case: str) -> None:
    assert sum(run(case, MANY).values()) >= MANY // 2


def test_no_reader_or_writer_knows_pickle() -> None:
    """No pickle anywhere but in the cache of compiled kernels, which Numba fills and nobody else; and no code out of files."""
    import tabular

    root = Path(tabular.__file__).parent
    words = (
        "import pickle",
        "import marshal",
        "import shelve",
        "cloudpickle",
        "joblib",
        "allow_pickle=True",
        "eval(",
        "exec(",
        "extractall",
    )
    for file in sorted(root.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        found = [word for word in words if re.search(rf"(?<!\w){re.escape(word)}", text)]
        assert not found or (file.name == "_jit.py" and found == ["import pickle"]), (file, found)
