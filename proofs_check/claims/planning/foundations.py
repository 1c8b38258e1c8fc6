"""Foundations: dynamic programming and its regularised form. The claims are in the parts, by subject."""

from __future__ import annotations

from proofs_check.claims.planning import (
    foundations_convex,
    foundations_horizon,
    foundations_operators,
    foundations_policies,
    foundations_programs,
    foundations_values,
)

PARTS = (
    foundations_operators,
    foundations_values,
    foundations_policies,
    foundations_horizon,
    foundations_programs,
    foundations_convex,
)
