#!/usr/bin/env python3
"""The tables of docs/gunn.md: memory and time of a training step by the number of groups, and 61_gunn's networks trained over seeds.

  run.py --build build/release --memory [--chart docs/gunn_memory.svg]               bench_gunn, a step for each number of groups
  run.py --build build/release --data CIFAR100 [--out build/gunn.csv] [--limit 10000] [--epochs 10] [--seeds 1,2,3] [--jobs 2]
  run.py --out build/gunn.csv --table                                                only prints what is there

A training that is in the CSV is not run again, so the command may be stopped and repeated. Each uses one core. resnet_long has five times the
epochs, about the time of GUNN. Intervals are of 95 % (Student's t) over the seeds, on one test set; differences are paired by seed.
"""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from _plot import bars
from _report import conditions, print_conditions, print_table, print_targets
from _trainings import built, parser_of, read, scored, shown, train_all

KEYS = ["set", "limit", "epochs", "variant", "seed"]
COLUMNS = [*KEYS, "seconds", "coarse", "fine"]
# Name of a row: (--variant, its epochs as a multiple of --epochs).
VARIANTS = {"gunn": ("gunn", 1), "sunn": ("sunn", 1), "no_residual": ("no_residual", 1), "resnet": ("resnet", 1),
            "resnet_long": ("resnet", 5), "coarse_to_fine": ("coarse_to_fine", 1)}


def table(rows):
    for key in dict.fromkeys((row["set"], row["limit"], row["epochs"]) for row in rows):
        of = [row for row in rows if (row["set"], row["limit"], row["epochs"]) == key]
        error = lambda row: 100 - float(row["fine"] or row["coarse"])
        gunn = {row["seed"]: error(row) for row in of if row["variant"] == "gunn"}
        print(f"\n{key[0]}, {key[1]} pictures, {key[2]} epochs: error in %\n")
        print("| variant | error | less gunn | CPU s | seeds |\n|---|---:|---:|---:|---:|")
        for variant in (name for name in VARIANTS if any(row["variant"] == name for row in of)):
            mine = [row for row in of if row["variant"] == variant]
            less = [error(row) - gunn[row["seed"]] for row in mine if row["seed"] in gunn]
            seconds = sum(float(row["seconds"]) for row in mine) / len(mine)
            print(f"| {variant} | {shown([error(row) for row in mine])} | {shown(less) if variant != 'gunn' else '–'} | {seconds:.0f} | {len(mine)} |")


def measured(program):
    """What bench_gunn prints, a row for each number of groups and way: groups, way, kept, peak (bytes), seconds."""
    found = subprocess.run([program], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if found.returncode != 0:
        sys.exit(found.stderr)
    rows = [line.split(",") for line in found.stdout.split()]
    return [(int(groups), way, int(kept), int(peak), float(seconds)) for groups, way, kept, peak, seconds in rows]


def memory(words):
    print_conditions(conditions(str(words.build)))
    rows = measured(words.build / "benchmarks" / "bench_gunn")
    names = {count: f"{count}" if count > 0 else "GUNN-15" for count in dict.fromkeys(row[0] for row in rows)}
    of = {(row[0], row[1]): row[2:] for row in rows}
    ways, parts = ("recomputed", "kept"), [("kept between the passes, MB", 1e-6), ("peak, MB", 1e-6), ("CPU s", 1)]
    print_table(["groups"] + [f"{part}: {way}" for part, _ in parts for way in ways],
                [[name] + [f"{of[count, way][place] * scale:.3g}" for place, (_, scale) in enumerate(parts) for way in ways]
                 for count, name in names.items()])
    ours = [of[count, "recomputed"] for count in names if count > 0]
    peaks = [peak for _, peak, _ in ours]
    print_targets([("kept by a layer between the passes, largest to smallest", max(kept for kept, _, _ in ours) / min(kept for kept, _, _ in ours), 1.1, False),
                   ("peak of 30 groups to that of activations::kept", of[30, "recomputed"][1] / of[30, "kept"][1], 0.25, False),
                   ("peak from ten groups on, largest to smallest", max(peaks[2:]) / min(peaks[2:]), 1.1, False)])
    if words.chart:
        panel = lambda place, scale: [(f"{names[count]}{' groups' if count > 0 else ''}, {way}", *3 * (of[count, way][place] * scale,), way == "recomputed")
                                      for count in names if count > 0 for way in ways]
        bars(words.chart, "A training step of one layer of 240 channels: activations recomputed and kept",
             [(part.split(",")[0], "s" if scale == 1 else "MB", panel(place, scale)) for place, (part, scale) in enumerate(parts)])


def main():
    parser = parser_of(__doc__, "build/gunn.csv", ",".join(VARIANTS), data="folder of CIFAR-10 or CIFAR-100", without_data=["--memory"])
    parser.add_argument("--memory", action="store_true", help="measure memory and time and train nothing")
    parser.add_argument("--chart", type=pathlib.Path, help="with --memory: the chart, SVG")
    parser.add_argument("--set", default="small")
    parser.add_argument("--limit", default="10000", help="training pictures; 0: all")
    parser.add_argument("--epochs", type=int, default=10)
    words = parser.parse_args()
    if words.memory:
        memory(words)
        return 0

    if not words.table:
        program = built(parser, words, "examples/61_gunn")
        runs = [(words.set, words.limit, str(words.epochs), variant, seed) for seed in words.seeds.split(",")
                for variant in words.variants.split(",")]

        def train(run):
            _, _, _, variant, seed = run
            chosen, times = VARIANTS[variant]
            folder = words.out.parent / "gunn" / "_".join(run)
            command = [program, "--data", words.data, "--set", words.set, "--limit", words.limit, "--seed", seed, "--variant", chosen,
                       "--epochs", str(words.epochs * times), "--threads", "0"]

            def values():
                scores = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["scores"]
                return [f"{100 * scores[stage]['top1']:.2f}" if stage in scores else "" for stage in ("coarse", "fine")]

            return scored(run, folder, command, values)

        if not train_all(runs, train, words.out, COLUMNS, KEYS, words.jobs):
            return 1
    table(read(words.out, COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
