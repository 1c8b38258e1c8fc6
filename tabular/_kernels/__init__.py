"""Compiled loops behind the friendly layer: contiguous arrays in, buffers filled, nothing validated.

Import a module here only inside the function that needs it: that imports Numba. Each is compiled on first
use.

Conventions. Rows of `P` whose `mask` is false are never read. `out` must not overlap `V`. A NaN anywhere in a
row's input is a NaN in its output. Backups return the least and largest component of `out - V`. A name in
`_parallel` is the same function with its rows spread over the threads that `tabular._jit.threads` allows,
with the same bits.
"""
