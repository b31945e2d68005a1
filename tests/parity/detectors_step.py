"""Steps and answers of detectors against torchvision's: Faster R-CNN on a plain pyramid and with a replica of DetectoRS' backbone (recursive pyramid,
switchable atrous convolution), a cascade made of torchvision's parts, RetinaNet, Mask R-CNN, and a hybrid task cascade on that cascade. The anchors and boxes that the losses are computed of are
drawn with c2f's random numbers, reimplemented in _philox.py.
"""
import sys
from collections import OrderedDict

import numpy
import torch
from torch import nn
from torch.nn import functional

from _exchange import Comparison, call
from _philox import hash_of, uniform
from networks import random_state

try:
    import torchvision
    from torchvision.models.detection import FasterRCNN, MaskRCNN, RetinaNet
    from torchvision.models.detection import _utils as utils, roi_heads
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
    from torchvision.models.detection.retinanet import RetinaNetHead
    from torchvision.models.detection.rpn import AnchorGenerator
    from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign, boxes as operations
    from torchvision.ops.feature_pyramid_network import LastLevelMaxPool
except ImportError as missing:
    print(f"skipped: {missing.name} is not here; pip install -r requirements.txt")
    sys.exit(77)

N, H, W, CLASSES, MOST, LEVELS, CHANNELS = 3, 64, 96, 3, 5, (8, 12, 16), 12
SEED, EPOCH, IDS = 7, 2, [11, 4, 30]
BOX_SAMPLING = 24
MASK = 8


