"""Mutants of the implementation: named faults, planted by rewriting the syntax tree of one function.

A mutant is given as source: in ``module.function``, each occurrence of the expression ``old`` becomes ``new``. Trees are
compared, not text, so that layout does not matter; a mutant whose ``old`` is not found is an error, never a silent pass. The
engine's own are in ``operator_mutants`` and ``kernel_mutants``; a module of claims lists those of its paper's functions in
a tuple ``MUTANTS``.
"""

from __future__ import annotations

import ast
import copy
import functools
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

KERNELS = "tabular._kernels"
LEARNERS = "tabular.exploration"
REGISTRIES = (f"{KERNELS}.interaction", f"{KERNELS}.widths", f"{LEARNERS}.learners")


@dataclass(frozen=True)
class Mutant:
    """A fault. ``function`` may be a method, "Class.method"; ``reason`` says why it may survive, if nobody can notice it.

    ``met_by``: ids of the claims that meet it, where others of the paper would run for minutes and notice nothing; none: all.
    """

    name: str
    module: str
    function: str
    old: str
    new: str
    reason: str = ""
    met_by: tuple[str, ...] = ()

    @property
    def of_kernels(self) -> bool:
        """Whether it is a fault of a compiled loop."""
        return self.module.startswith(KERNELS + ".")


class StaleMutant(Exception):
    """The function is gone, or no longer contains what the mutant rewrites."""


class _Rewrite(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self._old, self._new, self.count = ast.dump(old), new, 0

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr) and ast.dump(node) == self._old:
            self.count += 1
            return self._new
        return self.generic_visit(node)


def _rewrite(mutant: Mutant, definition: ast.stmt | None) -> None:
    """Plant the fault in a definition. StaleMutant where it is none, or does not contain what is rewritten."""
    if not isinstance(definition, ast.FunctionDef):
        raise StaleMutant(f"{mutant.name}: {mutant.module}.{mutant.function} is no plain function")
    rewrite = _Rewrite(_expression(mutant.old), _expression(mutant.new))
    definition.body = [rewrite.visit(statement) for statement in definition.body]
    if not rewrite.count:
        raise StaleMutant(f"{mutant.name}: {mutant.module}.{mutant.function} does not contain {mutant.old!r}")


def _expression(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def rewritten(mutant: Mutant) -> tuple[Any, str, Any, Any]:
    """Owner (module or class), attribute, the function as it is, and its mutant."""
    owner, attribute, original = _found(mutant)
    return owner, attribute, original, _made(mutant, _mutated(mutant, original), attribute)


@functools.cache
def _mutated(mutant: Mutant, original: Any) -> CodeType:
    """Compiled once for all copies of a process."""
    tree = _tree(original)
    _rewrite(mutant, tree.body[0])
    return _compiled(mutant, tree)


def _found(mutant: Mutant) -> tuple[Any, str, Any]:
    """Owner, attribute, and the function that a mutant rewrites."""
    module = importlib.import_module(mutant.module)
    *path, attribute = mutant.function.split(".")
    owner: Any = module
    try:
        for name in path:
            owner = getattr(owner, name)
        original = getattr(owner, attribute)
    except AttributeError as error:
        raise StaleMutant(f"{mutant.name}: there is no {mutant.module}.{mutant.function}: {error}") from None
    if not inspect.isroutine(original):
        raise StaleMutant(f"{mutant.name}: {mutant.module}.{mutant.function} is no plain function")
    return owner, attribute, original


def _tree(function: Any) -> ast.Module:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def _compiled(mutant: Mutant, tree: ast.Module) -> CodeType:
    return compile(ast.fix_missing_locations(tree), f"<mutant: {mutant.name}>", "exec")


def _made(mutant: Mutant, code: CodeType, attribute: str) -> Any:
    """The function that the code defines, in the module of the mutant."""
    space: dict[str, Any] = {}
    exec(code, sys.modules[mutant.module].__dict__, space)
    return space[attribute]


def rewritten_module(mutant: Mutant) -> tuple[Any, Path]:
    """The code of a module of kernels with the fault in it, and its file: kernels call each other by what they were made of."""
    file = Path(str(importlib.import_module(mutant.module).__file__))
    tree = ast.parse(file.read_text(encoding="utf-8"))
    named = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == mutant.function]
    _rewrite(mutant, named[0] if named else None)
    return compile(ast.fix_missing_locations(tree), str(file), "exec"), file


def check(mutant: Mutant) -> None:
    """StaleMutant where it cannot be planted. What its module's source defines is looked for there: to import a learner takes
    Numba, which this process may not want."""
    if mutant.of_kernels:
        rewritten_module(mutant)
        return
    definition = None if mutant.module in sys.modules else _defined(mutant)
    if definition is None:
        rewritten(mutant)
    else:
        _rewrite(mutant, copy.deepcopy(definition))


def _defined(mutant: Mutant) -> ast.FunctionDef | None:
    """The function as the source of its module defines it, once and at its top or in a class there; None where it does not."""
    top, *parts = mutant.module.split(".")
    spec = getattr(sys.modules.get(top), "__spec__", None)
    for i in range(len(parts)):  # with the packages between unopened
        where = None if spec is None else spec.submodule_search_locations
        spec = where and PathFinder.find_spec(".".join((top, *parts[: i + 1])), where)
    if not spec or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    body: list[ast.stmt] = _source(Path(spec.origin)).body
    *classes, name = mutant.function.split(".")
    for called in classes:
        found = [node for node in body if isinstance(node, ast.ClassDef) and node.name == called]
        if len(found) != 1:
            return None
        body = found[0].body
    functions = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == name]
    return functions[0] if len(functions) == 1 else None


