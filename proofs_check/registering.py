"""Writing a paper's registry file from its claims: what the code says once is not typed twice.

Statement, source and kind of a claim are those of its code; marks, reasons and what else is in the file stay. A claim that was
pending, or has no entry, becomes ``checked`` with the verdict ``holds``, until ``verify --record`` knows better.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from proofs_check.claim import Claim
from proofs_check.registry import KINDS

HEAD = "[[claims]]\n"


def register(path: Path, claims: Sequence[Claim]) -> list[str]:
    """Bring the entries of ``claims`` in a registry file up to date; the ids of those that changed, in the order of the file.

    Entries keep their order; new ones come behind the last of a smaller number. The file is written only where one changed.
    """
    head, *blocks = path.read_text(encoding="utf-8").split(HEAD)
    entries = {_field(block, "id"): block.strip("\n") + "\n" for block in blocks}
    before = dict(entries)
    for claim in claims:
        entries[claim.id] = _entry(entries.get(claim.id, f'id = "{claim.id}"\n'), claim)
    changed = [name for name in sorted(entries, key=_order) if before.get(name) != entries[name]]
    if changed:
        ordered = list(before)
        for name in (name for name in changed if name not in before):
            later = next((i for i, other in enumerate(ordered) if _order(other) > _order(name)), len(ordered))
            ordered.insert(later, name)
        path.write_text(head + "\n".join(HEAD + entries[name] for name in ordered), encoding="utf-8")
    return changed


def _entry(block: str, claim: Claim) -> str:
    """The entry of a claim, its fields in one order."""
    fields = dict(re.findall(r"^(\w+) = (.*)$", block, re.MULTILINE))
    verdict = fields.get("verdict", '"holds"')
    if claim.kind not in KINDS:
        raise ValueError(f"{claim.id}: kind {claim.kind!r} is none of {', '.join(KINDS)}")
    new = {"id": f'"{claim.id}"', "kind": f'"{claim.kind}"', "statement": _quoted(claim.statement)}
    if claim.source:
        new["source"] = _quoted(claim.source)
    new |= {"mark": fields.get("mark", '"ours"'), "state": '"checked"', "verdict": verdict}
    return "".join(f"{name} = {value}\n" for name, value in new.items())


def _quoted(text: str) -> str:
    """A TOML string, without escapes where that is possible."""
    if "'" not in text:
        return f"'{text}'" if "\\" in text or '"' in text else f'"{text}"'
    if "'''" not in text and not text.endswith("'") and "\\" in text:
        return f"'''{text}'''"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _field(block: str, name: str) -> str:
    found = re.search(rf'^{name} = "(.*?)"$', block, re.MULTILINE)
    if found is None:
        raise ValueError(f"an entry without {name}: {block.splitlines()[:1]}")
    return found[1]


def _order(name: str) -> tuple[int, str]:
    """Of ids such as ``mdvi.C3a``: by number, then by letter."""
    found = re.search(r"(\d+)([a-z]?)$", name)
    return (int(found[1]), found[2]) if found else (10**9, name)
