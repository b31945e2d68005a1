"""A step of progressive training of dense maps against plain PyTorch, t = 0.5, two U-Nets on 32x32 pixels.

  concatenate   three classes and ignored pixels, cross-entropy, g of two convolutions
  crop          a mask, Dice, the saliency of RSTN, multiplied, and a crop whose jitter is drawn

Python recomputes the random draws. Both sides call the same float32 kernels in the same order, so ReLU inputs near 0 have the same sign.
"""
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

from _exchange import Comparison, call
from _philox import SOURCE, uniform
from networks import random_state

CROP = 8  # c2f::purpose::crop
T, LEARNING_RATE, SEED, EPOCH, MARGIN, JITTER, MULTIPLE = 0.5, 0.01, 2**34 + 7, 5, 2, 4, 4


def two_convolutions(channels, width):
    layers = []
    for _ in range(2):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers)


class Level(nn.Module):
    def __init__(self, depth, channels, width):
        super().__init__()
        self.down = two_convolutions(channels, width)
        self.below = Level(depth - 1, width, 2 * width) if depth > 1 else two_convolutions(width, 2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.joined = two_convolutions(2 * width, width)

    def forward(self, x):
        y = self.down(x)
        return self.joined(torch.cat([y, self.up(self.below(functional.max_pool2d(y, 2)))], 1))


class UNet(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.levels = Level(2, channels, 8)
        self.head = nn.Conv2d(8, classes, 1)

    def forward(self, x):
        return self.head(self.levels(x))


class Concatenate(nn.Module):
    classes = 3

    def __init__(self):
        super().__init__()
        self.coarse = UNet(3, 3)
        self.encoder = nn.Module()
        self.encoder.project = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1))
        self.fine = UNet(6, 3)

    def forward(self, x, truth, ids):
        coarse = self.coarse(x)
        conditioning = (torch.arange(3)[None, :, None, None] == truth[:, None]).to(x.dtype)  # 0 where the truth is 255
        z = torch.where(takes_truth(ids), conditioning, coarse.softmax(1))
        for convolution in self.encoder.project:
            z = functional.relu(convolution(z))
        return coarse, self.fine(torch.cat([x, z], 1))

    @staticmethod
    def loss(raw, truth):
        return functional.cross_entropy(raw, truth, ignore_index=255)

    loss_weights = 1, 1


