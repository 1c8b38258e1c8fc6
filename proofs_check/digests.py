"""What a stored result rests on, as digests: the claim's own code, the engine's sources, the versions beneath.

A claim's digest covers its body and whatever that reaches in modules of claims or of one's own: functions, classes and
constants by their names, families, draws, assumptions; not comments or layout. What lies in ``tabular`` or ``proofs_check``
(papers' claims apart) is covered by the digest of the engine instead, and libraries by their versions. Whatever cannot be
digested (an open file, say) gets a digest that is never met again, so that its results are computed anew.
"""

from __future__ import annotations

import dis
import hashlib
import importlib.metadata
import os
import pickle
import platform
import sys
import types
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from proofs_check.claim import Claim

LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "python-flint", "gymnasium", "cvxpy")
_COVERED = frozenset(("flint", *LIBRARIES))  # modules whose versions are known to ``versions``
_PARTS_OF_CLASS = ("__dict__", "__weakref__", "__module__", "__doc__", "__firstlineno__", "__static_attributes__")
_MANY = 16  # hexadecimal digits are twice as many


def digest(*texts: str) -> str:
    """Of texts, in order."""
    h = hashlib.blake2b(digest_size=_MANY)
    for text in texts:
        data = text.encode()
        h.update(len(data).to_bytes(8, "little") + data)
    return h.hexdigest()


@cache
def versions() -> dict[str, str]:
    """Of Python, the machine's kind and the libraries that compute: another of these may give other bits."""
    found = {name: _version(name) for name in LIBRARIES}
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{sys.platform} {platform.machine()} {sys.byteorder}",
    } | found


@cache
def machine() -> dict[str, Any]:
    """Where a result was computed, for the record; results of other machines are used, since enclosures hold on each."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    return {"cpu": cpu, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()}"}


def project() -> str:
    """The version of this distribution; "not installed" where it runs from its sources alone."""
    return _version("tabular-proofs")


@cache
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


@cache
def engine_files() -> tuple[Path, ...]:
    """The sources that every verdict rests on: ``tabular`` and ``proofs_check`` without the papers' claims and the report."""
    import tabular

    here = Path(__file__).resolve().parent
    roots = (Path(tabular.__file__).resolve().parent, here)
    apart = {here / "claims", here / "report"}
    return tuple(p for root in roots for p in sorted(root.rglob("*.py")) if apart.isdisjoint(p.parents))


@cache
def engine() -> str:
    """Digest of the engine's sources as they were when first asked for, and of the versions beneath."""
    roots = Path(__file__).resolve().parents[1]
    h = hashlib.blake2b(repr(sorted(versions().items())).encode(), digest_size=_MANY)
    for path in engine_files():
        name = path.relative_to(roots) if path.is_relative_to(roots) else Path(*path.parts[-2:])
        source = path.read_bytes()
        h.update(f"{name.as_posix()}\0{len(source)}\0".encode() + source)
    return h.hexdigest()


def engine_state() -> tuple[tuple[int, int], ...]:
    """Sizes and times of the engine's sources: another state may be another engine."""
    found = (os.stat(path) if path.is_file() else None for path in engine_files())
    return tuple((0, 0) if s is None else (s.st_size, s.st_mtime_ns) for s in found)


def claim_digest(claim: Claim) -> str:
    """Of everything of a claim that decides what its instances are and what is said of them."""
    fold = _Fold()
    try:
        for part in (
            claim.id,
            claim.body,
            claim.family,
            dict(claim.draws),
            claim.assumptions,
            claim.instances,
            claim.least,
        ):
            fold(part)
    except RecursionError:  # it reaches deep into some library: computed anew each time
        return digest(str(uuid.uuid4()))
    return fold.hexdigest()


