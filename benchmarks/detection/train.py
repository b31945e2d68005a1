#!/usr/bin/env python3
"""The table of docs/detection.md: trains the variants of 70_detectors over seeds and prints their average precision.

  train.py --build build/release --data DIR [--out build/detection.csv] [--set bccd|pets] [--epochs 40] [--seeds 1,2,3] [--jobs 2]
  train.py --out build/detection.csv --table            only prints what is there

DIR is the folder of BCCD (JPEGImages, Annotations, ImageSets) or, for pets, that of images and xmls. A row that is in the CSV is not trained
again, so the command may be stopped and repeated. Each training uses one core. Intervals are of 95 % (Student's t) over the seeds, on one test
set; differences from the base are paired by seed: a seed chooses the initial values and all random choices. base_long has twice the epochs.
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from _trainings import built, parser_of, read, scored, shown, train_all

KEYS = ["set", "epochs", "variant", "seed"]
COLUMNS = [*KEYS, "seconds", "ap", "ap50", "ap75"]
# Name of a row: (--variant, its epochs as a multiple of --epochs, what it is compared with).
VARIANTS = {"base": ("base", 1, None), "base_long": ("base", 2, "base"), "rfp": ("rfp", 1, "base"), "sac": ("sac", 1, "base"),
            "detectors": ("detectors", 1, "base"), "cascade": ("cascade", 1, "base"), "cascade_pt": ("cascade_pt", 1, "cascade"),
            "retina": ("retina", 1, "base")}
SETS = {"bccd": ["--train-set", "trainval", "--test-set", "test"], "pets": ["--class-from", "any"]}


def table(rows):
    for key in dict.fromkeys((row["set"], row["epochs"]) for row in rows):
        of = [row for row in rows if (row["set"], row["epochs"]) == key]
        print(f"\n{key[0]}, {key[1]} epochs, in %\n")
        print("| variant | AP | AP50 | AP75 | AP − reference | CPU s | seeds |\n|---|---:|---:|---:|---:|---:|---:|")
        for variant in (name for name in VARIANTS if any(row["variant"] == name for row in of)):
            mine, other = [row for row in of if row["variant"] == variant], VARIANTS[variant][2]
            base = {row["seed"]: float(row["ap"]) for row in of if row["variant"] == other}
            less = [float(row["ap"]) - base[row["seed"]] for row in mine if row["seed"] in base]
            seconds = sum(float(row["seconds"]) for row in mine) / len(mine)
            scores = " | ".join(shown([float(row[name]) for row in mine]) for name in ("ap", "ap50", "ap75"))
            print(f"| {variant} | {scores} | {f'{shown(less)} ({other})' if less else '–'} | {seconds:.0f} | {len(mine)} |")


def main():
    parser = parser_of(__doc__, "build/detection.csv", ",".join(VARIANTS), data="folder of the pictures and annotations")
    parser.add_argument("--set", default="bccd", choices=SETS)
    parser.add_argument("--epochs", type=int, default=40)
    words = parser.parse_args()

    if not words.table:
        program = built(parser, words, "examples/70_detectors")
        runs = [(words.set, str(words.epochs), variant, seed) for seed in words.seeds.split(",") for variant in words.variants.split(",")]

        def train(run):
            _, _, variant, seed = run
            chosen, times, _ = VARIANTS[variant]
            folder = words.out.parent / "detection" / "_".join(run)
            command = [program, "--data", words.data, "--seed", seed, "--variant", chosen, "--epochs", str(words.epochs * times),
                       "--threads", "0", *SETS[words.set]]

            def values():
                scores = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["scores"]["answer"]
                return [f"{100 * scores[name]:.2f}" for name in ("ap", "ap50", "ap75")]

            return scored(run, folder, command, values)

        if not train_all(runs, train, words.out, COLUMNS, KEYS, words.jobs):
            return 1
    table(read(words.out, COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
