"""General Munchausen reinforcement learning with Tsallis divergences. The claims are in the parts, by subject."""

from __future__ import annotations

from proofs_check.claims.planning import tsallis_mvi_calculus, tsallis_mvi_iteration

PARTS = (tsallis_mvi_calculus, tsallis_mvi_iteration)
