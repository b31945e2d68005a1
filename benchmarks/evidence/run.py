#!/usr/bin/env python3
"""The evidence table of docs/evidence.md: trains every task with every variant and seed, and prints the table.

  run.py --build build/release --data DATA [--out build/evidence.csv] [--tasks glyphs,boxes] [--variants bl,jnt] [--seeds 1,2,3,4,5] [--jobs 2]
  run.py --out build/evidence.csv --table            only prints what is there

A row that is in the CSV is not trained again, so the command may be stopped and repeated. DATA has the folders cifar-100-binary, bccd, pets3,
camvid_240x180, hippocampus and omniglot; glyphs and scenes are synthetic. Each training uses one core. Intervals are of 95 % (Student's t) over the seeds, on one test set: they do not
cover the choice of its images. Differences are paired by seed.
"""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from _trainings import built, parser_of, printed, read, shown, timed, train_all

COLUMNS = ["task", "variant", "seed", "metric", "seconds", "coarse", "fine", "both", "truth", "argmax", "shuffled", "nothing", "fixed", "broken"]
# Few-shot: variants of the program 40_few_shot, with the variant of the base network; bl2 has twice the passes everywhere.
FEW_SHOT = {"bl": ("bl", "bl", 1), "bl2": ("bl", "bl", 2), "jnt": ("bl", "jnt", 1), "pt": ("bl", "pt", 1), "pt_base": ("pt", "pt", 1)}


def answer(row):
    """The score of the whole model: of the fine network, or of the only one."""
    return float(row["fine"] or row["coarse"])


def table(rows):
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = [row for row in rows if row["task"] == task]
        baselines = {name: {row["seed"]: answer(row) for row in of_task if row["variant"] == name} for name in ("bl2", "jnt")}
        print(f"\n{task} ({of_task[0]['metric']}, %)\n")
        print("| variant | coarse | fine | mean of coarse and fine | − bl2 | − jnt | truth | argmax | shuffled | nothing | fixed | broken | s | seeds |")
        print("|---|" + "---:|" * 13)
        for variant in sorted({row["variant"] for row in of_task}):
            mine = [row for row in of_task if row["variant"] == variant]
            column = lambda name: [float(row[name]) for row in mine if row[name] not in ("", "nan", "-nan")]
            less = lambda name: shown([answer(row) - baselines[name][row["seed"]] for row in mine if row["seed"] in baselines[name]]) \
                if variant != name else "–"
            cells = [shown(column("coarse")), shown(column("fine")), shown(column("both")), less("bl2"), less("jnt")]
            cells += [f"{sum(c) / len(c):.1f}" if (c := column(name)) else "–"
                      for name in ("truth", "argmax", "shuffled", "nothing", "fixed", "broken")]
            seconds = column("seconds")
            print(f"| {variant} | " + " | ".join(cells) + f" | {sum(seconds) / len(seconds):.0f} | {len(mine)} |")


def few_shot(program, variant, seed, data, folder):
    """The row of 100 episodes of Omniglot, 5-way 1-shot, whose base network is trained once and kept in the folder."""
    base, own, passes = FEW_SHOT[variant]
    folder.mkdir(parents=True, exist_ok=True)
    network = folder / f"base_{base}_{passes}_{seed}.safetensors"
    command = [program, "--data", data / "omniglot", "--set", "omniglot", "--way", "5", "--shot", "1", "--seed", seed,
               "--tune-epochs", str(40 * passes), "--variant", own, "--base-variant", base, "--base", network, "--out", folder / f"{variant}_{seed}"]
    for episodes in ("1", "100"):  # the first trains the base network, whose time does not count
        training = [] if network.exists() else ["--epochs", str(10 * passes)]
        ended, seconds = timed([*command, *training, "--episodes", episodes])
        if ended.returncode != 0:
            return ended
    scores = json.loads((folder / f"{variant}_{seed}" / "few_shot.json").read_text(encoding="utf-8"))["scores"]
    cells = [f"{100 * scores[stage]['accuracy']:.2f}" if stage in scores else "" for stage in ("coarse", "fine")]
    row = ",".join(["few_shot", variant, seed, "top1", f"{seconds:.1f}", *cells] + [""] * 8)
    return subprocess.CompletedProcess(command, 0, row + "\n", "")


def main():
    parser = parser_of(__doc__, "build/evidence.csv", None, "1,2,3,4,5", data_default=os.environ.get("C2F_DATA"))
    parser.add_argument("--tasks", help="default: all")
    words = parser.parse_args()

    if not words.table:
        program = built(parser, words, "benchmarks/bench_evidence")
        tasks, variants = (line.split() for line in subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.splitlines())
        tasks, variants = tasks + ["few_shot"], variants + ["pt_base"]
        chosen = lambda given, known: given.split(",") if given else known
        runs = [(task, variant, seed) for seed in words.seeds.split(",") for task in chosen(words.tasks, tasks)
                for variant in chosen(words.variants, variants) if (variant == "bl" or not task.endswith("_average"))
                and (task != "few_shot" or variant in FEW_SHOT) and (variant != "pt_base" or task == "few_shot")]

        def train(run):
            if run[0] == "few_shot":
                return few_shot(words.build / "examples" / "40_few_shot", *run[1:], words.data, words.out.parent / "few_shot")
            return printed([program, *run, words.data])

        if not train_all(runs, train, words.out, COLUMNS, ["task", "variant", "seed"], words.jobs):
            return 1
    table(read(words.out, COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
