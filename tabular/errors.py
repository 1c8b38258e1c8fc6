"""The project's own exceptions: ``ModelError`` for data, the others for mathematics."""

from __future__ import annotations

from typing import Any


class TabularError(Exception):
    """Base of the project's exceptions."""


class ModelError(TabularError, ValueError):
    """A model's data are wrong; the message names the place."""


class ImproperModel(TabularError):
    """The model has no finite answer in the setting asked for; the message names the component."""


class NotConverged(TabularError):
    """A solver stopped without the accuracy asked for; ``solution`` holds what it had."""

    def __init__(self, message: str, solution: Any = None) -> None:
        super().__init__(message)
        self.solution = solution


class InfeasibleProgram(TabularError):
    """No policy meets the constraints: ``weights`` (K,) prove it, a combination of the constraints that every policy exceeds by at
    least ``margin`` (proved; a Fraction where the proof is rational).
    """

    def __init__(self, message: str, weights: Any = None, margin: Any = None) -> None:
        super().__init__(message)
        self.weights = weights
        self.margin = margin


class NoExactForm(TabularError):
    """A formula leaves the rationals (exp, log, sqrt): use balls."""


class FormatError(TabularError, ValueError):
    """A file is not what it should be; the message names the member and what is wrong with it."""
