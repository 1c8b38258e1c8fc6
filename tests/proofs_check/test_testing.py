"""Claims become tests: what passes, what fails, and what a failure says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proofs_check.loading import load_file
from proofs_check.testing import claims_as_tests

ROOT = Path(__file__).parents[2]
CODE = re.findall(
    r"```python\n(# \w+\.py\n.*?)```", (ROOT / "docs" / "claims.md").read_text(encoding="utf-8"), re.DOTALL
)
SAMPLE = Path(__file__).with_name("sample_claims.py")
CLAIMS = {c.id: c for c in load_file(SAMPLE)}


def cases(test: Callable[..., None]) -> dict[str, Any]:
    """The claims of a test function by the names that pytest gives them."""
    (mark,) = test.pytestmark  # type: ignore[attr-defined]
    return dict(zip(mark.kwargs["ids"], mark.args[1], strict=True))


def failed(claim_id: str, **options: Any) -> str:
    test = claims_as_tests([CLAIMS[claim_id]], **options)
    with pytest.raises(pytest.fail.Exception) as failure:
        test(claim=CLAIMS[claim_id])
    return str(failure.value)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    (tmp_path / "my_claims.py").write_text(CODE[0], encoding="utf-8")
    (tmp_path / "test_my_claims.py").write_text(CODE[1], encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED test_my_claims.py::test_claims[mine.contraction]" in done.stdout
    assert "PASSED test_my_claims.py::test_claims[mine.contraction.twin1]" in done.stdout
    assert "2 passed" in done.stdout


def test_a_false_claim_fails_with_its_counterexample(tmp_path: Path) -> None:
    (tmp_path / "my_claims.py").write_text(CODE[0].replace("mdp.gamma * ops", "mdp.gamma**3 * ops"), encoding="utf-8")
    (tmp_path / "test_my_claims.py").write_text(CODE[1], encoding="utf-8")
    done = run(tmp_path, "-k", "mine.contraction and not twin")
    assert done.returncode == 1
    assert "1 failed, 1 deselected" in done.stdout
    assert "mine.contraction came out refuted, not holds or tight" in done.stdout
    assert f"{tmp_path / 'my_claims.py'}:5" in done.stdout
    assert re.search(r"the smallest counterexample, garnet\[0\]:0\.\d+:\n +S=\d, A=\d, gamma=", done.stdout)
    assert "V = [" in done.stdout and "W = [" in done.stdout
    again = re.search(r"again: proofs-check (show .*)", done.stdout)
    assert again is not None
    assert "Traceback" not in done.stdout and "runner.py" not in done.stdout


def test_a_mistake_in_a_body_fails_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "my_claims.py").write_text(CODE[0].replace("ops.norm(V - W)", "ops.nrom(V - W)"), encoding="utf-8")
    (tmp_path / "test_my_claims.py").write_text(CODE[1], encoding="utf-8")
    done = run(tmp_path)
    assert "2 failed" in done.stdout
    assert "did you mean norm?" in done.stdout and f"{tmp_path / 'my_claims.py'}:8, in contraction" in done.stdout
    assert "runner.py" not in done.stdout and "settle.py" not in done.stdout


def test_verdicts_that_pass() -> None:
    for claim_id in ("sample.true", "sample.tight", "sample.identity"):
        claims_as_tests([CLAIMS[claim_id]])(claim=CLAIMS[claim_id])
    claims_as_tests([CLAIMS["sample.false"]], expect={"sample.false": "refuted"})(claim=CLAIMS["sample.false"])
    claims_as_tests([CLAIMS["sample.unmet"]], expect={"sample.unmet": ["vacuous"]})(claim=CLAIMS["sample.unmet"])


def test_verdicts_that_fail() -> None:
    assert "sample.unmet came out vacuous, not holds or tight: no instance met" in failed("sample.unmet")
    told = failed("sample.tight", expect={"sample.tight": "holds"})
    assert "came out tight, not holds" in told and "the tightest instance, garnet[0]:0." in told
    told = failed("sample.unknown")
    assert "came out undecided" in told and "again: proofs-check show sample.unknown --file" in told


def test_a_surviving_twin_fails() -> None:
    claim = CLAIMS["sample.tight"]
    test = claims_as_tests([claim])
    (twin,) = (c for name, c in cases(test).items() if name == "sample.tight.twin1")
    test(claim=twin)
    survivor = type(twin)(**{**vars(twin), "body": claim.body})
    with pytest.raises(pytest.fail.Exception, match=r"sample\.tight\.twin1 came out .*, not refuted"):
        test(claim=survivor)


def test_sources() -> None:
    from proofs_check.claims.planning import foundations

    by_name = cases(claims_as_tests("proofs_check.claims.planning.foundations", twins=False))
    assert by_name == cases(claims_as_tests(foundations, twins=False))
    assert "foundations.C1" in by_name and not any(".twin" in name for name in by_name)
    assert cases(claims_as_tests("sample_claims.py")).keys() >= CLAIMS.keys()  # beside this file
    assert "sample.tight.twin1" in cases(claims_as_tests(SAMPLE))


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match=r"budget is 'huge': expected one of quick"):
        claims_as_tests(SAMPLE, budget="huge")
    with pytest.raises(ValueError, match=r"expect names 'sample.none'"):
        claims_as_tests(SAMPLE, expect={"sample.none": "holds"})
    with pytest.raises(ValueError, match="defines no claim"):
        claims_as_tests("proofs_check.evidence")
    with pytest.raises(TypeError, match="3 is no claim"):
        claims_as_tests([3])  # type: ignore[list-item]
