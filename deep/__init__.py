"""The GPU extension, in JAX: the objectives of ``tabular`` at scale (extra ``deep``).

``deep.ops`` is the JAX arithmetic of the formulas, ``deep.exact`` solves with it. Importing this package imports nothing else:
JAX comes with the first of its parts, and no part changes JAX's configuration.
"""
