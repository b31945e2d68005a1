"""COCO's average precision against pycocotools: all twelve numbers to 1e-6, of boxes and masks, on random detections, empty cases, crowds and
all sizes."""
import contextlib
import io
import sys

import numpy

from _exchange import call

try:
    from pycocotools import mask as masks
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
except ImportError as missing:
    print(f"skipped: {missing.name} is not here; pip install -r requirements.txt")
    sys.exit(77)

SIDE = 128


def random_set(seed, pictures, classes, most, side=SIDE, crowds=.1, largest=1., with_masks=False, ties=True):
    """Objects and detections: moved objects, and others, [picture, label, x, y, w, h, ...]."""
    draw = numpy.random.default_rng(seed)
    objects, found = [], []
    for n in range(pictures):
        for _ in range(int(draw.integers(0, most + 1))):
            w, h = numpy.maximum(draw.random(2) ** 2 * side * largest, 3).round(1)
            x, y = (draw.random(2) * (side - numpy.array([w, h]))).round(1)
            label = int(draw.integers(0, classes))
            objects.append(dict(picture=n, label=label, box=[x, y, w, h], crowd=int(draw.random() < crowds)))
            for _ in range(int(draw.integers(0, 3))):
                moved = numpy.array([x, y, w, h]) + draw.standard_normal(4) * .08 * numpy.array([w, h, w, h])
                found.append(dict(picture=n, label=label if draw.random() < .9 else int(draw.integers(0, classes)), box=list(moved), score=draw.random()))
        for _ in range(int(draw.integers(0, 4))):
            box = list(numpy.concatenate([draw.random(2) * side * .5, 3 + draw.random(2) * side * .4]))
            found.append(dict(picture=n, label=int(draw.integers(0, classes)), box=box, score=draw.random()))
    for each in found:
        if ties:
            each["score"] = round(each["score"], 2)
        each["box"][2:] = numpy.maximum(each["box"][2:], .5)
    for each in objects + found:
        if with_masks:
            each["mask"] = blob(each["box"], side, draw)
            each["area"] = float(masks.area(each["mask"]))
        else:
            each["area"] = each["box"][2] * each["box"][3] * (.7 if "crowd" in each and draw.random() < .3 else 1)
    return objects, found


def blob(box, side, draw):
    """A mask of an ellipse in a box."""
    y, x = numpy.mgrid[:side, :side] + .5
    inside = ((x - box[0] - box[2] / 2) / box[2]) ** 2 + ((y - box[1] - box[3] / 2) / box[3]) ** 2 < .25 + .02 * draw.standard_normal()
    return masks.encode(numpy.asfortranarray(inside.astype(numpy.uint8)))


def of_pycocotools(pictures, classes, objects, found, kind="bbox"):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": n + 1, "height": SIDE, "width": SIDE} for n in range(pictures)], "categories": [{"id": k + 1} for k in range(classes)],
            "annotations": [dict(id=i + 1, image_id=o["picture"] + 1, category_id=o["label"] + 1, bbox=o["box"], area=o["area"], iscrowd=o["crowd"],
                                 **({"segmentation": o["mask"]} if "mask" in o else {})) for i, o in enumerate(objects)]}
        coco.createIndex()
        results = coco.loadRes([dict(image_id=f["picture"] + 1, category_id=f["label"] + 1, score=f["score"],
                                     **({"segmentation": f["mask"]} if kind == "segm" else {"bbox": f["box"]})) for f in found])
        evaluation = COCOeval(coco, results, kind)
        evaluation.evaluate(); evaluation.accumulate(); evaluation.summarize()
    return evaluation.stats


def rows(list, last):
    made = numpy.array([[o["picture"], o["label"], o["box"][0], o["box"][1], o["box"][0] + o["box"][2], o["box"][1] + o["box"][3], *last(o)] for o in list],
                       numpy.float64).reshape(-1, 8)
    return made.view(numpy.int64)


def counts(list):
    """The uncompressed runs of masks, one after the other, and their ends."""
    all_runs, ends = [], []
    for each in list:
        flat = masks.decode(each["mask"]).flatten(order="F")
        change = numpy.flatnonzero(numpy.diff(flat)) + 1
        edges = numpy.concatenate([[0], change, [len(flat)]])
        runs = numpy.diff(edges)
        all_runs.extend(([0] if flat[0] else []) + runs.tolist())
        ends.append(len(all_runs))
    return numpy.array(all_runs, numpy.int64), numpy.array(ends, numpy.int64)


def main():
    sets = {f"random {seed}": (30, 3, random_set(seed, 30, 3, 8, largest=[.2, .6, 1][seed % 3], ties=seed % 2 == 0)) for seed in range(12)}
    sets["one class, many"] = (4, 1, random_set(50, 4, 1, 150, largest=.3))
    sets["no crowds"] = (40, 2, random_set(51, 40, 2, 6, crowds=0))
    sets["crowds alone"] = (10, 2, random_set(52, 10, 2, 6, crowds=1))
    sets["small ones alone"] = (10, 2, random_set(53, 10, 2, 6, largest=.05))
    sets["larger"] = (60, 5, random_set(54, 60, 5, 20))
    objects, found = random_set(55, 20, 3, 6)
    sets["no objects"] = (20, 3, ([], found))
    sets["one detection"] = (20, 3, (objects, found[:1]))
    sets["pictures without objects"] = (20, 3, ([o for o in objects if o["picture"] % 3 == 0], found))
    sets["pictures without detections"] = (20, 3, (objects, [f for f in found if f["picture"] % 3 == 0]))
    sets["a class without objects"] = (20, 3, ([o for o in objects if o["label"] != 1], found))
    for seed in range(3):
        sets[f"masks {seed}"] = (12, 2, random_set(60 + seed, 12, 2, 5, with_masks=True, largest=[.5, 1, 1][seed], crowds=[0, .2, .5][seed]))
    given = {}
    for name, (pictures, classes, (objects, found)) in sets.items():
        of_masks = name.startswith("masks")
        given[f"{name}/how"] = numpy.array([pictures, classes, SIDE if of_masks else 0, SIDE if of_masks else 0])
        given[f"{name}/found!"] = rows(found, lambda f: [f["score"], f["area"] if of_masks else -1])
        given[f"{name}/objects!"] = rows(objects, lambda o: [o["area"], o["crowd"]])
        if of_masks:
            for part, list in (("found", found), ("objects", objects)):
                given[f"{name}/{part}_counts"], given[f"{name}/{part}_ends"] = counts(list)
    answers = call("detection", "coco_ap", given)
    worst, good = 0, True
    for name, (pictures, classes, (objects, found)) in sets.items():
        wanted = of_pycocotools(pictures, classes, objects, found, "segm" if name.startswith("masks") else "bbox")
        made = answers[f"{name}!"].view(numpy.float64)
        error = float(numpy.abs(made - wanted).max())
        worst = max(worst, error)
        if not error <= 1e-6:
            good = False
            print(f"{name}: {made.round(4)}\n  pycocotools {wanted.round(4)}")
    print(f"COCO's average precision: {len(sets)} sets, largest difference of twelve numbers to pycocotools {worst:.1e}, limit 1e-6")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
