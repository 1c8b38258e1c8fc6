"""What importing the extension costs and changes: nothing before the first of its parts, and no flag ever."""

from __future__ import annotations

import json

from tests.test_imports import _fresh, _loaded


def test_import_deep_is_light() -> None:
    for statement in ("import deep", "import deep.exact"):
        assert _loaded(statement).isdisjoint(("jax", "jaxlib", "optax", "equinox", "gymnax", "numba")), statement


def test_no_flag_of_jax_is_changed() -> None:
    code = (
        "import json, jax\n"
        "before = dict(jax.config.values)\n"
        "import deep.ops\n"
        "from deep import exact\n"
        "from tabular import MDP\n"
        "assert exact.solve(MDP([[[1.0], [1.0]]], [[1.0, 2.0]], 0.5)).V[0] == 4.0\n"
        "after = dict(jax.config.values)\n"
        "print(json.dumps([before == after, after['jax_enable_x64'], str(jax.numpy.ones(1).dtype)]))"
    )
    assert json.loads(_fresh(code)) == [True, False, "float32"]