class _Fold:
    """Feeds values to a hash, each object once."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=_MANY)
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no id is used twice

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def _text(self, *words: Any) -> None:
        for word in words:
            data = str(word).encode("utf-8", "surrogatepass")
            self._hash.update(len(data).to_bytes(8, "little") + data)

    def __call__(self, x: Any) -> None:
        if x is None or isinstance(x, (bool, int, float, complex, str, bytes, Fraction, type(...))):
            self._text(type(x).__name__, repr(x))
            return
        if id(x) in self._seen:
            self._text("again", self._seen[id(x)])
            return
        self._seen[id(x)] = len(self._seen)
        self._kept.append(x)
        self._text(type(x).__qualname__)
        self._object(x)

    def _object(self, x: Any) -> None:
        match x:
            case types.FunctionType():
                self._function(x)
            case types.CodeType():
                self._code(x)
            case types.ModuleType():
                self._module(x)
            case type():
                self._class(x)
            case types.MethodType():
                self._all(x.__self__, x.__func__)
            case types.BuiltinFunctionType() | np.ufunc():
                self._text(getattr(x, "__module__", ""), getattr(x, "__qualname__", x.__name__))
            case partial():
                self._all(x.func, x.args, x.keywords)
            case property():
                self._all(x.fget, x.fset, x.fdel)
            case staticmethod() | classmethod():
                self._all(x.__func__)
            case np.ndarray() if not x.dtype.hasobject:
                self._text(x.dtype.str, x.shape)
                self._hash.update(np.ascontiguousarray(x).tobytes())
            case list() | tuple():
                self._text(len(x))
                self._all(type(x), *x)
            case Mapping():
                self._text(len(x))
                for key, value in x.items():
                    self._all(key, value)
            case set() | frozenset():
                self._text(*sorted(_alone(y) for y in x))
            case _:
                self._instance(x)

    def _all(self, *parts: Any) -> None:
        for part in parts:
            self(part)

    def _function(self, f: types.FunctionType) -> None:
        self._text(_called(f.__module__), f.__qualname__)
        self._all(f.__defaults__, f.__kwdefaults__, *_contents(f))
        if _is_own(f.__module__):
            self(f.__code__)
            for name in sorted(_globals_of(f.__code__)):
                if name in f.__globals__:
                    self._text(name)
                    self(f.__globals__[name])

    def _code(self, code: types.CodeType) -> None:
        """What it does, not where it stands."""
        self._text(code.co_name, code.co_code.hex(), code.co_flags, getattr(code, "co_exceptiontable", b"").hex())
        self._text(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        self._text(*code.co_names, "", *code.co_varnames, "", *code.co_freevars, "", *code.co_cellvars)
        self._all(*code.co_consts)

    def _module(self, module: types.ModuleType) -> None:
        self._text(_called(module.__name__))
        if _is_own(module.__name__):
            file = getattr(module, "__file__", None)
            self._text(Path(file).read_bytes().hex() if file else uuid.uuid4())

    def _class(self, cls: type) -> None:
        self._text(_called(cls.__module__), cls.__qualname__)
        if _is_own(cls.__module__):
            self._all(cls.__bases__)
            for name, value in sorted(vars(cls).items()):
                if name not in _PARTS_OF_CLASS:
                    self._text(name)
                    self(value)

    def _instance(self, x: Any) -> None:
        self(type(x))
        if hasattr(x, "content_hash"):
            self._text(x.content_hash)
        elif isinstance(x, types.MemberDescriptorType | types.GetSetDescriptorType):
            self._text(x.__name__)
        elif is_dataclass(x):
            self._all(*(getattr(x, f.name) for f in fields(x) if f.compare))
        elif state := _state(x):
            self(state)
        else:
            try:
                self._hash.update(pickle.dumps(x, protocol=4))
            except Exception:  # cannot be told apart from another: never met again
                self._text(uuid.uuid4())


def _alone(x: Any) -> str:
    fold = _Fold()
    fold(x)
    return fold.hexdigest()


def _contents(f: types.FunctionType) -> Iterator[Any]:
    for cell in f.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            yield None


def _state(x: Any) -> dict[str, Any]:
    """Attributes of an instance, of its dictionary and of its slots."""
    found = dict(getattr(x, "__dict__", {}))
    for cls in type(x).__mro__:
        names = cls.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__") and hasattr(x, name):
                found[name] = getattr(x, name)
    return dict(sorted(found.items()))


def _globals_of(code: types.CodeType) -> set[str]:
    """Names that the code takes from its module, nested functions included; attributes of the same name are not meant."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname.endswith(("_GLOBAL", "_NAME", "_OR_GLOBALS"))}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _globals_of(constant)
    return names


def _called(module: str | None) -> str:
    """A module's name; that of a file of one's own depends on its folder, which does not matter."""
    return "a file" if module is None or module.startswith("proofs_check_file_") else module


@cache
def _is_own(module: str | None) -> bool:
    """Whether a module's code belongs to claims: papers', or of files of one's own; neither engine nor library."""
    if module is None:
        return True
    top = module.partition(".")[0]
    if top in ("tabular", "proofs_check"):
        return module.startswith("proofs_check.claims")
    return top not in sys.stdlib_module_names and top not in _COVERED
