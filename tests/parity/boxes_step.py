"""Whole steps of progressive training with boxes, t = 0.5: a localiser on ResNet-18 with the mean of positions, two classes with their
presence, hard and soft edges, against plain PyTorch.

Python draws the boxes by comparing every pixel with the four sides, takes the logarithm of the sigmoid itself, and recomputes the random
draws of the source. Both sides call the same float32 kernels in the same order, so ReLU inputs near 0 have the same sign; the remaining
difference is the drawing, whose sums over thousands of pixels nearly cancel in the gradient of g's biases (relative error 6e-5).
"""
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

from _exchange import Comparison, call
from _philox import SOURCE, uniform
from _reference import ResNet
from networks import random_state

T, LEARNING_RATE, SEED, EPOCH, CLASSES, WIDTH, EDGE = 0.5, 0.01, 2**33 + 7, 5, 2, 32, 3.0


class Localiser(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.backbone = ResNet(18, 10, channels)
        del self.backbone.layer4, self.backbone.fc
        self.head = nn.Sequential(
            nn.Conv2d(256, WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(),
            nn.Conv2d(WIDTH, 5 * CLASSES, 1))

    def forward(self, x):
        b = self.backbone
        x = b.maxpool(b.relu(b.bn1(b.conv1(x))))
        return self.head(b.layer3(b.layer2(b.layer1(x)))).mean((2, 3))


def hard(box, size):
    """One box on an image of size x size; a pixel is inside if its centre is."""
    middle = (torch.arange(size) + 0.5) / size
    across = ((middle > box[0] - box[2] / 2) & (middle < box[0] + box[2] / 2)).float()
    down = ((middle > box[1] - box[3] / 2) & (middle < box[1] + box[3] / 2)).float()
    return down[:, None] * across[None, :]


def soft(box, size):
    """The same with sides EDGE pixels wide."""
    def along(centre, length):
        if float(length.detach()) <= 0:
            return torch.zeros(size)
        inside = length / 2 * size - (torch.arange(size) + 0.5 - centre * size).abs()
        return (inside / EDGE + 0.5).clamp(0, 1)
    return along(box[1], box[3])[:, None] * along(box[0], box[2])[None, :]


class Rasterize(nn.Module):
    def __init__(self, draw):
        super().__init__()
        self.draw = draw
        self.project = nn.Sequential(nn.Conv2d(CLASSES, 3, 3, 1, 1), nn.Conv2d(3, 3, 3, 1, 1))

    def forward(self, boxes, x):
        z = torch.stack([torch.stack([self.draw(box, x.shape[2]) for box in sample]) for sample in boxes])
        for convolution in self.project:
            z = functional.relu(convolution(z))
        return z


class Model(nn.Module):
    def __init__(self, draw):
        super().__init__()
        self.coarse, self.encoder, self.fine = Localiser(3), Rasterize(draw), Localiser(6)

    def forward(self, x, truth, take_truth):
        coarse = self.coarse(x)
        raw = coarse.view(-1, CLASSES, 5)
        prediction = raw[:, :, :4].sigmoid()
        prediction = torch.cat([prediction[:, :, :2], prediction[:, :, 2:] * (raw[:, :, 4:].detach() > 0)], 2)
        true_boxes = truth[:, :, :4].clone()
        true_boxes[:, :, 2:] *= truth[:, :, 4:]
        conditioning = torch.where(take_truth[:, None, None], true_boxes, prediction)
        return coarse, self.fine(torch.cat([x, self.encoder(conditioning, x)], 1))


def loss_of(raw, truth):
    """The sum over four numbers of |log p - log y|, averaged over the boxes that are present, and the cross-entropy of presence."""
    raw = raw.view(-1, CLASSES, 5)
    found = [(torch.log(torch.sigmoid(raw[n, k, :4])) - torch.log(truth[n, k, :4])).abs().sum()
             for n in range(len(truth)) for k in range(CLASSES) if truth[n, k, 4] > 0]
    p = torch.sigmoid(raw[:, :, 4])
    presence = -(truth[:, :, 4] * torch.log(p) + (1 - truth[:, :, 4]) * torch.log(1 - p)).mean()
    return sum(found) / len(found) + presence


def compare(edges, draw):
    random = numpy.random.default_rng(4)
    model = Model(draw)
    random_state(model, random)
    for convolution in model.encoder.project:
        convolution.bias.data += 1  # as initially: no ReLU of g has a negative input
    images = random.normal(0, 1, (8, 3, 64, 64)).astype(numpy.float32)
    size = random.uniform(0.15, 0.6, (8, CLASSES, 2))
    truth = numpy.concatenate([random.uniform(0.3, 0.7, (8, CLASSES, 2)), size, random.integers(0, 2, (8, CLASSES, 1))], 2).astype(numpy.float32)
    truth[0, 0, 4] = 1
    ids = random.permutation(5000)[:8]
    state = {f"state.{name}": tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    found = call("boxes_step", edges, state | {
        "images": images, "truth": truth, "ids": ids, "order": numpy.array([SEED, EPOCH, 2]), "learning_rate": numpy.float32(LEARNING_RATE)})

    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    good, x, y = True, torch.from_numpy(images), torch.from_numpy(truth)
    for step in range(2):
        take_truth = torch.from_numpy(uniform(SEED, SOURCE, EPOCH + step, ids, 1)[:, 0] > T)
        assert 0 < take_truth.sum() < 8
        coarse, fine = model(x, y, take_truth)
        losses = {"coarse": loss_of(coarse, y), "fine": loss_of(fine, y)}
        optimizer.zero_grad()
        sum(losses.values()).backward()
        comparison = Comparison(f"boxes, {edges} edges, step {step}", 1e-3)
        for part, raw in (("coarse", coarse), ("fine", fine)):
            comparison.add(part, found[f"{step}.{part}"], raw.detach())
        comparison.add_all(f"{step}.loss.", found, {name: loss.detach() for name, loss in losses.items()})
        comparison.add_all(f"{step}.gradient.", found, {name: tensor.grad.clone() for name, tensor in model.named_parameters()})
        optimizer.step()
        comparison.add_all(f"{step}.after.", found, dict(model.state_dict()))
        good = comparison.passed() and good
    return good


if __name__ == "__main__":
    good = compare("hard", hard)
    sys.exit(0 if compare("soft", soft) and good else 1)
