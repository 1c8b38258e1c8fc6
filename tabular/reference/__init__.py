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

from typing import Any

from tabular import _lazy

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
    return _lazy.attribute(__name__, _HOME, name)
