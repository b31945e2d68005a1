#!/usr/bin/env python3
"""A table of trainings: mean and spread over seeds of the metrics in their summary.json or rstn.json files.

  runs.py runs/scenes/*               one row a variant; folders as the example programs' --out
  runs.py --metrics iou,acc50 runs/scenes/*

The spread is the difference of the largest and the smallest value. Minutes are those of the training, on a machine that may have been busy.
"""
import argparse
import json
import pathlib


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--metrics", help="names of metrics, separated by commas; default: all")
    words = parser.parse_args()

    rows = {}
    for run in words.runs:
        summary = scores_of(run)
        if summary and "scores" in summary:
            rows.setdefault(summary["options"]["variant"], []).append(summary)
    if not rows:
        parser.exit(2, f"no summary.json with scores in {words.runs[0]} or the others; give the folders that were --out\n")

    order = ["bl", "ind", "jnt", "stepwise", "switch", "pt0", "pt", "mean", "corrupt"]
    stages = [("coarse", metric) for metric in metrics_of(rows, words)] + [("fine", metric) for metric in metrics_of(rows, words)]
    print("| variant | " + " | ".join(f"{stage} {metric}" for stage, metric in stages) + " | seeds |")
    print("|---|" + "---:|" * (len(stages) + 1))
    for variant in sorted(rows, key=lambda name: (order.index(name) if name in order else len(order), name)):
        cells = []
        for stage, metric in stages:
            values = [100 * summary["scores"][stage][metric] for summary in rows[variant] if stage in summary["scores"]]
            if not values:
                cells.append("–")
            elif len(values) == 1:
                cells.append(f"{values[0]:.1f}")
            else:
                cells.append(f"{sum(values) / len(values):.1f} ({max(values) - min(values):.1f})")
        print(f"| {variant} | " + " | ".join(cells) + f" | {len(rows[variant])} |")


def scores_of(run):
    """The results of a run: summary.json, or rstn.json, whose metrics are the mean DSC of whole volumes before and after all rounds."""
    if (run / "rstn.json").is_file():
        rstn = json.loads((run / "rstn.json").read_text(encoding="utf-8"))
        scores = {"coarse": {"dsc": rstn["coarse"]["mean"]}}
        if "rounds" in rstn:
            scores["fine"] = {"dsc": rstn["final"]["mean"]}
        return {"options": rstn["options"], "scores": scores}
    if (run / "summary.json").is_file():
        return json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return None


def metrics_of(rows, words):
    known = list(next(iter(rows.values()))[0]["scores"]["coarse"])
    return [metric for metric in known if not words.metrics or metric in words.metrics.split(",")]


if __name__ == "__main__":
    main()
