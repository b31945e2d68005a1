#!/usr/bin/env python3
"""The operators of detectors beside torchvision's on a CPU, and COCO's average precision beside pycocotools.

  run.py --build build/release [--rounds 7] [--pictures 10000] [--only roi_align]

512 boxes on a map of 256 x 50 x 68, suppression of 2,000 boxes (of a picture at random; of proposals around 30 objects), 13,000 anchors to 30
objects in each of 8 pictures, 1,000 of 4,000 proposals of 4 levels in each of 2 pictures, a deformable 3 x 3 convolution of 256 channels on 50 x 68
with a mask; "step": with the backward pass; "last": maps in channels_last. Medians of rounds in
alternation, one thread unless OMP_NUM_THREADS says otherwise. Answers are compared. pycocotools runs once. Needs torch and torchvision;
without pycocotools its line is left out.
"""
import argparse
import contextlib
import io
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import torch
from torchvision import ops
from torchvision.models.detection._utils import Matcher

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import _report

OBJECTS = 36


def random_boxes(count, draw, width=544, height=400, largest=.5):
    size = draw.random((count, 2)) ** 2 * largest * np.array([width, height]) + 4
    corner = draw.random((count, 2)) * (np.array([width, height]) - size).clip(0)
    return np.concatenate([corner, corner + size], 1).astype(np.float32)


def write(file, value):
    value = np.ascontiguousarray(value, np.float32)
    np.array([value.ndim, *value.shape], np.int64).tofile(file)
    value.tofile(file)


