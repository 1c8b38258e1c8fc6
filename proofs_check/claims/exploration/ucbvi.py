"""UCBVI: Azar, Osband and Munos 2017, minimax regret bounds. By subject: tables of runs (C3r), what is exact (C4, C6, C7),
confidence widths (C5), and runs of the learner (C1, C2, C3)."""

from __future__ import annotations

from proofs_check.claims.exploration import ucbvi_algorithm, ucbvi_exact, ucbvi_runs, ucbvi_widths

PARTS = (ucbvi_algorithm, ucbvi_exact, ucbvi_widths, ucbvi_runs)
