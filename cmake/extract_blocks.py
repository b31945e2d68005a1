#!/usr/bin/env python3
"""Extracts the code blocks of Markdown pages, so that tests can compile them.

  extract_blocks.py --into DIR PAGE...   writes DIR/PAGE.N.cpp for each C++ block and prints their names
  extract_blocks.py --together FILE PAGE...   writes all of them into one file, each in a namespace of its own, which is compiled faster
  extract_blocks.py --run RUN PAGE...    checks that every './run WORD' in a bash block is a command of the script RUN

The words after ``` determine the kind of a block:
  cpp             a whole file; without an #include it begins with tests/docs_prelude.hpp
  cpp main        statements, which are put into main(); includes, types and templates are put before it
  cpp continued   (or 'cpp main continued') continues the previous C++ block of the page
A block that is not to be compiled is marked ```text.
"""
import argparse
import pathlib
import re
import sys

PRELUDE = '#include "docs_prelude.hpp"\n'
# Lines that cannot be inside main(): preprocessor lines, templates, types (a local class has no static members).
HOISTED = re.compile(r"(#|template\b|struct\b|class\b|enum\b|union\b|namespace\b|concept\b|C2F_)")


def blocks(page):
    """(line number of the first line, words after the ```, lines) of each block."""
    words = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"\s*```(.*)$", line)
        if not fence:
            if words is not None:
                lines.append(line)
        elif words is None:
            words, lines, first = fence[1].split(), [], number + 1
        else:
            yield first, words, lines
            words = None
    if words is not None:
        sys.exit(f"{page}:{first - 1}: the code block that begins here is not closed")


def split(lines):
    """The numbered lines before main(), and those inside it."""
    outside, inside, hoisting = [], [], False
    for number, line in lines:
        starts = not hoisting and HOISTED.match(line)
        (outside if hoisting or starts else inside).append((number, line))
        code = line.split("//")[0].rstrip()
        if starts and not line.startswith("#"):
            hoisting = not code.endswith((";", "}"))
        elif hoisting and code.startswith("}"):
            hoisting = False
    return outside, inside


def numbered(page, lines):
    """The lines with #line directives, so that the compiler names the page."""
    text, expected = [], None
    for number, line in lines:
        if number != expected:
            text.append(f'#line {number} "{page}"')
        text.append(line)
        expected = number + 1
    return "\n".join(text) + "\n"


def texts(page):
    """The text of each C++ block of a page, complete with what it continues."""
    outside, inside, statements = [], [], False
    for first, words, lines in blocks(page):
        if not words or words[0] != "cpp":
            continue
        unknown = set(words[1:]) - {"main", "continued"}
        if unknown:
            sys.exit(f"{page}:{first - 1}: a C++ block may be 'main' and 'continued', not '{' '.join(sorted(unknown))}'")
        if "continued" not in words:
            outside, inside, statements = [], [], False
        lines = list(enumerate(lines, first))
        statements |= "main" in words
        more_outside, more_inside = split(lines) if "main" in words else (lines, [])
        outside += more_outside
        inside += more_inside
        has_include = any(line.lstrip().startswith("#include") for _, line in outside)
        text = "" if has_include and not statements else PRELUDE
        text += numbered(page, outside)
        if statements:
            text += "int main() {\n" + numbered(page, inside) + "}\n"
        yield text


def write(target, text):
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")
    print(target)


def extract(page, into):
    for count, text in enumerate(texts(page), 1):
        write(into / f"{page.stem}.{count}.cpp", text)


def together(pages, target):
    includes, blocks_of_all = [PRELUDE.strip()], []
    for page in pages:
        for count, text in enumerate(texts(page), 1):
            lines = text.splitlines()
            includes += [line for line in lines if line.lstrip().startswith("#include") and line not in includes]
            body = "\n".join("" if line.lstrip().startswith("#include") else line for line in lines)
            blocks_of_all.append(f"namespace {re.sub(r'[^A-Za-z0-9]', '_', page.stem)}_{count} {{\n{body}\n}}\n")
    write(target, "\n".join(includes) + "\n" + "".join(blocks_of_all))


def check_commands(run, pages):
    known = set(re.findall(r"^  ([a-z]+)\)$", run.read_text(encoding="utf-8"), re.MULTILINE))
    wrong = 0
    for page in pages:
        for first, words, lines in blocks(page):
            if not words or words[0] not in ("bash", "sh", "console"):
                continue
            for number, line in enumerate(lines, first):
                for command in re.findall(r"\./run +([a-z]+)", line.split("#")[0]):
                    if command not in known:
                        print(f"{page}:{number}: './run {command}' does not exist; there are {', '.join(sorted(known))}")
                        wrong += 1
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=pathlib.Path)
    parser.add_argument("--together", type=pathlib.Path)
    parser.add_argument("--run", type=pathlib.Path)
    parser.add_argument("pages", type=pathlib.Path, nargs="*")
    options = parser.parse_args()
    if options.run:
        sys.exit(1 if check_commands(options.run, options.pages) else 0)
    if options.together:
        together(options.pages, options.together)
        return
    options.into.mkdir(parents=True, exist_ok=True)
    for page in options.pages:
        extract(page, options.into)


if __name__ == "__main__":
    main()
