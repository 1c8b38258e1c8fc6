"""Optimal sample complexity for average reward MDPs (Wang, Blanchet and Glynn 2024), in two parts."""

from __future__ import annotations

from proofs_check.claims.planning import average_reward_bounds, average_reward_samples

PARTS = (average_reward_bounds, average_reward_samples)
