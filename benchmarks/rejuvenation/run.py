#!/usr/bin/env python3
"""The table of docs/rejuvenation.md: trains the variants of 62_rejuvenation over seeds and prints accuracy, size and utilisation.

  run.py --build build/release --data DIR [--out build/rejuvenation.csv] [--seeds 1,2,3] [--jobs 1]
  run.py --out build/rejuvenation.csv --table            only prints what is there

A row that is in the CSV is not trained again, so the command may be stopped and repeated. Each training uses one core. All variants are
trained for --epochs in all, those of the sparse stage included, but for "fs": --epochs in the widths that were found, after the sparse
stage. "before" and "after" are the accuracies around the surgery. Intervals are of 95 % (Student's t) over the seeds, on one test set;
differences are paired by seed.
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from _trainings import built, parser_of, read, scored, shown, train_all

SETTING = ["network", "limit", "epochs", "target", "budget", "lambda"]
KEYS = [*SETTING, "variant", "seed"]
COLUMNS = [*KEYS, "seconds", "sparse_epochs", "utilisation", "growth", "before", "after", "parameters", "multiply_adds",
           "top1"]
VARIANTS = ["full", "half", "fs", "nr", "br", "cr", "ca"]


def table(rows):
    for key in dict.fromkeys(tuple(row[name] for name in SETTING) for row in rows):
        of = [row for row in rows if tuple(row[name] for name in SETTING) == key]
        half = {row["seed"]: float(row["top1"]) for row in of if row["variant"] == "half"}
        print(f"\n{key[0]}, {key[1]} pictures, {key[2]} epochs, target {key[3]}, budget {key[4]}, lambda {key[5]}; top-1 in %\n")
        print("| variant | top-1 | less half | before → after surgery | r | sparse epochs | parameters | multiply-adds | s | seeds |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
        for variant in (name for name in VARIANTS if any(row["variant"] == name for row in of)):
            mine = [row for row in of if row["variant"] == variant]
            mean = lambda name: sum(float(row[name]) for row in mine) / len(mine)
            less = [float(row["top1"]) - half[row["seed"]] for row in mine if row["seed"] in half]
            operated = bool(mine[0]["utilisation"])
            print(f"| {variant} | {shown([float(row['top1']) for row in mine])} | {shown(less) if variant != 'half' else '–'} | "
                  + (f"{mean('before'):.1f} → {mean('after'):.1f} | {mean('utilisation'):.2f} | {mean('sparse_epochs'):.0f}" if operated else "– | – | –")
                  + f" | {mean('parameters'):,.0f} | {mean('multiply_adds'):,.0f} | {mean('seconds'):.0f} | {len(mine)} |")


def main():
    parser = parser_of(__doc__, "build/rejuvenation.csv", ",".join(VARIANTS), data="folder of CIFAR-100")
    parser.add_argument("--network", default="small")
    parser.add_argument("--limit", default="10000", help="training pictures; 0: all")
    parser.add_argument("--epochs", default="20")
    parser.add_argument("--target", default="0.3")
    parser.add_argument("--budget", default="0.5")
    parser.add_argument("--lambda", default="0.004", dest="weight")
    parser.add_argument("--sparse-epochs", default="14", help="most epochs of the sparse stage")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--resume", action="store_true", help="a run that was cut off goes on; its seconds are those of the last start")
    words = parser.parse_args()

    if not words.table:
        program = built(parser, words, "examples/62_rejuvenation")
        setting = (words.network, words.limit, words.epochs, words.target, words.budget, words.weight)
        runs = [(*setting, variant, seed) for seed in words.seeds.split(",") for variant in words.variants.split(",")]

        def train(run):
            *_, variant, seed = run
            folder = words.out.parent / "rejuvenation" / "_".join(run)
            command = [program, "--data", words.data, "--network", words.network, "--limit", words.limit, "--epochs", words.epochs,
                       "--variant", variant, "--seed", seed, "--threads", "0", "--device", words.device,
                       *(["--resume"] if words.resume else [])]
            if variant != "full":
                command += ["--budget", words.budget]
            if variant not in ("full", "half"):
                command += ["--target", words.target, "--sparse-epochs", words.sparse_epochs]
                command += ["--lambda", words.weight] if float(words.weight) > 0 else []

            def values():
                summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
                found = json.loads((folder / "rejuvenation.json").read_text(encoding="utf-8"))
                top1 = 100 * list(summary["scores"].values())[-1]["top1"]
                surgery = ["", "", "", "", ""]
                if found.get("surgeries"):
                    last = found["surgeries"][-1]
                    sparse = sum(found["epochs_of_stages"][:-1])
                    surgery = [str(sparse), f"{last['utilisation']:.4f}", f"{last['growth']:.4f}", f"{100 * last['top1_before']:.2f}",
                               f"{100 * last['top1_after']:.2f}"]
                return [*surgery, str(found["parameters"]), f"{found['multiply_adds']:.0f}", f"{top1:.2f}"]

            return scored(run, folder, command, values)

        if not train_all(runs, train, words.out, COLUMNS, KEYS, words.jobs):
            return 1
    table(read(words.out, COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
