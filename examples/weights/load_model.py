#!/usr/bin/env python3
"""Builds a model of the program c2f in plain PyTorch from its folder, without c2f.

  load_model.py MODEL PICTURE...              # the answers, as 'c2f predict MODEL PICTURE...' gives them

  import load_model                           # or as a module
  model = load_model.Model("runs/pets/model")
  coarse, fine = model(images)                # raw outputs of normalised images [N, 3, H, W]; fine is None for a model of one network

Networks are functions of the state dictionary, whose names are paths: coarse.*, encoder.*, fine.*. Supported are the networks of c2f: 'cifar' and
'small' of classes, 'resnet18' of classes, 'small' of boxes and of masks. Needs torch, numpy, safetensors and, for pictures, Pillow.
"""
import json
import math
import pathlib
import sys

import numpy
import safetensors.torch
import torch
from torch.nn import functional


def norm(s, name, x):
    return functional.batch_norm(x, s[f"{name}.running_mean"], s[f"{name}.running_var"], s[f"{name}.weight"], s[f"{name}.bias"])


def conv(s, name, x, stride=1):
    weight = s[f"{name}.weight"]
    return functional.conv2d(x, weight, s.get(f"{name}.bias"), stride, weight.shape[2] // 2)


def block(s, name, x, stride):
    y = functional.relu(norm(s, f"{name}.bn1", conv(s, f"{name}.conv1", x, stride)))
    y = norm(s, f"{name}.bn2", conv(s, f"{name}.conv2", y))
    if f"{name}.downsample.0.weight" in s:
        x = norm(s, f"{name}.downsample.1", conv(s, f"{name}.downsample.0", x, stride))
    return functional.relu(x + y)


def resnet(s, name, x, stem_stride):
    """All stages that the state dictionary has."""
    x = functional.relu(norm(s, f"{name}.bn1", conv(s, f"{name}.conv1", x, stem_stride)))
    if s[f"{name}.conv1.weight"].shape[2] == 7:
        x = functional.max_pool2d(x, 3, 2, 1)
    for stage in range(1, 5):
        number = 0
        while f"{name}.layer{stage}.{number}.conv1.weight" in s:
            x = block(s, f"{name}.layer{stage}.{number}", x, 2 if stage > 1 and number == 0 else 1)
            number += 1
    return x


def classifier(s, name, x):
    inner, last, stride = (f"{name}.net.0", f"{name}.net.2", 2) if f"{name}.net.2.weight" in s else (f"{name}.net", f"{name}.net.fc", 1)
    if s[f"{inner}.conv1.weight"].shape[2] == 7:
        stride = 2
    x = resnet(s, inner, x, stride).mean((2, 3))
    return used(s, name, functional.linear(x, s[f"{last}.weight"], s[f"{last}.bias"]))


def localiser(s, name, x):
    x = resnet(s, f"{name}.backbone", x, 2)
    for layer in (0, 3):
        x = functional.relu(norm(s, f"{name}.head.{layer + 1}", conv(s, f"{name}.head.{layer}", x)))
    x = (x / math.sqrt(x.shape[2] * x.shape[3])).flatten(1)
    return functional.linear(x, s[f"{name}.head.8.weight"], s[f"{name}.head.8.bias"])


def twice(s, name, x):
    for layer in (0, 3):
        x = functional.relu(norm(s, f"{name}.{layer + 1}", conv(s, f"{name}.{layer}", x)))
    return x


def level(s, name, x):
    if f"{name}.up.weight" not in s:
        return twice(s, name, x)
    y = twice(s, f"{name}.down", x)
    below = level(s, f"{name}.below", functional.max_pool2d(y, 2))
    up = functional.conv_transpose2d(below, s[f"{name}.up.weight"], s.get(f"{name}.up.bias"), 2)
    return twice(s, f"{name}.joined", torch.cat((y, up), 1))


def unet(s, name, x):
    return used(s, name, conv(s, f"{name}.net.head", level(s, f"{name}.net.levels", x)))


def used(s, name, raw):
    """Classes beyond those of the data are never answered."""
    mask = s[f"{name}.used"].view(1, -1, *[1] * (raw.dim() - 2))
    return raw.masked_fill(mask == 0, -1e9)


def drawn(boxes, height, width):
    """Boxes [N, K, 4] as maps, 1 where a pixel's centre is inside."""
    def along(axis, size):
        middles = torch.arange(size, dtype=boxes.dtype) + .5
        centre, half = boxes[:, :, axis, None] * size, boxes[:, :, axis + 2, None] * size / 2
        return ((half - (middles - centre).abs()) > 0) & (half > 0)
    return (along(1, height)[:, :, :, None] & along(0, width)[:, :, None, :]).to(boxes.dtype)


class Model:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        if not (folder / "model.json").exists():
            folder /= "model"
        self.about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self.tensors = safetensors.torch.load_file(folder / "weights.safetensors")
        networks = {"class_vector": classifier, "boxes": localiser, "dense": unet}
        if self.about["kind"] not in networks or (self.about["kind"] != "class_vector" and "-small-" not in self.about["task"]):
            sys.exit(f"load_model.py: the task '{self.about['task']}' is not written here")
        self.network = networks[self.about["kind"]]

    def boxes(self, raw):
        """[N, K, 4] as fractions of the input, and whether each is there, [N, K]."""
        raw = raw.view(raw.shape[0], len(self.about["classes"]), -1)
        there = raw[:, :, 4] if raw.shape[2] == 5 else torch.full(raw.shape[:2], math.inf)
        return raw[:, :, :4].sigmoid(), there.sigmoid()

    def conditioning(self, raw, height, width):
        if self.about["kind"] == "boxes":
            box, there = self.boxes(raw)
            return drawn(torch.cat((box[:, :, :2], box[:, :, 2:] * (there > .5)[:, :, None]), 2), height, width)
        found = raw.softmax(1)
        return found if found.dim() == 4 else found[:, :, None, None].expand(-1, -1, height, width)

    @torch.no_grad()
    def __call__(self, images):
        s = self.tensors
        coarse = self.network(s, "coarse", images)
        if "encoder.project.0.weight" not in s:
            return coarse, None
        z = self.conditioning(coarse, *images.shape[2:])
        for layer in ("encoder.project.0", "encoder.project.1"):
            z = functional.relu(conv(s, layer, z))
        return coarse, self.network(s, "fine", torch.cat((images, z), 1))

    def image(self, path):
        """A picture as the network's input, [1, 3, H, W]."""
        from PIL import Image, ImageOps
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        height, width = self.about["input"]["height"], self.about["input"]["width"]
        scales = (width / picture.width, height / picture.height)
        rule = self.about["resizing"]
        if rule != "stretch":
            scales = (min(scales),) * 2 if rule == "letterbox" else (max(scales),) * 2
        # The part of the picture that fills the canvas; letterbox pads with the mean colour before.
        pad = [max(0.0, (side / scale - size) / 2) for side, scale, size in zip((width, height), scales, picture.size)]
        size = [round(size * scale) for size, scale in zip(picture.size, scales)] if rule == "letterbox" else [width, height]
        if rule == "letterbox":
            canvas = Image.new("RGB", (width, height), (124, 116, 104))
            canvas.paste(picture.resize(size, Image.Resampling.BILINEAR), (round(pad[0] * scales[0]), round(pad[1] * scales[1])))
        else:
            cut = [(size - side / scale) / 2 for side, scale, size in zip((width, height), scales, picture.size)]
            canvas = picture.resize((width, height), Image.Resampling.BILINEAR,
                                    box=(cut[0], cut[1], picture.width - cut[0], picture.height - cut[1]))
        pixels = numpy.asarray(canvas, numpy.float32) / 255
        normal = self.about["normalisation"]
        pixels = (pixels - numpy.array(normal["mean"], numpy.float32)) / numpy.array(normal["deviation"], numpy.float32)
        return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    model = Model(sys.argv[1])
    names = model.about["classes"]
    for path in sys.argv[2:]:
        coarse, fine = model(model.image(path))
        raw = coarse if fine is None else fine
        if model.about["kind"] == "class_vector":
            found = raw.softmax(1)[0, :len(names)]
            answer = {"class": names[int(found.argmax())], "probabilities": {name: round(float(p), 4) for name, p in zip(names, found)}}
        elif model.about["kind"] == "boxes":
            box, there = model.boxes(raw)
            answer = {"boxes": [{"class": name, "probability": round(float(p), 4), "box of the input": [round(float(x), 4) for x in b]}
                                for name, p, b in zip(names, there[0], box[0]) if p > .5]}
        else:
            labels = raw[0].argmax(0)
            answer = {"pixels of the input": {name: int((labels == k).sum()) for k, name in enumerate(names)}}
        print(json.dumps({"file": path, **answer}))


if __name__ == "__main__":
    main()