def coco_set(pictures, classes, draw):
    """Objects, and detections: each object moved, and as many others as a third of them; [picture, label, x0, y0, x1, y1, score or crowd]."""
    boxes = random_boxes(pictures * OBJECTS, draw, largest=.4).astype(np.float64).round(1)
    picture = np.repeat(np.arange(pictures), OBJECTS)
    label = draw.integers(0, classes, len(boxes))
    objects = np.column_stack([picture, label, boxes, draw.random(len(boxes)) < .02])
    size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    found = np.column_stack([picture, label, boxes + .06 * size * draw.standard_normal(boxes.shape), draw.random(len(boxes))])
    others = random_boxes(pictures * OBJECTS // 3, draw, largest=.4)
    found = np.concatenate([found, np.column_stack([np.repeat(np.arange(pictures), OBJECTS // 3), draw.integers(0, classes, len(others)), others, draw.random(len(others)) * .7])])
    return objects, found[found[:, 0].argsort(kind="stable")]


def of_pycocotools(objects, found, pictures, classes):
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        return None
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        sides = objects[:, 4:6] - objects[:, 2:4]
        coco.dataset = {"images": [{"id": n + 1} for n in range(pictures)], "categories": [{"id": k + 1} for k in range(classes)], "annotations": [
            {"id": i + 1, "image_id": int(o[0]) + 1, "category_id": int(o[1]) + 1, "bbox": [o[2], o[3], s[0], s[1]], "area": s[0] * s[1], "iscrowd": int(o[6])}
            for i, (o, s) in enumerate(zip(objects, sides))]}
        coco.createIndex()
        results = coco.loadRes(np.column_stack([found[:, 0] + 1, found[:, 2:4], found[:, 4:6] - found[:, 2:4], found[:, 6], found[:, 1] + 1]))
        begin = time.perf_counter()
        evaluation = COCOeval(coco, results, "bbox")
        evaluation.evaluate(); evaluation.accumulate(); evaluation.summarize()
        seconds = time.perf_counter() - begin
    return 1000 * seconds, evaluation.stats[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pictures", type=int, default=10000)
    parser.add_argument("--only", default="", help="operations whose names have this in them")
    words = parser.parse_args()
    draw = np.random.default_rng(1)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    f32 = lambda *shape: draw.standard_normal(shape).astype(np.float32)
    map_, rois, picture = f32(2, 256, 50, 68), random_boxes(512, draw), np.arange(512) % 2
    boxes, scores = random_boxes(2000, draw), draw.permutation(2000) / 2000
    objects = random_boxes(30, draw)[draw.integers(0, 30, 2000)]
    clustered = objects + .1 * draw.standard_normal((2000, 4)).astype(np.float32) * np.tile(objects[:, 2:] - objects[:, :2], 2)
    x, offset, mask, weight = f32(1, 256, 50, 68), 2 * f32(1, 18, 50, 68), draw.random((1, 9, 50, 68)).astype(np.float32), f32(256, 256, 3, 3) * .02
    anchors, true_boxes = random_boxes(13000, draw, largest=.8), np.stack([random_boxes(30, draw) for _ in range(8)])
    levels, proposals, logits = np.arange(4000) % 4, np.stack([random_boxes(4000, draw) for _ in range(2)]), f32(2, 4000)
    classes = 3
    truth, found = coco_set(words.pictures, classes, draw)

    t = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in dict(map=map_, x=x, offset=offset, mask=mask, weight=weight).items()}
    indexed = torch.from_numpy(np.column_stack([picture, rois]).astype(np.float32))
    leaves = {name: value.clone().requires_grad_(True) for name, value in t.items()}
    last = {name: value.detach().contiguous(memory_format=torch.channels_last).requires_grad_(True) for name, value in t.items()}
    roi = lambda m, out: ops.roi_align(m, indexed, out, .125, 2, True)
    deformable = lambda d, o: ops.deform_conv2d(d["x"], o["offset"], o["weight"], padding=1, mask=o["mask"])
    nms = lambda b, s: ops.nms(torch.from_numpy(b.astype(np.float32)), torch.from_numpy(s.astype(np.float32)), .7)
    match = Matcher(.7, .3, True)
    def assigned():
        return torch.stack([match(ops.box_iou(torch.from_numpy(of), torch.from_numpy(anchors))) for of in true_boxes])
    def proposed():
        made = torch.zeros(2, 1000, dtype=torch.long)
        for n in range(2):
            kept = ops.batched_nms(torch.from_numpy(proposals[n]), torch.from_numpy(logits[n]), torch.from_numpy(levels), .7)[:1000]
            made[n, :len(kept)] = kept
        return made
    peers = {
        "roi_align_7": lambda: roi(t["map"], 7), "roi_align_14": lambda: roi(t["map"], 14), "roi_align_7_last": lambda: roi(last["map"].detach(), 7),
        "roi_align_7_step": lambda: roi(leaves["map"], 7), "roi_align_7_step_last": lambda: roi(last["map"], 7),
        "nms_2000": lambda: nms(boxes, scores), "nms_2000_clustered": lambda: nms(clustered, scores),
        "assign": assigned, "proposals": proposed,
        "deformable": lambda: deformable(t, t), "deformable_step": lambda: deformable(leaves, leaves), "deformable_step_last": lambda: deformable(last, leaves)}
    names = [name for name in [*peers, "coco_ap"] if words.only in name]
    ours, theirs = {name: [] for name in names}, {name: [] for name in names}
    with tempfile.NamedTemporaryFile() as file:
        for value in (map_, rois, picture, boxes, scores, clustered, scores, x, offset, mask, weight, anchors, true_boxes, levels, proposals, logits):
            write(file, value)
        np.array([words.pictures, classes, len(found), len(truth)], np.int64).tofile(file)
        found.tofile(file), truth.tofile(file)
        file.flush()
        program = subprocess.Popen([words.build / "benchmarks" / "bench_detection", file.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threads = program.stdout.readline().split()[1]
        for name in names:
            once = 20 if "nms" in name else 1
            def go():
                print(name, once, file=program.stdin, flush=True)
                *times, sum_ = map(float, program.stdout.readline().split())
                return times, sum_
            go()
            for _ in range(words.rounds):
                times, sum_ = go()
                ours[name] += times
                if name == "coco_ap":
                    continue
                for _ in range(once):
                    for leaf in [*leaves.values(), *last.values()]:
                        leaf.grad = None
                    begin = time.perf_counter()
                    answer = peers[name]()
                    if answer.requires_grad:
                        answer.sum().backward()
                    theirs[name].append(1000 * (time.perf_counter() - begin))
                answer = answer.detach().double()
                wanted = float(answer.sum())
                if abs(sum_ - wanted) > 1e-4 * float(answer.abs().sum()):
                    sys.exit(f"{name}: the answer of c2f sums to {sum_}, that of torchvision to {wanted}")
            if name == "coco_ap" and (peer := of_pycocotools(truth, found, words.pictures, classes)):
                theirs[name].append(peer[0])
                if abs(sum_ - peer[1]) > 1e-9:
                    sys.exit(f"average precision: c2f finds {sum_!r}, pycocotools {peer[1]!r}")
        program.stdin.close()
    _report.print_conditions(_report.conditions(str(words.build)))
    print(f"{threads} thread, medians of {words.rounds} rounds; answers agree. coco_ap: {words.pictures} pictures of {OBJECTS} objects, "
          f"{len(found)} detections, {classes} classes\n")
    _report.print_table(["operation", "c2f, ms", "torchvision or pycocotools, ms", "ratio"], [
        [name, f"{statistics.median(ours[name]):.2f}", *((f"{statistics.median(theirs[name]):.2f}", f"{statistics.median(theirs[name]) / statistics.median(ours[name]):.2f}")
                                                         if theirs[name] else ("", ""))] for name in names])
    targets = [("NMS of 2,000 boxes, ms", statistics.median(ours[name]), 1., False) for name in names if name.startswith("nms")]
    targets += [("average precision of 10,000 pictures, seconds", statistics.median(ours[name]) / words.pictures * 10, 10., False) for name in names if name == "coco_ap"]
    targets += [(f"{name}, torchvision / c2f", statistics.median(theirs[name]) / statistics.median(ours[name]), 1., True) for name in names if theirs[name] and name != "coco_ap"]
    _report.print_targets(targets)


if __name__ == "__main__":
    main()
