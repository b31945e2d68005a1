#!/usr/bin/env python3
"""The scripts of benchmarks/ that train over seeds, with a program that fails: each names the run, ends with 1 and keeps its CSV, and trains
the run anew when it is called again, whatever is left in its folder.

  training_scripts.py

Needs only Python.
"""
import pathlib
import subprocess
import sys
import tempfile

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
# The script, the program that it runs, and options.
SCRIPTS = [("cascades/run.py", "benchmarks/bench_cascades", []),
           ("co_training/run.py", "examples/60_co_training", []),
           ("detection/train.py", "examples/70_detectors", []),
           ("evidence/run.py", "benchmarks/bench_evidence", ["--tasks", "boxes", "--variants", "bl"]),
           ("fine_grained/run.py", "benchmarks/bench_fine_grained", []),
           ("gunn/run.py", "examples/61_gunn", []),
           ("rejuvenation/run.py", "examples/62_rejuvenation", [])]
# Leaves a file in the folder of --out, and says so if it finds one there.
PROGRAM = """#!/bin/sh
[ "$1" = --list ] && printf "boxes\\nbl\\n" && exit 0
while [ $# -gt 1 ]; do
  if [ "$1" = --out ]; then
    [ -e "$2/left" ] && echo "files of another run" >&2 && exit 4
    mkdir -p "$2" && touch "$2/left"
  fi
  shift
done
echo "no data" >&2
exit 3
"""


def main():
    with tempfile.TemporaryDirectory() as folder:
        build = pathlib.Path(folder)
        for script, program, options in SCRIPTS:
            path = build / program
            path.parent.mkdir(exist_ok=True)
            path.write_text(PROGRAM, encoding="utf-8")
            path.chmod(0o755)
            out = build / (program + ".csv")
            command = [sys.executable, BENCHMARKS / script, "--build", build, "--data", build, "--out", out, "--seeds", "1", "--jobs", "1", *options]
            for _ in range(2):
                ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
                if ran.returncode != 1 or "failed: no data" not in ran.stderr or "Traceback" in ran.stderr:
                    sys.exit(f"{script}: exit code {ran.returncode}, expected 1\n{ran.stderr}")
            if len(out.read_text(encoding="utf-8").splitlines()) != 1:
                sys.exit(f"{script}: rows of a run that failed")
            columns = out.read_text(encoding="utf-8").strip().split(",")
            ran = subprocess.run([sys.executable, BENCHMARKS / script, "--out", out, "--table"], capture_output=True, text=True, timeout=60, check=False)
            if ran.returncode != 0 or "seed" not in columns:
                sys.exit(f"{script} --table: exit code {ran.returncode}\n{ran.stderr}")
    print(f"{len(SCRIPTS)} scripts")


if __name__ == "__main__":
    main()
