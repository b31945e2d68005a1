#!/usr/bin/env python3
"""Every error message of include/ has an entry in docs/errors.md, and every message of a static_assert has a test in tests/fail.

  sentences.py [--list]

An entry is a line  **`message`**. Above the heading 'At run time' it is the exact text of a static_assert, with '…' for an argument of a
macro; below it are the messages that are thrown, with '…' for variable parts. Fails and lists missing entries, entries without a message,
and expect-error lines that match two messages.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LITERAL = r'"((?:[^"\\\n]|\\.)*)"'
RUN_TIME = "## At run time"


def code(path):
    """The text without comments."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    return re.sub(rf'{LITERAL}|//[^\n]*', lambda m: m[0] if m[0].startswith('"') else "", text)


def calls(text, head):
    """The arguments of each call that begins with `head`, a regex that ends in an opening bracket."""
    for found in re.finditer(head, text):
        depth, at = 1, found.end()
        while depth > 0:
            piece = re.compile(rf"{LITERAL}|'(?:[^'\\]|\\.)'|.", re.DOTALL).match(text, at)
            depth += {"(": 1, ")": -1}.get(piece[0], 0)
            at = piece.end()
        yield text[found.end():at - 1]


def literals(text):
    return [found.replace('\\"', '"') for found in re.findall(LITERAL, text)]


def asserted(path):
    for arguments in calls(code(path), r"\bstatic_assert\("):
        message = re.search(rf"(?:^|,)((?:\s*{LITERAL})+)\s*$", re.sub(r"(?<=\") *#\w+ *(?=\")", ' "…" ', arguments))
        if message:
            yield "".join(literals(message[1]))


def thrown(path):
    """The message as a pattern: its literals in order up to the ';' before the remedy, without those in a conditional expression."""
    text = code(path)
    for arguments in calls(text, r"\bthrow(?: |_with_nested\()(?:c2f::)?(?:error|input_error|not_finite|libtorch_error)\("):
        if not literals(arguments):  # worded by a function of this file; otherwise a rethrown error
            name = re.match(r"\w+", arguments.strip())[0]
            worded = re.search(rf"std::string {name}\(.*?\n *}}", text, re.DOTALL)
            if not worded:
                continue
            arguments = worded[0].split("return std::string(")[-1]
        parts = []
        for part in literals(re.sub(rf"\?[^:?]*:\s*(?:std::string\()?\s*{LITERAL}", "", re.sub(rf"\?\s*{LITERAL}\s*:[^)]*", "", arguments))):
            before, remedy, _ = part.partition(";")
            parts.append(before.strip())
            if remedy:
                break
        yield ".*".join(re.escape(part) for part in parts if part)


def main():
    wrong = []
    headers = sorted((ROOT / "include").rglob("*.hpp"))
    compile_messages = {message: path for path in headers for message in asserted(path)}
    messages = [(path, pattern) for path in headers for pattern in thrown(path)]
    if "--list" in sys.argv:
        print("\n".join(compile_messages), *(pattern for _, pattern in messages), sep="\n")
        return 0

    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    compiling, _, running = page.partition(RUN_TIME)
    entries = re.findall(r"^\*\*`(.*)`\*\*$", compiling, re.MULTILINE)
    run_entries = re.findall(r"^\*\*`(.*)`\*\*$", running, re.MULTILINE)
    marks = [(path, mark) for path in sorted((ROOT / "tests/fail").glob("*.cpp"))
             for mark in re.findall(r"^// expect-error: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)]

    for message, path in compile_messages.items():
        where = path.relative_to(ROOT)
        if message not in entries:
            wrong.append(f"{where}: docs/errors.md has no entry **`{message}`**")
        if not any(re.match(mark, message) for _, mark in marks):
            wrong.append(f"{where}: no test in tests/fail expects '{message}'")
    for path, mark in marks:
        if sum(bool(re.match(mark, message)) for message in compile_messages) > 1:
            wrong.append(f"{path.relative_to(ROOT)}: '{mark}' matches two messages")
    for entry in entries:
        if entry not in compile_messages:
            wrong.append(f"docs/errors.md: no static_assert in include/ has the message '{entry}'")
        if entries.count(entry) > 1:
            wrong.append(f"docs/errors.md: twice '{entry}'")

    matched = set()
    for path, pattern in messages:
        fitting = [entry for entry in run_entries if re.search(pattern, entry)]
        matched.update(fitting)
        if not fitting or not re.search(r"\w{2}", pattern):
            wrong.append(f"{path.relative_to(ROOT)}: docs/errors.md has no entry at run time like '{pattern}'")
    wrong += [f"docs/errors.md: nothing in include/ throws '{entry}'" for entry in run_entries if entry not in matched]

    print("\n".join(wrong) if wrong else f"{len(compile_messages)} compile-time messages, {len(messages)} run-time messages")
    return 1 if wrong or not compile_messages else 0


if __name__ == "__main__":
    sys.exit(main())
