"""Libraries that only some formats need, imported when asked for."""

from __future__ import annotations

import importlib
from typing import Any


def library(module: str, distribution: str, extra: str) -> Any:
    """A module of another library. ImportError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{distribution} is not installed, and this format needs it: pip install {distribution}, "
            f"or 'tabular-proofs[{extra}]' ({error})"
        ) from error