class Switchable(nn.Module):
    """Qiao et al. 2021, figure 4; after mmdet/ops/saconv.py."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.stride = stride
        self.weight, self.weight_diff = nn.Parameter(torch.empty(width, channels, 3, 3)), nn.Parameter(torch.empty(width, channels, 3, 3))
        self.register_buffer("weight_gamma", torch.empty(width, 1, 1, 1))
        self.register_buffer("weight_beta", torch.empty(width, 1, 1, 1))
        self.switch = nn.Conv2d(channels, 1, 1, stride)
        self.pre_context, self.post_context = nn.Conv2d(channels, channels, 1), nn.Conv2d(width, width, 1)

    def forward(self, x):
        x = x + self.pre_context(functional.adaptive_avg_pool2d(x, 1))
        switch = self.switch(functional.avg_pool2d(functional.pad(x, (2, 2, 2, 2), mode="reflect"), 5, 1))
        flat = self.weight.flatten(1)
        mean, deviation = flat.mean(1)[:, None, None, None], torch.sqrt(flat.var(1) + 1e-5)[:, None, None, None]
        weight = self.weight_gamma * (self.weight - mean) / deviation + self.weight_beta
        near = functional.conv2d(x, weight, None, self.stride, 1, 1)
        far = functional.conv2d(x, weight + self.weight_diff, None, self.stride, 3, 3)
        y = switch * near + (1 - switch) * far
        return y + self.post_context(functional.adaptive_avg_pool2d(y, 1))


def plain(channels, width, stride):
    return nn.Conv2d(channels, width, 3, stride, 1, bias=False)


class Block(nn.Module):
    def __init__(self, channels, width, convolution, feedback):
        super().__init__()
        self.conv1, self.bn1 = convolution(channels, width, 2), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 1), nn.BatchNorm2d(width)
        self.downsample = nn.Sequential(nn.Conv2d(channels, width, 1, 2, bias=False), nn.BatchNorm2d(width))
        if feedback:
            self.rfp_conv = nn.Conv2d(CHANNELS, width, 1)

    def forward(self, x, feedback=None):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + self.downsample(x)
        return (y if feedback is None else y + self.rfp_conv(feedback)).relu()


class Body(nn.Module):
    def __init__(self, later=plain, feedback=False):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        for i, (channels, width) in enumerate(zip((8,) + LEVELS, LEVELS)):
            setattr(self, f"layer{i + 1}", nn.Sequential(Block(channels, width, later if i else plain, feedback)))

    def forward(self, x, feedback=(None,) * 3):
        x, found = self.bn1(self.conv1(x)).relu(), OrderedDict()
        for i, each in enumerate(feedback):
            x = found[str(i)] = getattr(self, f"layer{i + 1}")[0](x, each)
        return found


def pyramid():
    return FeaturePyramidNetwork(list(LEVELS), CHANNELS)


class Plain(nn.Module):
    out_channels = CHANNELS

    def __init__(self):
        super().__init__()
        self.body, self.fpn = Body(), pyramid()

    def forward(self, x):
        return with_pooled(self.fpn(self.body(x)))


class Aspp(nn.Module):
    def __init__(self):
        super().__init__()
        part = CHANNELS // 4
        branch = lambda kernel, padding, rate: nn.Sequential(nn.Conv2d(CHANNELS, part, kernel, 1, padding, rate), nn.ReLU())
        self.local, self.rate0, self.rate1, self.pooled = branch(1, 0, 1), branch(3, 3, 3), branch(3, 6, 6), branch(1, 0, 1)

    def forward(self, x):
        whole = self.pooled(functional.adaptive_avg_pool2d(x, 1)).expand(-1, -1, *x.shape[2:])
        return torch.cat([self.local(x), self.rate0(x), self.rate1(x), whole], 1)


class Recursive(nn.Module):
    """DetectoRS' backbone, by the names of c2f's parts."""

    out_channels = CHANNELS

    def __init__(self):
        super().__init__()
        self.coarse, self.fine, self.end = Body(Switchable), Body(Switchable, feedback=True), pyramid()
        self.encoder, self.combine = nn.Module(), nn.Module()
        self.encoder.shared, self.combine.attention = Aspp(), nn.Conv2d(CHANNELS, 1, 1)

    def forward(self, x):
        old = self.end(self.coarse(x))
        new = self.end(self.fine(x, [self.encoder.shared(each) for each in old.values()]))
        weight = {name: torch.sigmoid(self.combine.attention(each)) for name, each in new.items()}
        return with_pooled(OrderedDict((name, weight[name] * new[name] + (1 - weight[name]) * old[name]) for name in new))


def with_pooled(levels):
    levels["pool"] = functional.max_pool2d(levels["2"], 1, 2)
    return levels


def numbers(stage, count):
    """pass::uniform of a stage: [samples, count]."""
    return uniform(SEED, BOX_SAMPLING ^ (hash_of(stage) & 0xFFFFFF00), EPOCH, IDS, count)


def drawn(label, values, number, positive):
    """Which rows are sampled: masks of positives and negatives."""
    chosen = []
    most = int(number * positive)
    for wanted in (label > 0, label == 0):
        rows = torch.nonzero(wanted).flatten()
        order = rows[torch.from_numpy(numpy.argsort(values[rows.numpy()], kind="stable"))]
        mask = torch.zeros_like(label, dtype=torch.uint8)
        mask[order[: most if not chosen else number - int(chosen[0].sum())]] = 1
        chosen.append(mask)
    return chosen


class Sampler:
    def __init__(self, stage, number, positive, rows=None):
        self.stage, self.number, self.positive, self.rows = stage, number, positive, rows

    def __call__(self, labels):
        found = [], []
        for i, label in enumerate(labels):
            # c2f numbers rows of proposals that are not valid, too; the true boxes follow behind them.
            proposals = len(label) if self.rows is None else len(label) - self.rows[1][i]
            values = numbers(self.stage, len(label) if self.rows is None else self.rows[0] + MOST)[i]
            if self.rows is not None:
                values = numpy.concatenate([values[:proposals], values[self.rows[0] : self.rows[0] + self.rows[1][i]]])
            for into, mask in zip(found, drawn(label, values, self.number, self.positive)):
                into.append(mask)
        return found


def anchor_generator():
    return AnchorGenerator(((16,), (32,), (64,), (128,)), ((0.5, 1.0, 2.0),) * 4)


COMMON = dict(image_mean=[0, 0, 0], image_std=[1, 1, 1], min_size=H, max_size=W)
ANSWERS = dict(box_score_thresh=0.2, box_nms_thresh=0.5, box_detections_per_img=100)


def mask_parts():
    return MaskRCNNHeads(CHANNELS, [10, 10], 1), MaskRCNNPredictor(10, 10, CLASSES + 1)


def mask_pool():
    return MultiScaleRoIAlign(["0", "1", "2"], MASK // 2, 2)


def faster(backbone, counts, masks=False):
    more = dict(zip(("mask_head", "mask_predictor"), mask_parts())) | {"mask_roi_pool": mask_pool()} if masks else {}
    net = (MaskRCNN if masks else FasterRCNN)(
        backbone,
        None,
        rpn_anchor_generator=anchor_generator(),
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], 5, 2),
        box_head=TwoMLPHead(CHANNELS * 25, 24),
        box_predictor=FastRCNNPredictor(24, CLASSES + 1),
        rpn_pre_nms_top_n_train=60,
        rpn_post_nms_top_n_train=40,
        rpn_pre_nms_top_n_test=50,
        rpn_post_nms_top_n_test=30,
        **COMMON,
        **ANSWERS,
        **more,
    )
    if masks:
        net.transform.postprocess = lambda found, *_: found  # masks of cells
    net.rpn.fg_bg_sampler = Sampler("rpn.", 32, 0.5)
    net.roi_heads.fg_bg_sampler = Sampler("stage0.", 24, 0.25, (40, counts))
    return net


class Cascade(nn.Module):
    """Three stages on torchvision's Faster R-CNN, whose own stage is not used; Cai and Vasconcelos 2018."""

    def __init__(self, counts, masks=None):
        super().__init__()
        self.net, self.counts, self.masks = faster(Plain(), counts), counts, masks
        self.mask_pool = mask_pool()
        self.stages = nn.ModuleList()
        for s in range(3):
            stage = nn.Module()
            stage.box_head, stage.box_predictor = TwoMLPHead(CHANNELS * 25, 24), FastRCNNPredictor(24, CLASSES + 1)
            stage.box_predictor.bbox_pred = nn.Linear(24, 4)
            if masks:
                stage.mask_head, stage.mask_predictor = mask_parts()
                if s > 0:
                    stage.mask_flow = nn.Conv2d(10, CHANNELS, 1)
            self.stages.append(stage)
        self.coders = [utils.BoxCoder(w) for w in ((10, 10, 5, 5), (20, 20, 10, 10), (1 / 0.033, 1 / 0.033, 1 / 0.067, 1 / 0.067))]

    def parts(self):
        return {"backbone": self.net.backbone, "rpn": self.net.rpn, "stages": self.stages}

    def forward(self, images, targets=None):
        given, targets = self.net.transform(images, targets)
        levels = self.net.backbone(given.tensors)
        proposals, losses = self.net.rpn(given, levels, targets)
        if not self.training:
            return self.answers(given, levels, proposals)
        rows = 40

        def assigned(candidates, target, values, overlap):
            """All candidates and true boxes, their labels and objects, the chosen ones in c2f's order, on which the next stage's numbers depend."""
            every = torch.cat([candidates, target["boxes"]])
            iou = operations.box_iou(target["boxes"], every)
            value = numpy.concatenate([values[: len(candidates)], values[rows : rows + len(target["boxes"])]])
            if len(target["boxes"]):
                best, which = iou.max(0)
                label = torch.where(best >= overlap, target["labels"][which], 0)
            else:
                label, which = torch.zeros(len(every), dtype=torch.int64), torch.zeros(len(every), dtype=torch.int64)
            order = []
            for mask in drawn(label, value, 24, 0.25):
                index = torch.nonzero(mask).flatten()
                order.append(index[torch.from_numpy(numpy.argsort(value[index.numpy()]))])
            return every, label, which, torch.cat(order)

        for s, (stage, coder, overlap, weight) in enumerate(zip(self.stages, self.coders, (0.5, 0.6, 0.7), (1, 0.5, 0.25))):
            boxes, labels, true = [], [], []
            values = numbers(f"stage{s}.", rows + MOST)
            for i, target in enumerate(targets):
                every, label, which, chosen = assigned(proposals[i], target, values[i], overlap)
                match = target["boxes"][which] if len(target["boxes"]) else every
                boxes.append(every[chosen]), labels.append(label[chosen]), true.append(match[chosen])
            hidden = stage.box_head(self.net.roi_heads.box_roi_pool(levels, boxes, given.image_sizes))
            logits, deltas = stage.box_predictor(hidden)
            label = torch.cat(labels)
            foreground = label > 0
            losses[f"stage{s}.class"] = weight * functional.cross_entropy(logits, label)
            wanted = torch.cat(coder.encode(true, boxes))
            losses[f"stage{s}.box"] = (
                weight * functional.smooth_l1_loss(deltas[foreground], wanted[foreground], beta=1.0, reduction="sum") / len(label)
            )
            refined = coder.decode(deltas.detach(), boxes).reshape(-1, 4).split([len(each) for each in boxes])
            proposals = [operations.clip_boxes_to_image(each, (H, W)) for each in refined]
            rows = 24
            if self.masks:  # of the boxes that this stage has refined
                boxes, labels, wanted = [], [], []
                values = numbers(f"stage{s}.mask.", rows + MOST)
                for i, target in enumerate(targets):
                    every, label, which, chosen = assigned(proposals[i], target, values[i], overlap)
                    chosen = chosen[label[chosen] > 0]
                    boxes.append(every[chosen]), labels.append(label[chosen])
                    wanted.append(mask_targets(self.masks[i], every[chosen], which[chosen]))
                logits = self.mask_logits(levels, boxes, given.image_sizes, s)[-1]
                label = torch.cat(labels)
                losses[f"stage{s}.mask"] = weight * functional.binary_cross_entropy_with_logits(
                    logits[torch.arange(len(label)), label], torch.cat(wanted)
                )
        return losses

    def mask_logits(self, levels, boxes, sizes, last):
        crops, before, found = self.mask_pool(levels, boxes, sizes), None, []
        for s, stage in enumerate(self.stages[: last + 1]):
            before = stage.mask_head(crops if s == 0 else crops + stage.mask_flow(before).relu())
            found.append(stage.mask_predictor(before))
        return found

    def answers(self, given, levels, proposals):
        mean = 0
        for stage, coder in zip(self.stages, self.coders):
            logits, deltas = stage.box_predictor(stage.box_head(self.net.roi_heads.box_roi_pool(levels, proposals, given.image_sizes)))
            mean = mean + logits / 3
            refined = coder.decode(deltas, proposals).reshape(-1, 4).split([len(each) for each in proposals])
            proposals = [operations.clip_boxes_to_image(each, (H, W)) for each in refined]
        heads, found, scores = self.net.roi_heads, [], mean.softmax(1)[:, 1:].split([len(each) for each in proposals])
        for box, score in zip(proposals, scores):
            label = torch.arange(1, CLASSES + 1).expand_as(score)
            box, score, label = box[:, None].expand(-1, CLASSES, 4).reshape(-1, 4), score.flatten(), label.flatten()
            kept = torch.nonzero(score > 0.2).flatten()
            box, score, label = box[kept], score[kept], label[kept]
            kept = operations.batched_nms(box, score, label, heads.nms_thresh)[: heads.detections_per_img]
            found.append({"boxes": box[kept], "scores": score[kept], "labels": label[kept]})
            if self.masks:
                index = len(found) - 1
                logits = self.mask_logits({name: each[index : index + 1] for name, each in levels.items()}, [box[kept]], given.image_sizes[:1], 2)
                cells = sum(each.sigmoid() for each in logits) / 3
                found[-1]["masks"] = cells[torch.arange(len(kept)), label[kept]][:, None]
        return found


