"""The kernel decorator: compiled once, cached on disk, compiled again when any source it may rest on changes.

Numba's own cache looks at the file that holds the function and at nothing else, so a changed callee or
`overload` in another file is not noticed, and its index can name another process's code when two processes
save at once. Here every compiled signature is one file, written atomically, that carries a digest of all
sources of the package.

This module imports Numba only when a kernel is made, so that modules of kernels may be imported lazily.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

# Sums may be reordered and fused: the error bounds of `_rounding` hold for any order. Infinities and NaN keep
# their meaning, and divisions are divisions.
FASTMATH = frozenset({"reassoc", "contract"})

_digests: dict[tuple[Path, ...], str] = {}
_extensions: dict[type, tuple[Path, ...] | None] = {}


def kernel(
    function: Callable | None = None, /, *, parallel: bool = False, inline: bool = False, exact: bool = False
) -> Any:
    """Compile a function of arrays and scalars with Numba, when first called, through this module's cache.

    The function validates nothing. It runs without the interpreter lock, and divides as NumPy does (no
    exception). `parallel=True` runs its `prange` loops on the threads that :func:`threads` allows. `inline=True`
    makes it part of its callers: a call that takes views of rows pays for counting their references, several times
    a short row's work. `exact=True` leaves sums in their order. With `NUMBA_DISABLE_JIT=1` the function stays plain Python.

    Globals that the function names are constants of its module: two kernels made from one place in the source
    that see different globals would share a cache entry (closures are told apart).
    """
    if function is None:
        return functools.partial(kernel, parallel=parallel, inline=inline, exact=exact)
    import numba

    config: Any = numba.config  # its names are set at run time
    if config.DISABLE_JIT:
        return _interpreted(function)
    if parallel:
        has_tbb()
    fast = FASTMATH - {"reassoc"} if exact else FASTMATH
    options: Any = {"fastmath": set(fast), "nogil": True, "error_model": "numpy", "forceinline": inline}
    compiled = numba.njit(parallel=parallel, **options)(function)
    cache = _cache(function, parallel)
    if cache is not None:
        compiled._cache = cache
    return compiled


_interpreting: ContextVar[bool] = ContextVar("interpreting", default=False)


def _interpreted(function: Callable) -> Callable:
    """The plain function, which divides as `error_model="numpy"` does. What it calls finds NumPy's warnings off already: to
    turn them off again takes longer than most of the small kernels do."""
    import numpy as np

    @functools.wraps(function)
    def quiet(*args: Any, **named: Any) -> Any:
        if _interpreting.get():
            return function(*args, **named)
        inside = _interpreting.set(True)
        try:
            with np.errstate(all="ignore"):
                return function(*args, **named)
        finally:
            _interpreting.reset(inside)

    return quiet


@functools.cache
def has_tbb() -> bool:
    """Whether pip installed TBB; it is loaded, so that Numba finds it: the dynamic linker does not look there.

    Under a busy neighbour a loop on TBB takes as long as on one thread, one on OpenMP waits milliseconds for the thread
    that was put aside. A layer that is asked for (`NUMBA_THREADING_LAYER`) is still Numba's choice.
    """
    import ctypes
    from importlib import metadata

    try:
        files = metadata.files("tbb") or []
    except metadata.PackageNotFoundError:
        return False
    for file in files:
        if file.name == "libtbb.so.12":
            try:
                ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)
                return True
            except OSError as error:  # Numba then takes the next layer of its list
                warnings.warn(f"TBB is installed but cannot be loaded: {error}", RuntimeWarning, stacklevel=3)
    return False


@contextmanager
def threads(n: int | None) -> Iterator[None]:
    """Let parallel kernels use `n` threads inside the block, as before after it; None changes nothing.

    The results have the same bits for every `n`. Raises TypeError where `n` is no integer, ValueError where
    it is not between 1 and the number that Numba was started with (`NUMBA_NUM_THREADS`).
    """
    if n is None:
        yield
        return
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"the number of threads must be an integer, not {n!r}")
    import numba

    config: Any = numba.config
    most = config.NUMBA_NUM_THREADS
    if not 1 <= n <= most:
        raise ValueError(f"the number of threads must be between 1 and {most} (NUMBA_NUM_THREADS), not {n}")
    if config.DISABLE_JIT:
        yield
        return
    before = numba.get_num_threads()
    numba.set_num_threads(n)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def rests_on(cls: type, *functions: Callable) -> None:
    """Note that kernels compiled for arguments of type `cls` contain `functions`, of any package.

    Their sources then belong to the cache key of those kernels; where a function has no file (a notebook),
    kernels for `cls` are compiled in each process and not cached.
    """
    roots = [_root(getattr(f, "py_func", f)) for f in functions]
    _extensions[cls] = None if None in roots else tuple(sorted({r for r in roots if r is not None}))


def _root(function: Any) -> Path | None:
    """The folder of the function's top-level package, its file if in no package, None if it has none."""
    file = Path(function.__code__.co_filename)
    if not file.is_file():
        return None
    file = file.resolve()
    top = file
    while (top.parent / "__init__.py").is_file():
        top = top.parent
    return top


