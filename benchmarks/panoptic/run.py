#!/usr/bin/env python3
"""The panoptic metrics (include/c2f/metrics) beside the same in NumPy, written the way the official evaluators work: ids of pairs by one
multiplication, counted by np.unique, matched in Python.

  run.py --build build/release [--frames 12] [--size 512x1024] [--rounds 5]

Draws a video of moving blocks, checks that both agree to 1e-9, and prints the milliseconds of all frames (medians of rounds in alternation)
and their ratio; then the time of the post-processing of a frame (include/c2f/inference). Needs NumPy.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import _report

CLASSES, IGNORED, DIVISOR, OFFSET, FRAMES = 19, 32, 1000, 256 * 256, 4
THINGS = range(11, 19)


def video(frames, height, width, seed=1):
    """True labels [T, H, W], predicted ones with shifted edges and some other labels, and their depths."""
    draw = np.random.default_rng(seed)
    truth, found, true_depth, depth = [], [], [], []
    things = [(int(draw.integers(0, height)), int(draw.integers(0, width)), int(draw.integers(8, height // 4)), int(draw.integers(8, width // 4)),
               int(draw.choice(THINGS)) * DIVISOR + i + 1, int(draw.integers(-9, 10)), int(draw.integers(-9, 10))) for i in range(60)]
    ground = np.repeat(np.arange(8)[:, None], -(-height // 8), axis=0)[:height] * DIVISOR + np.zeros((1, width), np.int64)
    for t in range(frames):
        maps = []
        for noise in (0, 3):
            m = ground.copy()
            for y, x, h, w, label, dy, dx in things:
                top, left = max(0, y + t * dy + int(draw.integers(-noise, noise + 1))), max(0, x + t * dx + int(draw.integers(-noise, noise + 1)))
                m[top:top + h, left:left + w] = label + (0 if noise == 0 or draw.random() > .05 else 30)
            maps.append(m)
        maps[0][:height // 16] = IGNORED * DIVISOR
        truth.append(maps[0]); found.append(maps[1])
        d = (256 * (5 + 60 * draw.random((height, width)))).astype(np.uint16)
        d[draw.random((height, width)) < .3] = 0
        true_depth.append(d)
        depth.append((np.maximum(d, 256) * (1 + .15 * draw.standard_normal((height, width)))).clip(1, 65535).astype(np.uint16))
    return np.stack(truth), np.stack(found), np.stack(true_depth), np.stack(depth)


def counts(ids):
    values, number = np.unique(ids, return_counts=True)
    return dict(zip(values.tolist(), number.tolist()))


def match(truth, found, into):
    """Adds IoU, TP, FN and FP of a clip to a [4, classes] array."""
    true_areas, areas = counts(truth), counts(found)
    shared = counts(truth.astype(np.int64) * OFFSET + found)
    void = IGNORED * DIVISOR
    ignored = [label for label in true_areas if label // DIVISOR == IGNORED]
    matched_truth, matched = set(), set()
    for both, area in shared.items():
        a, b = divmod(both, OFFSET)
        if a // DIVISOR != b // DIVISOR or a // DIVISOR == IGNORED:
            continue
        iou = area / (true_areas[a] + areas[b] - area - shared.get(void * OFFSET + b, 0))
        if iou > .5:
            into[0, a // DIVISOR] += iou; into[1, a // DIVISOR] += 1
            matched_truth.add(a); matched.add(b)
    for a in true_areas:
        if a not in matched_truth and a // DIVISOR != IGNORED:
            into[2, a // DIVISOR] += 1
    for b, area in areas.items():
        if b not in matched and b // DIVISOR != IGNORED and sum(shared.get(i * OFFSET + b, 0) for i in ignored) / area <= .5:
            into[3, b // DIVISOR] += 1


def quality(into):
    iou, tp, fn, fp = into
    present = tp + fn + fp > 0
    with np.errstate(invalid="ignore"):
        return float((np.where(tp > 0, iou / np.maximum(tp, 1), 0) * tp / (tp + .5 * fn + .5 * fp))[present].mean())


def windows(truth, found, frames):
    into = np.zeros((4, CLASSES))
    for i in range(len(truth) - frames + 1):
        match(np.concatenate(list(truth[i:i + frames]), 1), np.concatenate(list(found[i:i + frames]), 1), into)
    return quality(into)


def peer_pq(truth, found, true_depth, depth):
    return windows(truth, found, 1)


def peer_vpq(truth, found, true_depth, depth):
    return windows(truth, found, FRAMES)


def peer_dvpq(truth, found, true_depth, depth):
    found = found.copy()
    for pixels, d, other in zip(found, true_depth, depth):
        known = d > 0
        chosen = pixels[known]
        chosen[np.abs(other[known].astype(np.float64) - d[known]) / d[known] > .25] = IGNORED * DIVISOR
        pixels[known] = chosen
    return windows(truth, found, FRAMES)


def peer_stq(truth, found, true_depth, depth):
    true_areas, areas, shared, confusion = {}, {}, {}, np.zeros((CLASSES + 1, CLASSES + 1))
    def add(into, ids):
        for label, number in counts(ids).items():
            into[label] = into.get(label, 0) + number
    for a, b in zip(truth, found):
        ca, cb = np.minimum(a // DIVISOR, CLASSES), np.minimum(b // DIVISOR, CLASSES)
        pairs, number = np.unique(ca * 64 + cb, return_counts=True)
        confusion[pairs // 64, pairs % 64] += number
        thing, crowd = np.isin(ca, THINGS), np.isin(ca, THINGS) & (a % DIVISOR == 0)
        mine, other = thing & ~crowd, np.isin(cb, THINGS) & ~crowd
        add(true_areas, a[mine]); add(areas, b[other])
        add(shared, a[mine & other].astype(np.int64) * OFFSET + b[mine & other])
    total = 0
    for both, number in shared.items():
        a, b = divmod(both, OFFSET)
        total += number * number / (true_areas[a] + areas[b] - number) / true_areas[a]
    confusion[CLASSES] = 0
    union = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    iou = (confusion.diagonal()[union > 0] / union[union > 0]).mean()
    return float(np.sqrt(total / len(true_areas) * iou))


PEERS = {"pq": peer_pq, "vpq": peer_vpq, "dvpq": peer_dvpq, "stq": peer_stq}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--size", default="512x1024")
    parser.add_argument("--rounds", type=int, default=5)
    words = parser.parse_args()
    height, width = map(int, words.size.split("x"))
    maps = video(words.frames, height, width)
    ours, theirs = {name: [] for name in PEERS}, {name: [] for name in PEERS}
    with tempfile.NamedTemporaryFile() as file:
        for each in zip(*maps):
            for values, kind in zip(each, (np.int32, np.int32, np.uint16, np.uint16)):
                file.write(values.astype(kind).tobytes())
        file.flush()
        for _ in range(words.rounds):
            found = json.loads(subprocess.run([words.build / "benchmarks" / "bench_panoptic", file.name, str(words.frames), str(height * width)],
                                              check=True, capture_output=True, text=True).stdout)
            for name, peer in PEERS.items():
                begin = time.perf_counter()
                score = peer(*maps)
                theirs[name].append(1000 * (time.perf_counter() - begin))
                ours[name].append(found[name][0])
                if abs(score - found[name][1]) > 1e-9:
                    sys.exit(f"{name}: c2f finds {found[name][1]!r}, NumPy {score!r}")
    _report.print_conditions(_report.conditions(str(words.build)))
    print(f"\n{words.frames} frames of {words.size}, medians of {words.rounds} rounds; scores agree to 1e-9\n")
    print("| metric | c2f, ms | NumPy, ms | ratio |\n|---|---:|---:|---:|")
    for name in PEERS:
        a, b = statistics.median(ours[name]), statistics.median(theirs[name])
        print(f"| {name} | {a:.1f} | {b:.1f} | {b / a:.1f} |")
    parts = json.loads(subprocess.run([words.build / "benchmarks" / "bench_panoptic"], check=True, capture_output=True, text=True).stdout)
    print("\nPost-processing of a pair of frames of 1025x2049 with 200 objects, CPU ms (the least of nine)\n")
    print("| " + " | ".join(parts) + " |\n|" + "---:|" * len(parts) + "\n| " + " | ".join(f"{value:.1f}" for value in parts.values()) + " |")
    _report.print_targets([("fused_pair, stitcher and relocaliser, ms", parts["fused_pair"] + parts["stitcher"] + parts["relocaliser"], 60, False)])


if __name__ == "__main__":
    main()
