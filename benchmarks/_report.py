"""What every benchmark prints with its numbers: machine, command, commit, date."""
import datetime
import json
import os
import platform
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def output_of(*words):
    try:
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def field(path, name):
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(name):
                    return line.split(":" if ":" in line and "=" not in line else "=", 1)[1].strip()
    except OSError:
        pass
    return ""


def conditions(build):
    cores = len(os.sched_getaffinity(0))
    memory = field("/proc/meminfo", "MemTotal").split()
    cache = os.path.join(build, "CMakeCache.txt")
    compiler = field(cache, "CMAKE_CXX_COMPILER:")
    commit = output_of("git", "rev-parse", "--short", "HEAD")
    words = sys.argv[1:]
    if "--build" in words:  # ./run adds it
        at = words.index("--build")
        del words[at : at + 2]
    threads = [f"{name}={value}" for name, value in os.environ.items() if name.startswith(("OMP_", "MALLOC_"))]
    return {
        "machine": f"{field('/proc/cpuinfo', 'model name') or platform.machine()}, {cores} cores, {int(memory[0]) / 2**20 if memory else 0:.0f} GB, Linux {platform.release()}",
        "command": shlex.join([*threads, "./run", "bench", os.path.basename(os.path.dirname(os.path.abspath(sys.argv[0]))), *words]),
        "build": f"{field(cache, 'CMAKE_BUILD_TYPE:')}, {output_of(compiler, '--version').splitlines()[0] if compiler else 'no compiler'}",
        "commit": commit + (" with changes" if output_of("git", "status", "--porcelain", "--", "include", "benchmarks") else ""),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def print_conditions(facts):
    for name, value in facts.items():
        print(f"- {name}: {value}")
    print()


def print_table(head, rows):
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    for line in lines:
        print("| " + " | ".join(str(cell) for cell in line) + " |")
    print(flush=True)


def print_targets(targets):
    """targets: (what, found, limit, whether `found` must be at least the limit)."""
    for what, found, limit, least in targets:
        met = found >= limit if least else found <= limit
        print(f"- {what}: {found:.2f}, wanted {'at least' if least else 'at most'} {limit:g}: {'met' if met else 'NOT MET'}")
    print(flush=True)


def save(build, name, value):
    folder = os.path.join(ROOT, "build", "bench")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path + ".new", "w") as file:
        json.dump(value, file, indent=1)
    os.replace(path + ".new", path)
    print(f"written: {os.path.relpath(path, os.getcwd())}")
