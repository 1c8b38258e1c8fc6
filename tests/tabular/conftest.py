"""Shared by the tests of what goes into models."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import tabular
from tabular import ModelError, _validate

Bad = tuple[Callable[[], Any], type[Exception], str]


@pytest.fixture
def unreached(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterable[Bad], Iterable[str]], list[str]]:
    """A function of bad inputs and files of ``tabular``: the refusals (calls of ``fail``) in the files that no input reaches."""

    def search(bad: Iterable[Bad], files: Iterable[str]) -> list[str]:
        seen: set[tuple[str, int]] = set()

        def fail(message: str) -> None:
            frame = sys._getframe(1)
            seen.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
            raise ModelError(message)

        monkeypatch.setattr(_validate, "fail", fail)
        for call, kind, _ in bad:
            with pytest.raises(kind):
                call()
        missed = []
        for name in files:
            source = (Path(tabular.__file__).parent / name).read_text(encoding="utf-8")
            calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
            refusals = [node for node in calls if ast.unparse(node.func) in ("fail", "check.fail")]
            assert refusals, f"{name} refuses nothing"
            for node in refusals:
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                if not any((name, line) in seen for line in lines):
                    missed.append(f"{name}:{node.lineno}: {ast.unparse(node)[:80]}")
        return missed

    return search
