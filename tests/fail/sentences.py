#!/usr/bin/env python3
"""Every sentence of include/ has an entry in docs/errors.md, and every one that a compiler says has a pair in tests/fail.

  sentences.py [--list]

An entry is a line  **`sentence`**.  Above the heading 'At run time' it is the exact text of a static_assert; below it stand the messages
that are thrown, with '…' for what changes. Fails and names what is missing, what nobody says any more, and marks of pairs that fit two
sentences.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LITERAL = r'"((?:[^"\\\n]|\\.)*)"'
RUN_TIME = "## At run time"


def code(path):
    """The text without comments, which may quote what they like."""
    text = path.read_text(encoding="utf-8")
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
        message = re.search(rf"(?:^|,)((?:\s*{LITERAL})+)\s*$", arguments)
        if message:
            yield "".join(literals(message[1]))


def thrown(path):
    """What is wrong, as a pattern: the literals in their order up to the ';' before the remedy, without those that a '?' chooses."""
    text = code(path)
    for arguments in calls(text, r"\bthrow (?:c2f::)?(?:error|input_error|not_finite)\("):
        if not literals(arguments):  # a function of this file words it; else it is what was thrown before, kept in a variable
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
    sentences = {sentence: path for path in headers for sentence in asserted(path)}
    messages = [(path, pattern) for path in headers for pattern in thrown(path)]
    if "--list" in sys.argv:
        print("\n".join(sentences), *(pattern for _, pattern in messages), sep="\n")
        return 0

    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    compiling, _, running = page.partition(RUN_TIME)
    entries = re.findall(r"^\*\*`(.*)`\*\*$", compiling, re.MULTILINE)
    run_entries = re.findall(r"^\*\*`(.*)`\*\*$", running, re.MULTILINE)
    marks = [(path, mark) for path in sorted((ROOT / "tests/fail").glob("*.cpp"))
             for mark in re.findall(r"^// expect-error: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)]

    for sentence, path in sentences.items():
        where = path.relative_to(ROOT)
        if sentence not in entries:
            wrong.append(f"{where}: docs/errors.md has no entry **`{sentence}`**")
        if not any(re.match(mark, sentence) for _, mark in marks):
            wrong.append(f"{where}: no pair in tests/fail expects '{sentence}'")
    for path, mark in marks:
        if sum(bool(re.match(mark, sentence)) for sentence in sentences) > 1:
            wrong.append(f"{path.relative_to(ROOT)}: '{mark}' fits two sentences")
    for entry in entries:
        if entry not in sentences:
            wrong.append(f"docs/errors.md: nothing in include/ says '{entry}'")
        if entries.count(entry) > 1:
            wrong.append(f"docs/errors.md: twice '{entry}'")

    said = set()
    for path, pattern in messages:
        fitting = [entry for entry in run_entries if re.search(pattern, entry)]
        said.update(fitting)
        if not fitting or not re.search(r"\w{2}", pattern):
            wrong.append(f"{path.relative_to(ROOT)}: docs/errors.md has no entry at run time like '{pattern}'")
    wrong += [f"docs/errors.md: nothing in include/ throws '{entry}'" for entry in run_entries if entry not in said]

    print("\n".join(wrong) if wrong else f"{len(sentences)} sentences, {len(messages)} messages")
    return 1 if wrong or not sentences else 0


if __name__ == "__main__":
    sys.exit(main())
