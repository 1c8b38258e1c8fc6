"""MoCoVI: maximum-entropy model correction. The claims are in the parts, by subject."""

from __future__ import annotations

from proofs_check.claims.planning import mocovi_corrections, mocovi_noise, mocovi_runs, mocovi_splitting, mocovi_values

PARTS = (mocovi_corrections, mocovi_values, mocovi_noise, mocovi_runs, mocovi_splitting)
