#!/usr/bin/env python3
"""The tables of docs/fine-grained.md: trains variants of Coarse2Fine from random weights, over seeds, and prints their scores by stage.

  run.py --build build/release --set pets --data PETS3 [--out build/fine_grained.csv] [--variants coarse,random] [--seeds 1,2,3] [--epochs 60]
  run.py --build build/release --set cifar --data CIFAR100 --epochs 12
  run.py --out build/fine_grained.csv --table                         only prints what is there

A run that is in the CSV is not trained again, so the command may be stopped and repeated. Each training uses one core. Intervals are of
95 % (Student's t) over the seeds, on one set of test pictures: they do not cover the choice of these.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from _trainings import built, parser_of, printed, read, shown, train_all

COLUMNS = ["set", "variant", "seed", "epochs", "seconds", "stage", "top1", "top5", "box_error", "known_error", "iou"]
EPOCHS = {"pets": "60", "pets_held": "60", "cifar": "12"}


def table(rows):
    for name, epochs in dict.fromkeys((row["set"], row["epochs"]) for row in rows):
        print(f"\n{name}, {epochs} epochs, %\n\n| variant | stage | top-1 | localisation error | GT-known | IoU | CPU minutes | seeds |")
        print("|---|---|---:|---:|---:|---:|---:|---:|")
        of_set = [row for row in rows if (row["set"], row["epochs"]) == (name, epochs)]
        for variant, stage in dict.fromkeys((row["variant"], row["stage"]) for row in of_set):
            mine = [row for row in of_set if (row["variant"], row["stage"]) == (variant, stage)]
            scores = [shown([float(row[column]) * factor for row in mine if row[column]])
                      for column, factor in (("top1", 1), ("box_error", 1), ("known_error", 1), ("iou", 100))]
            minutes = sum(float(row["seconds"]) for row in mine) / len(mine) / 60
            print(f"| {variant} | {stage} | " + " | ".join(scores) + f" | {minutes:.1f} | {len(mine)} |")


def main():
    parser = parser_of(__doc__, "build/fine_grained.csv", "plain,coarse,coarse2fine,random,bilinear", "1,2,3,4,5")
    parser.add_argument("--set", default="pets", choices=sorted(EPOCHS))
    parser.add_argument("--epochs")
    parser.add_argument("--rate", help="the learning rate; not a column, so give such runs a file of their own")
    words = parser.parse_args()

    if not words.table:
        program = built(parser, words, "benchmarks/bench_fine_grained")
        epochs = words.epochs or EPOCHS[words.set]
        runs = [(words.set, variant, seed, epochs) for seed in words.seeds.split(",") for variant in words.variants.split(",")]
        rate = [words.rate] if words.rate else []
        train = lambda run: printed([program, *run, words.data, *rate])
        if not train_all(runs, train, words.out, COLUMNS, ["set", "variant", "seed", "epochs"], words.jobs):
            return 1
    table(read(words.out, COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