class Crop(nn.Module):
    classes = 2

    def __init__(self):
        super().__init__()
        self.coarse = UNet(3, 1)
        self.encoder = nn.Module()
        self.encoder.conv1 = nn.Conv2d(1, 3, 3, padding=1)
        self.encoder.conv2 = nn.Conv2d(3, 3, 5, padding=2)
        self.fine = UNet(3, 1)

    def forward(self, x, truth, ids):
        coarse = self.coarse(x)
        conditioning = torch.where(takes_truth(ids), (truth[:, None] == 1).to(x.dtype), coarse.sigmoid())
        joined = x * self.encoder.conv2(functional.relu(self.encoder.conv1(conditioning)))
        boxes = self.boxes(conditioning.detach(), ids)
        raw = self.fine(torch.cat([joined[i : i + 1, :, a:b, c:d] for i, (a, b, c, d) in enumerate(boxes)]))
        fine = torch.full_like(coarse, -9999999.0)
        for i, (a, b, c, d) in enumerate(boxes):
            fine[i, :, a:b, c:d] = raw[i]
        return coarse, fine

    @staticmethod
    def boxes(conditioning, ids):
        size = conditioning.shape[-1]
        draws = uniform(SEED, CROP, EPOCH, ids, 5)
        jittered = draws[:, :1] <= 0.5
        below = numpy.floor((draws[:, 1:] * 2.0**32 - 1) * (JITTER + 1) / 2.0**32)
        margins = numpy.where(jittered, below, MARGIN).astype(int)
        assert jittered.any() and not jittered.all()
        found = []
        for i, (top, bottom, left, right) in enumerate(margins):
            ys, xs = numpy.nonzero(conditioning[i, 0].numpy() >= 0.5)
            assert len(ys) and len(ys) < size * size
            found.append([max(0, ys.min() - top), min(size, ys.max() + 1 + bottom), max(0, xs.min() - left), min(size, xs.max() + 1 + right)])
        for axis in (0, 2):
            wanted = -(-max(box[axis + 1] - box[axis] for box in found) // MULTIPLE) * MULTIPLE
            for box in found:
                start = min(max(0, box[axis] - (wanted - (box[axis + 1] - box[axis])) // 2), size - wanted)
                box[axis : axis + 2] = start, start + wanted
        assert found[0][1] - found[0][0] < size and found[0][3] - found[0][2] < size
        return found

    @staticmethod
    def loss(raw, truth):
        counted = (truth != 255).flatten(1)
        p, y = raw.sigmoid().flatten(1) * counted, (truth == 1).flatten(1).to(raw.dtype)
        return 1 - ((2 * (p * y).sum(1) + 1e-6) / (p.sum(1) + y.sum(1) + 1e-6)).mean()

    loss_weights = 0.25, 0.75


def takes_truth(ids):
    return torch.from_numpy(uniform(SEED, SOURCE, EPOCH, ids, 1)[:, 0] > T)[:, None, None, None]


def learn(network, images, mask):
    """A few steps, so that the predicted foreground is near the mask."""
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(network(images)[:, 0], mask.float()).backward()
        optimizer.step()
    optimizer.zero_grad()


def main():
    good = True
    for number, (name, model) in enumerate([("concatenate", Concatenate()), ("crop", Crop())]):
        random = numpy.random.default_rng(number)
        random_state(model, random)
        for path, tensor in model.named_parameters():
            if path.startswith("encoder") and path.endswith("bias"):
                tensor.data += 1
        truth = numpy.zeros((4, 32, 32), numpy.int64)
        for i in range(4):
            truth[i, 6 + i : 15 + i, 9 : 20 + i] = 1 + i % (model.classes - 1)
        truth[:, :2] = 255
        ids = numpy.array([3, 2**33 + 5, 70, 11])
        assert 0 < takes_truth(ids).sum() < 4
        images = random.normal(0, 0.3, (4, 3, 32, 32)).astype(numpy.float32)
        images += 2 * (truth == 1)[:, None]
        if name == "crop":
            learn(model.coarse, torch.from_numpy(images), torch.from_numpy(truth == 1))
        given = {f"state.{path}": tensor.numpy().copy() for path, tensor in model.state_dict().items()}
        found = call("dense_step", name, given | {
            "images": images, "truth": truth, "ids": ids, "order": numpy.array([SEED, EPOCH, 1]), "learning_rate": numpy.float32(LEARNING_RATE)})

        model.train()
        optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9)
        truth = torch.from_numpy(truth)
        coarse, fine = model(torch.from_numpy(images), truth, ids)
        losses = {"coarse": model.loss_weights[0] * model.loss(coarse, truth), "fine": model.loss_weights[1] * model.loss(fine, truth)}
        optimizer.zero_grad()
        sum(losses.values()).backward()
        comparison = Comparison(name)
        comparison.add("coarse", found["0.coarse"], coarse.detach())
        comparison.add("fine", found["0.fine"], fine.detach())
        inside = (fine.detach() > -1e6).numpy()
        comparison.add("fine inside", numpy.where(inside, found["0.fine"], 0), numpy.where(inside, fine.detach().numpy(), 0))
        comparison.add_all("0.loss.", found, {part: loss.detach() for part, loss in losses.items()})
        comparison.add_all("0.gradient.", found, {path: tensor.grad for path, tensor in model.named_parameters()})
        optimizer.step()
        comparison.add_all("0.after.", found, model.state_dict())
        good = comparison.passed() and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
