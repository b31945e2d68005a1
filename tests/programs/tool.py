#!/usr/bin/env python3
"""The program c2f from a folder of data to answers, on drawn pictures: trains on classes, boxes and masks, predicts, evaluates, explains.

  tool.py PROGRAM

Checked are the layouts, the answers against the truth of simple pictures, the files of --out, and that a prediction that was killed at any
moment leaves whole files and is finished by --resume with the same lines. Needs only Python.
"""
import functools
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from _program import ENVIRONMENT, call, nifti, png, put, require

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
c2f = functools.partial(call, PROGRAM)


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def disc(draw, width, height, tint, ground=(90, 90, 90)):
    """A picture with a disc of a colour, and the disc's box."""
    radius = draw.randrange(min(width, height) // 5, min(width, height) // 3)
    x0, y0 = draw.randrange(radius, width - radius), draw.randrange(radius, height - radius)
    inside = lambda x, y: (x - x0) ** 2 + (y - y0) ** 2 < radius ** 2
    return inside, (x0 - radius, y0 - radius, x0 + radius, y0 + radius)


def classes(top, draw):
    data = top / "classes"
    tints = {"blue sky": (40, 60, 220), "grass": (30, 200, 40), "brick": (210, 50, 40)}
    for name, tint in tints.items():
        for i in range(30):
            width, height = draw.randrange(20, 60), draw.randrange(20, 60)
            inside, _ = disc(draw, width, height, tint)
            put(data / name / f"{i}.png", png(width, height, lambda x, y: tint if inside(x, y) else (90, 90, 90)))
    put(data / "grass" / "._1.png", "no picture")
    put(data / "readme.txt", "no class")
    out, _ = c2f("show", "--data", data, "--out", top / "shown")
    require("3 classes (blue sky, brick, grass)" in out and "train: 66 pictures" in out and "1 file is no picture" in out, out)
    require((top / "shown/contact_sheet.png").exists(), "no contact sheet")
    run = top / "run classes"
    out, said = c2f("train", "--data", data, "--out", run, "--epochs", 6, "--variant", "bl", "--network", "cifar", "--batch", 16,
                    "--patience", 5)
    require("3 classes" in said and "the model is in" in out, out + said)
    for file in ("model/model.json", "model/weights.safetensors", "log.jsonl", "log.csv", "events.out.tfevents.c2f", "summary.json", "curve.png"):
        require((run / file).exists(), f"no {file}")
    about = json.loads((run / "model/model.json").read_text())
    require(about["classes"] == ["blue sky", "brick", "grass"] and about["task"] == "classes-cifar-10-bl", str(about))
    out, _ = c2f("evaluate", run, "--data", data, "--out", run)
    found = json.loads((run / "evaluation.json").read_text())
    require(found["samples"] == 18 and found["figures"]["accuracy"]["value"] > .9, out)
    require(sum(map(sum, found["confusion"])) == 18 and (run / "confusion.png").exists(), out)
    # What the training has scored at its end is what the model answers.
    scored = json.loads((run / "model/model.json").read_text())["scores"]["coarse"]["top1"]
    require(abs(scored - found["figures"]["accuracy"]["value"]) < 1e-9, f"{scored} in training, {found['figures']['accuracy']} after loading")
    explained = c2f("explain", run)[0]
    for words in ("blue sky, brick, grass", "million multiply-adds", "the whole picture", "network cifar", "patience 5"):
        require(words in explained, explained)
    table = (run / "log.csv").read_text().splitlines()
    require(table[0].startswith("epoch,t,learning rate,loss coarse,coarse top1") and len(table) > 1, str(table))
    check_events((run / "events.out.tfevents.c2f").read_bytes(), len(table))
    check_with_tensorboard(run)
    out, _ = c2f("evaluate", run, "--data", data, "--tta", "flip,scales")
    require("accuracy" in out, out)
    for command in (("predict", run, data), ("evaluate", run, "--data", data)):
        said = c2f(*command, "--windows", 1, code=2)[1]
        require("the kind of 'classes-cifar-10-bl' is class_vector" in said and "could not" not in said, said)
    # Mixtures and more changes of the pictures, of another split: it still learns, and evaluate splits the same way.
    mixed = top / "run mixed"
    c2f("train", "--data", data, "--out", mixed, "--epochs", 6, "--variant", "bl", "--network", "cifar", "--batch", 16, "--mixup", .2, "--cutmix", 1,
        "--label-smoothing", .1, "--class-weights", "balanced", "--augment", "flip,crop=4,rotate=10,hue=.02,erase=.2", "--test", .3,
        "--validation", .2, "--split-seed", 5)
    about = json.loads((mixed / "model/model.json").read_text())
    scored = about["scores"]["coarse"]["top1"]
    require(scored > .7, f"{scored} with mixtures")
    out, said = c2f("evaluate", mixed, "--data", data, "--out", mixed)
    found = json.loads((mixed / "evaluation.json").read_text())
    require(found["samples"] == 27 and abs(scored - found["figures"]["accuracy"]["value"]) < 1e-9 and "note:" not in said, out + said)
    other = "the training part of these data is not the one"
    require(other in c2f("evaluate", mixed, "--data", data, "--split-seed", 6)[1], "another split")
    for name in ("test", "validation", "split-seed"):  # as an older version wrote it
        del about["training"][name]
    shutil.copytree(mixed / "model", top / "older")
    (top / "older/model.json").write_text(json.dumps(about))
    out, said = c2f("evaluate", top / "older", "--data", data)
    require("test of" in out and "18 samples" in out and other in said, out + said)

    put(top / "mine/a.png", png(300, 40, lambda x, y: (40, 60, 220)))
    put(top / "mine/cut.png", png(30, 40, lambda x, y: (40, 60, 220))[:60])
    put(top / "mine/below/b.png", png(40, 300, lambda x, y: (210, 50, 40)))
    found = {line["file"]: line for line in lines_of(c2f("predict", run, top / "mine")[0])}
    require(set(found) == {"a.png", "below/b.png", "cut.png"} and "is not a whole PNG" in found["cut.png"]["error"], str(found))
    require(found["a.png"]["class"] == "blue sky" and found["below/b.png"]["class"] == "brick", str(found))
    require(abs(sum(found["a.png"]["probabilities"].values()) - 1) < 1e-3, "probabilities")
    c2f("predict", run, top / "mine/cut.png", code=2)
    return run


def probed(top):
    """What the fine network reads, on the validation split; a resumed training keeps the points of its earlier part."""
    run, command = top / "run probed", ("train", "--data", top / "classes", "--variant", "pt", "--network", "cifar", "--batch", 16, "--epochs", 2,
                                        "--probe", "--probe-every", 1)
    out, _ = c2f(*command, "--out", run)
    require("on the validation split:" in out and "(a copier, shuffled)" in out, out)
    summary = json.loads((run / "summary.json").read_text())
    require(summary["scored_on"] == "validation" and set(summary["test"]) == {"coarse", "fine"}, str(summary))
    require(summary["probe"]["coarse"] == summary["scores"]["coarse"] and "copier" in summary["probe"], str(summary))
    points = json.loads((run / "probe.json").read_text())
    require([point["epochs"] for point in points] == [1, 2], str(points))
    shutil.rmtree(max((run / "checkpoints").iterdir()))
    c2f(*command, "--out", run, "--resume")
    require(json.loads((run / "probe.json").read_text()) == points, "the probes of a resumed training")
    (run / "probe.json").write_text("[1]")
    said = c2f(*command, "--out", run, "--resume", code=2)[1]
    require("is no list of probes" in said, said)


def networks(top):
    """The network by pictures that can be read, wherever the others are."""
    for name, sides, network in (("first is broken", (0, 32, 32, 32), "cifar"), ("first is small", (32, 60, 60, 60), "small")):
        for part in ("train", "val", "test"):
            for kind in ("a", "b"):
                for i, side in enumerate(sides):
                    picture = png(side, side, lambda x, y: (0, 0, 0) if kind == "a" else (255, 255, 255))
                    put(top / name / part / kind / f"{i}.png", picture if side > 0 and (kind == "a" or i > 0) else b"\x89PNG cut off")
        _, said = c2f("train", "--data", top / name, "--epochs", 1, "--variant", "bl", "--batch", 2, "--threads", 0)
        require(f"network {network}, " in said, said)
    # Microscopes write 12 of 16 bits.
    for i in range(12):
        put(top / "deep" / "ab"[i % 2] / f"{i}.png", png(8, 8, lambda x, y: (x, 9), colour=0, bits=16))
    out, _ = c2f("show", "--data", top / "deep")
    require("have 16 bits a channel, of which the higher 8 are kept; the brightest is then 7 of 255" in out, out)


def resumed(top, run):
    """What --resume goes on with, and what it leaves as it is."""
    mine, out = top / "resumed pictures", top / "resumed"
    for i in range(4):
        put(mine / f"{i}.png", png(30, 40, lambda x, y: (40, 60, 220)))
    foreign = os.fsencode(mine) + b"/\xff.png"
    pathlib.Path(os.fsdecode(foreign)).write_bytes((mine / "0.png").read_bytes())
    put(mine / "b.webp", "RIFF")
    long = mine / ("l" * 246 + ".png")
    put(long, (mine / "0.png").read_bytes())
    command = ("predict", run, mine, "--out", out, "--draw")
    _, said = c2f(*command)
    require("1 pictures of other types are left out, the first" in said and "b.webp" in said, said)
    lines, file = (out / "predictions.jsonl").read_bytes(), out / "predictions.jsonl"
    require(lines.count(b"\n") == 6 and b"\\\\xff.png" in lines and (out / "drawn" / (long.name + ".png")).exists(), str(lines))
    require(b"error" not in lines, str(lines))
    require("is there already" in c2f(*command, code=2)[1] and file.read_bytes() == lines, "a second run without --resume")
    _, said = c2f(*command, "--resume")
    require(file.read_bytes() == lines and "6 files were answered before" in said, said)
    put(mine / "new.png", (mine / "0.png").read_bytes())
    c2f(*command, "--resume")
    require(file.read_bytes().startswith(lines) and file.read_bytes().count(b"\n") == 7, "a new picture")
    # Other options, other pictures, another model.
    lines = file.read_bytes()
    for words, key in (((*command, "--top", 2), "top"), ((*command, "--tta", "flip"), "tta"), (command[:-1], "draw"),
                       (("predict", run, mine / "0.png", *command[3:]), "inputs"), (("predict", top / "run mixed", *command[2:]), "model")):
        said = c2f(*words, "--resume", code=2)[1]
        require(f"has answers with '{key}'" in said and file.read_bytes() == lines, said)
    for words in (("--windows", 1), ("--windows", .0001)):
        c2f(*command, *words, "--resume", code=2)
        require(file.read_bytes() == lines, f"{words}: the answers are gone")
    # A line that was edited, and a file of someone else.
    edited = lines.replace(b'{"file":"1.png"', b'{"name":"1.png"')
    file.write_bytes(edited)
    said = c2f(*command, "--resume", code=2)[1]
    require("line 2 of" in said and "is no answer" in said and file.read_bytes() == edited, said)
    put(top / "foreign/predictions.jsonl", "{}\n")
    said = c2f("predict", run, mine, "--out", top / "foreign", "--resume", code=2)[1]
    require("does not say how" in said and (top / "foreign/predictions.jsonl").read_bytes() == b"{}\n", said)
    # A name that none can be made of, and a picture that no canvas is made for; what was drawn is no input.
    put(mine / ("m" * 250 + ".png"), (mine / "0.png").read_bytes())
    put(mine / "wide.png", png(17000, 2, lambda x, y: (9, 9, 9)))
    _, said = c2f("predict", run, mine, "--out", mine, "--draw")
    found = lines_of((mine / "predictions.jsonl").read_text())
    require(len(found) == 9 and "shorten it" in next(line["error"] for line in found if "error" in line), str(found))
    require([line["file"] for line in found if "drawn" not in line and "error" not in line] == ["wide.png"] and "were not drawn" in said, said)
    c2f("predict", run, mine, "--out", mine, "--draw", "--resume")
    require(len(lines_of((mine / "predictions.jsonl").read_text())) == 9, "drawn pictures are taken as inputs")


def check_events(file, count):
    """Records of a TFRecord file: lengths and checksums, by another implementation of CRC-32C."""
    def masked(data):
        crc = 0xffffffff
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
        crc ^= 0xffffffff
        return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff
    at, records = 0, 0
    while at < len(file):
        length, = struct.unpack("<Q", file[at:at + 8])
        event = file[at + 12:at + 12 + length]
        require(struct.unpack("<I", file[at + 8:at + 12])[0] == masked(file[at:at + 8]), "the checksum of a length of the event file")
        require(struct.unpack("<I", file[at + 12 + length:at + 16 + length])[0] == masked(event), "the checksum of an event")
        at, records = at + 16 + length, records + 1
    require(records == count, f"{records} events")


def check_with_tensorboard(run):
    """What TensorBoard itself reads, where it is installed."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        print("tool.py: without TensorBoard; its reader was not tried")
        return
    events = EventAccumulator(str(run))
    events.Reload()
    epochs = [line for line in lines_of((run / "log.jsonl").read_text()) if line["event"] == "epoch"]
    found = [(each.step, each.value) for each in events.Scalars("top1/coarse")]
    wanted = [(line["epoch"] + 1, line["scores"]["coarse"]["top1"]) for line in epochs]
    require(len(found) == len(wanted) and all(a[0] == b[0] and abs(a[1] - b[1]) < 1e-6 for a, b in zip(found, wanted)), f"{found} {wanted}")
    print("tool.py: TensorBoard reads the events")


def killed(top, run):
    """Predictions that are killed at any moment."""
    many = top / "many"
    picture = png(160, 120, lambda x, y: (x % 256, y % 256, 99))
    for i in range(150):
        put(many / f"{i:03}.png", picture)
    c2f("predict", run, many, "--out", top / "whole", "--draw", "--batch", 4)
    wanted = (top / "whole/predictions.jsonl").read_bytes()
    draw, kills = random.Random(3), 0
    for attempt in range(2):
        out = top / f"killed{attempt}"
        for _ in range(12):
            process = subprocess.Popen([str(PROGRAM), "predict", str(run), str(many), "--out", str(out), "--draw", "--batch", "4", "--resume"],
                                       env=ENVIRONMENT, stderr=subprocess.DEVNULL)
            time.sleep(draw.uniform(.05, .5))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            lines = (out / "predictions.jsonl").read_bytes() if (out / "predictions.jsonl").exists() else b""
            require(wanted.startswith(lines), "lines differ from those of a run without kills")
            for line in lines_of(lines.decode()):
                require((out / line["drawn"]).read_bytes() == (top / "whole" / line["drawn"]).read_bytes(), "a drawn picture is not whole")
            if lines == wanted:
                break
        c2f("predict", run, many, "--out", out, "--draw", "--batch", 4, "--resume")
        require((out / "predictions.jsonl").read_bytes() == wanted, "not finished by --resume")
    # A line that is not whole is written again.
    (out / "predictions.jsonl").write_bytes(wanted[:len(wanted) // 2])
    c2f("predict", run, many, "--out", out, "--draw", "--batch", 4, "--resume")
    require((out / "predictions.jsonl").read_bytes() == wanted, "a cut line is not written again")
    print(f"tool.py: {kills} kills")
    require(kills >= 4, "the program was too fast to be killed")


def boxes(top, draw):
    for layout in ("voc", "coco"):
        data, coco = top / layout, {"images": [], "annotations": [], "categories": [{"id": 5, "name": "ball"}]}
        for i in range(40):
            inside, box = disc(draw, 64, 48, None)
            tint = (230, 60, 30)
            picture = png(64, 48, lambda x, y: tint if inside(x, y) else (90, 90, 90))
            put(data / (f"JPEGImages/{i}.png" if layout == "voc" else f"images/{i}.png"), picture)
            edges = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box))
            if layout == "voc":
                put(data / f"Annotations/{i}.xml", "<annotation><size><width>64</width><height>48</height></size><object><name>ball</name>"
                    f"<bndbox>{edges}</bndbox></object></annotation>")
            coco["images"].append({"id": i, "file_name": f"{i}.png", "width": 64, "height": 48})
            coco["annotations"].append({"id": i, "image_id": i, "category_id": 5, "iscrowd": 0,
                                        "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]})
        if layout == "coco":
            put(data / "annotations/instances_all.json", json.dumps(coco))
        run = top / f"run {layout}"
        out, said = c2f("train", "--data", data, "--out", run, "--epochs", 15 if layout == "voc" else 1, "--variant", "bl", "--batch", 8)
        require("1 class (ball)" in said, said)
        out, said = c2f("evaluate", run, "--data", data)
        require("test of" in out and said == "", out + said)
    found = lines_of(c2f("predict", top / "run voc", top / "voc/JPEGImages")[0])
    for line in found:
        x0, y0, x1, y1 = line["boxes"][0]["box"]
        require(0 <= x0 <= x1 <= 64 and 0 <= y0 <= y1 <= 48, str(line))
    require(len(found) == 40, str(found[:2]))


def masks(top, draw):
    data = top / "masks of cells"
    for i in range(30):
        width, height = draw.randrange(40, 80), draw.randrange(40, 80)
        inside, _ = disc(draw, width, height, None)
        put(data / f"images/{i}.png", png(width, height, lambda x, y: (230, 60, 30) if inside(x, y) else (90, 90, 90)))
        put(data / f"masks/{i}.png", png(width, height, lambda x, y: (2,) if inside(x, y) else (5,) if x + y == 0 else (1,), colour=3))
    _, said = c2f("train", "--data", data, "--out", top / "run masks", code=2)
    require("--mask-values 1=NAME,2=NAME,5=NAME" in said and not (top / "run masks").exists(), said)
    run = top / "run masks"
    c2f("train", "--data", data, "--out", run, "--epochs", 4, "--variant", "bl", "--mask-values", "1=ground,2=cell,5=ignore")
    out, said = c2f("evaluate", run, "--data", data, "--out", run)
    found = json.loads((run / "evaluation.json").read_text())
    require(said == "" and found["figures"]["mean IoU"]["value"] > .6 and set(found["classes"]) == {"ground", "cell"}, out)
    require("a pixel of the answer depends on" in c2f("explain", run)[0], "explain")
    out, _ = c2f("evaluate", run, "--data", data, "--out", run, "--windows", 1.5, "--tta", "flip")
    require(json.loads((run / "evaluation.json").read_text())["figures"]["mean IoU"]["value"] > .5, out)
    c2f("predict", run, data / "images", "--out", top / "answers", "--draw")
    before = (data / "masks/0.png").read_bytes()
    said = c2f("predict", run, data / "images", "--out", data, code=2)[1]
    require("has files of something else" in said and (data / "masks/0.png").read_bytes() == before, said)
    require(not (data / "predictions.jsonl").exists() and not (data / "masks/0.png.png").exists(), "something is written among the masks")
    # A large picture, by windows of its own scale.
    inside, _ = disc(draw, 500, 300, None)
    put(top / "large.png", png(500, 300, lambda x, y: (230, 60, 30) if inside(x, y) else (90, 90, 90)))
    out, _ = c2f("predict", run, top / "large.png", "--windows", .3, "--tta", "flip", "--out", top / "by windows")
    found = lines_of((top / "by windows/predictions.jsonl").read_text())[0]["pixels"]
    area = sum(inside(x, y) for x in range(500) for y in range(300))
    require(abs(found.get("cell", 0) - area) < .5 * area, f"{found}, {area} pixels are the disc")
    for line in lines_of((top / "answers/predictions.jsonl").read_text()):
        mask = (top / "answers" / line["mask"]).read_bytes()
        picture = (data / "images" / line["file"]).read_bytes()
        require(mask[16:24] == picture[16:24], "a mask is not of the picture's size")
        require(mask[25] == 3 and b"PLTE" in mask, "a mask has not the palette of the data")
        require(sum(line["pixels"].values()) == struct.unpack(">I", mask[16:20])[0] * struct.unpack(">I", mask[20:24])[0], str(line))


def volumes(top):
    """Named labels of volumes; a model of them answers for a volume."""
    data, run = top / "liver", top / "run liver"
    for i in range(6):
        ball = [1.0 * ((j % 12 - 6) ** 2 + (j // 12 % 12 - 6 + i % 2) ** 2 < 12) for j in range(12 * 12 * 4)]
        put(data / f"images/v{i}.nii", nifti((12, 12, 4), ball))
        put(data / f"labels/v{i}.nii", nifti((12, 12, 4), [int(v) for v in ball], 2, "B"))
    c2f("train", "--data", data, "--out", run, "--epochs", 1, "--variant", "bl", "--classes", "background,liver", "--batch", 4)
    out, said = c2f("evaluate", run, "--data", data)
    require(said == "" and "liver" in out and "mean IoU" in out, out)
    c2f("predict", run, data / "images/v0.nii", "--out", top / "liver answers")
    found = lines_of((top / "liver answers/predictions.jsonl").read_text())
    require(sum(found[0]["voxels"].values()) == 12 * 12 * 4 and (top / "liver answers" / found[0]["mask"]).exists(), str(found))


def filtered_bytes(picture):
    """The bytes of a PNG's rows, filtered, as a measure of what is drawn on it."""
    at, packed = 8, b""
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at:at + 8])
        packed += picture[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    return zlib.decompress(packed)


def tables(top, draw):
    """Attributes and numbers: pictures with a red and a blue half or none, and how bright they are."""
    for name, epochs in (("attributes", 12), ("numbers", 25)):
        data, rows = top / f"table of {name}", []
        for i in range(60):
            red, blue, light = draw.random() < .5, draw.random() < .5, draw.randrange(40, 200)
            left, right = ((230 if red else light), light, light), (light, light, (230 if blue else light))
            put(data / f"images/{i}.png", png(48, 48, lambda x, y: left if x < 24 else right))
            rows.append(f"{i}.png,{int(red)},{int(blue) if i % 7 else ''}" if name == "attributes" else f"{i}.png,{light / 10}")
        put(data / "all.csv", ("picture,red,blue\n" if name == "attributes" else "picture,light\n") + "\n".join(rows) + "\n")
        out, _ = c2f("show", "--data", data, "--out", top / f"shown {name}")
        require(f"a table of pictures with {name}" in out and "train: 43 pictures" in out, out)
        run = top / f"run {name}"
        c2f("train", "--data", data, "--out", run, "--epochs", epochs, "--variant", "bl", "--batch", 8, "--augment",
            "flip" if name == "numbers" else "shift=.05", "--learning-rate", .02)
        about = json.loads((run / "model/model.json").read_text())
        score = about["scores"]["coarse"]["map" if name == "attributes" else "r2"]
        require(score > .7, f"{name}: {about['scores']}")
        put(top / f"plain {name}/plain.png", png(200, 100, lambda x, y: (230, 120, 230) if x < 100 else (120, 120, 230)))
        c2f("predict", run, top / f"plain {name}", "--out", top / f"drawn {name}", "--draw")
        line = lines_of((top / f"drawn {name}/predictions.jsonl").read_text())[0]
        rows = filtered_bytes((top / f"drawn {name}" / line["drawn"]).read_bytes())
        words = name == "numbers" or max(line["attributes"].values()) >= .5
        require((len(set(rows[:601 * 12])) > 12) == words, f"{line}: the answer is not drawn")
        for line in lines_of(c2f("predict", run, data / "images")[0])[:3]:
            require(set(line[name]) == ({"red", "blue"} if name == "attributes" else {"light"}), str(line))
        if name == "numbers":
            require(abs(about["units"][0][0] - 12) < 3 and 2 < about["units"][0][1] < 8, str(about["units"]))
        out, said = c2f("evaluate", run, "--data", data, "--out", run)
        require(said == "", said)
        found = json.loads((run / "evaluation.json").read_text())
        value = found["figures"]["mean AP" if name == "attributes" else "R squared"]["value"]
        require(abs(value - score) < 1e-5, f"{name}: {value} evaluated, {score} at the end of the training")
        # The same pictures in tables of their own; the figures of a column from the answers and the lines of the table.
        lines = (data / "all.csv").read_text().splitlines()
        (data / "all.csv").unlink()
        put(data / "train.csv", "\n".join(lines[:41]) + "\n")
        put(data / "test.csv", "\n".join([lines[0], *lines[41:]]) + "\n")
        out, _ = c2f("evaluate", run, "--data", data, "--out", run)
        found, truths = json.loads((run / "evaluation.json").read_text()), [line.split(",") for line in lines[41:]]
        answers = {line["file"]: line[name] for line in lines_of(c2f("predict", run, data / "images")[0])}
        of = [(float(row[-1]), answers[row[0]][lines[0].split(",")[-1]]) for row in truths if row[-1]]
        if name == "attributes":
            wanted, metric = sum((truth == 1) == (answer >= .5) for truth, answer in of) / len(of), "accuracy"
        else:
            wanted, metric = sum(abs(truth - answer) for truth, answer in of) / len(of), "mean absolute error"
        value = found["classes"][lines[0].split(",")[-1]][metric]
        require(found["samples"] == 20 and abs(value - wanted) < 1e-4, f"{name}: {value}, {wanted} by hand; {out}")


def main():
    draw = random.Random(1)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        top = pathlib.Path(folder)
        run = classes(top, draw)
        probed(top)
        networks(top)
        killed(top, run)
        resumed(top, run)
        boxes(top, draw)
        masks(top, draw)
        volumes(top)
        tables(top, draw)
        # A model that this program was compiled without.
        about = json.loads((run / "model/model.json").read_text())
        about["task"] = "theirs"
        shutil.copytree(run / "model", top / "theirs")
        (top / "theirs/model.json").write_text(json.dumps(about))
        require("'theirs', which this program was compiled without" in c2f("predict", top / "theirs", top / "mine", code=2)[1], "compiled without")
    print("tool.py: classes, boxes, masks, attributes, numbers, kills: right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