def mask_targets(objects, boxes, which):
    """What c2f trains masks with: the cells of an object, interpolated between their middles within its box, 0 outside."""
    made = torch.zeros(len(boxes), MASK, MASK)
    for k, (box, index) in enumerate(zip(boxes.tolist(), which.tolist())):
        (x0, y0, x1, y1), cells = objects[index]
        for i in range(MASK):
            for j in range(MASK):
                u = (box[0] + (box[2] - box[0]) * (j + 0.5) / MASK - x0) / (x1 - x0)
                v = (box[1] + (box[3] - box[1]) * (i + 0.5) / MASK - y0) / (y1 - y0)
                if 0 <= u <= 1 and 0 <= v <= 1:
                    x, y = min(max(u * MASK - 0.5, 0), MASK - 1), min(max(v * MASK - 0.5, 0), MASK - 1)
                    left, top = min(int(x), MASK - 2), min(int(y), MASK - 2)
                    right, down = x - left, y - top
                    upper = (1 - right) * cells[top, left] + right * cells[top, left + 1]
                    lower = (1 - right) * cells[top + 1, left] + right * cells[top + 1, left + 1]
                    made[k, i, j] = float((1 - down) * upper + down * lower)
    return made


def retina():
    backbone = Plain()
    head = RetinaNetHead(CHANNELS, 3, CLASSES)
    net = RetinaNet(
        backbone, CLASSES, anchor_generator=anchor_generator(), head=head, score_thresh=0.55, topk_candidates=70, detections_per_img=100, **COMMON
    )
    for each in (net.head.classification_head, net.head.regression_head):
        each.conv = nn.Sequential(*list(each.conv)[:2])
    return net


