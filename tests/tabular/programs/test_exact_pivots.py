"""Exact pivots from bases that are not optimal: the same vertex as from HiGHS', or a proof that there is none."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tabular import ImproperModel, InfeasibleProgram, NotConverged
from tabular.instances import garnet, random_masks_endings
from tabular.programs import exact as module
from tabular.programs import exact_program
from tabular.programs._highs import Proposal
from tabular.programs._models import setting_of
from tabular.programs.exact import Tableau, _Astray, _Program
from tests.tabular.programs.test_linear import spread

MODELS = [garnet(5, 3, gamma=(0.9,)).member(3, i) for i in range(3)] + [
    random_masks_endings(6, 3, gamma=(0.75,)).member(1, 0)
]
COSTS = [np.random.default_rng(0).integers(0, 4, size=(m.S, m.A)) for m in MODELS]


def program(i: int, limit: Any) -> _Program:
    setting = setting_of(MODELS[i], "test", spread(MODELS[i]))
    C = [[Fraction(int(x)) for x in COSTS[i].ravel()[setting.pairs]]]
    return _Program(setting, C, [Fraction(limit)])


def tableau(p: _Program) -> Tableau:
    return Tableau(p.columns, p.c, p.right, p.closed)


def first_actions(p: _Program) -> list[int]:
    """A basis of the first available action of each state, and the slack of the constraint."""
    owner = p.setting.owner
    return [int(np.flatnonzero(owner == s)[0]) for s in range(p.setting.states)] + [p.n + p.setting.states]


@pytest.mark.parametrize("i", range(len(MODELS)))
def test_primal_pivots_are_policy_iteration(i: int) -> None:
    p = program(i, 10**6)
    x, y, pivots = tableau(p).solve(first_actions(p))
    best = exact_program(MODELS[i], rho=spread(MODELS[i]))
    assert sum(a * b for a, b in zip(y, p.right, strict=True)) == best.value and y[-1] == 0
    assert pivots > 0 and sum(p.c[j] * v for j, v in x.items()) == best.value


@pytest.mark.parametrize("i", range(len(MODELS)))
def test_dual_pivots_tighten_a_limit(i: int) -> None:
    mdp, rho = MODELS[i], spread(MODELS[i])
    loose = program(i, 10**6)
    basis = first_actions(loose)
    x, _, _ = tableau(loose).solve(basis)
    spent = sum(v * loose.columns[j].get(mdp.S, 0) for j, v in x.items() if j < loose.n)
    cost = np.where(mdp.mask, COSTS[i], 0).astype(float)
    least = -exact_program(mdp._with(rewards=-cost, exact=None), rho=rho).value
    limit = (spent + least) / 2
    tight = program(i, limit)
    _, y, pivots = tableau(tight).solve(list(basis))
    exact = exact_program(mdp, [cost], [limit], rho)
    assert sum(a * b for a, b in zip(y, tight.right, strict=True)) == exact.value
    assert pivots > 0 and exact.multipliers == y[-1:] and exact.multipliers[0] > 0
    with pytest.raises(_Astray):  # nothing to pivot on: the limit is below the least cost
        tableau(program(i, least - 1)).solve(list(basis))
    with pytest.raises(InfeasibleProgram) as caught:
        program(i, least - 1).in_two_phases()
    assert caught.value.margin == 1 and caught.value.weights == [1]
    found, z, _ = tight.in_two_phases()
    assert sum(tight.c[j] * v for j, v in found.items()) == exact.value and z == y


def test_whatever_highs_proposes_the_optimum_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """From bases that are wrong or short; a singular one is refused."""
    mdp, rho = MODELS[0], spread(MODELS[0])
    best = exact_program(mdp, rho=rho).value
    original = module.maximise

    def proposing(basis: list[int]) -> Any:
        def maximise(*arguments: Any, **options: Any) -> Proposal:
            return original(*arguments, **options)._replace(basic=list(basis))

        return maximise

    for basis in ([0, 3, 6, 9, 12], []):  # of a policy; of slacks alone
        monkeypatch.setattr(module, "maximise", proposing(basis))
        assert exact_program(mdp, rho=rho).value == best
    monkeypatch.setattr(module, "maximise", proposing([0, 0, 0, 0, 0]))
    with pytest.raises(NotConverged, match="neither primal nor dual"):
        exact_program(mdp, rho=rho)


def test_a_ray_of_profit_is_found_exactly() -> None:
    columns = [{0: Fraction(0)}, {0: Fraction(1)}]
    with pytest.raises(ImproperModel, match="infinite"):
        Tableau(columns, [Fraction(1), Fraction(0)], [Fraction(1)], [False, False]).solve([1])
