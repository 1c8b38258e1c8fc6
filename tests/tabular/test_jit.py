"""The kernel decorator: its cache notices what Numba's would not, in every place and with two processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import tabular._jit as jit

MAIN = """
import numpy as np
from {package}._jit import kernel
from {package}.callee import scale, weigh
import numba
import collections

Rule = collections.namedtuple("Rule", "c")

@kernel
def total(x, rule):
    out = 0.0
    for i in range(x.size):
        out += scale(x[i]) * weigh(rule)
    return out

def _double(x):
    for i in numba.prange(x.size):
        x[i] *= 2
    return x.sum()

double, double_parallel = kernel(_double), kernel(_double, parallel=True)
"""
CALLEE = """
from numba import types
from numba.extending import overload
from {package}._jit import kernel

@kernel
def scale(x):
    return 2 * x

def weigh(rule):
    return rule.c

@overload(weigh)
def _weigh(rule):
    return lambda rule: rule.c
"""
RUN = """
import json
import numpy as np
from {package} import main
answers = [float(main.total(np.ones(3, dtype), main.Rule(1.0))) for dtype in (np.float64, np.float32)]
answers += [float(f(np.ones(2))) for f in (main.double, main.double_parallel)]
counts = {{}}
for name in ("total", "double", "double_parallel"):
    stats = getattr(getattr(main, name), "stats", None)
    counts[name] = [sum(stats.cache_hits.values()), sum(stats.cache_misses.values())] if stats else None
