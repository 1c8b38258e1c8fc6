"""The device's benchmark: its contestants answer alike, and its table says what was not run."""

from __future__ import annotations

import pytest

from benchmarks import device


@pytest.mark.parametrize(
    "words", [["grid", "--side", "12"], ["batch", "--members", "3", "--block", "2", "--states", "6", "--actions", "2"]]
)
def test_device_and_cpu_agree(words: list[str]) -> None:
    a = device.parser().parse_args([*words, "--gamma", "0.9", "--rounds", "1", "--threads", "1"])
    found = {"device": device.device(a), "cpu": device.other(a, "cpu")}
    for x in found.values():
        assert len(x["seconds"]) == 1 and 0 <= x["bound"] <= 1e-7
    lines = device.reported(found)
    assert len(lines) == 4 and float(lines[-1].split("|")[-2]) <= 1e-7
    assert found["device"]["members"] == (3 if a.kind == "batch" else 1)
    assert found["cpu"]["members"] == (2 if a.kind == "batch" else 1)


def test_what_did_not_run_is_in_the_table() -> None:
    a = device.parser().parse_args(["grid", "--side", "4"])
    refused = device.other(a, "jaxdp")
    assert refused == {"refused": "dense arrays only"}
    assert "dense arrays only" in device.reported({"jaxdp": refused})[-1]
    assert device.other(device.parser().parse_args(["grid", "--side", "4", "--tau", "1"]), "mdpax") == {
        "refused": "no regularisers"
    }
