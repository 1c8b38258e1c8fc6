"""What `import tabular` costs and pulls in, and that the checker of certificates stands alone."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("numba", "llvmlite", "scipy", "jax", "matplotlib", "flint", "cvxpy", "gymnasium", "hypothesis")


def _fresh(code: str, *arguments: str) -> str:
    """What `code` prints in a new interpreter that finds the packages of this checkout."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _loaded(statement: str) -> set[str]:
    return set(json.loads(_fresh(f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))")))


def test_import_tabular_leaves_heavy_libraries_out() -> None:
    loaded = _loaded("import tabular")
    assert "tabular" in loaded
    assert loaded.isdisjoint(HEAVY), f"import tabular also imports {sorted(loaded.intersection(HEAVY))}"


def test_the_registry_imports_no_claim_and_no_solver() -> None:
    loaded = _loaded("import proofs_check.registry")
    claims = {name for name in loaded if name.startswith("proofs_check.claims")}
    assert "proofs_check.registry" in loaded
    assert not claims, f"the registry imports {sorted(claims)}"


def test_import_tabular_costs_little_more_than_numpy() -> None:
    """Less than 0.15 s beyond `import numpy`.

    Both are timed in one process, so that a busy machine slows them alike; noise only ever adds, so the
    least of several processes is the cost. The first of them may still be writing bytecode.
    """
    code = (
        "from time import perf_counter as now\n"
        "t0 = now()\nimport numpy\nt1 = now()\nimport tabular\nt2 = now()\nprint(t1 - t0, t2 - t1)"
    )
    times = [[float(word) for word in _fresh(code).split()] for _ in range(7)]
    extra = min(after for _, after in times)
    assert extra < 0.15, f"import tabular costs {extra:.3f} s beyond numpy's {min(n for n, _ in times):.3f} s"


def test_the_checker_imports_only_the_standard_library() -> None:
    """Its verdict must not rest on the code that it judges, so it imports nothing of it, at any depth."""
    tree = ast.parse((ROOT / "tabular" / "checker.py").read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"checker.py, line {node.lineno}: a relative import"
            imported.add(str(node.module).partition(".")[0])
    foreign = imported - sys.stdlib_module_names
    assert not foreign, f"checker.py imports {sorted(foreign)}"


def test_the_checker_runs_from_its_file_alone() -> None:
    code = "import runpy, sys\nrunpy.run_path(sys.argv[1])\nprint(*sys.modules)"
    loaded = _fresh(code, str(ROOT / "tabular" / "checker.py")).split()
    assert not [name for name in loaded if name.startswith("tabular")]


def test_formats_import_a_library_only_when_it_is_asked_for() -> None:
    """Reading files needs none; a library that is missing is named, with what installs it."""
    loaded = _loaded("import tabular.interchange as x; [getattr(x, n) for n in x.__all__ if n != 'to_gymnasium']")
    heavy = {*HEAVY, "quantecon", "mdptoolbox", "stormpy", "umbi"}
    assert loaded.isdisjoint(heavy), f"the formats import {sorted(loaded.intersection(heavy))}"
    code = (
        "import sys; sys.modules['quantecon'] = None\n"
        "from tabular import MDP\nfrom tabular.interchange import to_quantecon\n"
        "try:\n    to_quantecon(MDP([[[1.0]]], [[0.0]], 0.5))\nexcept ImportError as error:\n    print(error)"
    )
    assert "quantecon is not installed, and this format needs it: pip install quantecon" in _fresh(code)
