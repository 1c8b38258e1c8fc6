"""Shared by the tests of families."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from tabular import MDPBatch


def _digest(b: MDPBatch) -> str:
    """Of the integers that were drawn and the floats derived from them, in little-endian bytes."""
    h = hashlib.blake2b(digest_size=8)
    for x in (b.weights, b.end_weights, b.totals, b.mask.astype(np.int64)):
        h.update(x.astype("<i8").tobytes())
    for x in (b.R, b.gamma):
        h.update(x.astype("<f8").tobytes())
    return h.hexdigest()


@pytest.fixture
def digest() -> Callable[[MDPBatch], str]:
    """A batch's digest: a change of it is a change of what is drawn, and wants a new version of the family."""
    return _digest
