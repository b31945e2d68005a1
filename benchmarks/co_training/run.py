#!/usr/bin/env python3
"""The table of docs/semi-supervised.md: trains the variants of 60_co_training over seeds and prints their scores.

  run.py --build build/release --data DIR [--out build/co_training.csv] [--labels 100,400] [--seeds 1,2,3,4,5] [--jobs 2]
  run.py --out build/co_training.csv --table            only prints what is there
  run.py ... --plot co_training.svg                      also draws what the chosen runs scored after each epoch

A row that is in the CSV is not trained again, so the command may be stopped and repeated. Each training uses one core. "single" is the mean
over views, "ensemble" that of their predictions. Intervals are of 95 % (Student's t) over the seeds, on one test set; differences are paired
by seed: a seed chooses the labelled pictures, the initial values and all random choices.
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from _plot import lines
from _trainings import built, interval, parser_of, read, scored, shown, train_all

KEYS = ["set", "network", "limit", "labels", "rows", "lambda_cot", "lambda_dif", "epochs", "variant", "seed"]
SETTINGS = KEYS[:-2]
COLUMNS = [*KEYS, "seconds", "single", "ensemble"]
# Name of a row: (--variant, its epochs as a multiple of --epochs, more options, which of the options below it takes). supervised_long and
# mean_teacher have the time of co-training.
COT, DIF = "--lambda-cot", "--lambda-dif"
VARIANTS = {"supervised": ("supervised", 1, [], []), "supervised_long": ("supervised", 5, [], []), "all_labels": ("all_labels", 1, [], []),
            "without_both": ("without_dif", 1, [COT, "0"], []), "without_dif": ("without_dif", 1, [], [COT]),
            "without_cot": ("without_cot", 1, [], [DIF]), "co_training": ("co_training", 1, [], [COT, DIF]),
            "mean_teacher": ("mean_teacher", 3, [], []), "four_views": ("co_training", 1, ["--views", "4"], [COT, DIF])}


def table(rows):
    for key in dict.fromkeys(tuple(row[name] for name in SETTINGS) for row in rows):
        of = [row for row in rows if tuple(row[name] for name in SETTINGS) == key]
        means = dict(zip(SETTINGS, key))
        long = {row["seed"]: float(row["single"]) for row in of if row["variant"] == "supervised_long"}
        print("\n{set}, {network}, {labels} labels of {limit} pictures, {rows} labelled rows a view, lambda_cot {lambda_cot}, "
              "lambda_dif {lambda_dif}, {epochs} epochs, top-1 in %\n".format(**means))
        print("| variant | single | ensemble | less supervised_long | s | seeds |\n|---|---:|---:|---:|---:|---:|")
        for variant in (name for name in VARIANTS if any(row["variant"] == name for row in of)):
            mine = [row for row in of if row["variant"] == variant]
            less = [float(row["single"]) - long[row["seed"]] for row in mine if row["seed"] in long]
            seconds = sum(float(row["seconds"]) for row in mine) / len(mine)
            print(f"| {variant} | {shown([float(row['single']) for row in mine])} | {shown([float(row['ensemble']) for row in mine if row['ensemble']])} | "
                  f"{shown(less) if variant != 'supervised_long' else '–'} | {seconds:.0f} | {len(mine)} |")


def single(scores):
    """Top-1 in %, the mean over views."""
    views = [100 * of["top1"] for stage, of in scores.items() if stage not in ("ensemble", "student")]
    return sum(views) / len(views)


def folder_of(out, run):
    return out.parent / "co_training" / "_".join(run)


def plot(path, out, runs):
    """Of each variant the mean over its seeds, by epochs, with the interval of three or more; runs of other lengths are left out."""
    series = {}
    for run in runs:
        log = folder_of(out, run) / "log.jsonl"
        epochs = [record for record in map(json.loads, log.read_text(encoding="utf-8").splitlines()) if record["event"] == "epoch"]
        if len(epochs) == int(run[KEYS.index("epochs")]):
            series.setdefault(run[KEYS.index("variant")], []).append([single(record["scores"]) for record in epochs])
    points = [(variant, [(i + 1, *((found[0], 0) if len(of) < 3 else found)) for i, of in enumerate(zip(*seeds)) for found in [interval(of)]])
              for variant, seeds in series.items()]
    lines(path, "Few labels", "epoch", [("test images, mean of the views", "top-1 in %", points)])


def main():
    parser = parser_of(__doc__, "build/co_training.csv", ",".join(VARIANTS), "1,2,3,4,5", data="folder of CIFAR-10, CIFAR-100 or Omniglot")
    parser.add_argument("--set", default="cifar100_coarse")
    parser.add_argument("--limit", default="3000", help="training pictures; 0: all")
    parser.add_argument("--labels", default="100,400")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--network", default="resnet8")
    parser.add_argument("--rows", default="20", help="labelled rows of a view in a batch of 100; 0: as many as their part of all")
    parser.add_argument("--lambda-cot", default="10")
    parser.add_argument("--lambda-dif", default="0.5")
    parser.add_argument("--plot", type=pathlib.Path, help="an SVG of the chosen runs")
    words = parser.parse_args()

    if not words.table:
        program = built(parser, words, "examples/60_co_training")
        runs = [(words.set, words.network, words.limit, labels, words.rows, words.lambda_cot, words.lambda_dif, str(words.epochs), variant, seed)
                for seed in words.seeds.split(",") for labels in words.labels.split(",") for variant in words.variants.split(",")]

        def train(run):
            _, _, _, labels, rows, cot, dif, _, variant, seed = run
            chosen, times, more, takes = VARIANTS[variant]
            folder = folder_of(words.out, run)
            command = [program, "--data", words.data, "--set", words.set, "--limit", words.limit, "--labels", labels, "--seed", seed,
                       "--variant", chosen, "--epochs", str(words.epochs * times), "--network", words.network, "--threads", "0",
                       "--labelled-rows", rows, *more, *(word for name, value in ((COT, cot), (DIF, dif)) if name in takes for word in (name, value))]

            def values():
                scores = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["scores"]
                return [f"{single(scores):.2f}", f"{100 * scores['ensemble']['top1']:.2f}" if "ensemble" in scores else ""]

            return scored(run, folder, command, values)

        if not train_all(runs, train, words.out, COLUMNS, KEYS, words.jobs):
            return 1
        if words.plot:
            plot(words.plot, words.out, runs)
    table(read(words.out, COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