@functools.cache
def _source(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def plant(mutant: Mutant) -> None:
    """Put the mutant in the place of its function, and wherever else that was imported.

    There is no way back: use a process of its own.
    """
    if mutant.of_kernels:
        _plant_kernel(mutant)
        return
    _put([rewritten(mutant)], {mutant.module})


def note_calls(mutants: Iterable[Mutant], note: Callable[[tuple[str, str]], None]) -> None:
    """Have the functions that these rewrite tell, whenever they are called, their modules and names, and change nothing else.

    They are put exactly where ``plant`` puts the mutants: what calls none of them computes with a mutant what it computes without.
    Kernels' tell nothing. There is no way back: use a process of its own.
    """
    places = {(m.module, m.function): (m, *_found(m)) for m in mutants if not m.of_kernels}
    names: dict[int, list[tuple[str, str]]] = {}  # one function may have several
    for place, (_, _, _, original) in places.items():
        names.setdefault(id(original), []).append(place)
    found = []
    for m, owner, attribute, original in places.values():
        called, tree = names[id(original)], _tree(original)
        telling = ast.parse(f"__import__({__name__!r}, fromlist=['_told'])._told({called!r})").body
        definition = tree.body[0]
        assert isinstance(definition, ast.FunctionDef)  # as the check of the mutant found
        start = int(ast.get_docstring(definition) is not None)
        definition.body[start:start] = telling
        found.append((owner, attribute, original, _made(m, _compiled(m, tree), attribute)))
    _notes.append(note)
    _put(found, {module for module, _ in places})


_notes: list[Callable[[tuple[str, str]], None]] = []


def _told(called: list[tuple[str, str]]) -> None:
    for place in called:
        _notes[-1](place)


def _put(found: Sequence[tuple[Any, str, Any, Any]], modules: Iterable[str]) -> None:
    """Functions in the place of others, which are told apart by identity, and wherever else these were imported."""
    for owner, attribute, _, new in found:
        setattr(owner, attribute, new)
    instead = {id(original): new for _, _, original, new in found}
    tops = {"tabular", "proofs_check", *(name.partition(".")[0] for name in modules)}
    for called, module in list(sys.modules.items()):
        if called.partition(".")[0] in tops and module is not None:
            for name, value in list(vars(module).items()):
                if id(value) in instead:
                    setattr(module, name, instead[id(value)])
    for _, _, original, new in found:
        _put_registered(original, new)


def _put_registered(original: Any, mutated: Any) -> None:
    """Learners and widths are found by their class, not by the names of their functions."""
    interaction, widths, learners = (sys.modules.get(name) for name in REGISTRIES)
    if not (interaction or widths or learners):
        return
    from tabular._jit import kernel

    def new(f: Any) -> Any:
        return kernel(mutated) if getattr(f, "py_func", getattr(f, "__wrapped__", f)) is original else f

    # What is not imported yet will find the mutant where it imports the function.
    loops: dict[type, Any] = getattr(interaction, "_registered", {})
    bounds: dict[type, Any] = getattr(widths, "_registered", {})
    kinds: dict[type, Any] = getattr(learners, "_kinds", {})
    for cls, functions in loops.items():
        loops[cls] = type(functions)(*map(new, functions))
    for cls, bound in bounds.items():
        bounds[cls] = new(bound)
    for cls, kind in kinds.items():
        kinds[cls] = type(kind)(*(mutated if f is original else f for f in kind))


def _plant_kernel(mutant: Mutant) -> None:
    """All kernels are made anew around the one that is rewritten: a compiled caller holds its callees.

    Where kernels are compiled, set ``numba.config.CACHE_DIR`` to a private folder before: the sources on disk are those of the
    kernels without the fault, and so is the stamp that a cache would find.
    """
    code, file = rewritten_module(mutant)
    package = sys.modules[KERNELS]
    for name in [name for name in sys.modules if name.startswith((KERNELS + ".", LEARNERS))]:
        del sys.modules[name]  # learners, too, which are registered with the kernels
        if name.startswith(KERNELS):
            delattr(package, name.rpartition(".")[2])
    module = ModuleType(mutant.module)
    module.__file__, module.__package__ = str(file), KERNELS
    sys.modules[mutant.module] = module
    setattr(package, mutant.module.rpartition(".")[2], module)
    exec(code, module.__dict__)
    for other in file.parent.glob("[!_]*.py"):
        importlib.import_module(f"{KERNELS}.{other.stem}")


def mutants_of(module: ModuleType) -> list[Mutant]:
    """The mutants of a module of claims and of its ``PARTS``. ValueError for a name used twice, TypeError for what is none."""
    found: dict[str, Mutant] = {}
    for each in _listed(module):
        if not isinstance(each, Mutant):
            raise TypeError(f"{module.__file__}: MUTANTS holds {each!r}, which is no Mutant")
        if found.setdefault(each.name, each) is not each:
            raise ValueError(f"{module.__file__}: the name {each.name!r} of a mutant is used twice")
    return list(found.values())


def _listed(module: ModuleType) -> Iterator[Any]:
    for part in getattr(module, "PARTS", ()):
        yield from _listed(part)
    listed = getattr(module, "MUTANTS", ())
    if not isinstance(listed, tuple | list):
        raise TypeError(f"{module.__file__}: MUTANTS is {listed!r}: expected a tuple of Mutants")
    yield from listed
