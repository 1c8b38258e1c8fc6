"""The wheel, in a clean environment: it holds every package and every data file, runs, and ships no tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("tabular", "deep", "proofs_check", "figures")

# One worker builds, and the others keep out: the wheel is a session's fixture.
pytestmark = pytest.mark.xdist_group("install")


def _run(*command: str | Path, cwd: Path) -> str:
    """What the command prints, run without this checkout on any path."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the sources.

    Building in the checkout would leave a `build/` there, and a later wheel would ship what lies in it.
    """
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.nb[ic]"))
    _run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-build-isolation", "--wheel-dir", folder, source),
        cwd=folder,
    )
    (built,) = folder.glob("tabular_proofs-*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of scripts of a new environment that holds the wheel and borrows its dependencies.

    Nothing is downloaded: a .pth file makes this environment's libraries visible, behind the new one's own.
    Python does not read .pth files that lie in a folder named by another, so an editable install here stays
    invisible. It is written last, or else pip would find this environment's tabular-proofs and remove that.
    """
    home = tmp_path_factory.mktemp("clean") / "an environment"
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    variables = {"base": str(home), "platbase": str(home)}
    scripts, site = (Path(sysconfig.get_path(key, "venv", variables)) for key in ("scripts", "purelib"))
    _run(
        *(sys.executable, "-m", "pip", "--python", scripts / "python", "install", "--quiet"),
        *("--disable-pip-version-check", "--no-deps", "--no-index", wheel),
        cwd=home,
    )
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "borrowed.pth").write_text("\n".join(sorted(borrowed)) + "\n", encoding="utf-8")
    return scripts


def test_wheel_holds_every_source_and_data_file(wheel: Path) -> None:
    """A subpackage without `__init__.py`, or data that pyproject.toml does not name, would be left out."""
    shipped = set(zipfile.ZipFile(wheel).namelist())
    here = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".nbi", ".nbc")
    }
    assert any(name.startswith("proofs_check/papers/") and name.endswith(".toml") for name in here)
    assert not here - shipped, f"not in the wheel: {sorted(here - shipped)}"


def test_wheel_ships_only_its_packages(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_installed_packages_import_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    printed = _run(installed / "python", "-c", code, *PACKAGES, cwd=tmp_path)
    files = [Path(line) for line in printed.splitlines()]
    assert [file.parent.name for file in files] == list(PACKAGES)
    assert all(file.is_relative_to(installed.parent) for file in files), files


def test_installed_command_lists_the_papers(installed: Path, tmp_path: Path) -> None:
    output = _run(installed / "proofs-check", "list", cwd=tmp_path)
    keys = [path.stem for path in (ROOT / "proofs_check" / "papers").glob("*.toml")]
    assert keys
    assert not [key for key in keys if key not in output], output


@pytest.mark.parametrize("first", ["hypothesis", "proofs_check.strategies", "tabular"])
def test_installed_hypothesis_entry_point_works(installed: Path, tmp_path: Path, first: str) -> None:
    """Hypothesis calls it at import, whoever imports Hypothesis; a broken one would break every test suite."""
    code = (
        f"import {first}, warnings\n"
        "from hypothesis import find, strategies as st\n"
        "from tabular import MDP\n"
        "warnings.simplefilter('ignore')\n"
        "print(find(st.from_type(MDP), lambda m: True))"
    )
    assert _run(installed / "python", "-W", "error", "-c", code, cwd=tmp_path).startswith("MDP(S=1, A=1")
