"""One result as it is stored: what it rests on, what it comes to, and the key under which it is found again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from proofs_check import digests, merging
from proofs_check.ledger import Cost
from proofs_check.parts import StoreError
from proofs_check.verdict import Tally


@dataclass(frozen=True)
class Record:
    """One result and what it rests on.

    ``code`` digests the claim, ``engine`` the sources and versions beneath, ``instances`` every number that was drawn; ``mode`` is
    what was done with them, ``label`` their place; ``path`` their seed path (words spawned from ``seed``). ``run`` names the run.
    """

    claim: str
    code: str
    engine: str
    seed: int
    mode: str
    label: str
    run: str
    path: tuple[int, ...]
    family: str
    instances: str
    tally: Tally
    cost: Cost

    @property
    def key(self) -> str:
        """What it is a result of: equal keys have equal tallies."""
        return key(self.claim, self.code, self.engine, self.seed, self.mode, self.label)

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **{name: getattr(self, name) for name in ("claim", "code", "engine", "seed", "mode", "label", "run")},
            "path": [str(word) for word in self.path],
            "family": self.family,
            "instances": self.instances,
            "tally": merging.encode(self.tally),
            "cost": asdict(self.cost),
        }

    @classmethod
    def of_data(cls, data: dict[str, Any]) -> Record:
        """The record of ``as_data``. StoreError for one of another version, whose fields are others."""
        given = dict(data)
        try:
            path = tuple(int(word) for word in given.pop("path"))
            tally, cost = merging.decode(given.pop("tally")), Cost(**given.pop("cost"))
            return cls(path=path, tally=tally, cost=cost, **given)
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"a record of {data.get('claim')!r} is of another version of this program: {error}"
            ) from error


def key(claim: str, code: str, engine: str, seed: int, mode: str, label: str) -> str:
    """Under which a result is stored."""
    return digests.digest(claim, code, engine, str(seed), mode, label)
