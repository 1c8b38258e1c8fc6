r"""The flow constraints of occupancies, for both kinds of models.

Expected discounted visits :math:`\mu \ge 0` of the pairs satisfy, and are characterised by,

.. math:: \sum_a \mu(s,a) - \gamma \sum_{s',a} \mu(s',a) P(s|s',a) = \rho(s),

a row for each state, a column for each available pair; with a horizon a row for each state of each step, and what enters the first
step is :math:`\rho`. What ends leaves. Source: d'Epenoux 1963; Puterman 1994, section 6.9; Altman 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._ingest import Given
from tabular.errors import ModelError
from tabular.exact_model import unless_floats
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.mdp import MDP
from tabular.reference import operators
from tabular.reference.enclosure_ops import EnclosureOps

Term = tuple[Fraction, np.ndarray]


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


class Setting:
    """What programs ask of a model.

    Attributes
    ----------
    shape : of arrays over pairs, (S, A) or (H, S, A).  mask : available pairs, of that shape.  pairs : (m,) their flat places.
    states : rows of the flow constraints.  gamma, rho : the model's.
    """

    model: Any
    shape: tuple[int, ...]
    mask: np.ndarray

    def __init__(self) -> None:
        self.pairs = np.flatnonzero(self.mask.ravel())
        self.states = int(np.prod(self.shape[:-1]))
        self.owner = self.pairs // self.shape[-1]
        self.gamma, self.gamma_exact, self.rho = self.model.gamma, self.model.gamma_exact, self.model.rho

    @property
    def start(self) -> np.ndarray:
        """Right sides of the flow constraints: (states,)."""
        return np.concatenate([self.rho, np.zeros(self.states - self.model.S)])

    @property
    def ends(self) -> bool:
        """Whether a step may end the process early."""
        models = [self.model] if isinstance(self.model, MDP) else self.model._distinct
        return any(m.has_end for m in models)

    def reachable(self) -> np.ndarray:
        """The states that some policy visits: (S,) or (H, S) bool."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import breadth_first_order

        flow = self.system().tocoo()
        n = self.states
        tail, head = self.owner[flow.col], flow.row
        first = np.flatnonzero(self.start > 0)
        tail, head = np.concatenate([tail, np.full(len(first), n)]), np.concatenate([head, first])
        graph = csr_array((np.ones(len(tail), dtype=np.int8), (tail, head)), shape=(n + 1, n + 1))
        out = np.zeros(n + 1, dtype=bool)
        out[breadth_first_order(graph, n, return_predecessors=False)] = True
        return out[:n].reshape(self.shape[:-1])

    def spread(self, x: np.ndarray) -> np.ndarray:
        """An array over pairs from its entries at the available ones, zero elsewhere."""
        out = np.zeros(int(np.prod(self.shape)))
        out[self.pairs] = x
        return out.reshape(self.shape)

    def policy(self, mu: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
        r""":math:`\pi(a|s) = \mu(s,a) / \mu(s)`, and the policy ``elsewhere`` in states without visits."""
        mu = np.where(self.mask, np.maximum(mu, 0.0), 0.0)
        total = mu.sum(axis=-1, keepdims=True)
        return np.where(total > 0, mu / np.where(total > 0, total, 1.0), elsewhere)

    def array(self, x: Any, name: str) -> np.ndarray:
        """Numbers for each pair, zero where unavailable: floats, or exact ones as objects. ModelError naming what is wrong."""
        exact = check.is_exact(x)
        out = np.asarray(x, dtype=object) if exact else check.float_array(x, name)
        if out.shape != self.shape:
            check.fail(f"{name} has shape {out.shape}: expected {self.shape}")
        if exact:
            keep = [check.to_fraction(out[i], name, i) if self.mask[i] else Fraction(0) for i in np.ndindex(self.shape)]
            out = np.empty(len(keep), dtype=object)
            out[:] = keep
            return out.reshape(self.shape)
        out[~self.mask] = 0.0
        check.check_finite(out, name)
        return out

    # -- by the kind of the model ------------------------------------------------------------------------------------
    def system(self) -> Any:
        """The flow constraints as a sparse matrix (states, m), in floats."""
        raise NotImplementedError

    def rewards(self) -> np.ndarray:
        """(m,) of the available pairs, in floats; with a horizon, those of the last step with what they lead to."""
        raise NotImplementedError

    def exact(self) -> tuple[list[dict[int, Fraction]], list[Fraction], list[Fraction]]:
        """Columns of the flow constraints of the exact model, as {row: entry}; rewards; right sides."""
        raise NotImplementedError

    def priced(self, terms: Sequence[Term], own: bool = True) -> Any:
        """The model with other rewards: the sum of ``weight * array``, exactly, and of its own if these count."""
        raise NotImplementedError

    def best(self, model: Any, pi: np.ndarray | None = None) -> Any:
        """A ``Solution`` of a model of this kind; ``pi`` is near it, perhaps."""
        raise NotImplementedError

    def greedy(self, V: np.ndarray, regularizer: Any) -> np.ndarray:
        """The regularised greedy policy of values, in floats."""
        raise NotImplementedError

    def answer(self, rewards: np.ndarray, actions: np.ndarray | None) -> np.ndarray:
        """The actions that earn most with these rewards, (S,) or (H, S), in floats: from the last answer, if any."""
        raise NotImplementedError

    def pure(self, actions: np.ndarray) -> np.ndarray:
        """Actions as a policy."""
        return np.asarray(actions[..., None] == np.arange(self.shape[-1]), dtype=np.float64)

    def visits(self, pi: np.ndarray) -> np.ndarray:
        """Expected discounted visits of pairs, in floats."""
        raise NotImplementedError

    def enclosed_visits(self, ops: EnclosureOps, pi: np.ndarray) -> Any:
        """The same of the exact model: a ``Value`` over all pairs, laid end to end."""
        raise NotImplementedError

    def values(self, model: Any, pi: np.ndarray, regularizer: Any = None) -> np.ndarray:
        """Values of a policy, in floats."""
        from tabular.operators import evaluate_policy

        return evaluate_policy(model, pi, regularizer)

    def certified(self, model: Any, V: np.ndarray, regularizer: Any, pi: np.ndarray | None) -> dict[str, Any]:
        """Certificates of values and of a policy, as ``certify`` has them."""
        raise NotImplementedError

    def returned(self, V: np.ndarray, bound: np.ndarray, up: bool) -> float:
        """A bound on ``rho (V - error)`` from a bound on the error of V."""
        first = V if V.ndim == 1 else V[0]
        off = bound if bound.ndim == 1 else bound[0]
        ops = EnclosureOps()
        x = np.nextafter(first - off, np.inf if up else -np.inf)
        met = self.rho > 0
        if not np.isfinite(x[met]).all():
            return np.inf if up else -np.inf
        value = ops.bounds(ops.dot(self.law(ops), ops.array(np.where(met, x, 0.0), 1)))[int(up)]
        return float(value)

    def worth(self, model: Any, pi: np.ndarray, regularizer: Any = None) -> tuple[float, float]:
        """Proved bounds on what a policy earns from the start in a model of this kind."""
        V = self.values(model, pi, regularizer)
        c = self.certified(model, V, regularizer, pi)["V - V^pi"]
        return self.returned(V, c.upper, False), self.returned(V, c.lower, True)

    def most(self, model: Any, pi: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """A proved bound on what any policy earns in a model of this kind, and the values that prove it; ``pi`` is near the best."""
        sol = self.best(model, pi)
        c = sol.certificates.get("V - V*")
        return np.inf if c is None else self.returned(sol.V, c.lower, True), sol.V

    def elsewhere(self, reduced: np.ndarray) -> np.ndarray:
        """A deterministic policy for states without visits: the pairs of largest reduced cost (m,)."""
        out, flat = np.zeros(self.shape), np.full(int(np.prod(self.shape)), -np.inf)
        flat[self.pairs] = reduced
        np.put_along_axis(out, flat.reshape(self.shape).argmax(axis=-1)[..., None], 1.0, axis=-1)
        return out

    def law(self, ops: EnclosureOps) -> Any:
        """The start distribution, enclosed."""
        raise NotImplementedError


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

        return solve(model, throw=False, **({} if pi is None or model.gamma == 1 else {"pi0": pi}))

    def greedy(self, V: np.ndarray, regularizer: Any) -> np.ndarray:
        from tabular.operators import greedy

        return greedy(self.model, V, regularizer)[0]

    def answer(self, rewards: np.ndarray, actions: np.ndarray | None) -> np.ndarray:
        from tabular._backups import Backups
        from tabular.programs._answers import improved

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
        stages = [
            _priced(self.model.stage(h), [(w, x[h]) for w, x in terms], own) for h in range(self.model.H)
        ]
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
        from tabular._backups import Backups

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
