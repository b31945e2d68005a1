#!/usr/bin/env python3
"""The tables of docs/fine-grained.md: trains variants of Coarse2Fine from random weights, over seeds, and prints their scores by stage.

  run.py --build build/release --set pets --data PETS3 [--out build/fine_grained.csv] [--variants coarse,random] [--seeds 1,2,3] [--epochs 60]
  run.py --build build/release --set cifar --data CIFAR100 --epochs 12
  run.py --out build/fine_grained.csv --table                         only prints what is there

A run that is in the CSV is not trained again, so the command may be stopped and repeated. Each training uses one core. Intervals are of
95 % (Student's t) over the seeds, on one set of test pictures: they do not cover the choice of these.
"""
import argparse
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from _trainings import read, shown, train_all

COLUMNS = ["set", "variant", "seed", "epochs", "seconds", "stage", "top1", "top5", "box_error", "known_error", "iou"]
EPOCHS = {"pets": "60", "pets_held": "60", "cifar": "12"}


def table(rows):
    for name, epochs in dict.fromkeys((row["set"], row["epochs"]) for row in rows):
        print(f"\n{name}, {epochs} epochs, %\n\n| variant | stage | top-1 | box error | of known label | IoU | minutes | seeds |")
        print("|---|---|---:|---:|---:|---:|---:|---:|")
        of_set = [row for row in rows if (row["set"], row["epochs"]) == (name, epochs)]
        for variant, stage in dict.fromkeys((row["variant"], row["stage"]) for row in of_set):
            mine = [row for row in of_set if (row["variant"], row["stage"]) == (variant, stage)]
            scores = [shown([float(row[column]) * factor for row in mine if row[column]])
                      for column, factor in (("top1", 1), ("box_error", 1), ("known_error", 1), ("iou", 100))]
            minutes = sum(float(row["seconds"]) for row in mine) / len(mine) / 60
            print(f"| {variant} | {stage} | " + " | ".join(scores) + f" | {minutes:.1f} | {len(mine)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--set", default="pets", choices=sorted(EPOCHS))
    parser.add_argument("--data", type=pathlib.Path, required="--table" not in sys.argv)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/fine_grained.csv"))
    parser.add_argument("--variants", default="plain,coarse,coarse2fine,random,bilinear")
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--epochs")
    parser.add_argument("--rate", help="the learning rate; not a column, so give such runs a file of their own")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--table", action="store_true", help="train nothing")
    words = parser.parse_args()

    if not words.table:
        program = words.build / "benchmarks" / "bench_fine_grained"
        if not program.is_file():
            parser.exit(2, f"no program '{program}'; build it, or name the build folder with --build\n")
        epochs = words.epochs or EPOCHS[words.set]
        runs = [(words.set, variant, seed, epochs) for seed in words.seeds.split(",") for variant in words.variants.split(",")]
        rate = [words.rate] if words.rate else []
        train = lambda run: subprocess.run([program, *run, words.data, *rate], capture_output=True, text=True,
                                           env=os.environ | {"OMP_NUM_THREADS": "1"})
        if not train_all(runs, train, words.out, COLUMNS, ["set", "variant", "seed", "epochs"], words.jobs):
            return 1
    table(read(words.out, COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
