"""Storm's DRN format (direct encoding): ``write_drn(path, mdp)`` and ``read_drn(path, gamma)``.

A file lists states in order, each with its labels and its choices, each with its reward and its successors. It has no discount, no
endings and no start distribution; numbers are floats or rationals, by ``@value_type``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Any

from tabular.interchange._explicit import Choice, Explicit, Options, action_names, to_mdp, written
from tabular.interchange._text import LARGEST_FILE, Source, said, shown, write_bytes
from tabular.mdp import MDP

WHAT = "the DRN format"
NAMELESS = "__NOLABEL__"
NAME = re.compile(r"[A-Za-z0-9_.\-]+", re.ASCII)
LEAST_STATE = len("state 0\n0 : 1\n")  # bytes of the shortest state
_LABEL = re.compile(r'"([^"]+)"(?=\s|$)|([^\s"]+)')
_TYPES = ("MDP", "DTMC")


def write_drn(
    path: str | os.PathLike[str], mdp: MDP, *, end_label: str | None = None, drop: Collection[str] = (), reward: str = "r"
) -> None:
    """Write a model; an existing file is replaced at once or left as it was.

    Parameters
    ----------
    end_label : the label of the state that the end is written as, last; needed where steps may end.
    drop : what may be left out: ``"discount"``, ``"start"``, ``"exact"``.
    reward : name of the reward model, of rewards of choices.

    An exact model is written in rationals, and comes back equal; one of floats by their shortest digits. State labels are not
    written. Raises ModelError for what the format cannot say, FormatError for numbers of more than 4300 digits.
    """
    for name, what in ((reward, "reward"), (end_label, "end_label")):
        if name is not None and (not NAME.fullmatch(name) or name == "init"):
            raise ValueError(f"{what} is {name!r}: expected letters, digits and _-. (and not init)")
    out = written(mdp, "write_drn", WHAT, end_label, drop)
    names = action_names(mdp, WHAT, lambda x: NAME.fullmatch(x) is not None and x != NAMELESS)
    lines = ["@type: MDP", f"@value_type: {'rational' if out.exact else 'double'}", "@parameters", "", "@reward_models", reward]
    lines += ["@nr_states", str(out.S), "@nr_choices", str(out.pairs), "@model"]
    for s, choices in out.rows:
        labels = [" init"] * (s == out.initial) + [f" {end_label}"] * (out.ended and s == out.S - 1)
        lines.append(f"state {s}{''.join(labels)}")
        for a, r, row in choices:
            lines.append(f"\taction {names[a]} [{said(r)}]")
            lines += [f"\t\t{t} : {said(p)}" for t, p in row.items()]
    write_bytes(path, ("\n".join(lines) + "\n").encode("utf-8"))


def read_drn(
    path: str | os.PathLike[str],
    gamma: Any,
    *,
    reward: str | None = None,
    end_label: str | None = None,
    rho: Any = None,
    exact: bool | None = None,
    sparse: bool | None = None,
    renormalise: bool = False,
    action_labels: Sequence[str] | None = None,
    max_bytes: int = LARGEST_FILE,
) -> MDP:
    """Read an MDP (or a DTMC, whose one choice is the action).

    Parameters
    ----------
    gamma : discount in [0, 1], which the file does not have.
    reward : the reward model to take; None: the only one, or no rewards. Rewards of states and of choices are added.
    end_label : states with this label are taken away, and what leads to them ends the process.
    rho : start distribution; None: the state labelled ``init``, where it is one.
    exact : read rationals and decimals as they stand; None: where ``@value_type`` is ``rational``.
    sparse, renormalise : as elsewhere.  action_labels : the order of the actions; None: see ``columns``.
    max_bytes : limit on the file, and eight times that on the model.

    Labels other than ``init`` and ``end_label`` are not kept. Raises FormatError with file, line and column for what is no such
    file, ModelError for numbers that are no model; OSError from the file system. Time and memory are linear in the file.
    """
    source = Source(path, max_bytes)
    reader = _Reader(source, reward, end_label)
    given = reader.read()
    options = Options(
        gamma, rho, reader.rational if exact is None else exact, sparse, renormalise, action_labels, 8 * max_bytes,
    )  # fmt: skip
    return to_mdp(given, options)


class _Reader:
    """Line by line: the header, then states, choices and successors."""

    def __init__(self, source: Source, reward: str | None, end_label: str | None) -> None:
        self.source, self.reward, self.end_label = source, reward, end_label
        self.at = 0
        self.kind = ""
        self.rational = False
        self.models: list[str] = []
        self.states = self.pairs = -1
        self.values: dict[str, Fraction] = {}
        self.model = -1  # place of the reward model that is read
        self.found: list[list[Choice]] = []
        self.initial: list[int] = []
        self.ends: set[int] = set()

    def fail(self, message: str, column: int = 0, line: int | None = None) -> Any:
        self.source.fail(self.at if line is None else line, column, message)

    def read(self) -> Explicit:
        self.header()
        self.choose()
        earned = Fraction(0)
        while self.at < len(self.source.lines):
            line = self.source.lines[self.at]
            text = line.strip(" \t")
            indent = len(line) - len(line.lstrip(" \t"))
            if text and not text.startswith("//"):
                if text.startswith("state "):
                    earned = self.state(text, indent)
                elif text.startswith("action "):
                    self.action(text, indent, earned)
                else:
                    self.successor(text, indent, earned)
            self.at += 1
        self.at = len(self.source.lines) - 1
        if len(self.found) != self.states:
            self.fail(f"the file ends after {len(self.found)} states: @nr_states says {self.states}")
        pairs = sum(map(len, self.found))
        if self.pairs not in (-1, pairs):
            self.fail(f"the file has {pairs} choices: @nr_choices says {self.pairs}")
        return Explicit(lambda line, message: self.source.fail(line, 0, message), self.found, self.initial, self.ends)

    def header(self) -> None:
        seen: set[str] = set()
        while True:
            if self.at >= len(self.source.lines):
                self.at -= 1
                self.fail("the file ends before @model")
            line = self.source.lines[self.at].rstrip(" \t")
            key = line.split(" ")[0]
            if line and not line.startswith("//"):
                if key in seen:
                    self.fail(f"{key} is given twice", 1)
                seen.add(key)
                if key == "@model":
                    break
                self.field(key, line)
            self.at += 1
        self.at += 1
        if missing := [k for k in ("@type:", "@nr_states") if k not in seen]:
            self.fail(f"{missing[0].rstrip(':')} is missing before @model", line=self.at - 1)
        if self.states < 1 or self.states * LEAST_STATE > self.source.size + LEAST_STATE:
            self.fail(f"@nr_states is {self.states}: the file has no room for them" if self.states else "@nr_states is 0", line=0)

    def field(self, key: str, line: str) -> None:
        if key == "@type:":
            self.kind = line[len(key) :].strip()
            if self.kind not in _TYPES:
                self.fail(f"the model is a {shown(self.kind)}: expected {' or '.join(_TYPES)}", len(key) + 2)
        elif key == "@value_type:":
            value = line[len(key) :].strip()
            if value not in ("double", "rational"):
                self.fail(f"values are {shown(value)}: expected double or rational", len(key) + 2)
            self.rational = value == "rational"
        elif key == "@parameters":
            if names := self.following(key):
                self.fail(f"the model has the parameter {shown(names[0])}: its numbers are not fixed", 1)
        elif key == "@placeholders":
            self.placeholders()
        elif key == "@reward_models":
            self.models = self.following(key)
        elif key in ("@nr_states", "@nr_choices"):
            words = self.following(key)
            if len(words) != 1:
                self.fail(f"{key} is followed by {len(words)} words: expected a number", 1)
            n = self.source.index(words[0], self.at, 1, key)
            self.states, self.pairs = (n, self.pairs) if key == "@nr_states" else (self.states, n)
        else:
            self.fail(f"{shown(key)} is no field of the header", 1)

    def following(self, key: str) -> list[str]:
        """The words of the line after a field."""
        self.at += 1
        if self.at >= len(self.source.lines):
            self.at -= 1
            self.fail(f"the file ends after {key}")
        return self.source.lines[self.at].split()

    def placeholders(self) -> None:
        while self.at + 1 < len(self.source.lines) and self.source.lines[self.at + 1].startswith("$"):
            self.at += 1
            name, colon, value = self.source.lines[self.at].partition(":")
            if not colon or name.strip() in self.values:
                self.fail("expected a new placeholder, $name : value", 1)
            self.values[name.strip()] = self.value(value.strip(), len(name) + 3)

    def choose(self) -> None:
        if self.reward is not None:
            if self.reward not in self.models:
                raise ValueError(f"reward is {self.reward!r}: the file has {', '.join(self.models) or 'none'}")
            self.model = self.models.index(self.reward)
        elif len(self.models) > 1:
            raise ValueError(f"the file has {len(self.models)} reward models, {', '.join(self.models)[:200]}: pass reward")
        elif self.models:
            self.model = 0

    def value(self, text: str, column: int) -> Fraction:
        if text.startswith("$"):
            if text not in self.values:
                self.fail(f"placeholder {shown(text)} is not defined", column)
            return self.values[text]
        return self.source.number(text, self.at, column)

    def rewards(self, text: str, column: int) -> tuple[Fraction, str, int]:
        """The reward in ``[...]`` at the beginning of a text, what follows, and where."""
        if not text.startswith("["):
            return Fraction(0), text, column
        close = text.find("]")
        if close < 0:
            self.fail("] is missing", column)
        parts = text[1:close].split(",")
        if self.models and len(parts) > len(self.models):
            self.fail(f"{len(parts)} rewards: there are {len(self.models)} reward models", column)
        if not self.models and len(parts) > 1:
            self.fail("several rewards, and @reward_models names none", column)
        values, at = [], column + 1
        for part in parts:
            values.append(self.value(part.strip(" \t"), at + len(part) - len(part.lstrip(" \t"))))
            at += len(part) + 1
        i = max(self.model, 0)
        return (values[i] if i < len(values) else Fraction(0)), text[close + 1 :], column + close + 1

    def state(self, text: str, indent: int) -> Fraction:
        rest = text[6:].lstrip(" ")
        word = rest.split(" ", 1)[0].split("\t", 1)[0]
        column = indent + 1 + len(text) - len(rest)
        s = self.source.index(word, self.at, column, "state")
        if s != len(self.found) or s >= self.states:
            expected = f"expected {len(self.found)}" if len(self.found) < self.states else f"@nr_states says {self.states}"
            self.fail(f"state {s}: {expected}", column)
        after = rest[len(word) :].lstrip(" \t")
        column += len(rest) - len(after)
        earned, labels, column = self.rewards(after, column)
        self.found.append([])
        at = 0
        for match in _LABEL.finditer(labels):
            if labels[at : match.start()].strip(" \t"):
                break
            at = match.end()
            label = match[1] or match[2]
            if label == self.end_label:
                self.ends.add(s)
            if label == "init":
                self.initial.append(s)
        if labels[at:].strip(" \t"):
            self.fail(f"{shown(labels[at:].strip())} are no labels", column + at)
        return earned

    def action(self, text: str, indent: int, earned: Fraction) -> None:
        if not self.found:
            self.fail("a choice before the first state", indent + 1)
        rest = text[7:].lstrip(" \t")
        word = re.split(r"[ \t]", rest, maxsplit=1)[0]
        after = rest[len(word) :].lstrip(" \t")
        column = indent + 1 + len(text) - len(after)
        r, left, column = self.rewards(after, column)
        if left.strip(" \t"):
            self.fail(f"{shown(left.strip())} after a choice", column)
        if not word or (self.found[-1] and not self.found[-1][-1].row):
            self.fail("a choice without a name" if not word else "the choice before has no successor", indent + 1)
        self.found[-1].append(Choice(None if word == NAMELESS else word, earned + r, {}, self.at))

    def successor(self, text: str, indent: int, earned: Fraction) -> None:
        to, colon, value = text.partition(":")
        if not colon:
            self.fail(f"{shown(text)} is no state, choice or successor", indent + 1)
        if not self.found:
            self.fail("a successor before the first state", indent + 1)
        if not self.found[-1]:  # a choice without a line of its own, as chains have
            self.found[-1].append(Choice(None, earned, {}, self.at))
        t = self.source.index(to.strip(" \t"), self.at, indent + 1, "state", self.states)
        row = self.found[-1][-1].row
        if t in row:
            self.fail(f"successor {t} is given twice", indent + 1)
        column = indent + len(to) + 2 + len(value) - len(value.lstrip(" \t"))
        p = self.value(value.strip(" \t"), column)
        if p < 0:
            self.fail(f"{shown(value.strip())} is negative: a probability cannot be", column)
        if p:
            row[t] = p
