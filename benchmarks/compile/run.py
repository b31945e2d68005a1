"""Compile time and memory of the headers; './run bench compile'.

Parsing is timed with -O0 -fsyntax-only, programs with -O2 -c, with the include folders, definitions and standard of the benchmark
programs, without a precompiled header. c2f/c2f.hpp and torch/torch.h alternate; their ratio is the median over the rounds.
"""
import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from _report import ROOT, conditions, print_conditions, print_table, print_targets, save

PROGRAM = """
#include <c2f/c2f.hpp>

template <int I>
struct task {{
  using input = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<{depth}, c2f::class_vector<10 + I>>;
}};

template <int I>
void step(at::Tensor const& images, at::Tensor const& truth) {{
  c2f::stack<task<I>> model;
  c2f::pass p{{.mode = c2f::train, .truth = truth, .t = 0.5}};
  model(images, p);
  p.loss().backward();
}}

template void {instances};
"""


def cmake_flags(build):
    """The compiler and its flags for benchmarks/step/step.cpp in compile_commands.json: includes, definitions, and the standard."""
    path = os.path.join(build, "compile_commands.json")
    try:
        with open(path) as file:
            entry = next(entry for entry in json.load(file) if entry["file"].endswith(os.path.join("benchmarks", "step", "step.cpp")))
    except (OSError, StopIteration):
        sys.exit(f"no command for benchmarks/step/step.cpp in {path}; configure with -DC2F_BENCHMARKS=ON")
    words = shlex.split(entry["command"])
    kept = []
    for word, next_word in zip(words, words[1:]):
        if word in ("-isystem", "-I", "-D"):
            kept += [word, next_word]
        elif word.startswith(("-I", "-D", "-std=")):
            kept.append(word)
    with open(os.path.join(build, "CMakeCache.txt")) as file:
        compiler = next(line.split("=", 1)[1].strip() for line in file if line.startswith("CMAKE_CXX_COMPILER:"))
    return compiler, kept


class Compiler:
    def __init__(self, path, flags, scratch):
        self.path, self.flags, self.scratch = path, flags, scratch
        self.name = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]

    def compile(self, text, *options, must=True):
        """Seconds of wall clock, of processor time, and the peak in MB; None if it does not compile and need not (must=False)."""
        source = os.path.join(self.scratch, "program.cpp")
        with open(source, "w") as file:
            file.write(text)
        begin = time.perf_counter()
        process = subprocess.Popen([self.path, *self.flags, *options, source, "-o", os.path.join(self.scratch, "program.o")], stderr=None if must else subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)  # includes the compiler process that the driver starts
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode and not must:
            return None
        if process.returncode:
            sys.exit(f"{self.path} failed on:\n{text}")
        return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

    def parse(self, header, must=True):
        return self.compile(f"#include <{header}>\n", "-O0", "-fsyntax-only", must=must)


def measure_headers(compiler, rounds):
    pairs = [(compiler.parse("c2f/c2f.hpp"), compiler.parse("torch/torch.h")) for _ in range(rounds)]
    ratio = statistics.median(ours[1] / theirs[1] for ours, theirs in pairs)
    rows = {name: [statistics.median(column) for column in zip(*(pair[i] for pair in pairs))] for i, name in enumerate(("c2f/c2f.hpp", "torch/torch.h"))}
    return rows, ratio


def public_headers():
    for folder, _, names in sorted(os.walk(os.path.join(ROOT, "include"))):
        for name in sorted(names):
            if name.endswith(".hpp"):
                yield os.path.relpath(os.path.join(folder, name), os.path.join(ROOT, "include"))


def cells(measured):
    if measured is None:
        return ["not compiled here", "", ""]
    wall, processor, memory = measured
    return [f"{wall:.1f}", f"{processor:.1f}", f"{memory:.0f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release", help="the folder CMake configured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-headers", action="store_true", help="not every header, only c2f/c2f.hpp and torch/torch.h")
    arguments = parser.parse_args()

    default, flags = cmake_flags(arguments.build)
    paths = [default]
    if "clang" not in os.path.basename(default) and shutil.which("clang++-19"):
        paths.append("clang++-19")
    facts = conditions(arguments.build)
    facts["flags"] = " ".join(flag.replace(ROOT + os.sep, "") for flag in flags)
    print_conditions(facts)
    columns = ["seconds", "of processor time", "peak MB"]
    results = {"conditions": facts, "compilers": {}}
    with tempfile.TemporaryDirectory() as scratch:
        for path in paths:
            compiler = Compiler(path, flags, scratch)
            result = results["compilers"][compiler.name] = {}
            print(f"### {compiler.name}\n")
            compiler.parse("c2f/c2f.hpp")  # fills the file cache
            compiler.parse("torch/torch.h")
            rows, ratio = measure_headers(compiler, arguments.rounds)
            print_table([f"parse, median of {arguments.rounds}", *columns], [[f"`{name}`", *cells(row)] for name, row in rows.items()])
            print_targets([("processor time of c2f/c2f.hpp / torch/torch.h", ratio, 0.6, False)])
            result |= {"parse": rows, "ratio": ratio, "limit": 0.6}

            rows = {}
            for depth, tasks in ((20, 1), (20, 4), (20, 16), (56, 1), (110, 1)):
                instances = ", ".join(f"step<{i}>(at::Tensor const&, at::Tensor const&)" for i in range(tasks)).replace(", step", ";\ntemplate void step")
                rows[f"{tasks} x depth {depth}"] = compiler.compile(PROGRAM.format(depth=depth, instances=instances), "-O2", "-c")
            print_table(["stacks: model, a training pass, backward", *columns], [[name, *cells(row)] for name, row in rows.items()])
            result["stacks"] = rows

            if not arguments.no_headers and path == default:
                rows = {header: compiler.parse(header, must=False) for header in public_headers()}  # some need a library that may be missing
                print_table(["parse, each header alone", *columns], [[f"`{name}`", *cells(row)] for name, row in rows.items()])
                result["headers"] = rows
    save(arguments.build, "compile.json", results)


if __name__ == "__main__":
    main()
