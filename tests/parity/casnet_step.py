"""Steps of CasNet against plain PyTorch: a backbone of stride 8 with a dilated convolution, on 65x83 pixels, with void pixels.

  gate     adaptive pooling, the mixture by logaddexp, the label by argmax; the attention loss has the weight .5
  static   the mean of both predictions
  ohem     the fifth of the pixels with the largest losses, of both outputs
  pt       the fine head also reads the coarse prediction or the truth, encoded, t = 0.5

Losses, every gradient and the state after the step are compared.
"""
import sys

import math
import numpy
import torch
from torch import nn
from torch.nn import functional

from _exchange import Comparison, call
from _philox import SOURCE, uniform
from networks import random_state

T, LEARNING_RATE, SEED, EPOCH, VOID = 0.5, 0.01, 2**34 + 9, 3, 11
HEIGHT, WIDTH, CLASSES, BINS = 65, 83, 4, (1, 2, 3, 6)


def head(channels, out, width=8):
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, out, 1))


class Pyramid(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        for number in range(len(BINS)):
            self.add_module(str(number), nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()))

    def forward(self, x):
        size = x.shape[2:]
        return torch.cat([x] + [
            functional.interpolate(branch(functional.adaptive_avg_pool2d(x, bins)), size=size, mode="bilinear", align_corners=False)
            for bins, branch in zip(BINS, self.children())], 1)


class Casnet(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name, layers, channels = name, [], 3
        for width in (6, 8, 10):
            layers += [nn.Conv2d(channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.share = nn.Sequential(*layers, nn.Conv2d(10, 10, 3, padding=2, dilation=2, bias=False))
        self.coarse = head(10, CLASSES)
        seen = 20 if name == "pt" else 10
        self.fine = nn.Sequential(Pyramid(seen, 5), *head(seen + 20, CLASSES))
        if name == "pt":
            self.encoder = nn.Module()
            self.encoder.project = nn.Sequential(nn.Conv2d(CLASSES, 10, 3, padding=1), nn.Conv2d(10, 10, 3, padding=1))
        if name != "static":
            self.combine = nn.Module()
            self.combine.head = head(10, 2)

    def forward(self, x, truth, ids):
        large = lambda y: functional.interpolate(y, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)
        f = self.share(x)
        coarse, seen = large(self.coarse(f)), f
        if self.name == "pt":
            real = (torch.arange(CLASSES)[None, :, None, None] == truth[:, None]).to(x.dtype)
            z = functional.adaptive_avg_pool2d(torch.where(takes_truth(ids), real, coarse.softmax(1)), f.shape[2:])
            for convolution in self.encoder.project:
                z = functional.relu(convolution(z))
            seen = torch.cat([f, z], 1)
        fine = large(self.fine(seen))
        if self.name == "static":
            log_easy = log_hard = math.log(0.5)
        else:
            attention = large(self.combine.head(f)).log_softmax(1)
            log_hard, log_easy = attention[:, :1], attention[:, 1:]
        mixture = torch.logaddexp(coarse.log_softmax(1) + log_easy, fine.log_softmax(1) + log_hard)
        losses = {"coarse": self.loss(coarse.log_softmax(1), truth), "fine": self.loss(mixture, truth)}
        if self.name != "static":
            label = (coarse.argmax(1) == truth).long()
            label[truth == VOID] = VOID
            losses["gate"] = 0.5 * functional.nll_loss(attention, label, ignore_index=VOID)
        return coarse, fine, losses

    def loss(self, log_p, truth):
        if self.name != "ohem":
            return functional.nll_loss(log_p, truth, ignore_index=VOID)
        each = functional.nll_loss(log_p, truth, ignore_index=VOID, reduction="none")[truth != VOID]
        return each.topk(math.ceil(0.2 * len(each)))[0].mean()


def takes_truth(ids):
    return torch.from_numpy(uniform(SEED, SOURCE, EPOCH, ids, 1)[:, 0] > T)[:, None, None, None]


def main():
    good = True
    for number, name in enumerate(["gate", "static", "ohem", "pt"]):
        random = numpy.random.default_rng(number)
        model = Casnet(name)
        random_state(model, random)
        truth = random.integers(0, CLASSES, (4, HEIGHT // 8 + 1, WIDTH // 8 + 1)).repeat(8, 1).repeat(8, 2)[:, :HEIGHT, :WIDTH]
        truth[:, :3], truth[2] = VOID, VOID  # one picture is all void
        ids = numpy.array([3, 2**33 + 5, 70, 11])
        assert 0 < takes_truth(ids).sum() < 4
        images = random.normal(0, 1, (4, 3, HEIGHT, WIDTH)).astype(numpy.float32)
        given = {f"state.{path}": tensor.numpy().copy() for path, tensor in model.state_dict().items()}
        found = call("casnet_step", name, given | {
            "images": images, "truth": truth, "ids": ids, "order": numpy.array([SEED, EPOCH, 1]), "learning_rate": numpy.float32(LEARNING_RATE)})

        model.train()
        optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9, weight_decay=1e-4)
        coarse, fine, losses = model(torch.from_numpy(images), torch.from_numpy(truth), ids)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        comparison = Comparison(name)
        comparison.add("coarse", found["0.coarse"], coarse.detach())
        comparison.add("fine", found["0.fine"], fine.detach())
        comparison.add_all("0.loss.", found, {part: loss.detach() for part, loss in losses.items()})
        comparison.add_all("0.gradient.", found, {path: tensor.grad for path, tensor in model.named_parameters()})
        optimizer.step()
        comparison.add_all("0.after.", found, model.state_dict())
        good = comparison.passed() and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
