"""The registry of papers: one TOML file per paper under ``papers/``, read strictly.

A file ``papers/<key>.toml`` holds ``number, key, short, title, room, bibtex`` and the list ``claims``; each
claim holds ``id, kind, statement, mark, state`` and, where they apply, ``source``, ``verdict`` and ``reason``:

- ``kind``: what sort of statement it is (`KINDS`);
- ``mark``: where its formula comes from: ``seen`` in the paper, its code or a published account of it;
  ``mem``: recalled only; ``derived``: proved or recomputed from the definitions; ``ours``: not a statement of
  the paper;
- ``state``: ``pending`` (no check yet), ``checked`` (an executable claim of that id exists), which takes the ``verdict``
  that a run at the default budget and seed 0 must reach, or ``not_checked``, which takes a ``reason``.

Reading needs the standard library alone and imports no claim, so that listing and counting stay cheap.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

STATES = ("pending", "checked", "not_checked")
KINDS = (
    "identity",
    "inequality",
    "rate",
    "probability",
    "comparison",
    "existence",
    "qualitative",
    "empirical",
)
VERDICTS = ("holds", "tight", "refuted", "vacuous", "undecided")
MARKS = ("seen", "mem", "derived", "ours")
ROOMS = (
    "planning",
    "exploration",
    "bandits",
    "tokens",
    "preferences",
    "offline",
    "games",
    "generative",
    "robustness",
    "actor_critic",
    "applications",
)
FOUNDATIONS = "foundations"
"""The one entry that is no single paper: number 0, several BibTeX entries."""
BASELINES = 120
"""From this number on stand the baselines that papers of their rooms are compared with."""

_PAPER_FIELDS = ("number", "key", "short", "title", "room", "bibtex", "claims")
_CLAIM_FIELDS = ("id", "kind", "statement", "mark", "state")
_CLAIM_OPTIONAL = ("source", "verdict", "reason")
_TAKES = {"checked": "verdict", "not_checked": "reason"}
_LABEL = re.compile(r"C[1-9][0-9]*[a-z]?")
_ENTRY_HEAD = re.compile(r"@[A-Za-z]+\{([^\s,{}]+),")


class RegistryError(ValueError):
    """A registry file is wrong; ``file`` and ``field`` say where, and the message repeats both.

    ``field`` is the name of a top-level field, ``claims[i].name`` for a field of the i-th claim (from 0), or
    empty where the file as a whole is at fault.
    """

    def __init__(self, file: str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}" if field else f"{file}: {problem}")
        self.file = file
        self.field = field


@dataclass(frozen=True, slots=True)
class ClaimEntry:
    """One claim of a paper; ``source`` is its place there, ``verdict`` the known one, ``reason`` why it is not checked."""

    id: str
    kind: str
    statement: str
    mark: str
    state: str
    source: str | None = None
    verdict: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper: ``number`` from 1 (0: foundations; from `BASELINES`: baselines), ``room`` of `ROOMS`, BibTeX, claims in order."""

    number: int
    key: str
    short: str
    title: str
    room: str
    bibtex: str
    claims: tuple[ClaimEntry, ...]

    @property
    def label(self) -> str:
        """The number as tables show it: baselines are B1, B2, ..."""
        return str(self.number) if self.number < BASELINES else f"B{self.number - BASELINES + 1}"


def load(keys: Iterable[str] | None = None, *, directory: Traversable | None = None) -> list[Paper]:
    """Papers of the registry, sorted by number.

    Parameters
    ----------
    keys : paper keys to read; all of them if None. Other files are not opened.
    directory : folder of TOML files in place of the installed one.

    Raises
    ------
    RegistryError : a file is malformed, two papers share a number, or a key has no file.
    TypeError : ``keys`` is a single string.
    """
    if isinstance(keys, str):
        raise TypeError(f"keys is a collection of paper keys, not the string {keys!r}")
    folder = resources.files("proofs_check").joinpath("papers") if directory is None else directory
    files = {entry.name[:-5]: entry for entry in folder.iterdir() if entry.name.endswith(".toml")}
    wanted = sorted(files) if keys is None else sorted(set(keys))
    papers: dict[int, Paper] = {}
    for key in wanted:
        if key not in files:
            raise RegistryError(f"{key}.toml", "", "no such paper in the registry")
        paper = _read(files[key], key)
        if paper.number in papers:
            other = papers[paper.number].key
            raise RegistryError(f"{key}.toml", "number", f"{paper.number} is taken by {other}.toml")
        papers[paper.number] = paper
    return [papers[number] for number in sorted(papers)]


def coverage(papers: Iterable[Paper]) -> dict[str, int]:
    """Number of claims in each of `STATES`, zeros included; ``pending`` is not ``not_checked``."""
    counts = dict.fromkeys(STATES, 0)
    for paper in papers:
        for entry in paper.claims:
            counts[entry.state] += 1
    return counts


def counts(paper: Paper) -> dict[str, int]:
    """Number of claims in each state and, of those checked, of each verdict; ``card``: of those that are the paper's own.

    A letter behind the number of an id marks a part, a variant or a companion of the claim of that number.
    """
    found = dict.fromkeys(("card", *STATES, *VERDICTS), 0)
    for entry in paper.claims:
        found["card"] += not entry.id[-1].isalpha()
        found[entry.state] += 1
        if entry.verdict is not None:
            found[entry.verdict] += 1
    return found


