"""The members of a UMB archive: every size is compared with what is there before anything is made of it."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import pairwise
from math import isfinite
from typing import Any, NoReturn

import numpy as np

from tabular.errors import FormatError
from tabular.interchange._explicit import Choice, Explicit, Options, to_mdp
from tabular.interchange._text import shown, total
from tabular.mdp import MDP

VERSIONS = (0, 1)  # umbi writes 0 where it means 1
LARGEST_INDEX = 2**22
LARGEST_WIDTH = 2**16  # bits of a rational
U8, U4, F8 = np.dtype("<u8"), np.dtype("<u4"), np.dtype("<f8")


class Reader:
    """The index first, then the arrays it announces."""

    def __init__(self, path: str, files: dict[str, bytes]) -> None:
        self.path, self.files = path, files
        self.index = self._index()
        self.system = self._part(self.index, "transition-system", "index.json")

    def fail(self, message: str) -> NoReturn:
        raise FormatError(f"{self.path}: {message}")

    def _index(self) -> dict[str, Any]:
        data = self.files.get("index.json")
        if data is None:
            self.fail("there is no index.json")
        if len(data) > LARGEST_INDEX:
            self.fail(f"index.json has {len(data)} bytes: at most {LARGEST_INDEX} are read")
        try:
            index = json.loads(data.decode("utf-8"))
        except json.JSONDecodeError as error:
            self.fail(f"index.json, line {error.lineno}, column {error.colno}: {error.msg}")
        except (ValueError, RecursionError) as error:
            self.fail(f"index.json is no JSON: {str(error)[:200]}")
        if not isinstance(index, dict):
            self.fail("index.json is no object")
        if type(index.get("format-version")) is not int or index["format-version"] not in VERSIONS:
            self.fail(f"format-version is {shown(str(index.get('format-version')))}: this release reads 0 and 1")
        return index

    def _part(self, data: dict[str, Any], key: str, where: str, optional: bool = False) -> dict[str, Any]:
        value = data.get(key, {} if optional else None)
        if not isinstance(value, dict):
            self.fail(f"{key} in {where} is no object")
        return value

    def _count(self, key: str, least: int = 0, default: int | None = None) -> int:
        value = self.system.get(key, default)
        if type(value) is not int or not least <= value < 2**64:
            self.fail(f"{key} is {shown(str(value))}: expected an integer from {least}")
        return value

    def model(self, options: Options, reward: str | None, end_label: str | None, exact: bool | None) -> MDP:
        if self.system.get("time") != "discrete":
            self.fail(f"time is {shown(str(self.system.get('time')))}: expected discrete")
        if self._count("#players") > 1:
            self.fail(f"there are {self._count('#players')} players: an MDP has one")
        if self._count("#observations", default=0):
            self.fail("there are observations: the model is no MDP")
        S, choices, branches = self._count("#states", 1), self._count("#choices", 1), self._count("#branches", 1)
        targets = self._array("branch-to-target.bin", U8, branches)
        if not S <= choices <= branches:
            self.fail(
                f"{S} states, {choices} choices, {branches} branches: each state has a choice, and each choice a branch"
            )
        if (targets >= S).any():
            i = int((targets >= S).argmax())
            self.fail(f"branch-to-target.bin[{i}] is {targets[i]}: states are 0 ... {S - 1}")
        first = self._starts("state-to-choices.bin", S, choices)
        start = self._starts("choice-to-branches.bin", choices, branches)
        kind = self._type(
            self._part(self.system, "branch-probability-type", "transition-system"), "branch-probability-type"
        )
        p = self._numbers("branch-to-probability.bin", kind, branches)
        if (bad := next((i for i, x in enumerate(p) if x < 0), None)) is not None:
            self.fail(f"branch-to-probability.bin[{bad}] is negative: a probability cannot be")
        names, labels = self._actions(choices)
        earned = self._rewards(reward, S, first, start, p, branches)
        found: list[list[Choice]] = []
        to = targets.tolist()
        for s in range(S):
            found.append([])
            for c in range(first[s], first[s + 1]):
                row: dict[int, Fraction] = {}
                for b in range(start[c], start[c + 1]):
                    if p[b]:
                        row[to[b]] = total([row.get(to[b], Fraction(0)), p[b]], self.fail)
                found[s].append(Choice(names[c], earned[c], row, c))
        given = Explicit(
            lambda c, message: self.fail(f"choice {c}: {message}"), found, self._states("state-is-initial.bin", S)
        )
        given.ends = self._labelled(end_label, S)
        rational = kind[0] == "rational" if exact is None else exact
        data = self.index.get("model-data")
        name = data.get("name", "") if isinstance(data, dict) else ""
        order = labels if options.action_labels is None else options.action_labels
        return to_mdp(
            given, options._replace(exact=rational, action_labels=order, name=name if isinstance(name, str) else "")
        )

    def _array(self, name: str, dtype: np.dtype, n: int) -> np.ndarray:
        data = self.files.get(name)
        if data is None:
            self.fail(f"there is no {name}")
        if len(data) != dtype.itemsize * n:
            self.fail(f"{name} has {len(data)} bytes: expected {dtype.itemsize * n} for {n} entries")
        return np.frombuffer(data, dtype=dtype)

    def _starts(self, name: str, n: int, targets: int) -> list[int]:
        """Where each of ``n`` intervals starts, and the end of the last."""
        if name not in self.files:
            if n != targets:
                self.fail(f"there is no {name}, which {n} entries for {targets} targets need")
            return list(range(n + 1))
        x = self._array(name, U8, n + 1)
        if x[0] != 0 or x[-1] != targets or (x[1:] < x[:-1]).any():
            self.fail(f"{name} must rise from 0 to {targets}")
        return x.tolist()

    def _type(self, kind: dict[str, Any], where: str) -> tuple[str, int]:
        """A continuous type, and bytes of a number."""
        name, size = kind.get("type"), kind.get("size")
        default = {"double": 64, "rational": 128}.get(name) if isinstance(name, str) else None
        if default is None:
            self.fail(f"{where} is {shown(str(name))}: expected double or rational")
        size = default if size is None else size
        fits = type(size) is int and (size == 64 if name == "double" else 0 < size <= LARGEST_WIDTH and size % 128 == 0)
        if not fits:
            self.fail(
                f"{where} has size {shown(str(size))}: expected {'64' if name == 'double' else 'a multiple of 128 bits'}"
            )
        return str(name), size // 8

    def _numbers(self, name: str, kind: tuple[str, int], n: int) -> list[Fraction]:
        if kind[0] == "double":
            x = self._array(name, F8, n)
            values = x.tolist()
            if (bad := next((i for i, y in enumerate(values) if not isfinite(y)), None)) is not None:
                self.fail(f"{name}[{bad}] is {values[bad]}: not a finite number")
            return [Fraction(y) for y in values]
        data, width = self.files.get(name), kind[1]
        if data is None or len(data) != width * n:
            self.fail(f"{name} has {len(data or b'')} bytes: expected {width * n} for {n} entries")
        half, out = width // 2, []
        for i in range(n):
            part = data[i * width : (i + 1) * width]
            den = int.from_bytes(part[half:], "little")
            if den == 0:
                self.fail(f"{name}[{i}] has the denominator zero")
            out.append(Fraction(int.from_bytes(part[:half], "little", signed=True), den))
        return out

    def _states(self, name: str, S: int) -> list[int]:
        """The states of a bit set, none where there is no such file."""
        if name not in self.files:
            return []
        data = self.files[name]
        if len(data) != -(-S // 64) * 8:
            self.fail(f"{name} has {len(data)} bytes: expected {-(-S // 64) * 8} for {S} states")
        bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
        if bits[S:].any():
            self.fail(f"{name} has a bit beyond its {S} states")
        return np.flatnonzero(bits).tolist()

    def _actions(self, choices: int) -> tuple[list[str | None], list[str] | None]:
        """A name for each choice, and all names of actions in their order."""
        n = self._count("#choice-actions", default=0)
        if n == 0:
            return [None] * choices, None
        folder = "actions/choices/"
        if n > max(choices, len(self.files.get(f"{folder}string-mapping.bin", b"")) // 8):
            self.fail(f"#choice-actions is {n}: there are {choices} choices")
        values = [0] * choices
        if f"{folder}values.bin" in self.files:
            values = self._array(f"{folder}values.bin", U4, choices).tolist()
        if max(values) >= n:
            self.fail(f"{folder}values.bin[{values.index(max(values))}] is {max(values)}: actions are 0 ... {n - 1}")
        names = [str(a) for a in range(n)]
        if f"{folder}string-mapping.bin" in self.files:
            strings = self.files.get(f"{folder}strings.bin", b"")
            at = self._starts(f"{folder}string-mapping.bin", n, len(strings))
            try:
                names = [strings[i:j].decode("utf-8") for i, j in pairwise(at)]
            except UnicodeDecodeError as error:
                self.fail(f"{folder}strings.bin is not UTF-8: {error.reason}")
            if len(set(names)) < n:
                names = [str(a) for a in range(n)]  # names that are shared name nothing
        return [names[a] for a in values], names

    def _annotation(self, group: str, wanted: str | None) -> tuple[str, dict[str, Any]] | None:
        """The annotation of a group with this alias or identifier; the only one where none is named."""
        notes = self._part(self._part(self.index, "annotations", "index.json", True), group, "annotations", True)
        names = {}
        for key, note in notes.items():
            if not isinstance(note, dict) or not re.fullmatch(r"[0-9A-Za-z_.-]{1,200}", key):
                self.fail(f"annotation {shown(key)} of {group} is no object, or has no identifier")
            names[str(note.get("alias", key))] = key
        if wanted is None:
            if len(names) > 1:
                raise ValueError(f"{self.path} has {len(names)} of {group}, {', '.join(names)[:200]}: name one")
            return None if not notes else next(iter(notes.items()))
        key = names.get(wanted, wanted)
        if key not in notes:
            raise ValueError(
                f"{self.path} has no {shown(wanted)} in {group}: it has {', '.join(names)[:200] or 'none'}"
            )
        return key, notes[key]

    def _labelled(self, end_label: str | None, S: int) -> set[int]:
        if end_label is None:
            return set()
        found = self._annotation("aps", end_label)
        return set() if found is None else set(self._states(f"annotations/aps/{found[0]}/states/values.bin", S))

    def _rewards(
        self, reward: str | None, S: int, first: list[int], start: list[int], p: list[Fraction], branches: int
    ) -> list[Fraction]:
        """Rewards of choices: their own, their state's, and the mean of their branches'."""
        choices = len(start) - 1
        earned = [Fraction(0)] * choices
        found = self._annotation("rewards", reward)
        if found is None:
            return earned
        key, note = found
        kind = self._type(self._part(note, "type", f"rewards {key}"), f"the type of rewards {key}")
        sizes = {"states": S, "choices": choices, "branches": branches}
        given = note.get("applies-to")
        if not isinstance(given, list) or not given or any(not isinstance(x, str) or x not in sizes for x in given):
            self.fail(f"rewards {key} apply to {shown(str(given))}: expected some of {', '.join(sizes)}")
        values = {
            x: self._numbers(f"annotations/rewards/{key}/{x}/values.bin", kind, sizes[x]) for x in dict.fromkeys(given)
        }
        for s in range(S):
            for c in range(first[s], first[s + 1]):
                if "states" in values:
                    earned[c] += values["states"][s]
                if "choices" in values:
                    earned[c] += values["choices"][c]
                if "branches" in values:
                    mean = (p[b] * values["branches"][b] for b in range(start[c], start[c + 1]))
                    earned[c] = total([earned[c], *mean], self.fail)
        return earned
