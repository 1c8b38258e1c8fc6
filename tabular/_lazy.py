"""Names of a package that are loaded on first use, so that importing it costs next to nothing."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any


def attribute(package: str, home: Mapping[str, str], name: str) -> Any:
    """``name`` from the module of ``package`` that is its home; AttributeError, as of any module, for what has none."""
    if name not in home:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{package}.{home[name]}"), name)
