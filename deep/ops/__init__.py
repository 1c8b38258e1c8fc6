"""The JAX arithmetic of ``tabular.reference``: its formulas, regularisers and claim bodies under jit, vmap and grad.

``JaxOps`` is an ``Ops``; a ``Value`` is a pytree; ``on_device`` puts a model where arrays of a compiled function live.
"""

from deep.ops.jax_ops import JaxOps
from deep.ops.models import DeviceModel, on_device

__all__ = ["DeviceModel", "JaxOps", "on_device"]
