"""Search for the worst instance of a claim: every number of an instance is a coordinate, and an optimiser climbs.

``proofs_check.domains`` learns from samples what a claim's families and draws allow; ``coordinates`` maps real vectors to exact
instances; ``starts`` gathers where to begin; ``search`` climbs from there; ``engine`` settles exactly what was found.
"""

from __future__ import annotations

from proofs_check.adversary.engine import EVALUATIONS, Attack, attack

__all__ = ["EVALUATIONS", "Attack", "attack"]