def state_of(net, what):
    """The state by c2f's paths."""
    if what in ("cascade", "htc"):
        parts = {f"{name}.{path}": tensor for name, part in net.parts().items() for path, tensor in part.state_dict(keep_vars=True).items()}
    else:
        parts = dict(net.state_dict(keep_vars=True))
    return {path.replace("roi_heads.", "stages.0.", 1) if path.startswith("roi_heads.") else path: each for path, each in parts.items()}


def truths(random, masks):
    truth, targets, objects = numpy.zeros((N, MOST, 7 + (MASK * MASK if masks else 0)), numpy.float32), [], []
    for i, count in enumerate((MOST, 0, 2)):  # one picture has no object
        size = random.uniform(8, 50, (count, 2))
        corner = random.uniform(0, 1, (count, 2)) * ((W, H) - size)
        label = random.integers(0, CLASSES, count)
        truth[i, :count, 0], truth[i, :count, -1] = label, 1
        truth[i, :count, 1:3], truth[i, :count, 3:5] = (corner + size / 2) / (W, H), size / (W, H)
        boxes = numpy.concatenate([corner, corner + size], 1).astype(numpy.float32)
        targets.append({"boxes": torch.from_numpy(boxes), "labels": torch.from_numpy(label + 1)})
        if masks:
            cells = random.uniform(0, 1, (count, MASK, MASK)).astype(numpy.float32)
            truth[i, :count, 6:-1] = cells.reshape(count, MASK * MASK)
            objects.append(list(zip(boxes.tolist(), cells)))
            # torchvision makes masks bytes: they name the object, which the patched project_masks_on_boxes looks up.
            targets[-1]["masks"] = torch.tensor([8 * i + k for k in range(count)], dtype=torch.uint8)[:, None, None].expand(-1, H, W)
    return truth, targets, objects


