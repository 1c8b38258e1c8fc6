"""The lines of explicit files, in PRISM's dialect and in Storm's: what is wrong is refused with its file, line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import NoReturn

from tabular.interchange._explicit import Choice, Explicit
from tabular.interchange._text import Source, shown, total

_LABEL = re.compile(r'([0-9]{1,9})="([^"\n]{1,200})"', re.ASCII)


def lines_of(source: Source) -> Iterator[tuple[int, list[tuple[str, int]]]]:
    """Lines with something in them, comments apart, and their words."""
    for i, line in enumerate(source.lines):
        if not line.startswith("#") and (words := source.words(i)):
            yield i, words


class Reader:
    """Transitions first, since they say how many states and choices there are."""

    def __init__(self, source: Source, dialect: str) -> None:
        self.source, self.prism = source, dialect == "prism"
        self.S = 0
        self.fractions = False
        self.rows: dict[tuple[int, int], dict[int, Fraction]] = {}
        self.places: dict[tuple[int, int], int] = {}
        self.names: dict[tuple[int, int], str] = {}
        self.earned: dict[int, Fraction] = {}
        self.rewards: dict[tuple[int, int], dict[int, Fraction]] = {}
        self.lasts: dict[tuple[int, int], int] = {}
        self.trew: Source | None = None

    def number(self, source: Source, line: int, word: tuple[str, int]) -> Fraction:
        self.fractions |= "/" in word[0]
        return source.number(word[0], line, word[1])

    def header(self, source: Source, what: tuple[str, ...]) -> tuple[list[int], int]:
        """The numbers of the first line in PRISM's dialect, which line it is, after which as many lines follow as it says."""
        lines = lines_of(source)
        i, words = next(lines, (0, []))
        if not words:
            source.fail(0, 0, "the file is empty")
        entries = sum(1 for _ in lines)
        if len(words) != len(what):
            hint = " (a Markov chain has two)" if what[1] == "choices" and len(words) == 2 else ""
            source.fail(i, 1, f"{len(words)} numbers: expected {', '.join(what)}{hint}")
        sizes = [source.index(word, i, column, name) for (word, column), name in zip(words, what, strict=True)]
        if sizes[-1] != entries:
            source.fail(i, words[-1][1], f"{sizes[-1]} entries are announced, and {entries} lines follow")
        return sizes, i

    def transitions(self) -> None:
        source, choices, start = self.source, -1, -1
        if self.prism:
            (self.S, choices, n), start = self.header(source, ("states", "choices", "transitions"))
            if not 0 < self.S <= choices <= n:
                source.fail(
                    start,
                    1,
                    f"{self.S} states, {choices} choices, {n} transitions: each state has a choice, and each a transition",
                )
        else:
            start, words = next(lines_of(source))
            if words[0][0].lower() != "mdp" or len(words) > 1:
                source.fail(start, 1, f"the model is a {shown(words[0][0])}: expected mdp")
        highest, lines = 0, 0
        limits = (self.S, choices, self.S) if self.prism else (None, None, None)
        wanted = tuple(zip((0, 1, 2), ("state", "choice", "state"), limits, strict=True))
        for i, words in lines_of(source):
            if i == start:
                continue
            lines += 1
            if len(words) not in (4, 5):
                source.fail(
                    i,
                    1,
                    f"{len(words)} words: expected state, choice, successor, probability" + ", action" * self.prism,
                )
            s, c, t = (source.index(words[k][0], i, words[k][1], what, n) for k, what, n in wanted)
            highest = max(highest, s, t)
            p = self.number(source, i, words[3])
            if p < 0:
                source.fail(i, words[3][1], f"{shown(words[3][0])} is negative: a probability cannot be")
            row = self.rows.setdefault((s, c), {})
            self.places.setdefault((s, c), i)
            if t in row:
                source.fail(i, words[2][1], f"the transition {s} {c} {t} is given twice")
            row[t] = p
            if len(words) == 5 and self.prism and self.names.setdefault((s, c), words[4][0]) != words[4][0]:
                source.fail(i, words[4][1], f"choice {c} of state {s} is named {shown(self.names[s, c])} before")
        if not self.prism:
            if highest >= lines:
                source.fail(start, 0, f"state {highest} occurs, and {lines} transitions are too few for all before it")
            self.S = highest + 1
        if choices not in (-1, len(self.rows)):
            source.fail(start, 1, f"{choices} choices are announced, and there are {len(self.rows)}")
        self._check_choices()

    def _check_choices(self) -> None:
        """Choices of a state are 0, 1, ...; every state has one."""
        count = [0] * self.S
        for s, c in sorted(self.rows):
            if c != count[s]:
                self.source.fail(
                    self.places[s, c], 0, f"choice {c} of state {s}: expected {count[s]}, choices count from 0"
                )
            count[s] += 1
        if 0 in count:
            self.source.fail(0, 0, f"state {count.index(0)} has no transition: each state needs a choice")

    def check_states(self, source: Source) -> None:
        """One line for each state, in order, after the names of variables."""
        lines = list(lines_of(source))
        if not lines or not lines[0][1][0][0].startswith("("):
            source.fail(0, 1, "expected the names of variables in parentheses")
        for s, (i, _) in enumerate(lines[1:]):
            number, colon, values = source.lines[i].strip().partition(":")
            if not colon or not (values.startswith("(") and values.endswith(")")):
                source.fail(i, 1, "expected state:(values)")
            if source.index(number, i, 1, "state", self.S) != s:
                source.fail(i, 1, f"state {shown(number)}: expected {s}")
        if len(lines) - 1 != self.S:
            source.fail(len(source.lines) - 1, 0, f"{len(lines) - 1} states: the transitions have {self.S}")

    def state_rewards(self, source: Source) -> None:
        sizes, start = ([self.S, 0], -1)
        if self.prism:
            sizes, start = self.header(source, ("states", "entries"))
        if sizes[0] != self.S:
            source.fail(start, 1, f"{sizes[0]} states: the transitions have {self.S}")
        for i, words in lines_of(source):
            if i == start:
                continue
            if len(words) != 2:
                source.fail(i, 1, f"{len(words)} words: expected state, reward")
            s = source.index(words[0][0], i, words[0][1], "state", self.S)
            if s in self.earned:
                source.fail(i, words[0][1], f"state {s} is given twice")
            self.earned[s] = self.number(source, i, words[1])

    def transition_rewards(self, source: Source) -> None:
        start = -1
        self.trew = source
        if self.prism:
            (S, choices, _), start = self.header(source, ("states", "choices", "entries"))
            if (S, choices) != (self.S, len(self.rows)):
                source.fail(
                    start, 1, f"{S} states and {choices} choices: the transitions have {self.S} and {len(self.rows)}"
                )
        for i, words in lines_of(source):
            if i == start:
                continue
            if len(words) != 4:
                source.fail(i, 1, f"{len(words)} words: expected state, choice, successor, reward")
            s = source.index(words[0][0], i, words[0][1], "state", self.S)
            c, t = (source.index(words[k][0], i, words[k][1], what) for k, what in ((1, "choice"), (2, "state")))
            if t not in self.rows.get((s, c), {}):
                source.fail(i, 1, f"there is no transition {s} {c} {t}")
            found = self.rewards.setdefault((s, c), {})
            if t in found:
                source.fail(i, 1, f"the reward of {s} {c} {t} is given twice")
            found[t] = self.number(source, i, words[3])
            self.lasts[s, c] = i
            if self.prism and found[t] != (before := next(iter(found.values()))):
                source.fail(
                    i,
                    words[3][1],
                    f"rewards within choice {c} of state {s} differ, {shown(str(before))} before: PRISM has one",
                )
        for (s, c), found in self.rewards.items():
            if self.prism and len(found) < len(self.rows[s, c]):
                source.fail(
                    self.lasts[s, c],
                    0,
                    f"choice {c} of state {s} has rewards for {len(found)} of {len(self.rows[s, c])} transitions",
                )

    def labels(self, source: Source, end_label: str | None) -> tuple[list[int], set[int]]:
        """States labelled ``init``, and ends."""
        pairs = list(self._labelled(source)) if self.prism else list(self._labelled_by_name(source))
        return sorted({s for s, name in pairs if name == "init"}), {s for s, name in pairs if name == end_label}

    def _labelled(self, source: Source) -> Iterator[tuple[int, str]]:
        lines = list(lines_of(source))
        if not lines:
            source.fail(0, 0, "the file is empty")
        i, words = lines[0]
        names: dict[str, str] = {}
        for word, column in words:
            match = _LABEL.fullmatch(word)
            if match is None or match[1] in names:
                source.fail(i, column, f'{shown(word)}: expected a new label, number="name"')
            names[match[1]] = match[2]
        for i, words in lines[1:]:
            word, column = words[0]
            if not word.endswith(":"):
                source.fail(i, column, "expected state: labels")
            s = source.index(word[:-1], i, column, "state", self.S)
            for number, place in words[1:]:
                if number not in names:
                    source.fail(i, place, f"label {shown(number)} is not declared")
                yield s, names[number]

    def _labelled_by_name(self, source: Source) -> Iterator[tuple[int, str]]:
        texts = [line.strip(" \t") for line in source.lines]
        if "#DECLARATION" not in texts or "#END" not in texts or texts.index("#END") < texts.index("#DECLARATION"):
            source.fail(0, 0, "expected #DECLARATION, names of labels, #END")
        last = texts.index("#END")
        names = {word for i in range(texts.index("#DECLARATION") + 1, last) for word, _ in source.words(i)}
        for i in range(last + 1, len(texts)):
            words = source.words(i)
            for word, place in words[1:]:
                if word not in names:
                    source.fail(i, place, f"label {shown(word)} is not declared")
                yield source.index(words[0][0], i, words[0][1], "state", self.S), word

    def explicit(self, initial: list[int], ends: set[int]) -> Explicit:
        """What was read, as choices."""
        choices: list[list[Choice]] = [[] for _ in range(self.S)]
        plain = all(re.fullmatch(r"a(0|[1-9][0-9]{0,8})", name) for name in self.names.values())
        for s, c in sorted(self.rows):
            row = self.rows[s, c]
            reward = self.earned.get(s, Fraction(0))
            given = self.rewards.get((s, c), {})
            values = set(given.values())
            if len(values) == 1 and len(given) == len(row):
                reward += values.pop()
            else:
                refuse = partial(self._refuse, self.places[s, c])
                reward = total([reward, *(row[t] * r for t, r in given.items())], refuse)
            name = self.names.get((s, c))
            name = name[1:] if plain and name is not None else name
            choices[s].append(Choice(name, reward, {t: p for t, p in row.items() if p}, self.places[s, c]))
        return Explicit(self._refuse, choices, initial, ends)

    def _refuse(self, line: int, message: str) -> NoReturn:
        self.source.fail(line, 0, message)
