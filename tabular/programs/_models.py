"""The two kinds of models as ``Setting``s, and models with other rewards."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._backups import Backups
from tabular._ingest import Given
from tabular.errors import ModelError
from tabular.exact_model import unless_floats
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import MDP
from tabular.programs._answers import improved
from tabular.programs._settings import Setting, Term
from tabular.reference import operators
from tabular.reference.enclosure_ops import EnclosureOps


def setting_of(model: Any, who: str, rho: Any = None) -> Setting:
    """The model with its start. TypeError for other models, ModelError without a start or for a bad one."""
    border.expect(model, who, "MDP", "FiniteHorizonMDP")
    if rho is not None:
        start, exact = check.check_distribution(rho, model.S)
        if isinstance(model, MDP):
            given = (model._exact or Given(None, None, model.gamma_exact, None))._replace(rho=exact)
            model = model._with(rho=start, exact=_unless_plain(given, model.gamma))
        else:
            model = model._with(rho=start, _rho_exact=exact)
    if model.rho is None:
        raise ModelError(f"rho is missing: {who} asks where the process starts")
    return Stationary(model) if isinstance(model, MDP) else Staged(model)


class Stationary(Setting):
    """A discounted MDP, or one of total reward."""

    def __init__(self, mdp: MDP) -> None:
        self.model, self.shape, self.mask = mdp, (mdp.S, mdp.A), mdp.mask
        self._backups: Any = None
        super().__init__()

    def system(self) -> Any:
        return _columns(self.model.csr(), self.pairs, self.owner, self.gamma, self.states)

    def rewards(self) -> np.ndarray:
        return np.asarray(self.model.rewards.ravel()[self.pairs])

    def exact(self) -> tuple[list[dict[int, Fraction]], list[Fraction], list[Fraction]]:
        m = self.model.exact()
        columns = [_column(m, i, i // m.A, 0, m.gamma) for i in self.pairs.tolist()]
        return columns, [m.R[i] for i in self.pairs.tolist()], list(m.rho)

    def priced(self, terms: Sequence[Term], own: bool = True) -> MDP:
        return _priced(self.model, terms, own)

    def elsewhere(self, reduced: np.ndarray) -> np.ndarray:
        """With ``gamma = 1`` one that ends wherever that can be."""
        if self.gamma < 1:
            return super().elsewhere(reduced)
        from tabular.planning.collapse import collapse

        mdp, P = self.model, self.model.csr()
        ending = collapse(P.indptr, P.indices, P.data, np.ones_like(mdp.rewards), mdp.end, mdp.mask).proper_policy()
        out = np.zeros(self.shape)
        out[np.arange(mdp.S), ending] = 1.0
        return out

    def best(self, model: Any, pi: np.ndarray | None = None) -> Any:
        from tabular.planning import solve

        options: dict[str, Any] = {} if pi is None or model.gamma == 1 else {"pi0": pi}
        return solve(model, throw=False, **options)

    def greedy(self, V: np.ndarray, regularizer: Any) -> np.ndarray:
        from tabular.operators import greedy

        return greedy(self.model, V, regularizer)[0]

    def answer(self, rewards: np.ndarray, actions: np.ndarray | None) -> np.ndarray:
        self._backups = self._backups or Backups(self.model)
        return improved(self._backups, rewards, self.mask.argmax(axis=1) if actions is None else actions)

    def visits(self, pi: np.ndarray) -> np.ndarray:
        from tabular.operators import occupancy

        return occupancy(self.model, pi)

    def enclosed_visits(self, ops: EnclosureOps, pi: np.ndarray) -> Any:
        mu = operators.occupancy(ops, ops.model(self.model), ops.distribution(pi))
        return _flat(ops, [mu])

    def certified(self, model: Any, V: np.ndarray, regularizer: Any, pi: np.ndarray | None) -> dict[str, Any]:
        from tabular.certificates import certify

        return certify(model, V, regularizer, pi)

    def law(self, ops: EnclosureOps) -> Any:
        given = self.model._exact
        if given is None or given.rho is None:
            return ops.distribution(self.rho, 1)
        return ops.array(np.array(given.rho, dtype=object), 1)


class Staged(Setting):
    """A finite horizon; visits of step h are discounted by ``gamma**h``."""

    def __init__(self, fh: FiniteHorizonMDP) -> None:
        self.model, self.shape, self.mask = fh, (fh.H, fh.S, fh.A), fh.mask
        super().__init__()

    def system(self) -> Any:
        from scipy.sparse import block_array

        H, S, A = self.shape
        blocks: list[list[Any]] = [[None] * H for _ in range(H)]
        for h in range(H):
            pairs = np.flatnonzero(self.mask[h].ravel())
            P = self.model.stage(h).csr()
            own = _columns(P, pairs, pairs // A, 0.0, S)
            blocks[h][h] = own
            if h < H - 1:
                blocks[h + 1][h] = _columns(P, pairs, pairs // A, self.gamma, S) - own
        return block_array(blocks, format="csc")

    def rewards(self) -> np.ndarray:
        H, S, A = self.shape
        R = np.stack([self.model.stage(h).rewards for h in range(H)])
        if self.model.terminal.any():
            P = self.model.stage(H - 1).csr()
            owner = np.repeat(np.arange(S * A), np.diff(P.indptr))
            after = np.bincount(owner, weights=P.data * self.model.terminal[P.indices], minlength=S * A)
            R[-1] += self.gamma * after.reshape(S, A)
        return np.asarray(R.ravel()[self.pairs])

    def exact(self) -> tuple[list[dict[int, Fraction]], list[Fraction], list[Fraction]]:
        H, S, A = self.shape
        exact = self.model.exact()
        columns, rewards = [], []
        for i in self.pairs.tolist():
            h, pair = divmod(i, S * A)
            m = exact.stages[h]
            last = h == H - 1
            columns.append(_column(m, pair, i // A, (h + 1) * S, Fraction(0) if last else exact.gamma))
            after = sum((p * exact.terminal[t] for t, p in m.row(*divmod(pair, A)).items()), Fraction(0)) if last else 0
            rewards.append(m.R[pair] + exact.gamma * after)
        return columns, rewards, [*exact.rho, *[Fraction(0)] * (self.states - S)]

    def priced(self, terms: Sequence[Term], own: bool = True) -> FiniteHorizonMDP:
        stages = [_priced(self.model.stage(h), [(w, x[h]) for w, x in terms], own) for h in range(self.model.H)]
        changes: dict[str, Any] = {"_distinct": tuple(stages), "_index": tuple(range(self.model.H))}
        if not own:
            changes |= {"terminal": np.zeros(self.model.S), "_terminal_exact": None}
        return self.model._with(**changes)

    def best(self, model: Any, pi: np.ndarray | None = None) -> Any:
        from tabular.planning import backward_induction

        return backward_induction(model, throw=False)

    def greedy(self, V: np.ndarray, regularizer: Any) -> np.ndarray:
        from tabular.operators import greedy

        return np.stack([greedy(self.model.stage(h), V[h + 1], regularizer)[0] for h in range(self.model.H)])

    def answer(self, rewards: np.ndarray, actions: np.ndarray | None) -> np.ndarray:
        H, S, _ = self.shape
        backups = {id(m): Backups(m) for m in self.model._distinct}
        out, V = np.empty((H, S), dtype=np.int64), np.zeros(S)
        for h in reversed(range(H)):
            b = backups[id(self.model.stage(h))]
            Q = np.where(b.mask, rewards[h] + b.q(V) - b.mdp.rewards, -np.inf)
            out[h], V = Q.argmax(axis=1), Q.max(axis=1)
        return out

    def visits(self, pi: np.ndarray) -> np.ndarray:
        from tabular.exploration.visits import visits

        return visits(self.model, pi) * self.gamma ** np.arange(self.model.H)[:, None, None]

    def enclosed_visits(self, ops: EnclosureOps, pi: np.ndarray) -> Any:
        models = {id(m): ops.model(m) for m in self.model._distinct}
        stages = [models[id(self.model.stage(h))] for h in range(self.model.H)]
        plan = [ops.distribution(x) for x in pi]
        met = operators.forward_visits(ops, stages, self.law(ops), plan)
        gamma = ops.constant(self.gamma_exact)
        return _flat(ops, [gamma**h * met[h][:, None] * x for h, x in enumerate(plan)])

    def certified(self, model: Any, V: np.ndarray, regularizer: Any, pi: np.ndarray | None) -> dict[str, Any]:
        from tabular.certificates import certify_finite

        return certify_finite(model, V, regularizer, pi)

    def law(self, ops: EnclosureOps) -> Any:
        given = self.model._rho_exact
        return ops.distribution(self.rho, 1) if given is None else ops.array(np.array(given, dtype=object), 1)


def _columns(P: Any, pairs: np.ndarray, owner: np.ndarray, gamma: float, states: int) -> Any:
    from scipy.sparse import csc_array, csr_array

    m = len(pairs)
    own = csc_array((np.ones(m), owner, np.arange(m + 1)), shape=(states, m))
    if gamma == 0.0:
        return own
    rows = csr_array((P.data, P.indices, P.indptr), shape=(len(P.indptr) - 1, states))[pairs]
    return (own - gamma * rows.T).tocsc()


def _column(m: Any, pair: int, row: int, shift: int, gamma: Fraction) -> dict[int, Fraction]:
    out = {row: Fraction(1)}
    if gamma:
        for t, p in m.row(*divmod(pair, m.A)).items():
            out[shift + t] = out.get(shift + t, Fraction(0)) - gamma * p
    return out


def _flat(ops: EnclosureOps, blocks: list[Any]) -> Any:
    from tabular.reference.value import Value

    return Value(ops, np.concatenate([x.data.reshape(2, -1) for x in blocks], axis=-1), 1)


def _unless_plain(given: Given, gamma: float) -> Given | None:
    plain = given.weights is None and given.R is None and given.rho is None and given.gamma == Fraction(gamma)
    return None if plain else given


def _priced(mdp: MDP, terms: Sequence[Term], own: bool) -> MDP:
    given = mdp._exact or Given(None, None, mdp.gamma_exact, None)
    live = [(w, x) for w, x in terms if w]
    if own:
        R = mdp.rewards if given.R is None else np.array(given.R, dtype=object).reshape(mdp.mask.shape)
        live.insert(0, (Fraction(1), R))
    if not live or (len(live) == 1 and live[0][0] == 1 and live[0][1].dtype != object):
        rewards = live[0][1] if live else np.zeros(mdp.mask.shape)
        return mdp._with(rewards=rewards + 0.0, exact=_unless_plain(given._replace(R=None), mdp.gamma))
    total = [Fraction(0)] * mdp.mask.size
    for w, x in live:
        flat = x.ravel().tolist()
        for i in np.flatnonzero(x.ravel() != 0).tolist():
            total[i] += w * Fraction(flat[i])
    rewards = np.array([check.to_float(x, "reward") for x in total])
    exact = unless_floats(total, rewards)
    out = _unless_plain(given._replace(R=exact), mdp.gamma)
    return mdp._with(rewards=rewards.reshape(mdp.mask.shape), exact=out)
