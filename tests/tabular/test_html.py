"""What notebooks show: well-formed, escaped, small, and without colours of its own."""

from __future__ import annotations

from fractions import Fraction as F
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular import MDP, FiniteHorizonMDP, Shannon, solve
from tabular._html import LONGEST, table
from tabular.instances import garnet, random_masks

TAGS = {"table", "caption", "tbody", "tr", "th", "td", "br"}


class Page(HTMLParser):
    """Tags that are open, all tags and attributes seen, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


HOSTILE = '<script>alert("1")</script>&\'\x00\ud800'


def shown() -> dict[str, Any]:
    b = garnet(3, 2)(0, 5)
    hostile = MDP(b.P[0], b.R[0], 0.9, name=HOSTILE, state_labels=[HOSTILE, "b", "c"], action_labels=["<b>", "&"])
    return {
        "MDP": hostile,
        "masks": random_masks(4, 3).member(5, 2),
        "lake": MDP.from_gymnasium("FrozenLake-v1", F(99, 100), exact=True),
        "horizon": FiniteHorizonMDP(b.P, b.R, name=HOSTILE, rho=[0.2, 0.3, 0.5]),
        "endings": FiniteHorizonMDP([[[0.5]]], [[1.0]], H=3, end=[[0.5]]),
        "solution": solve(hostile),
        "regularised": solve(hostile, regularizer=Shannon(0.5)),
    }


@pytest.mark.parametrize("name", list(shown()))
def test_a_small_table_without_styles(name: str) -> None:
    html = shown()[name]._repr_html_()
    page = Page(html)
    assert not page.stack and page.tags <= TAGS and page.attributes <= {"scope"}
    assert len(html) < 3000 and html.isprintable()
    html.encode("utf-8")


def test_what_it_says() -> None:
    text = " ".join(Page(shown()["lake"]._repr_html_()).text)
    for part in (
        "FrozenLake-v1",
        "16 × 4",
        "99/100 = 0.99",
        "98, dense",
        "48 of 64 pairs",
        "1 of 16 states",
        "left, down, right, up",
    ):
        assert part in text
    assert "exact" in text and "float64" not in text
    assert "2 of 12 pairs" in " ".join(Page(shown()["masks"]._repr_html_()).text)
    horizon = " ".join(Page(shown()["horizon"]._repr_html_()).text)
    assert "5, 5 of them distinct" in horizon and "3 of 3 states" in horizon
    assert "before the last stage" in shown()["endings"]._repr_html_()


def test_a_solution_shows_what_it_prints() -> None:
    sol = shown()["regularised"]
    text = " ".join(Page(sol._repr_html_()).text)
    for line in repr(sol).splitlines()[1:]:
        assert line.split()[0] in text and line.split(maxsplit=1)[1].strip() in text


@given(st.text(), st.text(max_size=2 * LONGEST))
def test_any_text_is_escaped_and_cut(title: str, text: str) -> None:
    html = table(title, [(title, text)])
    page = Page(html)
    assert not page.stack and page.tags <= TAGS and page.attributes <= {"scope"}
    assert all(len(part) <= LONGEST for part in page.text)
    html.encode("utf-8")
