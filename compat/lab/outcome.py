"""What a suite's run says about each of its tests: `passed`, `failed` or `skipped`."""

import json
import re
import xml.etree.ElementTree as ElementTree

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Outcomes(dict):
    """Test name to outcome, and for failures the first words of the reason."""

    def __init__(self):
        super().__init__()
        self.messages = {}

    def put(self, name, outcome, message=""):
        """Enters a test; of several entries under one name the worst stays."""
        if self.get(name) == FAILED:
            return
        self[name] = outcome
        if outcome == FAILED:
            self.messages[name] = " ".join(message.split())[:400]

    def count(self, outcome):
        """How many tests ended so."""
        return sum(1 for one in self.values() if one == outcome)


def junit(path):
    """From a JUnit file, as pytest and others write it."""
    outcomes = Outcomes()
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name')}".lstrip(".")
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if bad is not None:
            outcomes.put(name, FAILED, bad.get("message") or bad.text or "")
        else:
            outcomes.put(name, SKIPPED if case.find("skipped") is not None else PASSED)
    return outcomes


def tap(text, prefix=""):
    """From the Test Anything Protocol: `ok 1 - name`, `not ok 2 - name`, `# SKIP`; `Bail out!` fails the whole."""
    outcomes = Outcomes()
    seen = 0
    for line in text.splitlines():
        if line.startswith("Bail out!"):
            outcomes.put(prefix + "(whole file)", FAILED, line)
        if re.match(r"1\.\.0\s*# ?skip", line, re.IGNORECASE):
            outcomes.put(prefix + "(whole file)", SKIPPED)
        found = re.match(r"(not )?ok\b *(\d+)?(?: - | )?(.*)", line)
        if not found:
            continue
        seen += 1
        bad, number, name = found.groups()
        label = f"{prefix}{number or seen} {name.split('#')[0]}".strip()
        if re.search(r"# ?(skip|todo)", name, re.IGNORECASE):
            outcomes.put(label, SKIPPED)
        else:
            outcomes.put(label, FAILED if bad else PASSED, name)
    planned = re.search(r"^1\.\.(\d+)", text, re.MULTILINE)
    if planned and seen < int(planned.group(1)):
        outcomes.put(prefix + "(end)", FAILED, f"{seen} of {planned.group(1)} tests were run")
    return outcomes


def go(text):
    """From `go test -json`."""
    outcomes = Outcomes()
    said = {}
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        name = event.get("Test")
        if not name:
            continue
        if event["Action"] == "output":
            said[name] = said.get(name, "") + event["Output"]
        words = {"pass": PASSED, "fail": FAILED, "skip": SKIPPED}
        if event["Action"] in words:
            outcomes.put(name, words[event["Action"]], said.get(name, ""))
    return outcomes


def cargo(text):
    """From `cargo test`: `test a::b ... ok`."""
    outcomes = Outcomes()
    words = {"ok": PASSED, "FAILED": FAILED, "ignored": SKIPPED}
    for name, word in re.findall(r"^test (\S+)(?: - should panic)? \.\.\. (?:.*?)(ok|FAILED|ignored)\b", text, re.MULTILINE):
        outcomes.put(name, words[word], said_by(text, name))
    return outcomes


def said_by(text, name):
    """What a failed test of `cargo test` printed."""
    found = re.search(rf"^---- {re.escape(name)} stdout ----\n(.*?)(?=\n----|\nfailures:)", text, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""
