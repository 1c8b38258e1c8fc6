"""Models from and to other formats; each is a module of its own, imported when used. docs/interchange.md compares them."""

from __future__ import annotations

from typing import Any

from tabular import _lazy

_HOME = {
    "from_gymnasium": "gymnasium",
    "to_gymnasium": "gymnasium_env",
    "from_quantecon": "quantecon",
    "to_quantecon": "quantecon",
    "from_mdptoolbox": "mdptoolbox",
    "to_mdptoolbox": "mdptoolbox",
    "read_drn": "drn",
    "write_drn": "drn",
    "read_prism": "prism",
    "write_prism": "prism",
    "read_umb": "umb",
    "write_umb": "umb",
    "load": "npz",
    "save": "npz",
    "undiscounted": "endings",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    return _lazy.attribute(__name__, _HOME, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
