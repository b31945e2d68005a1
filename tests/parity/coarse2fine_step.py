"""Joint steps of Coarse2Fine against plain PyTorch: a backbone of stride 4 on 33x41 pixels, four maps, two steps.

  coarse2fine   one map a sample at random, the up-sampler by conv_transpose2d, centres updated by class means of both passes
  mean          the mean of the maps
  l2            the squares of the products of all pairs of maps as a loss

Losses, every gradient, the centres and the state after each step are compared.
"""
import itertools
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

from _exchange import Comparison, call
from _philox import uniform
from networks import random_state

LEARNING_RATE, SEED, EPOCH, STEPS, ATTENTION = 0.01, 2**34 + 9, 3, 2, 13
HEIGHT, WIDTH, CLASSES, MAPS, CHANNELS, SCALE, LAMBDA, BETA = 33, 41, 5, 4, 10, 10, 0.5, 0.05


class Pooling(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.Conv2d(CHANNELS, MAPS, 1, bias=False)

    def forward(self, x):
        maps = functional.relu(self.attention(x))
        rows = torch.einsum("nmhw,nchw->nmc", maps, x).flatten(1) / (x.shape[2] * x.shape[3])
        return functional.normalize(torch.sign(rows) * torch.sqrt(rows.abs() + 1e-12), dim=1) * SCALE, maps


class Centres(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("centres", torch.zeros(CLASSES, MAPS * CHANNELS))

    def forward(self, f, truth):
        f = f / SCALE
        loss = LAMBDA * (f - self.centres[truth].clone()).square().sum(1).mean()
        for label in truth.unique():
            self.centres[label] += BETA * (f[truth == label].detach().mean(0) - self.centres[label])
        return loss


class Doubling(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(1, 1, 4, 4)), nn.Parameter(torch.empty(1))

    def forward(self, x):
        wide = functional.pad(x, (1, 1, 1, 1), mode="replicate")
        return functional.conv_transpose2d(wide, self.weight, self.bias, stride=2)[:, :, 3:-3, 3:-3]


class Coarse2Fine(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name = name
        backbone = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
                                 nn.Conv2d(6, CHANNELS, 3, 2, 1, bias=False), nn.BatchNorm2d(CHANNELS), nn.ReLU())
        self.share = nn.Sequential(backbone, Pooling(), Centres())
        self.coarse = nn.Sequential(nn.Linear(MAPS * CHANNELS, CLASSES))
        self.fine = nn.Sequential(nn.Linear(MAPS * CHANNELS, CLASSES))
        self.encoder = nn.Module()
        self.encoder.up = nn.Sequential(Doubling(), Doubling())

    def look(self, x, truth, stage, losses):
        f, maps = self.share[1](self.share[0](x))
        losses[f"{stage}.centre"] = self.share[2](f, truth)
        if self.name == "l2":
            pairs = [(maps[:, i] * maps[:, j]).square().mean() for i, j in itertools.combinations(range(MAPS), 2)]
            losses[f"{stage}.overlap"] = sum(pairs) / len(pairs)
        return f, maps

    def forward(self, x, truth, ids, epoch):
        losses = {}
        f, maps = self.look(x, truth, "coarse", losses)
        coarse = self.coarse(f)
        if self.name == "mean":
            one = maps.mean(1, keepdim=True)
        else:
            chosen = numpy.ceil(uniform(SEED, ATTENTION, epoch, ids, 1)[:, 0] * MAPS).astype(int) - 1
            one = torch.stack([maps[i, k : k + 1] for i, k in enumerate(chosen)])
        mask = functional.interpolate(self.encoder.up(one), size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)
        mask = mask.relu()
        most = mask.amax((2, 3), keepdim=True)
        mask = mask / most.masked_fill(most <= 1e-3, 1)
        fine = self.fine(self.look(x * mask, truth, "fine", losses)[0])
        losses["coarse"], losses["fine"] = functional.cross_entropy(coarse, truth), functional.cross_entropy(fine, truth)
        return coarse, fine, losses


def main():
    good = True
    for number, name in enumerate(["coarse2fine", "mean", "l2"]):
        random = numpy.random.default_rng(number)
        model = Coarse2Fine(name)
        random_state(model, random)
        for layer in model.encoder.up:
            layer.weight.data.abs_()
        truth = numpy.array([0, 3, 3, 1, 0, 4])
        ids = numpy.array([3, 2**33 + 5, 70, 11, 12, 13])
        images = random.normal(0, 1, (len(ids), 3, HEIGHT, WIDTH)).astype(numpy.float32)
        given = {f"state.{path}": tensor.numpy().copy() for path, tensor in model.state_dict().items()}
        found = call("coarse2fine_step", name, given | {
            "images": images, "truth": truth, "ids": ids, "order": numpy.array([SEED, EPOCH, STEPS]), "learning_rate": numpy.float32(LEARNING_RATE)})

        model.train()
        optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9, weight_decay=1e-4)
        comparison = Comparison(name)
        for step in range(STEPS):
            coarse, fine, losses = model(torch.from_numpy(images), torch.from_numpy(truth), ids, EPOCH + step)
            optimizer.zero_grad()
            sum(losses.values()).backward()
            comparison.add(f"{step}.coarse", found[f"{step}.coarse"], coarse.detach())
            comparison.add(f"{step}.fine", found[f"{step}.fine"], fine.detach())
            comparison.add_all(f"{step}.loss.", found, {part: loss.detach() for part, loss in losses.items()})
            comparison.add_all(f"{step}.gradient.", found, {path: tensor.grad for path, tensor in model.named_parameters()})
            optimizer.step()
            comparison.add_all(f"{step}.after.", found, model.state_dict())
        good = comparison.passed() and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
