"""FCN-8s of c2f against plain PyTorch with the names of the usual translations, from the same weights: output, loss, every gradient.

The widths of VGG-16 with a narrow fc6 at 64x64 pixels, and everything narrow with 21 classes at a size that no pooling divides. c2f
keeps the frozen up-sampling layers that it made itself and returns them; Python's are made here from the formula.
"""
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

from _exchange import Comparison, call


def bilinear(classes, kernel):
    """The bilinear kernel of Long et al., from each class to itself."""
    middle = torch.arange(kernel) - (kernel - 1) / 2
    tent = 1 - middle.abs() / (kernel // 2)
    weight = torch.zeros(classes, classes, kernel, kernel)
    for k in range(classes):
        weight[k, k] = tent[:, None] * tent[None, :]
    return weight


class Fcn8s(nn.Module):
    def __init__(self, classes, hidden, width, channels=3):
        super().__init__()
        self.stages = []
        for stage, (convolutions, out) in enumerate([(2, width), (2, 2 * width), (3, 4 * width), (3, 8 * width), (3, 8 * width)], 1):
            self.stages.append([f"conv{stage}_{i + 1}" for i in range(convolutions)])
            for name in self.stages[-1]:
                setattr(self, name, nn.Conv2d(channels, out, 3, padding=100 if name == "conv1_1" else 1))
                channels = out
        self.fc6 = nn.Conv2d(channels, hidden, 7)
        self.fc7 = nn.Conv2d(hidden, hidden, 1)
        self.score_fr = nn.Conv2d(hidden, classes, 1)
        self.score_pool3 = nn.Conv2d(4 * width, classes, 1)
        self.score_pool4 = nn.Conv2d(8 * width, classes, 1)
        for name, kernel, stride in [("upscore2", 4, 2), ("upscore8", 16, 8), ("upscore_pool4", 4, 2)]:
            layer = nn.ConvTranspose2d(classes, classes, kernel, stride, bias=False)
            layer.weight = nn.Parameter(bilinear(classes, kernel), requires_grad=False)
            setattr(self, name, layer)

    def forward(self, x):
        pools, y = [], x
        for names in self.stages:
            for name in names:
                y = functional.relu(getattr(self, name)(y))
            y = functional.max_pool2d(y, 2, ceil_mode=True)
            pools.append(y)
        y = functional.relu(self.fc7(functional.relu(self.fc6(y))))
        y = self.upscore2(self.score_fr(y))
        y = self.upscore_pool4(y + self.score_pool4(pools[3])[:, :, 5 : 5 + y.shape[2], 5 : 5 + y.shape[3]])
        y = self.upscore8(y + self.score_pool3(pools[2])[:, :, 9 : 9 + y.shape[2], 9 : 9 + y.shape[3]])
        return y[:, :, 31 : 31 + x.shape[2], 31 : 31 + x.shape[3]]


def loss_of(raw, truth, classes):
    if classes > 1:
        return functional.cross_entropy(raw, truth, ignore_index=255)
    counted = truth != 255
    return functional.binary_cross_entropy_with_logits(raw[:, 0][counted], truth[counted].to(raw.dtype))


def main():
    good = True
    for number, (name, classes, hidden, width, size) in enumerate([("narrow", 21, 32, 8, (50, 37)), ("published", 1, 64, 64, (64, 64))]):
        random = numpy.random.default_rng(number)
        network = Fcn8s(classes, hidden, width)
        for path, tensor in network.named_parameters():
            if path.startswith("upscore"):
                continue
            scale = 0.1 if tensor.dim() == 1 else (2 / tensor[0].numel()) ** 0.5
            tensor.data.copy_(torch.from_numpy(random.normal(0, scale, tensor.shape)))
        images = random.normal(0, 1, (1, 3, *size)).astype(numpy.float32)
        truth = random.integers(0, max(classes, 2), (1, *size))
        truth[:, :5] = 255
        state = {path: tensor.numpy().copy() for path, tensor in network.state_dict().items()}
        frozen = {path: tensor for path, tensor in state.items() if path.startswith("upscore")}
        given = {f"state.{path}": tensor for path, tensor in state.items() if path not in frozen}
        found = call("fcn8s", name, given | {"images": images, "truth": truth})
        raw = network(torch.from_numpy(images))
        loss = loss_of(raw, torch.from_numpy(truth), classes)
        loss.backward()
        comparison = Comparison(name)
        comparison.add("raw", found["raw"], raw.detach())
        comparison.add("loss", found["loss"], loss.detach())
        comparison.add_all("gradient.", found, {path: tensor.grad for path, tensor in network.named_parameters() if tensor.requires_grad})
        comparison.add_all("frozen.", found, frozen)
        good = comparison.passed() and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
