"""Shared by all tests: Hypothesis' profiles, the header, and the rule that nothing is skipped in silence."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

import pytest
from hypothesis import settings

# No deadline: the first call of a kernel compiles. With --hypothesis-profile=explore every run draws anew.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", derandomize=False, deadline=None, print_blob=True, max_examples=1000)
settings.load_profile("ci")

_DESELECTED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_DESELECTED] = []


def pytest_report_header(config: pytest.Config) -> list[str]:
    names = ("numpy", "scipy", "numba", "python-flint", "hypothesis")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return [
        f"arithmetic: {versions} on {platform.machine()}",
        f"selected: -m {config.option.markexpr!r}, -k {config.option.keyword!r}; the rest is listed last",
    ]


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        item.config.stash[_DESELECTED].append(item.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if a test was skipped; hand a worker's list of deselected tests to the controller."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["deselected"] = session.config.stash[_DESELECTED]
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Every worker deselects the same tests, so the last one's list is the list."""
    output = getattr(node, "workeroutput", {})
    node.config.stash[_DESELECTED] = output.get("deselected", node.config.stash[_DESELECTED])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if deselected := config.stash[_DESELECTED]:
        terminalreporter.section(f"{len(deselected)} deselected by name")
        for nodeid in deselected[:40]:  # a narrow -k leaves out hundreds
            terminalreporter.line(nodeid)
        if len(deselected) > 40:
            terminalreporter.line(f"... and {len(deselected) - 40} more")
    if terminalreporter.stats.get("skipped"):
        terminalreporter.section("skipped tests fail the run")
        terminalreporter.line("Mark a test that needs an optional part, and deselect it by name in the open.")