def answers(found, one_stage):
    rows = numpy.zeros((N, 100, 6 + (MASK * MASK if "masks" in found[0] else 0)), numpy.float32)
    for i, each in enumerate(found):
        count = len(each["scores"])
        rows[i, :count, :4] = each["boxes"] / torch.tensor([W, H, W, H])
        rows[i, :count, 4], rows[i, :count, 5] = each["scores"], each["labels"] - (0 if one_stage else 1)
        if "masks" in each:
            rows[i, :count, 6:] = each["masks"].flatten(1)
    return rows


def flipped(net, heads, batch):
    """Answers of the pictures and the mirrored ones: all candidates of both, which then suppress each other."""
    before, (heads.nms_thresh, heads.detections_per_img) = (heads.nms_thresh, heads.detections_per_img), (2, 10**6)
    both = []
    for one, other in zip(net(batch), net([each.flip(2) for each in batch])):
        other["boxes"] = torch.stack([W - other["boxes"][:, 2], other["boxes"][:, 1], W - other["boxes"][:, 0], other["boxes"][:, 3]], 1)
        all_ = {name: torch.cat([one[name], other[name]]) for name in one}
        kept = operations.batched_nms(all_["boxes"], all_["scores"], all_["labels"], before[0])[: before[1]]
        both.append({name: each[kept] for name, each in all_.items()})
    heads.nms_thresh, heads.detections_per_img = before
    return both


