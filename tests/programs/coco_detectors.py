#!/usr/bin/env python3
"""72_coco_detectors on a drawn set in COCO's layout, with polygons, runs and a crowd: learns boxes and masks, answers with several views, resumes.

  coco_detectors.py PROGRAM

Needs only Python.
"""
import functools
import json
import pathlib
import random
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from _program import call, png, put, require

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
run = functools.partial(call, PROGRAM)
WIDTH, HEIGHT, TRAINED, TESTED = 128, 96, 32, 8


def runs_of(inside):
    """Uncompressed runs, column by column."""
    counts, now = [0], False
    for x in range(WIDTH):
        for y in range(HEIGHT):
            if inside(x, y) != now:
                counts.append(0)
                now = not now
            counts[-1] += 1
    return {"size": [HEIGHT, WIDTH], "counts": counts}


def make(top, draw):
    """Red discs, as runs, and blue triangles, as polygons."""
    number = 0
    for part, count in (("train", TRAINED), ("val", TESTED)):
        made = {"images": [], "annotations": [], "categories": [{"id": 3, "name": "disc"}, {"id": 9, "name": "triangle"}]}
        for i in range(count):
            shapes = []
            for half in range(2):
                size = draw.randrange(28, 48)
                x0, y0 = half * 64 + draw.randrange(0, 62 - size), draw.randrange(2, HEIGHT - size - 2)
                if draw.random() < 0.5:
                    r, cx, cy = size / 2, x0 + size / 2, y0 + size / 2
                    inside = lambda x, y, r=r, cx=cx, cy=cy: (x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2 < r * r
                    shapes.append((inside, (230, 60, 30), 3, runs_of(inside)))
                else:
                    inside = lambda x, y, x0=x0, y0=y0, size=size: x >= x0 and y >= y0 and x - x0 + y - y0 < size
                    shapes.append((inside, (40, 60, 220), 9, [[x0, y0, x0 + size, y0, x0, y0 + size]]))
                number += 1
                made["annotations"].append({"id": number, "image_id": i + 1, "category_id": shapes[-1][2], "iscrowd": 0, "area": size * size / 2,
                                            "bbox": [x0, y0, size, size], "segmentation": shapes[-1][3]})
            if i == 0:
                number += 1
                made["annotations"].append({"id": number, "image_id": 1, "category_id": 3, "iscrowd": 1, "area": 100, "bbox": [0, 0, 10, 10],
                                            "segmentation": runs_of(lambda x, y: x < 10 and y < 10)})
            name = f"{part}{i}.png"
            put(top / part / name, png(WIDTH, HEIGHT, lambda x, y: next((tint for inside, tint, _, _ in shapes if inside(x, y)), (90, 90, 90))))
            made["images"].append({"id": i + 1, "file_name": name, "width": WIDTH, "height": HEIGHT})
        put(top / f"annotations/instances_{part}.json", json.dumps(made))


def numbers(out, what):
    """The twelve numbers of a line."""
    line = next((line for line in out.splitlines() if line.startswith(what)), "")
    found = [float(number) for number in re.findall(r"(?<![\w.])-?\d\.\d{3}", line)]
    require(len(found) == 12, f"no line '{what}' with twelve numbers\n{out}")
    return found


def main():
    with tempfile.TemporaryDirectory() as scratch:
        top = pathlib.Path(scratch)
        make(top / "data", random.Random(4))
        learn = ["--data", top / "data", "--out", top / "run", "--epochs", 12, "--learning-rate", 2e-3]
        out, _ = run(*learn)
        boxes, masks = numbers(out, "AP "), numbers(out, "masks: AP ")
        print(f"coco_detectors.py: AP50 {boxes[1]}, of masks {masks[1]}")
        require(boxes[1] > 0.5 and masks[1] > 0.4, out)
        require("disc AP" in out and "triangle AP" in out, out)
        summary = json.loads((top / "run/summary.json").read_text())
        require({"ap", "ap50", "mask_ap", "mask_ap50"} <= set(summary["scores"]["answer"]), str(summary["scores"]))
        require(abs(summary["scores"]["answer"]["mask_ap50"] - masks[1]) < 0.25, "the masks of cells are scored as those of pixels")
        require(summary["options"]["recipe"] == "small" and summary["options"]["learning-rate"] == 2e-3, str(summary["options"]))
        before = (top / "run/detections.png").read_bytes()
        # More views of the trained network; its pictures are drawn with tints.
        out, _ = run(*learn, "--resume", "--flip", "--scales", "1,1.5", "--predict", top / "data/val/val0.png")
        require(numbers(out, "masks: AP ") != masks and numbers(out, "masks: AP ")[1] > 0.3, out)
        require((top / "run/detections.png").read_bytes() != before, "other views have the same picture")
        require((top / "run/detected_val0.png").exists() and re.search(r"val0.png: \d disc \d triangle", out), out)
        run("--data", top / "data", "--scales", "1,9", code=2)
        _, said = run("--data", top / "data", "--network", "resnet50", "--weights", top / "none", code=2)
        require("--weights resnet50.safetensors" in said, said)


if __name__ == "__main__":
    main()
