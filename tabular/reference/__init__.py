"""The truth, written once: formulas over ``ops``, in every arithmetic.

====================  =====================================================  ==========================
arithmetic            numbers                                                used for
====================  =====================================================  ==========================
``NumpyOps``          float64                                                small models, proposals
``KernelOps``         float64 through the compiled kernels                   screening large batches
``EnclosureOps``      float64 midpoint and radius, every rounding bounded    screening, with proof
``BallOps``           balls of any precision (Arb)                           settling what has logarithms
``RationalOps``       rationals (FLINT)                                      settling what has none
====================  =====================================================  ==========================

Formulas use no NumPy function, no ``if`` and no item assignment on values: on overlapping balls each of them would decide
something that is not decided.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "BallOps": "ball_ops",
    "EnclosureOps": "enclosure_ops",
    "KernelOps": "kernel_ops",
    "NumpyOps": "numpy_ops",
    "Ops": "ops",
    "RationalOps": "rational_ops",
    "Value": "value",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tabular.reference' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tabular.reference.{_HOME[name]}"), name)
