"""QuantEcon's ``DiscreteDP``, in both of its forms: ``to_quantecon(mdp)`` and ``from_quantecon(ddp)``.

The product form has ``R (S, A)`` with ``-inf`` where an action is unavailable and ``Q (S, A, S)``; the form of pairs has
``R (L,)``, rows ``Q (L, S)``, dense or sparse, and the indices of the pairs. Both hold floats, no endings and no start.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.from_exact import stored
from tabular.interchange._optional import library
from tabular.interchange._says import listed_actions, settle
from tabular.mdp import MDP
from tabular.pairs import from_pair_arrays

FORMS = ("product", "pairs")


def to_quantecon(mdp: MDP, form: str | None = None, *, drop: Collection[str] = ()) -> Any:
    """The ``quantecon.markov.DiscreteDP`` of a model.

    ``form`` : ``"product"`` or ``"pairs"`` (rows sparse where the model is); None: pairs for a sparse model.  ``drop`` : what may
    be left out, ``"start"`` and ``"exact"``.

    Raises ModelError for endings, for a sparse model in the product form (which is dense: ``to_dense`` first), and for an action
    that no state has in the form of pairs, which lists none of it; ImportError where quantecon is not installed.
    """
    what = "QuantEcon's DiscreteDP"
    settle(mdp, "to_quantecon", what, ("discount", "unavailable"), drop)
    form = ("pairs" if mdp.is_sparse else "product") if form is None else form
    if form not in FORMS:
        raise ValueError(f"form is {form!r}: expected {' or '.join(FORMS)}")
    ddp = library("quantecon.markov", "quantecon", "cross").DiscreteDP
    if form == "product":
        if mdp.is_sparse:
            check.fail(
                f"the product form of {what} is dense, and the model is sparse: form='pairs', or model.to_dense()"
            )
        return ddp(np.array(mdp.R), np.array(mdp.P), mdp.gamma)
    listed_actions(mdp, f"the form of pairs of {what}")
    s, a = np.nonzero(mdp.mask)
    if mdp.is_sparse:
        from scipy.sparse import csr_matrix

        P = mdp.csr()
        rows: Any = csr_matrix((P.data, P.indices, P.indptr), shape=(mdp.S * mdp.A, mdp.S))[s * mdp.A + a]
    else:
        rows = mdp.P[s, a]
    return ddp(mdp.rewards[s, a], rows, mdp.gamma, s, a)


def from_quantecon(
    ddp: Any,
    *,
    A: int | None = None,
    rho: Any = None,
    renormalise: bool = False,
    sparse: bool | None = None,
    **labels: Any,
) -> MDP:
    """The model of a ``DiscreteDP`` in either form; rows of unavailable pairs are left out, whatever they hold.

    ``A`` : number of actions, for the form of pairs, which does not say it; None: as many as occur. The rest as in ``MDP``.
    Raises ModelError naming the place for rows that are no distributions (QuantEcon does not look), TypeError for what is no
    ``DiscreteDP``.
    """
    fields: list[Any] = [getattr(ddp, name, None) for name in ("R", "Q", "beta")]
    if any(x is None for x in fields):
        raise TypeError(f"from_quantecon takes a DiscreteDP, not {type(ddp).__name__}")
    R, Q, beta = fields
    s, a = getattr(ddp, "s_indices", None), getattr(ddp, "a_indices", None)
    if s is not None and a is not None:
        return from_pair_arrays(s, a, Q, R, beta, A=A, rho=rho, renormalise=renormalise, sparse=sparse, **labels)
    if A is not None and np.shape(R)[1:] != (A,):
        check.fail(f"A is {A}, and R has shape {np.shape(R)}")
    R, Q = np.asarray(R, dtype=np.float64), np.asarray(Q, dtype=np.float64)
    if Q.ndim == 3 and R.shape == Q.shape[:2]:
        Q = np.where((R == -np.inf)[..., None], 0.0, Q)
    return stored(MDP(Q, R, beta, rho=rho, renormalise=renormalise, **labels), sparse)
