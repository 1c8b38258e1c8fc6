"""The drawing of an MDP: all of it is there, inside the frame, nothing over anything else, and the same each time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from proofs_check import families
from proofs_check.drawing import number
from proofs_check.report.graph import LINE, WIDTH, drawable, pairs, svg
from proofs_check.strategies import mdps
from tabular import MDP

SVG = "{http://www.w3.org/2000/svg}"
RING = MDP(
    np.array([[[Fraction(1, 4), Fraction(1, 2)], [0, 1]], [[1, 0], [0, 1]]], dtype=object),
    np.array([[1, Fraction(-1, 3)], [2, -np.inf]], dtype=object),
    Fraction(1, 2),
    end=np.array([[Fraction(1, 4), 0], [0, 0]], dtype=object),
)


def texts(drawn: str) -> list[tuple[float, float, str]]:
    root = ET.fromstring(drawn)
    return [(float(t.attrib["x"]), float(t.attrib["y"]), t.text or "") for t in root.iter(f"{SVG}text")]


def test_states_actions_probabilities_rewards_and_the_end_are_drawn() -> None:
    drawn = svg(RING, "x")
    said = [text for _, _, text in texts(drawn)]
    assert said.count("0") == 2  # each state on both sides
    assert {"0, r = 1", "1, r = −1/3", "0, r = 2", "end"} <= set(said)
    assert "1, r = −inf" not in said and len(pairs(RING)) == 3  # one action is not available
    assert [said.count(p) for p in ("1/4", "1/2")] == [2, 1]
    assert drawn.count('class="arrow"') == 5 and drawn.count('class="dot"') == 3


def test_it_says_in_words_what_it_shows() -> None:
    root = ET.fromstring(svg(RING, "x"))
    title, words = (root.find(f"{SVG}{tag}") for tag in ("title", "desc"))
    assert title is not None and title.text == "MDP of 2 states and 3 state-action pairs"
    assert (
        words is not None
        and "gamma = 1/2" in (words.text or "")
        and "1/4 itself, 1/2 (1), 1/4 end" in (words.text or "")
    )
    assert root.attrib["aria-labelledby"] == "x-t x-d" and root.attrib["role"] == "img"


def check(mdp: Any) -> None:
    drawn = svg(mdp, "x")
    assert drawn == svg(mdp, "x")
    root = ET.fromstring(drawn)
    _, _, wide, high = (float(n) for n in root.attrib["viewBox"].split())
    assert wide == WIDTH
    at = texts(drawn)
    assert all(0 <= x <= wide and 0 < y <= high for x, y, _ in at)
    columns: dict[float, list[float]] = {}
    for x, y, _ in at:
        columns.setdefault(x, []).append(y)
    for ys in columns.values():
        assert all(b - a >= LINE - 6 for a, b in zip(sorted(ys), sorted(ys)[1:], strict=False)), sorted(ys)
    said = [text for _, _, text in at]
    for pair in pairs(mdp):
        assert any(text.endswith(f"r = {number(pair.reward)}".replace("-", "−")) for text in said)
    assert drawn.count('class="arrow"') == sum(len(p.arrows) for p in pairs(mdp))
    for x, _, text in at:  # labels end before what stands to their right
        assert x > 400 or 7 * len(text) < 190, text
    assert not re.search(r"nan|inf\b", drawn.partition("</desc>")[2])


@given(mdps())
def test_any_small_model_is_drawn_within_its_frame(mdp: Any) -> None:
    if drawable(mdp):
        check(mdp)


@pytest.mark.parametrize(
    "family",
    [families.garnet(4, 3), families.random_masks_endings(3, 2), families.self_loops(2, 2)],
    ids=lambda f: f.name,
)
def test_families_are_drawn(family: Any) -> None:
    batch = family(0, 5)
    for i in range(5):
        check(batch[i])


def test_what_is_too_large_is_not_drawn() -> None:
    large, _ = families.fixed("taxi")
    assert not drawable(large)
    assert drawable(RING)
