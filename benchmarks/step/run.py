"""Seconds and memory of a training step: c2f, the two networks alone, and PyTorch in Python; './run bench step'.

All contenders of a case run alternately, A B C D A B C D ..., so that other load of the machine affects all of them equally.
A ratio is the median, over the rounds, of the ratio within a round.
"""
import argparse
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from _report import conditions, print_conditions, print_table, print_targets, save

TITLES = {
    "cifar": "CIFAR-100, ResNet-20 coarse to fine, batch 128, float32, channels last, t = 0.5",
    "imagenet": "224x224 pixels, 1,000 classes, ResNet-18 coarse to fine, batch 8, float32, channels last, t = 0.5",
}
NAMES = {
    "stack": "c2f",
    "pair": "c2f, the two networks alone",
    "naive": "c2f, g on the tiled image",
    "eager": "Python, g on the tiled image",
    "compile": "Python, torch.compile",
}
TARGETS = {  # contender, reference, limit, whether the limit is a minimum
    "cifar": [("stack", "pair", 1.08, False), ("stack", "eager", 1.0, False)],
    "imagenet": [("stack", "pair", 1.1, False), ("eager", "stack", 2.5, True)],
}


# By default glibc returns the memory of a step to the system and allocates it again in the next step, which costs every contender about
# 10 % of its time. These variables disable that for all of them, as c2f::keep_memory() does for a C++ program.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}


class Contender:
    def __init__(self, kind, command):
        self.kind = kind
        self.process = subprocess.Popen(command, env=KEEP_MEMORY | os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        word, threads, memory = self.line()
        assert word == "ready", word
        self.threads, self.memory_before, self.memory = int(threads), float(memory), 0.0
        self.rounds = []

    def line(self):
        words = self.process.stdout.readline().split()
        if not words:
            sys.exit(f"'{NAMES[self.kind]}' ended with exit code {self.process.wait()}")
        return words

    def go(self, steps):
        """The seconds of each step."""
        self.process.stdin.write(f"go {steps}\n")
        self.process.stdin.flush()
        *seconds, memory = map(float, self.line())
        self.memory = memory
        return seconds

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(case, arguments):
    program = os.path.join(arguments.build, "benchmarks", "bench_step")
    peer = os.path.join(HERE, "..", "peers", "step.py")
    contenders = [Contender(kind, [program, case, kind]) for kind in ("stack", "pair", "naive")]
    contenders += [Contender(kind, [sys.executable, peer, case, kind]) for kind in ("eager", "compile") if kind == "eager" or arguments.compile]
    steps = {"cifar": 3, "imagenet": 1}[case]
    for each in contenders:
        each.go(2)
    for _ in range(arguments.rounds):
        for each in contenders:
            each.rounds.append(each.go(steps))
    for each in contenders:
        each.close()
    return {each.kind: each for each in contenders}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release", help="the folder CMake built in")
    parser.add_argument("--case", choices=TITLES, action="append", help="only this one")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--compile", action="store_true", help="also torch.compile, which takes minutes to warm up")
    arguments = parser.parse_args()

    facts = conditions(arguments.build)
    print_conditions(facts)
    results = {"conditions": facts, "cases": {}}
    for case in arguments.case or TITLES:
        found = measure(case, arguments)
        seconds = {kind: [statistics.median(steps) for steps in each.rounds] for kind, each in found.items()}

        def ratio(one, other):
            return statistics.median(a / b for a, b in zip(seconds[one], seconds[other]))

        print(f"### {TITLES[case]}\n")
        rows = []
        for kind, each in found.items():
            all_seconds = [second for steps in each.rounds for second in steps]
            rows.append([NAMES[kind], f"{1e3 * statistics.median(all_seconds):.0f}", f"{1e3 * min(all_seconds):.0f} ... {1e3 * max(all_seconds):.0f}",
                         f"{ratio(kind, 'stack'):.2f}", f"{each.memory:.0f}", f"{each.memory_before:.0f}", each.threads])
        print_table(["", "ms per step, median", "least ... most", "times c2f", "peak MB", "of it before the first step", "threads"], rows)
        if len({each.threads for each in found.values()}) > 1:
            print("The contenders ran with different numbers of threads: the comparison is void.\n")
        targets = [(f"{NAMES[one]} / {NAMES[other]}", ratio(one, other), limit, least) for one, other, limit, least in TARGETS[case]]
        print_targets(targets)
        results["cases"][case] = {
            kind: {"seconds": each.rounds, "peak_mb": each.memory, "before_mb": each.memory_before, "threads": each.threads} for kind, each in found.items()
        } | {"targets": [{"what": what, "ratio": found, "limit": limit, "at_least": least} for what, found, limit, least in targets]}
    save(arguments.build, "step.json", results)


if __name__ == "__main__":
    main()
