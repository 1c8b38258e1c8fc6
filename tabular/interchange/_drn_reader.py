"""The lines of a DRN file, by the grammar of Storm's own reader: what is wrong is refused with its line and column."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from tabular.interchange._explicit import Choice, Explicit
from tabular.interchange._text import Source, shown

NAMELESS = "__NOLABEL__"
LEAST_STATE = len("state 0\n0 : 1\n")  # bytes of the shortest state
_LABEL = re.compile(r'"([^"]+)"(?=\s|$)|([^\s"]+)')
_TYPES = ("MDP", "DTMC")


class Reader:
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
            self.fail(
                f"@nr_states is {self.states}: the file has no room for them" if self.states else "@nr_states is 0",
                line=0,
            )

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
            raise ValueError(
                f"the file has {len(self.models)} reward models, {', '.join(self.models)[:200]}: pass reward"
            )
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
            expected = (
                f"expected {len(self.found)}" if len(self.found) < self.states else f"@nr_states says {self.states}"
            )
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
        if left := labels[at:].strip(" \t"):
            self.fail(f"{shown(left)} are no labels", column + labels.index(left, at))
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
