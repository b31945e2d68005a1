#!/usr/bin/env python3
"""Extracts the code blocks of Markdown pages and the examples at the head of headers, so that tests can compile them.

  extract_blocks.py --into DIR PAGE...   writes DIR/PAGE.N.cpp for each C++ block and prints their names
  extract_blocks.py --together FILE PAGE...   writes all of them into one file, each in a namespace of its own, which is compiled faster
  extract_blocks.py --run RUN PAGE...    checks that every './run WORD' in a bash block is a command of the script RUN
  extract_blocks.py --headers FILE HEADER... [-- COMPILER ARGUMENT...]   writes the examples of the headers into FILE and compiles it

The words after ``` determine the kind of a block:
  cpp             a whole file; without an #include it begins with tests/docs_prelude.hpp
  cpp main        statements, which are put into main(); includes, types and templates are put before it
  cpp continued   (or 'cpp main continued') continues the previous C++ block of the page
A block that is not to be compiled is marked ```text.

The example of a header is the first block of lines '//   CODE' before '#pragma once' that contains a semicolon. It is the body of a
function, in a namespace of its own inside those of the header's folders; includes, types and templates are put before it. FILE begins with
tests/header_examples_prelude.hpp, which declares the names that examples take for granted, for all headers or for those of one folder.
In an example … stands for any statements or members, and aliases of one name ('using share = A;' and 'using share = B;') are alternatives.
"""
import argparse
import pathlib
import re
import subprocess
import sys

PRELUDE = '#include "docs_prelude.hpp"\n'
HEADERS_PRELUDE = '#include "header_examples_prelude.hpp"'
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


def example(header):
    """The numbered lines of the example at the head of a header, or none."""
    lines = []
    for number, line in enumerate(header.read_text(encoding="utf-8").splitlines(), 1):
        code = re.match(r"//   +(\S.*)$", line)
        if code:
            lines.append((number, line.removeprefix("//   ")))
            continue
        if any(";" in code for _, code in lines):
            return lines
        if line.startswith("#pragma once"):
            break
        lines = []
    return []


def compilable(lines):
    """The lines with a ; for each …, and with each of several aliases of one name in a scope of its own."""
    names = [match[1] for _, line in lines if (match := re.match(r"using (\w+) *=", line))]
    for number, line in lines:
        code, slashes, comment = line.partition("//")
        code = code.replace("…", ";")
        match = re.match(r"using (\w+) *=", code)
        if match and names.count(match[1]) > 1:
            code = f"{{ {code.rstrip()} }}  "
        yield number, code + slashes + comment


def examples(headers, target):
    includes, text, count = [HEADERS_PRELUDE], [], 0
    for header in headers:
        path = pathlib.PurePath("c2f", *header.parts[len(header.parts) - header.parts[::-1].index("c2f"):])
        lines = list(compilable(example(header)))
        if not lines:
            continue
        count += 1
        outside, inside = split(lines)
        includes += [line for _, line in outside if line.startswith("#include")] + [f"#include <{path}>"]
        outside = [(number, line) for number, line in outside if not line.startswith("#include")]
        folders = "".join(f"::in_{folder}" for folder in path.parts[1:-1])
        text.append(f"namespace examples{folders}::{re.sub(r'[^A-Za-z0-9]', '_', path.name)} {{\n{numbered(header, outside)}"
                    f"auto example() {{\n{numbered(header, inside)}}}\n}}\n")
    write(target, "\n".join(dict.fromkeys(includes)) + "\n" + "".join(text))
    print(f"{count} headers have an example, {len(headers) - count} have none")


def check_commands(run, pages):
    known = set(re.findall(r"^  ([a-z0-9]+)\)$", run.read_text(encoding="utf-8"), re.MULTILINE))
    wrong = 0
    for page in pages:
        for first, words, lines in blocks(page):
            if not words or words[0] not in ("bash", "sh", "console"):
                continue
            for number, line in enumerate(lines, first):
                for command in re.findall(r"\./run +([a-z0-9]+)", line.split("#")[0]):
                    if command not in known:
                        print(f"{page}:{number}: './run {command}' does not exist; there are {', '.join(sorted(known))}")
                        wrong += 1
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=pathlib.Path)
    parser.add_argument("--together", type=pathlib.Path)
    parser.add_argument("--run", type=pathlib.Path)
    parser.add_argument("--headers", type=pathlib.Path)
    parser.add_argument("pages", type=pathlib.Path, nargs="*")
    arguments, compiler = sys.argv[1:], []
    if "--" in arguments:
        compiler = arguments[arguments.index("--") + 1:]
        arguments = arguments[:arguments.index("--")]
    options = parser.parse_args(arguments)
    if options.run:
        sys.exit(1 if check_commands(options.run, options.pages) else 0)
    if options.headers:
        examples(options.pages, options.headers)
        sys.stdout.flush()
        sys.exit(subprocess.call([*compiler, str(options.headers)]) if compiler else 0)
    if options.together:
        together(options.pages, options.together)
        return
    options.into.mkdir(parents=True, exist_ok=True)
    for page in options.pages:
        extract(page, options.into)


if __name__ == "__main__":
    main()
