"""Float64 where it is wanted, and nowhere else.

JAX computes in float32 unless a flag of the process or of a ``with`` block says otherwise. Everything exact here needs
float64, and asks for it in a block of its own: the flag of the process stays as the user left it, and arrays that leave the
package are NumPy's, since a float64 array of JAX loses half its digits in the first operation outside of such a block.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, TypeVar

import jax

F = TypeVar("F", bound=Callable[..., Any])


def float64() -> AbstractContextManager[Any]:
    """A ``with`` block in which JAX computes in float64; of this thread alone."""
    return jax.enable_x64(True)


def in_float64(function: F) -> F:
    """Decorator: runs the function in such a block."""

    @wraps(function)
    def inside(*arguments: Any, **options: Any) -> Any:
        with float64():
            return function(*arguments, **options)

    return inside  # type: ignore[return-value]
