"""Formulas over ``ops`` decide nothing about values: no NumPy function, no branch, no comparison, no assignment to items."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORMULAS = [
    ROOT / "tabular" / "reference" / "operators.py",
    ROOT / "tabular" / "regularizers.py",
    *sorted((ROOT / "proofs_check" / "claims").rglob("*.py")),
]
BUILTINS = ("max", "min", "sorted", "abs", "round", "float", "int", "bool")


def violations(source: str) -> list[str]:
    """What is wrong with the functions of a module that take ``ops``, and with the functions inside them."""
    found: list[str] = []
    tree = ast.parse(source)
    numpy_names = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.partition(".")[0] in ("numpy", "math", "scipy", "flint")
    }
    numpy_names |= {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] in ("numpy", "math", "scipy", "flint")
        for alias in node.names
    }
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or "ops" not in [a.arg for a in function.args.args]:
            continue
        for statement in function.body:
            for node in ast.walk(statement):
                if problem := _problem(node, numpy_names):
                    found.append(f"line {getattr(node, 'lineno', 0)}, {function.name}: {problem}")
    return found


def _is_none_test(node: ast.expr) -> bool:
    """``x is None``, ``x is not None``: about an argument that was not given, not about a value."""
    return (
        isinstance(node, ast.Compare)
        and all(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
        and all(isinstance(c, ast.Constant) and c.value is None for c in node.comparators)
    )


def _problem(node: ast.AST, numpy_names: set[str]) -> str:
    if isinstance(node, (ast.If, ast.IfExp)) and not _is_none_test(node.test):
        return "branches"
    if isinstance(node, (ast.While, ast.Assert, ast.Match)):
        return f"uses {type(node).__name__.lower()}"
    if isinstance(node, ast.Compare) and not _is_none_test(node):
        return "compares"
    if isinstance(node, ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
        return "takes a truth value"
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return "assigns to an item"
    if isinstance(node, ast.Name) and node.id in numpy_names:
        return f"calls {node.id}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
        return f"calls the built-in {node.func.id}"
    return ""


@pytest.mark.parametrize("path", FORMULAS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_formulas_use_ops_alone(path: Path) -> None:
    assert not violations(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("return np.max(V)", "calls np"),
        ("return max(V[0], V[1])", "built-in max"),
        ("return V if V else W", "branches"),
        ("V[0] = 1\n    return V", "assigns to an item"),
        ("V[0] += 1\n    return V", "assigns to an item"),
        ("return ops.sum(V) > 0", "compares"),
        ("while True:\n        pass", "uses while"),
        ("return V or W", "takes a truth value"),
        ("return ops.scan(lambda x, y: (np.abs(x), y), V, [])", "calls np"),
        ("def inner(x):\n        return x if x > 0 else -x\n    return inner(V)", "branches"),
    ],
)
def test_what_is_forbidden_is_found(line: str, problem: str) -> None:
    found = violations(f"import numpy as np\ndef body(ops, m, V, W):\n    {line}\n")
    assert any(problem in text for text in found), found


def test_what_is_allowed_is_not_found() -> None:
    assert not violations("def body(ops, m, V=None):\n    return ops.max(m.R if V is None else V)\n")