print(json.dumps([answers, counts]))
"""
COLD = {"total": [0, 2], "double": [0, 1], "double_parallel": [0, 1]}
WARM = {"total": [2, 0], "double": [1, 0], "double_parallel": [1, 0]}


@pytest.fixture
def package(tmp_path):
    """A package of two files of kernels with its own copy of the decorator, hence with its own digest."""
    folder = tmp_path / "site" / "tiny"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    shutil.copy(jit.__file__, folder / "_jit.py")
    (folder / "main.py").write_text(MAIN.format(package="tiny"))
    (folder / "callee.py").write_text(CALLEE.format(package="tiny"))
    return folder


def start(folder, **env):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))} | env
    env |= {"PYTHONPATH": str(folder.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", "-c", RUN.format(package=folder.name)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


def run(folder, **env):
    return finish(start(folder, **env))


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_cache_is_used_and_notices_other_files(package):
    assert run(package) == [[6.0, 6.0, 4.0, 4.0], COLD]
    assert run(package) == [[6.0, 6.0, 4.0, 4.0], WARM]  # serial and parallel twins do not collide
    edit(package / "callee.py", "return 2 * x", "return 5 * x")
    assert run(package) == [[15.0, 15.0, 4.0, 4.0], COLD]
    edit(package / "callee.py", "lambda rule: rule.c", "lambda rule: rule.c + 1")
    assert run(package) == [[30.0, 30.0, 4.0, 4.0], COLD]
    assert run(package) == [[30.0, 30.0, 4.0, 4.0], WARM]


def test_without_compilation(package):
    answers, counts = run(package, NUMBA_DISABLE_JIT="1")
    assert answers == [6.0, 6.0, 4.0, 4.0]
    assert set(counts.values()) == {None}


def test_without_compilation_warnings_are_off_inside_and_as_they_were_outside():
    """Kernels call each other a thousand times: they are turned off by the outermost alone."""
    code = """
        import contextvars
        import warnings
        import numpy as np
        from tabular._jit import kernel
        @kernel
        def inner(x, y=0.0):
            return x / y
        @kernel
        def outer(x):
            if x < 0:
                raise ValueError(x)
            return inner(x, y=0.0) + inner(x)
        warnings.simplefilter("error")
        before = np.geterr()
        with np.errstate(all="raise"):
            assert outer(np.float64(1)) == inner(np.float64(1)) == np.inf
            try:
                outer(np.float64(-1))
            except ValueError:
                pass
            assert set(np.geterr().values()) == {"raise"} and outer(np.float64(1)) == np.inf
            contextvars.copy_context().run(outer, np.float64(1))
        assert np.geterr() == before and inner.__name__ == "inner" and callable(inner.__wrapped__)
    """
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(jit.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, env=environment)


def test_cache_folder_and_read_only_package(package, tmp_path):
    chosen = tmp_path / "chosen"
    run(package, NUMBA_CACHE_DIR=str(chosen))
    assert list(chosen.rglob("main.total*.nbc")) and not list(package.rglob("*.nbc"))
    # A file where the folder should be refuses writers of every rank, root too.
    (package / "__pycache__").touch()
    user = tmp_path / "user"
    assert run(package, XDG_CACHE_HOME=str(user))[1] == COLD
    assert list(user.rglob("main.total*.nbc"))
    assert run(package, XDG_CACHE_HOME=str(user))[1] == WARM


def test_two_processes_at_once(package):
    for process in [start(package) for _ in range(2)]:
        assert finish(process)[0] == [6.0, 6.0, 4.0, 4.0]
    assert run(package) == [[6.0, 6.0, 4.0, 4.0], WARM]


def test_damaged_cache_file_is_replaced(package):
    run(package)
    for path in package.rglob("main.total*.nbc"):
        path.write_bytes(path.read_bytes()[:-100])
    assert run(package)[0] == [6.0, 6.0, 4.0, 4.0]
    assert run(package)[1] == WARM


def test_edit_after_import_is_not_cached_as_if_compiled_from_it(package):
    script = (
        "import numpy as np, pathlib\n"
        "from tiny import main, callee\n"
        "path = pathlib.Path(callee.__file__)\n"
        "path.write_text(path.read_text().replace('return 2 * x', 'return 7 * x'))\n"
        "print(main.total(np.ones(3), main.Rule(1.0)))\n"
    )
    env = os.environ | {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("NUMBA_CACHE_DIR", None)
    out = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert float(out.stdout) == 6.0
    assert not list(package.rglob("main.total*.nbc"))
    assert run(package)[0] == [21.0, 21.0, 4.0, 4.0]


def test_functions_of_another_package_belong_to_the_key(tmp_path):
    """Kernels that contain a user's row functions are compiled again when the user's file changes."""
    (tmp_path / "mine.py").write_text(
        "from typing import NamedTuple\n"
        "class Shift(NamedTuple):\n    by: float\n"
        "def conjugate(reg, q, mask, i):\n    return q[0] + reg.by\n"
        "def policy(reg, q, mask, i, pi, log_pi):\n    pi[:] = 1.0\n"
    )
    script = (
        "import numpy as np, mine\n"
        "from tabular._kernels import entropic\n"
        "entropic.register_rows(mine.Shift, mine.conjugate, mine.policy)\n"
        "out = np.empty(1)\n"
        "entropic.conjugate(mine.Shift(1.0), np.ones((1, 2)), np.ones((1, 2), bool), out)\n"
        "print(out[0], sum(entropic.conjugate.stats.cache_hits.values()))\n"
    )
    root = Path(jit.__file__).parents[1]
    env = os.environ | {
        "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}",
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def answer():
        out = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
        return [float(x) for x in out.stdout.split()]

    assert answer() == [2.0, 0]
    assert answer() == [2.0, 1]
    edit(tmp_path / "mine.py", "q[0] + reg.by", "q[0] - reg.by")
    assert answer() == [0.0, 0]


def test_a_kernel_without_a_file_is_not_cached():
    scope = {"kernel": jit.kernel}
    exec("@kernel\ndef f(x):\n    return x + 1", scope)
    assert scope["f"](1.0) == 2.0
    assert scope["f"].stats.cache_path is None


def test_exact_kernels_keep_sums_in_their_order():
    """What a sum has lost is found again; where sums may be reordered, it is taken to be nothing."""

    def lost(x):
        return x - ((1.0 + x) - 1.0)

    assert jit.kernel(lost, exact=True)(1e-17) == 1e-17
    assert jit.kernel(lost)(1e-17) in (0.0, 1e-17)


def test_threads_are_restored():
    import numba

    before = numba.get_num_threads()
    with pytest.raises(ZeroDivisionError), jit.threads(1):
        assert numba.get_num_threads() == 1
        raise ZeroDivisionError
    assert numba.get_num_threads() == before
    with jit.threads(None):
        assert numba.get_num_threads() == before
    for bad, error in ((0, ValueError), (10**6, ValueError), (True, TypeError), (1.5, TypeError)):
        with pytest.raises(error, match="number of threads"), jit.threads(bad):
            pass


def test_special_values_keep_their_meaning():
    from tabular._kernels import rows

    mask = np.ones(2, bool)
    assert rows.shannon_conjugate(np.array([-np.inf, 1.0]), mask, 0.5) == 1.0
    assert np.isnan(rows.shannon_conjugate(np.array([np.nan, 1.0]), mask, 0.5))
    assert np.isnan(rows.max_row(np.array([1.0, np.nan]), mask)[0])
    assert rows.shannon_conjugate(np.full(2, -np.inf), mask, 0.5) == -np.inf
    assert rows.shannon_conjugate(np.array([np.inf, 0.0]), mask, 0.5) == np.inf


def test_threads_are_those_of_tbb_where_it_is_installed():
    """In a fresh process, since Numba chooses once; without TBB, OpenMP or Numba's own threads do."""
    script = "import numba, numpy as np, tabular._kernels.sparse as k, tabular._jit as jit\n"
    script += (
        "k.evaluate_sweep_parallel(np.array([0, 1]), np.array([0]), np.ones(1), np.ones((1, 1)), 0.5, np.ones((1, 1)),"
    )
    script += " np.ones(1), np.ones(1))\nprint(jit.has_tbb(), numba.threading_layer())"
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    out = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    has, layer = out.stdout.split()
    assert (has == "True") == (layer == "tbb")


def test_a_tbb_that_cannot_be_loaded_is_named(monkeypatch, tmp_path):
    from importlib import metadata

    broken = tmp_path / "libtbb.so.12"
    broken.write_bytes(b"no library")
    entry = type("File", (), {"name": broken.name, "locate": lambda self: broken})()
    monkeypatch.setattr(metadata, "files", lambda name: [entry])
    with pytest.warns(RuntimeWarning, match="TBB is installed but cannot be loaded"):
        assert not jit.has_tbb.__wrapped__()
