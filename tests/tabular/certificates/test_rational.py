"""Rational certificates are accepted by the checker and say what is true."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tabular.certificates import exact_policy_iteration, rational_certificate
from tabular.checker import check
from tabular.errors import ImproperModel, TabularError
from tabular.mdp import MDP


def test_certificates_of_random_models_are_accepted_and_true(random_model: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(21))
    total = 0
    for i in range(500):
        mdp = random_model(rng, gamma=1 if i % 3 == 0 else None)
        try:
            exact = exact_policy_iteration(mdp).V
        except ImproperModel:
            with pytest.raises(TabularError, match="no certificate"):
                rational_certificate(mdp, np.zeros(mdp.S))
            continue
        V = np.array([float(v) for v in exact])
        try:
            certificate = rational_certificate(mdp, V)
        except TabularError:
            assert i % 3 == 0  # with gamma = 1 a bracket need not be found
            continue
        total += i % 3 == 0
        verdict = check(json.dumps(certificate))
        assert verdict.accepted
        assert verdict.gap is not None
        scale = max(np.abs(V).max(), np.abs(mdp.rewards).max())
        assert verdict.gap <= Fraction(2.0**-45 * scale) + Fraction(2) ** -900
        lo, hi = ([Fraction(x) for x in certificate[name]] for name in ("V_lo", "V_hi"))
        assert all(x <= v <= y for x, v, y in zip(lo, exact, hi, strict=True))
    assert total > 50


def test_numbers_are_short() -> None:
    P = np.full((2, 1, 2), Fraction(1, 2), dtype=object)
    certificate = rational_certificate(MDP(P, np.array([[1.0], [0.0]]), Fraction(9, 10)), np.array([5.5, 4.5]))
    assert certificate["pairs"] == [
        [0, 0, "1", "0", [[0, "1"], [1, "1"]]],
        [1, 0, "0", "0", [[0, "1"], [1, "1"]]],
    ]
    assert all(len(x) < 50 for x in certificate["V_lo"] + certificate["V_hi"])
    assert Fraction(certificate["V_lo"][0]) <= Fraction(11, 2) <= Fraction(certificate["V_hi"][0])


def test_a_wider_gap_has_shorter_numbers() -> None:
    mdp = MDP(np.full((2, 1, 2), 0.5), np.array([[1.0], [0.0]]), 0.9)
    fine, coarse = (rational_certificate(mdp, np.array([5.5, 4.5]), gap=g) for g in (None, 1e-3))
    assert len(coarse["V_hi"][0]) < len(fine["V_hi"][0])
    gap = check(coarse).gap
    assert gap is not None and gap < 2e-3
