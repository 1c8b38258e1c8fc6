"""Certificates: rigorous bounds in floats, exact solutions in rationals, and proofs that others can check.

``certify`` and its kin bound the error of values and policies with every rounding inside the bound;
``refine`` returns values to about thirty digits; ``exact_policy_iteration`` returns them as rationals;
``rational_certificate`` writes a proof that ``tabular.checker``, which shares no code with this package,
accepts or rejects.
"""

from __future__ import annotations

from typing import Any

from tabular import _lazy

_HOME = {
    "ExactAverage": "exact_gain",
    "ExactSolution": "exact",
    "certify": "float_bounds",
    "certify_finite": "finite",
    "certify_total": "total",
    "exact_average_reward": "exact_gain",
    "exact_backward_induction": "finite",
    "exact_policy_iteration": "exact",
    "model_error": "lift",
    "rational_certificate": "rational",
    "refine": "refinement",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    return _lazy.attribute(__name__, _HOME, name)
