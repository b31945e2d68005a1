"""torchvision's Faster R-CNN and Mask R-CNN with ResNet-50 and a feature pyramid: their state, saved by Python's safetensors, loaded by c2f through a
table of names, gives the same boxes and masks on six pictures to 1e-3 pixels and probabilities. The weights are random: nothing is downloaded. The names
of the file are once those of today and once those of the published file.
"""
import pathlib
import sys
import tempfile

import torch

from _exchange import call

try:
    import safetensors.torch
    import torchvision
    from torchvision.ops.misc import FrozenBatchNorm2d
except ImportError as missing:
    print(f"skipped: {missing.name} is not here; pip install -r requirements.txt")
    sys.exit(77)

LIMIT = 1e-3  # pixels


def frozen(module):
    """Frozen norms with the eps of torchvision's published detectors, and different statistics in each layer."""
    for name, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm2d):
            norm = FrozenBatchNorm2d(child.num_features, eps=0.0)
            norm.weight.uniform_(0.5, 1), norm.bias.normal_(0, 0.1), norm.running_mean.normal_(0, 0.1), norm.running_var.uniform_(0.5, 1.5)
            setattr(module, name, norm)
        else:
            frozen(child)


def make(what):
    torch.manual_seed(3)
    made = {"faster_rcnn": torchvision.models.detection.fasterrcnn_resnet50_fpn, "mask_rcnn": torchvision.models.detection.maskrcnn_resnet50_fpn}
    net = made[what](weights=None, weights_backbone=None, num_classes=91)
    frozen(net.backbone.body)
    with torch.no_grad():  # scores that are not all alike, of few classes
        levels = net.backbone(torch.randn(1, 3, 224, 224))
        scale = max(float(level.abs().max()) for level in levels.values())
        for block in net.backbone.fpn.layer_blocks:
            block[0].weight /= scale
        net.rpn.head.cls_logits.weight *= 100
        net.rpn.head.bbox_pred.weight *= 5
        net.roi_heads.box_predictor.cls_score.weight *= 400
        net.roi_heads.box_predictor.bbox_pred.weight *= 5
        if what == "mask_rcnn":
            net.roi_heads.mask_predictor.mask_fcn_logits.weight *= 10
    return net.eval()


def published(name):
    """The name in the file of torchvision's download server."""
    name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
    for blocks in ("inner_blocks", "layer_blocks"):
        for level in range(4):
            name = name.replace(f"{blocks}.{level}.0.", f"{blocks}.{level}.")
            name = name.replace(f"roi_heads.mask_head.{level}.0.", f"roi_heads.mask_head.mask_fcn{level + 1}.")
    return name


def answers(net, images):
    """What torchvision answers to a picture that its transform has already made: boxes in pixels, scores, labels."""
    sizes = [tuple(images.shape[-2:])]
    levels = net.backbone(images)
    proposals, _ = net.rpn(torchvision.models.detection.image_list.ImageList(images, sizes), levels)
    return net.roi_heads(levels, proposals, sizes)[0][0]


def compare(what, pictures):
    net, ok = make(what), True
    for rename in (lambda name: name, published):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            safetensors.torch.save_file({rename(name): tensor for name, tensor in net.state_dict().items()}, folder / "given.safetensors")
            safetensors.torch.save_file(pictures, folder / "images.safetensors")
            found = call("torchvision_detector", what, folder)
        far, total, spread = 0.0, 0, 0.0
        for name, images in pictures.items():
            with torch.inference_mode():
                wanted = answers(net, images)
            rows = torch.from_numpy(found[name].copy())[0]
            rows = rows[rows[:, 4] > 0]
            count = len(wanted["scores"])
            total += count
            if len(rows) != count:
                print(f"picture {name}: {len(rows)} answers and {count} of torchvision")
                ok = False
                continue
            height, width = images.shape[-2:]
            boxes = rows[:, :4] * torch.tensor([width, height, width, height])
            if not bool(rows.isfinite().all()):  # max() would leave out a NaN
                print(f"picture {name}: answers that are not finite")
                ok = False
            # The order of nearly equal scores depends on rounding: each of torchvision's boxes is compared with the nearest one of its class.
            ok &= bool((rows[:, 4].diff() <= 0).all())
            away = (boxes.unsqueeze(1) - wanted["boxes"]).abs().amax(2)
            away[rows[:, 5:6].long() != wanted["labels"] - 1] = torch.inf
            order = away.argmin(0)
            rows, boxes = rows[order], boxes[order]
            ok &= len(order.unique()) == count and bool((rows[:, 5].long() == wanted["labels"] - 1).all())
            far = max(far, float((boxes - wanted["boxes"]).abs().max()), float((rows[:, 4] - wanted["scores"]).abs().max()))
            if what == "mask_rcnn":
                masks = wanted["masks"].flatten(1)
                far, spread = max(far, float((rows[:, 6:] - masks).abs().max())), max(spread, float(masks.std()))
        print(f"{what}: {total} boxes in {len(pictures)} pictures, largest difference {far:.1e}, limit {LIMIT:g}")
        ok &= far <= LIMIT and total > 50 and (what == "faster_rcnn" or spread > 0.02)
    return ok


def main():
    torch.manual_seed(9)
    pictures = {}
    for number, size in enumerate([(192, 256), (256, 192), (224, 224), (160, 320), (96, 128), (800, 96)]):  # 800: anchors of the last level are 61 apart
        coarse = torch.randn(1, 3, size[0] // 16, size[1] // 16)
        pictures[str(number)] = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear") + 0.1 * torch.randn(1, 3, *size)
    return 0 if all([compare(what, pictures) for what in ("faster_rcnn", "mask_rcnn")]) else 1


if __name__ == "__main__":
    sys.exit(main())
