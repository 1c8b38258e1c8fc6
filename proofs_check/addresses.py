"""What instances there are: made in chunks, each with an address by which it is made again.

An address is ``family[i]:chunk.index`` (or ``model:draw`` for fixed models), which with the claim's id and the seed makes
the instance. Chunk ``c`` has one size at every budget (``chunk_size``), so that a larger budget adds instances and
changes none; seeds are spawned by the claim's id, so that adding a claim changes no other.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proofs_check import families
from proofs_check.claim import Claim
from proofs_check.draws import Integers, Payload, Place

CHUNK = 200  # instances of the first chunk, over all families of a claim
LATER = 600  # of each after it: a batch costs nearly the same whatever its size


@dataclass(frozen=True)
class Chunk:
    """Instances made together: models, payloads, and where they come from. ``model`` is set for a fixed model, not batched."""

    claim: Claim
    label: str
    batch: Any
    payloads: Mapping[str, Payload]
    model: Any = None
    source: str = ""  # key of its family, or name of its model
    path: tuple[int, ...] = ()  # what was spawned from the seed

    @property
    def first(self) -> bool:
        """Whether it is the first of its family: a tie in it is followed to the end of the ladder."""
        return self.model is None and self.label.endswith(":0")

    def address(self, i: int) -> str:
        return self.label if self.model is not None else f"{self.label}.{i}"

    def instance(self, i: int) -> tuple[Any, dict[str, Payload]]:
        """One instance, without the batch axis."""
        mdp = self.batch[i] if self.model is None else self.model
        return mdp, {name: p.take(i) for name, p in self.payloads.items()}


def key(name: str) -> int:
    """A name as a word of a seed path."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def chunk_size(c: int) -> int:
    """Instances of chunk ``c``, over all families of a claim."""
    return LATER if c else CHUNK


def chunk_of(claim: Claim, label: str, seed: int) -> Chunk:
    """The chunk of a label. Raises ValueError where the claim has none such."""
    name, _, number = label.partition(":")
    if not number.isdecimal():
        raise ValueError(f"{label!r} names no chunk")
    if name in claim.instances:
        return fixed_chunk(claim, name, int(number), seed)
    for f, family in enumerate(claim.family):
        if f"{family.name}[{f}]" == name:
            return family_chunk(claim, f, int(number), seed)
    raise ValueError(f"{claim.id} has no family or model {name!r}")


def family_chunk(claim: Claim, f: int, c: int, seed: int) -> Chunk:
    """Chunk ``c`` of family ``f``."""
    family = claim.family[f]
    n = max(1, chunk_size(c) // len(claim.family))
    path = (key(claim.id), key(family.key), c)

    def make(salt: int) -> Any:
        return family(int(Integers(seed, *path, salt).below(2**32, 1)[0]), n)

    batch = make(0)
    drawn = _draw(claim, batch, make, seed, path)
    return Chunk(claim, f"{family.name}[{f}]:{c}", batch, drawn, None, family.key, path)


def fixed_chunk(claim: Claim, name: str, k: int, seed: int) -> Chunk:
    """Draw ``k`` on a fixed model."""
    model, batch = families.fixed(name)
    path = (key(claim.id), key(name), k)

    def remake(_: int) -> Any:
        raise ValueError(f"{claim.id} draws a second model, of which {name} has none: give it instances=()")

    return Chunk(claim, f"{name}:{k}", batch, _draw(claim, batch, remake, seed, path), model, name, path)


def _draw(
    claim: Claim, batch: Any, remake: Callable[[int], Any], seed: int, path: tuple[int, ...]
) -> dict[str, Payload]:
    drawn: dict[str, Payload] = {}
    with contextlib.redirect_stdout(sys.stderr):  # as in bodies: stdout has results alone
        for name, draw in claim.draws.items():
            drawn[name] = draw.sample(Integers(seed, *path, key(name)), Place(batch, remake, drawn))
    return drawn


def instance(claim: Claim, address: str, seed: int) -> tuple[Any, dict[str, Payload]]:
    """The instance of an address. Raises ValueError where the claim has none such."""
    label, _, rest = address.partition(":")
    number, _, i = rest.partition(".")
    try:
        return chunk_of(claim, f"{label}:{number}", seed).instance(0 if label in claim.instances else int(i))
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"{claim.id} has no instance {address!r}: expected family[i]:chunk.index or model:draw"
        ) from error
