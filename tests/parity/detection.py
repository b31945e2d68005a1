"""The operators of detectors against torchvision, in float and double: answers and gradients; suppression, anchors and assignment exactly.

torchvision's nms gives boxes of equal scores in no stated order, so scores here differ.
"""
import sys

import numpy
import torch

from _exchange import Comparison, call

try:
    import torchvision
    from torchvision.models.detection import _utils, anchor_utils, image_list
    from torchvision import ops
except ImportError as missing:
    print(f"skipped: {missing.name} is not here; pip install -r requirements.txt")
    sys.exit(77)


def boxes(count, side, draw, type=torch.float64, least=0.):
    corner = torch.from_numpy(draw.random((count, 2)) * side)
    return torch.cat([corner, corner + least + torch.from_numpy(draw.random((count, 2)) ** 2 * side / 2)], 1).to(type)


def random(shape, draw, type=torch.float64):
    return torch.from_numpy(draw.standard_normal(shape)).to(type)


def pack(cases):
    given = {}
    for case, tensors in cases.items():
        for name, value in tensors.items():
            value = value.detach().contiguous().numpy()
            double = value.dtype == numpy.float64
            given[f"{case}/{name}{'!' if double else ''}"] = value.view(numpy.int64) if double and value.shape else (
                value.reshape(1).view(numpy.int64).reshape(()) if double else value)
    return given


def unpack(found):
    return {name.rstrip("!"): value.view(numpy.float64) if name.endswith("!") else value for name, value in found.items()}


def with_gradients(case, name, cases, wanted, leaves, function, draw):
    leaf = {key: value.clone().requires_grad_(True) if key in leaves else value for key, value in case.items()}
    answer = function(leaf)
    case["weights"] = random(answer.shape, draw, answer.dtype)
    (answer * case["weights"]).sum().backward()
    wanted[f"{name}/answer"] = answer.detach()
    wanted |= {f"{name}/of_{key}": leaf[key].grad for key in leaves if key in leaf}
    cases[name] = case


