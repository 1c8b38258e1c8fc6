"""The words by which statements are read: names in formulas, what stands behind a subscript, and words that are prose."""

from __future__ import annotations

_COMMANDS = "log exp max min sup inf lim ln sin cos tanh"
_NAMES = """
argmax argmin softmax Var Cov KL VE TE sp sm lse tr Proj diag sign osc Reg Regret Gap const onehot MVI MoCoVI CVaR VaR MVaR OPT supp
"""
_NOUNS = "span end mid level leaf root score"
_SUBSCRIPTS = """
MVaR BAMDP GSPO SFT NCE MLE old new ref eff acc off tok low lo high hi maj soup root tool perm mean mix max min soft
minorize span stay short long shared online eval env ep IL CL FT ST KL TR LL HH sm bg fg
"""
_FUNCTION_WORDS = "and or is are in at of for with to by that the as from on over under among be has does"
_SIGNS = r"+ - − = < > / · × ± ≤ ≥ ∝ ∈ → ↦ ~ ≈ ≡ ≠ ⊆ ∘ ≻ ← | ∣ : * \le \ge \to \in \cdot \propto \mid \| \otimes \cdots"

COMMANDS = frozenset(_COMMANDS.split())
"""Names that LaTeX has as commands."""
NOUNS = frozenset(_NOUNS.split())
"""Names in formulas that are words elsewhere."""
NAMES = COMMANDS | NOUNS | frozenset(_NAMES.split())
"""Names of several letters, set upright. Of the others lower case of three letters or more is a name, and the rest a product."""
SUBSCRIPTS = tuple(sorted(_SUBSCRIPTS.split(), key=len, reverse=True))
"""What follows ``_`` as a whole, where it is not in braces; of anything else the first character alone. The longest first."""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words before which a single letter is no article."""
SIGNS = frozenset(_SIGNS.split())
"""Words that are an operator or a relation."""