def bibtex_keys(source: str) -> list[str]:
    """Citation keys of BibTeX source, in order.

    Only structure is read: entries ``@type{key, ...}`` with balanced braces, white space between them. Raises
    ValueError where anything else stands.
    """
    keys: list[str] = []
    position = 0
    while position < len(source):
        if source[position].isspace():
            position += 1
            continue
        head = _ENTRY_HEAD.match(source, position)
        if head is None:
            raise ValueError(f"no BibTeX entry begins at {source[position : position + 30]!r}")
        depth, position = 1, head.end()
        while depth:
            if position == len(source):
                raise ValueError(f"unbalanced braces in the BibTeX entry {head[1]!r}")
            depth += {"{": 1, "}": -1}.get(source[position], 0)
            position += 1
        keys.append(head[1])
    return keys


def _read(entry: Traversable, stem: str) -> Paper:
    """One file as it is now; a run asks several times, and files that are as they were are not read again."""
    return _paper(entry.name, stem, entry.read_bytes())


@functools.lru_cache(maxsize=512)
def _paper(file: str, stem: str, content: bytes) -> Paper:
    """What a file says, validated field by field in a fixed order, so that the first error is the same everywhere."""
    try:
        data = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError(file, "", f"not readable as TOML: {error}") from error
    _names(file, "", data, _PAPER_FIELDS, ())
    number = data["number"]
    if type(number) is not int or number < 0:  # bool is an int to isinstance
        raise RegistryError(file, "number", f"an integer >= 0 is wanted, not {number!r}")
    if (number == 0) != (stem == FOUNDATIONS):
        raise RegistryError(file, "number", f"0 belongs to {FOUNDATIONS}.toml and to no other file")
    key = _text(file, "key", data["key"])
    if key != stem:
        raise RegistryError(file, "key", f"{key!r} is not the name of the file")
    if not key.isidentifier():
        raise RegistryError(file, "key", f"{key!r} is not a Python identifier")
    bibtex = _text(file, "bibtex", data["bibtex"])
    try:
        cited = bibtex_keys(bibtex)
    except ValueError as error:
        raise RegistryError(file, "bibtex", str(error)) from error
    if key != FOUNDATIONS and cited != [key]:
        raise RegistryError(file, "bibtex", f"one entry of key {key!r} is wanted, not {cited}")
    return Paper(
        number=number,
        key=key,
        short=_text(file, "short", data["short"]),
        title=_text(file, "title", data["title"]),
        room=_one_of(file, "room", data["room"], ROOMS),
        bibtex=bibtex,
        claims=_claims(file, key, data["claims"]),
    )


def _claims(file: str, key: str, data: object) -> tuple[ClaimEntry, ...]:
    if not isinstance(data, list):
        raise RegistryError(file, "claims", "an array of tables is wanted")
    entries: dict[str, ClaimEntry] = {}
    for index, item in enumerate(data):
        place = f"claims[{index}]"
        if not isinstance(item, dict):
            raise RegistryError(file, place, "a table is wanted")
        entry = _claim(file, key, f"{place}.", item)
        if entry.id in entries:
            raise RegistryError(file, f"{place}.id", f"duplicate id {entry.id!r}")
        entries[entry.id] = entry
    return tuple(entries.values())


def _claim(file: str, key: str, place: str, data: Mapping[str, object]) -> ClaimEntry:
    _names(file, place, data, _CLAIM_FIELDS, _CLAIM_OPTIONAL)
    name = _text(file, f"{place}id", data["id"])
    prefix, dot, label = name.partition(".")
    if prefix != key or not dot:
        raise RegistryError(file, f"{place}id", f"{name!r} does not start with {key + '.'!r}")
    if _LABEL.fullmatch(label) is None:
        raise RegistryError(file, f"{place}id", f"{name!r} does not end in a label like C3 or C3a")
    state = _one_of(file, f"{place}state", data["state"], STATES)
    for of, field in _TAKES.items():
        if state == of and field not in data:
            raise RegistryError(file, place + field, f"missing, though {name} is {state}")
        if state != of and field in data:
            raise RegistryError(file, place + field, f"given, though {name} is {state}")
    if "verdict" in data:
        _one_of(file, f"{place}verdict", data["verdict"], VERDICTS)
    optional = {field: _text(file, place + field, data[field]) for field in _CLAIM_OPTIONAL if field in data}
    return ClaimEntry(
        id=name,
        kind=_one_of(file, f"{place}kind", data["kind"], KINDS),
        statement=_text(file, f"{place}statement", data["statement"]),
        mark=_one_of(file, f"{place}mark", data["mark"], MARKS),
        state=state,
        **optional,
    )


def _names(
    file: str, place: str, data: Mapping[str, object], required: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    """No field beyond the known ones, and none of the required ones missing."""
    for field in data:
        if field not in required and field not in optional:
            raise RegistryError(file, place + field, "unknown field")
    for field in required:
        if field not in data:
            raise RegistryError(file, place + field, "missing field")


def _text(file: str, field: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RegistryError(file, field, f"a non-empty string is wanted, not {value!r}")
    return value


def _one_of(file: str, field: str, value: object, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise RegistryError(file, field, f"{value!r} is none of {', '.join(allowed)}")
    return value