def compare(what):
    random = numpy.random.default_rng(5)
    torch.manual_seed(1)
    masks = what in ("mask", "htc")
    truth, targets, objects = truths(random, masks)
    counts = [len(each["boxes"]) for each in targets]
    net = {
        "plain": lambda: faster(Plain(), counts),
        "both": lambda: faster(Recursive(), counts),
        "cascade": lambda: Cascade(counts),
        "retina": retina,
        "mask": lambda: faster(Plain(), counts, masks=True),
        "htc": lambda: Cascade(counts, objects),
    }[what]()
    roi_heads.project_masks_on_boxes = lambda cells, boxes, which, _: mask_targets(
        [objects[int(each.max()) // 8][int(each.max()) % 8] for each in cells], boxes, which
    )
    if what == "retina":  # classes count from 0
        targets = [each | {"labels": each["labels"] - 1} for each in targets]
    random_state(net, random)
    with torch.no_grad():
        for path, each in state_of(net, what).items():
            if path.endswith(("bbox_pred.weight", "bbox_reg.weight")):  # so that few boxes leave the picture
                each *= 0.05 if path.endswith("pred.weight") else 0.005
            if path.endswith(("cls_score.weight", "cls_logits.weight", "mask_fcn_logits.weight")):  # scores of exactly 1 would have no order
                each *= 0.1
            if path.endswith(("rfp_conv.weight", "weight_diff")) or "_context" in path:
                each *= 0.3
            if path.endswith("switch.weight"):
                each *= 0.05  # S is not clamped: larger ones make maps grow without bound
            if path.endswith(("weight_gamma", "weight_beta")):
                each.copy_(0.2 + 0.05 * each if path.endswith("gamma") else 0.02 * each)
    images = random.normal(0, 1, (N, 3, H, W)).astype(numpy.float32)
    given = {f"state.{path}": each.detach().numpy().copy() for path, each in state_of(net, what).items()}
    given |= {"images": images, "truth": truth, "ids": numpy.array(IDS), "order": numpy.array([SEED, EPOCH])}
    found = call("detectors_step", what, given)

    comparison = Comparison(f"detectors {what}", limit=3e-4)
    batch = list(torch.from_numpy(images))
    net.eval()
    with torch.no_grad():
        rows = answers(net(batch), what == "retina")
        heads = net if what == "retina" else (net.net if what in ("cascade", "htc") else net).roi_heads
        both = answers(flipped(net, heads, batch), what == "retina")
    comparison.add("answer", found["answer"], rows)
    comparison.add("flipped", found["flipped"][:, :, :6], both[:, :, :6])
    if masks:  # those of a box are far from all alike
        comparison.add("masks", found["answer"][:, :, 6:], rows[:, :, 6:])
        assert rows[rows[:, :, 4] > 0][:, 6:].std(1).max() > 0.05
    print(f"detectors {what}: {int((rows[:, :, 4] > 0).sum())} answers")
    net.train()
    losses = net(batch, targets)
    names = {
        "loss_objectness": "rpn.class",
        "loss_rpn_box_reg": "rpn.box",
        "loss_classifier": "stage0.class",
        "loss_box_reg": "stage0.box",
        "loss_mask": "stage0.mask",
        "classification": "head.class",
        "bbox_regression": "head.box",
    }
    comparison.add_all("loss.", found, {names.get(name, name): loss.detach() for name, loss in losses.items()})
    sum(losses.values()).backward()
    for path, each in state_of(net, what).items():
        # A norm follows post_context, so that the gradient of its bias is zero up to rounding.
        if getattr(each, "grad", None) is not None and not path.endswith("post_context.bias"):
            comparison.add(f"gradient.{path}", found[f"gradient.{path}"], each.grad)
    return comparison.passed()


def main():
    return 0 if all([compare(what) for what in ("plain", "both", "cascade", "retina", "mask", "htc")]) else 1


if __name__ == "__main__":
    sys.exit(main())
