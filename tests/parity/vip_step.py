"""A step of ViP-DeepLab against plain PyTorch: two frames, five losses with the published weights, SGD."""
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

from _exchange import Comparison, call
from networks import random_state

LEARNING_RATE = 0.001


def convolution(channels, width, kernel=3, stride=1, dilation=1):
    return [nn.Conv2d(channels, width, kernel, stride, dilation * (kernel // 2), dilation, bias=False), nn.BatchNorm2d(width), nn.ReLU()]


def block(*arguments, **named):
    return nn.Sequential(*convolution(*arguments, **named))


def separable(channels, width):
    depthwise = [nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*depthwise, *convolution(channels, width, 1))


class ASPP(nn.Module):
    def __init__(self, channels, width=32, rates=(1, 2, 3)):
        super().__init__()
        self.local = block(channels, width, 1)
        for i, rate in enumerate(rates):
            setattr(self, f"rate{i}", block(channels, width, dilation=rate))
        self.pooled = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())
        self.project = block(5 * width, width, 1)

    def forward(self, x):
        whole = self.pooled(functional.adaptive_avg_pool2d(x, 1))
        return self.project(torch.cat([self.local(x), self.rate0(x), self.rate1(x), self.rate2(x), whole.expand(-1, -1, *x.shape[2:])], 1))


class Cascade(nn.ModuleList):
    def __init__(self, channels):
        super().__init__(ASPP(channels + 32 * i) for i in range(4))

    def forward(self, x):
        seen = [x]
        for module in self:
            seen.append(module(torch.cat(seen, 1)))
        return seen[-1]


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = block(3, 16, stride=2)
        self.layer2 = block(16, 32, stride=2)
        self.layer3 = nn.Sequential(block(32, 64, stride=2), block(64, 64, dilation=2))

    def forward(self, x):
        fine = self.layer1(x)
        middle = self.layer2(fine)
        return fine, middle, self.layer3(middle)


def resize(x, size):
    return functional.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.middle = block(32, 24, 1)
        self.joined_middle = separable(32 + 24, 32)
        self.fine = block(16, 16, 1)
        self.joined_fine = separable(32 + 16, 32)

    def forward(self, deep, middle, fine):
        x = self.joined_middle(torch.cat([resize(deep, middle.shape[2:]), self.middle(middle)], 1))
        return self.joined_fine(torch.cat([resize(x, fine.shape[2:]), self.fine(fine)], 1))


def head(width, out):
    return nn.Sequential(separable(32, width), nn.Conv2d(width, out, 1))


class ViP(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.semantic_context, self.instance_context, self.next_context = ASPP(64), ASPP(64), Cascade(128)
        self.semantic_decoder, self.instance_decoder, self.next_decoder = Decoder(), Decoder(), Decoder()
        self.semantic, self.centre, self.offset, self.next_offset, self.depth = head(24, 5), head(16, 1), head(16, 2), head(16, 2), head(16, 1)

    def forward(self, x):
        fine, middle, deep = (level.chunk(2) for level in self.backbone(torch.cat([x[:, :3], x[:, 3:]])))
        semantic = self.semantic_decoder(self.semantic_context(deep[0]), middle[0], fine[0])
        instance = self.instance_decoder(self.instance_context(deep[0]), middle[0], fine[0])
        moved = self.next_decoder(self.next_context(torch.cat(deep, 1)), middle[1], fine[1])
        larger = resize(semantic, (2 * size for size in semantic.shape[2:]))
        raws = self.semantic(semantic), self.centre(instance), self.offset(instance), self.next_offset(moved), self.depth(larger)
        return [resize(raw, x.shape[2:]) for raw in raws]


def losses(raws, truth):
    semantic, centre, offset, next_offset, depth = raws
    each = (functional.cross_entropy(semantic, truth[:, 0].long(), ignore_index=255, reduction="none") * truth[:, 1]).flatten()
    hardest = each.sort(descending=True)[0][: int(0.2 * each.numel())]
    weighted = lambda error, weight: (error.sum(1) * weight).sum() / weight.sum()
    images = []
    for found, wanted in zip(88 * depth.sigmoid(), truth[:, 10:]):
        found, wanted = found[wanted > 0], wanted[wanted > 0]
        delta = wanted.log() - found.log()
        images.append((delta**2).mean() - delta.mean() ** 2 + (((wanted - found) / wanted) ** 2).mean().sqrt())
    return {
        "semantic": hardest.sum() / (hardest > 0).sum(),
        "centre": 200 * weighted((centre - truth[:, 2:3]) ** 2, truth[:, 3]),
        "offset": 0.01 * weighted((offset - truth[:, 4:6]).abs(), truth[:, 6]),
        "next": 0.01 * weighted((next_offset - truth[:, 7:9]).abs(), truth[:, 9]),
        "depth": 0.1 * sum(images) / len(images),
    }


def main():
    random = numpy.random.default_rng(3)
    model = ViP()
    random_state(model, random)
    n, height, width = 3, 24, 32
    truth = random.uniform(0, 1, (n, 11, height, width)).astype(numpy.float32)
    truth[:, 0] = random.integers(0, 5, (n, height, width))
    truth[:, 0, :2] = 255
    truth[:, 1] = random.choice([1, 3], (n, height, width))
    for plane in (3, 6, 9):
        truth[:, plane] = random.integers(0, 2, (n, height, width))
    for plane in (4, 5, 7, 8):
        truth[:, plane] = random.normal(0, 5, (n, height, width))
    truth[:, 10] = random.uniform(4, 80, (n, height, width)) * (random.uniform(0, 1, (n, height, width)) > 0.2)
    images = random.normal(0, 1, (n, 6, height, width)).astype(numpy.float32)
    given = {f"state.{path}": tensor.numpy().copy() for path, tensor in model.state_dict().items()}
    found = call("vip_step", "small", given | {"images": images, "truth": truth, "learning_rate": numpy.float32(LEARNING_RATE)})

    model.train()
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9)
    raws = model(torch.from_numpy(images))
    parts = losses(raws, torch.from_numpy(truth))
    optimizer.zero_grad()
    sum(parts.values()).backward()
    comparison = Comparison("vip")
    comparison.add("raw", found["raw"], torch.cat(raws, 1).detach())
    comparison.add_all("loss.", found, {name: loss.detach() for name, loss in parts.items()})
    comparison.add_all("gradient.", found, {path: tensor.grad for path, tensor in model.named_parameters()})
    optimizer.step()
    comparison.add_all("after.", found, model.state_dict())
    return 0 if comparison.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
