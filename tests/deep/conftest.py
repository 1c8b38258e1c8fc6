"""What is compiled here runs for milliseconds: XLA's optimiser is left out, which makes compiling three times as fast.

Flags that are set outside stay as they are. What rests on how XLA rounds is tested with its optimiser, too, in a process
of its own (``exact/test_optimised.py``).
"""

from __future__ import annotations

import os

LEVEL = "--xla_backend_optimization_level"

if LEVEL not in os.environ.get("XLA_FLAGS", ""):  # read when JAX first computes
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {LEVEL}=0".strip()