def make(type, draw):
    """Cases, and what torchvision says of them."""
    cases, wanted, exact = {}, {}, {}
    real = lambda value: torch.tensor(value, dtype=torch.float64)
    for number, (channels, out, sampling, aligned) in enumerate([(3, 7, 2, True), (40, 7, 0, True), (64, 3, 2, False), (17, 14, 1, False)]):
        rois = torch.cat([boxes(40, 260, draw, type), torch.tensor([[-40, -30, 30, 20], [5, 5, 5, 5], [9, 9, 10, 10], [240, 180, 700, 500], [900, 900, 950, 950]], dtype=type)])
        case = {"map": random((3, channels, 25, 33), draw, type), "boxes": rois, "picture": torch.from_numpy(draw.integers(0, 3, len(rois))),
                "scale": real(.125), "how": torch.tensor([out, sampling, int(aligned)])}
        with_gradients(case, f"roi_align {number}", cases, wanted, ["map"], lambda t: ops.roi_align(
            t["map"], torch.cat([t["picture"].to(type)[:, None], t["boxes"]], 1), out, .125, sampling, aligned), draw)
    for number, (channels, to, stride, padding, dilation, groups, moved, masked, height, width) in enumerate(
            [(16, 8, 1, 1, 1, 1, 1, True, 40, 30), (24, 12, 2, 2, 2, 4, 2, True, 21, 18), (6, 9, 1, 3, 3, 3, 1, False, 9, 11), (40, 10, 1, 0, 1, 2, 5, False, 8, 8)]):
        x, weight = random((2, channels, height, width), draw, type), random((to, channels // groups, 3, 3), draw, type)
        size = torch.nn.functional.conv2d(x, weight, None, stride, padding, dilation, groups).shape[2:]
        case = {"x": x, "weight": weight, "offset": 2 * random((2, 18 * moved, *size), draw, type), "bias": random((to,), draw, type),
                "how": torch.tensor([stride, padding, dilation, groups])}
        if masked:
            case["mask"] = torch.sigmoid(random((2, 9 * moved, *size), draw, type))
        with_gradients(case, f"deformable {number}", cases, wanted, ["x", "offset", "weight"] + ["mask"] * masked, lambda t: ops.deform_conv2d(
            t["x"], t["offset"], t["weight"], t["bias"], stride, padding, dilation, t.get("mask")), draw)
    for number, (count, threshold) in enumerate([(0, .5), (1, .5), (300, .3), (2000, .5), (2000, .7)]):
        some, scores = boxes(count, 300, draw, type), torch.from_numpy(draw.permutation(count).astype(numpy.float64)).to(type)
        classes = torch.from_numpy(draw.integers(0, 3, count))
        cases[f"nms {number}"] = {"boxes": some, "scores": scores, "classes": classes, "threshold": real(threshold)}
        # Class by class, and not by torchvision's trick of moving the boxes, which rounds.
        kept = torch.cat([index[ops.nms(some[index], scores[index], threshold)] for index in (torch.where(classes == k)[0] for k in range(3))])
        exact[f"nms {number}/answer"] = kept[scores[kept].argsort(descending=True)]
    a, b = boxes(60, 100, draw, type, .1), boxes(60, 100, draw, type, .1)
    cases["iou"] = {"a": a, "b": b}
    wanted["iou/answer"] = ops.box_iou(a, b)
    with_gradients({"a": a, "b": b}, "giou", cases, wanted, ["a"], lambda t: ops.generalized_box_iou_loss(t["a"], t["b"]), draw)
    with_gradients({"logits": 3 * random((20, 7), draw, type), "targets": torch.from_numpy(draw.integers(0, 2, (20, 7))).to(type)}, "focal", cases, wanted,
                   ["logits"], lambda t: ops.sigmoid_focal_loss(t["logits"], t["targets"]), draw)
    coder = _utils.BoxCoder((10., 10., 5., 5.))
    cases["encode"], wanted["encode/answer"] = {"truth": a, "boxes": b}, coder.encode_single(a, b)
    deltas = 4 * random((60, 8), draw, type)
    cases["decode"], wanted["decode/answer"] = {"deltas": deltas, "boxes": b}, coder.decode_single(deltas, b).reshape(60, 8)
    cases["clip"] = {"boxes": boxes(50, 90, draw, type) - 10, "how": torch.tensor([40, 60])}
    wanted["clip/answer"] = ops.clip_boxes_to_image(cases["clip"]["boxes"], (40, 60))
    if type == torch.float32:
        generator = anchor_utils.AnchorGenerator(((32, 50), (64, 91), (128, 181)), ((.5, 1., 2.),) * 3)
        maps = [torch.zeros(1, 1, 24, 32), torch.zeros(1, 1, 12, 16), torch.zeros(1, 1, 6, 8)]
        made = generator(image_list.ImageList(torch.zeros(1, 3, 96, 128), [(96, 128)]), maps)[0]
        cases["anchors"], exact["anchors/answer"] = {"how": torch.tensor([24, 32, 12, 16, 6, 8])}, made
        for number, (height, width) in enumerate([(800, 1344), (800, 1056), (192, 256), (100, 90)]):  # the last level is of stride 64
            generator = anchor_utils.AnchorGenerator(tuple((32 << level,) for level in range(5)), ((.5, 1., 2.),) * 5)
            sizes = [(-(-height // (4 << level)), -(-width // (4 << level))) for level in range(5)]
            cases[f"anchors_of {number}"] = {"how": torch.tensor([height, width] + [side for size in sizes for side in size])}
            exact[f"anchors_of {number}/answer"] = generator(image_list.ImageList(torch.zeros(1, 3, height, width), [(height, width)]),
                                                             [torch.zeros(1, 1, *size) for size in sizes])[0]
        for low_quality in (0, 1):
            truth = boxes(25, 100, draw, type, 4)
            matched = _utils.Matcher(.7, .3, bool(low_quality))(ops.box_iou(truth, made))
            cases[f"assign {low_quality}"] = {"boxes": made, "truth": truth, "matched": matched, "how": torch.tensor([low_quality])}
            exact[f"assign {low_quality}/answer"] = matched
    return cases, wanted, exact


def main():
    good = True
    for type, limit in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
        cases, wanted, exact = make(type, numpy.random.default_rng(3))
        found = unpack(call("detection", "operators", pack(cases)))
        if found.keys() != wanted.keys() | exact.keys():
            sys.exit(f"only on one side: {sorted(found.keys() ^ (wanted.keys() | exact.keys()))[:5]}")
        comparison = Comparison(f"torchvision {torchvision.__version__}, {type}", limit)
        for name, value in wanted.items():
            comparison.add(name, found[name], value)
        good &= comparison.passed()
        for name, value in exact.items():
            if not numpy.array_equal(found[name], value):
                print(f"  not equal: {name}: {found[name].shape} {tuple(value.shape)}")
                good = False
        print(f"  and {len(exact)} exactly")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