def _digest(roots: tuple[Path, ...], *, again: bool = False) -> str:
    """A digest of all Python sources under `roots` and of what else decides the code; about 1 ms."""
    if roots in _digests and not again:
        return _digests[roots]
    import llvmlite
    import numba
    import numpy as np

    h = hashlib.blake2b(digest_size=16)
    c: Any = numba.config
    settings = (c.OPT, c.LOOP_VECTORIZE, c.SLP_VECTORIZE, c.BOUNDSCHECK, c.USING_SVML)
    h.update(repr((numba.__version__, llvmlite.__version__, np.__version__, settings)).encode())
    for root in roots:
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            source = path.read_bytes()
            h.update(f"{path}\0{len(source)}\0".encode() + source)
    return _digests.setdefault(roots, h.hexdigest()) if not again else h.hexdigest()


def _cache(function: Callable, parallel: bool) -> Any:
    """The cache of one kernel, or None where its sources or a folder to write to cannot be found."""
    own = _root(function)
    if own is None:
        return None
    roots = tuple(sorted({own, _root(kernel) or own}))  # a user's kernel may call ours
    try:
        return _cache_class()(function, parallel, roots)
    except RuntimeError as error:
        warnings.warn(f"kernels are compiled in every process: {error}", RuntimeWarning, stacklevel=3)
        return None


@functools.cache
def _cache_class() -> type:
    """The class, made on demand because its base is in Numba."""
    from numba.core import sigutils, types
    from numba.core.caching import FunctionCache

    named: Any = types.BaseNamedTuple
    tuples: Any = types.BaseTuple

    def classes(t: Any) -> Iterator[type]:
        if isinstance(t, named):
            yield t.instance_class
        if isinstance(t, tuples):
            for item in t:
                yield from classes(item)

    class KernelCache(FunctionCache):
        def __init__(self, function: Any, parallel: bool, roots: tuple[Path, ...]) -> None:
            super().__init__(function)
            self._parallel, self._roots = parallel, roots
            stamp = (self._impl.locator.get_source_stamp(), _digest(roots))
            self._cache_file: Any = _Files(self._cache_path, self._impl.filename_base, repr(stamp))

        def _foreign(self, sig: Any) -> list[tuple[Path, ...] | None]:
            args, _ = sigutils.normalize_signature(sig)
            return [_extensions[c] for t in args for c in classes(t) if c in _extensions]

        def _index_key(self, sig: Any, codegen: Any) -> tuple:
            others = tuple(_digest(r) for r in self._foreign(sig) if r is not None)
            return (*super()._index_key(sig, codegen), self._parallel, others)

        def _load_overload(self, sig: Any, target_context: Any) -> Any:
            return None if None in self._foreign(sig) else super()._load_overload(sig, target_context)

        def _save_overload(self, sig: Any, data: Any) -> None:
            extensions = self._foreign(sig)
            if None in extensions:
                return
            # Sources edited since they were imported: what was compiled is not what the digest would promise.
            if any(_digest(r, again=True) != _digest(r) for r in [self._roots, *extensions] if r is not None):
                return
            try:
                super()._save_overload(sig, data)
            except OSError as error:
                warnings.warn(f"a compiled kernel was not cached: {error}", RuntimeWarning, stacklevel=2)

    return KernelCache


class _Files:
    """One file per signature: stamp, key, code. Has the interface of Numba's `IndexDataCacheFile`."""

    def __init__(self, folder: str, base: str, stamp: str) -> None:
        self._folder, self._base, self._stamp = Path(folder), base, stamp

    def _path(self, key: Any) -> Path:
        name = hashlib.blake2b(repr(key).encode(), digest_size=12).hexdigest()
        return self._folder / f"{self._base}.{name}.nbc"

    def load(self, key: Any) -> Any:
        try:
            with open(self._path(key), "rb") as file:
                if pickle.load(file) != self._stamp:
                    return None
                saved, data = pickle.load(file)
        except FileNotFoundError:
            return None
        except (EOFError, pickle.UnpicklingError, AttributeError, ImportError):
            return None  # cut short by a crash, or of a class that is gone: compiled again, overwritten
        return data if saved == key else None

    def save(self, key: Any, data: Any) -> None:
        from numba.core.serialize import dumps

        path = self._path(key)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=path.name, delete=False) as file:
            try:
                file.write(pickle.dumps(self._stamp) + dumps((key, data)))
                file.close()
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise

    def flush(self) -> None:
        for path in self._folder.glob(f"{self._base}.*.nbc"):
            path.unlink(missing_ok=True)
