#!/usr/bin/env python3
"""The table of docs/cascades.md: trains variants of CasNet on CamVid from random weights, over seeds, and prints their scores by stage.

  run.py --build build/release --data CAMVID [--out build/cascades.csv] [--variants coarse,gate] [--seeds 1,2,3] [--epochs 20] [--jobs 2]
  run.py --data CAMVID --part held --seeds 5 --out build/held.csv     scores a fifth of the training pictures, to choose settings
  run.py --out build/cascades.csv --table                             only prints what is there

A run that is in the CSV is not trained again, so the command may be stopped and repeated. Each training uses one core. Intervals are of
95 % (Student's t) over the seeds, on one set of pictures: they do not cover the choice of these.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from _trainings import built, parser_of, printed, read, shown, train_all

COLUMNS = ["variant", "seed", "epochs", "seconds", "stage", "miou", "pixel", "class"]


def table(rows):
    for epochs in dict.fromkeys(row["epochs"] for row in rows):
        print(f"\n{epochs} epochs, %\n\n| variant | stage | miou | pixel | class | minutes | seeds |\n|---|---|---:|---:|---:|---:|---:|")
        of_epochs = [row for row in rows if row["epochs"] == epochs]
        for variant, stage in dict.fromkeys((row["variant"], row["stage"]) for row in of_epochs):
            mine = [row for row in of_epochs if (row["variant"], row["stage"]) == (variant, stage)]
            scores = [shown([float(row[name]) for row in mine]) for name in ("miou", "pixel", "class")]
            minutes = sum(float(row["seconds"]) for row in mine) / len(mine) / 60
            print(f"| {variant} | {stage} | " + " | ".join(scores) + f" | {minutes:.1f} | {len(mine)} |")


def main():
    parser = parser_of(__doc__, "build/cascades.csv", "coarse,fine,static,gate,mixture,pt_mixture")
    parser.add_argument("--epochs", default="20")
    parser.add_argument("--part", default="val", choices=["val", "held"])
    words = parser.parse_args()

    if not words.table:
        program = built(parser, words, "benchmarks/bench_cascades")
        runs = [(variant, seed, words.epochs) for seed in words.seeds.split(",") for variant in words.variants.split(",")]
        train = lambda run: printed([program, *run, words.data, words.part])
        if not train_all(runs, train, words.out, COLUMNS, ["variant", "seed", "epochs"], words.jobs):
            return 1
    table(read(words.out, COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
