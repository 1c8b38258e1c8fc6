"""The site in a real Chromium, from files: filters, keyboard, themes, copying, phones. Deselected by name (`make test-browser`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from proofs_check import registry

if TYPE_CHECKING:
    from conftest import Made
    from playwright.sync_api import Page
else:
    Made = Page = Any

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("report")]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESK = (360, 740), (1200, 900)
CLAIMS = 3 + sum(len(paper.claims) for paper in registry.load() if paper.key in ("foundations", "best_of_n", "mdvi"))
"""Those of the file and of the papers that the site shows."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "no Chromium on the path: install one, or say where it is with CHROMIUM=..."
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, size: tuple[int, int] = DESK, **options: Any) -> Iterator[Page]:
    """A page that notes errors and requests to a network, of which there must be none."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    page, wrong = context.new_page(), []
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("requestfailed", lambda r: wrong.append(r.url))
    page.on("request", lambda r: wrong.append(r.url) if not r.url.startswith(("file:", "data:")) else None)
    yield page
    assert wrong == []
    context.close()


def seen(page: Page) -> list[str]:
    """The ids of the claims that are shown."""
    return page.evaluate(
        "[...document.querySelectorAll('#list li')].filter(r => r.offsetParent).map(r => r.querySelector('.id').textContent)"
    )


def test_every_page_opens_without_an_error(made: Made, chromium: Any) -> None:
    with opened(chromium) as page:
        for file in made.pages():
            page.goto(file.as_uri())


def test_filters_show_what_they_say_and_keep_it_in_the_address(made: Made, chromium: Any) -> None:
    index = (made.site / "index.html").as_uri()
    with opened(chromium) as page:
        page.goto(index)
        everything = seen(page)
        assert len(everything) == CLAIMS and f"{CLAIMS} claims" in page.inner_text("#tally")
        page.select_option("#verdict", "refuted")
        assert seen(page) == ["own.C1"] and f"1 of {CLAIMS} claims" in page.inner_text("#tally")
        assert page.url.endswith("#verdict=refuted")
        page.select_option("#verdict", "checked")
        assert seen(page) == ["foundations.C1", "foundations.C27", "own.C1", "own.C1a", "own.C2"]
        page.select_option("#teeth", "mutants")
        assert seen(page) == ["own.C1a"]
        page.click("button[type=reset]")
        page.wait_for_function("location.hash === ''")
        assert seen(page) == everything
        page.select_option("#room", "own")
        assert seen(page) == ["own.C1", "own.C1a", "own.C2"]
        page.select_option("#room", "")
        page.select_option("#paper", "best_of_n")
        assert all(x.startswith("best_of_n.") for x in seen(page)) and len(seen(page)) > 5
        page.click("button[type=reset]")
        page.fill("#q", "mdvi epsilon")
        assert "mdvi.C1" in seen(page) and all(x.startswith("mdvi.") for x in seen(page))
        page.fill("#q", "no such claim")
        assert seen(page) == [] and page.is_visible("#none")
        page.click("#none button")
        page.wait_for_function("document.getElementById('none').hidden")
        assert seen(page) == everything


def test_an_address_with_filters_opens_as_it_was_left(made: Made, chromium: Any) -> None:
    index = (made.site / "index.html").as_uri()
    with opened(chromium) as page:
        page.goto(f"{index}#q=gamma&verdict=tight&room=planning")
        assert page.input_value("#q") == "gamma" and page.input_value("#verdict") == "tight"
        assert seen(page) == ["foundations.C1"]
        page.evaluate("location.hash = 'verdict=refuted'")
        page.wait_for_function("document.getElementById('q').value === ''")
        assert seen(page) == ["own.C1"]
        page.goto(f"{index}#verdict=nonsense")
        page.reload()
        assert len(seen(page)) == CLAIMS
        page.goto(f"{index}?#claims")  # an anchor is no filter
        assert len(seen(page)) == CLAIMS


def test_it_is_used_by_keyboard_alone(made: Made, chromium: Any) -> None:
    with opened(chromium) as page:
        page.goto((made.site / "index.html").as_uri())
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        shown = page.evaluate("document.activeElement.getBoundingClientRect().left")
        assert shown >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "q"
        page.keyboard.type("own.c1a")
        assert seen(page) == ["own.C1a"]
        assert page.input_value("#q") == "own.c1a"
        for _ in range(30):
            page.keyboard.press("Tab")
            ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none", page.evaluate("document.activeElement.outerHTML")
            if page.evaluate("document.activeElement.className") == "id":
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/claims/own.C1a.html")


def test_the_theme_follows_the_system_and_a_choice_is_remembered(made: Made, chromium: Any) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with opened(chromium, color_scheme="dark") as page:
        page.goto((made.site / "index.html").as_uri())
        dark = page.evaluate(paper)
        page.click("button.theme")  # light
        assert page.inner_text("button.theme") == "Theme: light"
        light = page.evaluate(paper)
        assert dark != light
        page.goto((made.site / "claims/own.C1a.html").as_uri())
        assert page.evaluate(paper) == light and page.inner_text("button.theme") == "Theme: light"
        page.click("button.theme")  # dark
        page.click("button.theme")  # as the system
        assert page.evaluate(paper) == dark
    with opened(chromium, color_scheme="light") as page:
        page.goto((made.site / "index.html").as_uri())
        assert page.evaluate(paper) == light


def test_what_is_copied_is_what_is_shown(made: Made, chromium: Any) -> None:
    with opened(chromium) as page:
        page.goto((made.site / "claims/own.C1a.html").as_uri())
        page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
        page.click("summary:has-text('LaTeX')")
        page.click("details.tex button")
        assert page.evaluate("window.copied").startswith(r"$\|TV - TW\|_\infty \le \gamma \|V - W\|_\infty$")
        page.locator(".command button").first.click()
        assert page.evaluate("window.copied").startswith("proofs-check verify ")
        assert page.inner_text(".said") == "Copied"


@pytest.mark.parametrize("name", ["index.html", "papers.html", "verdicts.html", "provenance.html", "papers/mdvi.html"])
def test_on_a_phone_nothing_sticks_out(made: Made, chromium: Any, name: str) -> None:
    with opened(chromium, PHONE) as page:
        page.goto((made.site / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_on_a_phone_no_claim_sticks_out(made: Made, chromium: Any) -> None:
    with opened(chromium, PHONE) as page:
        for file in sorted(made.site.glob("claims/*.html")):
            page.goto(file.as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], file.name


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const lum = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const under = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c[3] === 255) return c; } return [255, 255, 255]; };
  const low = [];
  let n = 0;
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((x) => x.nodeType === 3 && x.data.trim()) || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), ink = rgb(e instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [lum(ink), lum(under(e))].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
    n += 1;
    if (ratio < 4.5) low.push([e.outerHTML.slice(0, 80), ratio]);
  }
  return [n, low];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_aa(made: Made, chromium: Any, scheme: str) -> None:
    with opened(chromium, color_scheme=scheme) as page:
        for name in ("index.html", "papers.html", "verdicts.html", "provenance.html", "papers/file-1.html", "claims/own.C1.html",
                     "claims/own.C1a.html", "claims/mdvi.C6.html"):  # fmt: skip
            page.goto((made.site / name).as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
            n, low = page.evaluate(CONTRAST)
            assert n > 20 and low == [], name


def test_formulas_are_drawn_and_raised(made: Made, chromium: Any) -> None:
    with opened(chromium) as page:
        page.goto((made.site / "claims/own.C1a.html").as_uri())
        assert page.evaluate("[...document.querySelectorAll('annotation')].every(a => !a.getClientRects().length)")
        box = "document.querySelector('.theorem math').getBoundingClientRect()"
        assert page.evaluate(f"{box}.width") > 50 and page.evaluate(f"{box}.height") > 10
        sub = "document.querySelector('.theorem msub')"
        low, base = (page.evaluate(f"{sub}.children[{i}].getBoundingClientRect().bottom") for i in (1, 0))
        assert low > base - 4


def test_without_scripts_all_claims_are_there(made: Made, chromium: Any) -> None:
    with opened(chromium, java_script_enabled=False) as page:
        page.goto((made.site / "index.html").as_uri())
        assert page.locator("#list li").count() == CLAIMS
        assert not page.is_visible("form.filters") and not page.is_visible("button.theme")


def test_in_print_there_are_no_controls(made: Made, chromium: Any) -> None:
    with opened(chromium) as page:
        page.goto((made.site / "claims/own.C1a.html").as_uri())
        page.emulate_media(media="print")
        assert not page.is_visible("header.site") and not page.is_visible(".copy button")
        assert page.is_visible(".theorem")
