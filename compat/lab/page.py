"""The page: how many tests passed where, and every difference with its reason."""

import json
import tomllib

HEAD = """# Compatibility

Drivers' own test suites and programs of our own, against MariaDB's primary itself (*direct*) and through the balancer, under
`causal` consistency (the default) and under `primary`. Made by `compat/run`; nothing here is counted by hand, reasons are from
`compat/reasons.toml`.

A test counts as different if it does not end the same way directly and through the balancer. What fails on both sides is the
suite's own affair (another version, something that MariaDB does differently).
"""


def write(folder, suites, legs, reasons_file, page_file):
    """Writes the page from the outcomes that are kept; 1 if a difference has no reason."""
    reasons = tomllib.loads(reasons_file.read_text())
    kept = [(name, json.loads((folder / f"{name}.json").read_text())) for name in suites
            if (folder / f"{name}.json").exists()]
    ran = [(name, suite) for name, suite in kept if suite["legs"]]
    lines = [HEAD, "| suite | language | from | " + " | ".join(legs) + " | differences |",
             "|---|---|---|" + "---|" * len(legs) + "---|"]
    details, unexplained = [], 0
    for name, suite in ran:
        found = differences(suite, legs)
        explained = reasons.get(name, {})
        unexplained += sum(1 for test in found if reason_for(test, explained) is None)
        counts = " | ".join(count(suite["legs"][leg]["tests"]) if leg in suite["legs"] else "not run" for leg in legs)
        lines.append(f"| {suite['name']} | {suite['language']} | {suite['source']} | {counts} | {len(found)} |")
        details += detail(suite, found, explained)
    lines += ["", "Each cell: passed of all, then failed and skipped if there are any.", "", "## Differences", ""]
    lines += details or ["None."]
    left_out = [f"- {suite['name']}: {' '.join(suite['left_out'].split())[-160:]}" for _, suite in kept if "left_out" in suite]
    if left_out:
        lines += ["", "## Left out", "", *left_out]
    notes = reasons_file.parent / "notes.md"
    if notes.exists():
        lines += ["", notes.read_text().rstrip()]
    page_file.write_text("\n".join(lines) + "\n")
    print(f"{page_file}: {unexplained} differences without a reason")
    return 1 if unexplained else 0


def count(tests):
    """`148 of 152, 3 failed, 1 skipped`."""
    words = list(tests.values())
    rest = [f"{words.count(word)} {word}" for word in ("failed", "skipped") if word in words]
    return ", ".join([f"{words.count('passed')} of {len(words)}", *rest])


def differences(suite, legs):
    """Tests that do not end alike on all legs: name to outcomes."""
    by_leg = [suite["legs"][leg]["tests"] for leg in legs if leg in suite["legs"]]
    names = dict.fromkeys(name for tests in by_leg for name in tests)
    found = {name: [tests.get(name, "absent") for tests in by_leg] for name in names}
    return {name: outcomes for name, outcomes in found.items() if len(set(outcomes)) > 1}


def reason_for(test, reasons):
    """The reason given for a test; a key that ends with `*` stands for all that begin so."""
    for key, reason in reasons.items():
        if test == key or key.endswith("*") and test.startswith(key[:-1]):
            return reason
    return None


def detail(suite, found, reasons):
    """The table of one suite's differences."""
    if not found:
        return []
    lines = [f"### {suite['name']}", "", "| test | direct, then through the balancer | reason |", "|---|---|---|"]
    for test, outcomes in found.items():
        told = next((suite["legs"][leg]["messages"].get(test) for leg in suite["legs"] if suite["legs"][leg]["messages"].get(test)), "")
        reason = reason_for(test, reasons) or f"**not explained yet**: {told[:200]}"
        lines.append(f"| `{test}` | {', '.join(outcomes)} | {reason.replace('|', chr(92) + '|')} |")
    return [*lines, ""]
