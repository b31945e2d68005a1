"""Whole steps of progressive training, ResNet-20 with 100 classes, t = 0.5, against plain PyTorch.

Python computes the draws again, tiles the vectors and updates with torch.optim.SGD; c2f evaluates g with the tile and without.
A float32 gradient is only as good as its ReLUs: where an input lies within rounding of 0, two right programs decide differently,
and that moves a gradient by a percent; among millions of inputs some do. So there are two comparisons:
  float32   32 images, two steps. Both sides call the same kernels in the same order, so they decide alike; with the tile only.
            Without it: what the step does before it meets the gradients, and the update.
  double    4 images, one step, the reference in double precision. The images are such that in the reference no input of a ReLU
            comes near 0, so that nothing is decided by rounding on any machine, with the tile or without.
"""
import copy
import sys

import numpy
import torch
from torch.nn import functional

from _exchange import Comparison, call
from _philox import SOURCE, uniform
from _reference import ResNetCifar, Stack
from networks import random_leaves

T, RATE, SEED, EPOCH, CLASSES = 0.5, 0.1, 2**35 + 11, 3, 100


def smallest_input_of_relu(model):
    """A list that receives, at every call of a ReLU, how near its inputs come to 0."""
    found = []
    for relu in model.modules():
        if isinstance(relu, torch.nn.ReLU):
            relu.register_forward_pre_hook(lambda _, inputs: found.append(float(inputs[0].detach().abs().min())))
    return found


def draws(step, ids):
    """Whether the fine network is told the truth, for each sample."""
    return torch.from_numpy(uniform(SEED, SOURCE, EPOCH + step, ids, 1)[:, 0] > T)


def train(model, images, truth, ids, steps):
    """What each step leaves."""
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9, weight_decay=1e-4)
    model.train()
    for step in range(steps):
        coarse, fine = model(images, truth, draws(step, ids))
        losses = {"coarse": functional.cross_entropy(coarse, truth), "fine": functional.cross_entropy(fine, truth)}
        optimizer.zero_grad()
        sum(losses.values()).backward()
        gradients = {name: leaf.grad.clone() for name, leaf in model.named_parameters()}
        optimizer.step()
        yield {
            "coarse": coarse.detach(), "fine": fine.detach(), "losses": {name: loss.detach() for name, loss in losses.items()},
            "gradients": gradients, "after": {name: leaf.clone() for name, leaf in model.state_dict().items()},
        }


def optimizer_alone(before, found, trained, steps):
    """torch.optim.SGD on the gradients that c2f found: the update without what two steps of float32 add to it."""
    leaves = {name: torch.nn.Parameter(torch.from_numpy(before[f"leaf.{name}"]).double()) for name in trained}
    optimizer = torch.optim.SGD(leaves.values(), RATE, momentum=0.9, weight_decay=1e-4)
    for step in range(steps):
        for name, leaf in leaves.items():
            leaf.grad = torch.from_numpy(found[f"{step}.gradient.{name}"].astype(numpy.float64))
        optimizer.step()
        yield {name: leaf.detach().clone() for name, leaf in leaves.items()}


def new_stack(random):
    model = Stack(lambda channels: ResNetCifar(20, CLASSES, channels=channels), CLASSES)
    random_leaves(model, random)
    for convolution in model.encoder.project:
        convolution.bias.data += 1  # as it begins: nothing of g is behind a closed ReLU
    return model


def images_away_from_kinks(model, random, truth, ids):
    """Images whose step in double precision decides nothing within rounding; float32 is off by 1e-6 at most."""
    trial = copy.deepcopy(model).train()
    distances = smallest_input_of_relu(trial)
    for _ in range(1000):
        images = random.normal(0, 1, (len(truth), 3, 32, 32)).astype(numpy.float32)
        distances.clear()
        with torch.no_grad():
            trial(torch.from_numpy(images).double(), torch.from_numpy(truth), draws(0, ids))
        if min(distances) > 3e-6:
            return images
    sys.exit("no images were found whose step is decided clearly")


def compare(title, batch, steps, exact):
    random = numpy.random.default_rng(20)
    model = new_stack(random)
    before = {f"leaf.{name}": leaf.numpy().copy() for name, leaf in model.state_dict().items()}
    trained = [name for name, _ in model.named_parameters()]
    model.to(torch.float64 if exact else torch.float32)
    truth = random.integers(0, CLASSES, batch)
    ids = random.permutation(50000)[:batch]
    ids[:2] = 0, 2**33 + 5
    assert all(0.2 < draws(step, ids).double().mean() < 0.8 for step in range(steps))
    images = images_away_from_kinks(model, random, truth, ids) if exact else random.normal(0, 1, (batch, 3, 32, 32)).astype(numpy.float32)
    given = before | {"images": images, "truth": truth, "ids": ids, "order": numpy.array([SEED, EPOCH, steps]), "rate": numpy.float32(RATE)}
    wanted = list(train(model, torch.from_numpy(images).to(model.fine.fc.weight.dtype), torch.from_numpy(truth), ids, steps))

    good = True
    for evaluation in ("naive", "compact"):
        found = call("step", evaluation, given)
        for step, want in enumerate(wanted):
            gradients_too = exact or evaluation == "naive"
            if step > 0 and not gradients_too:
                break
            comparison = Comparison(f"{title}, {evaluation}, step {step}")
            for part in ("coarse", "fine"):
                comparison.add(part, found[f"{step}.{part}"], want[part])
            comparison.add_all(f"{step}.loss.", found, want["losses"])
            if gradients_too:
                comparison.add_all(f"{step}.gradient.", found, want["gradients"])
                comparison.add_all(f"{step}.after.", found, want["after"])
            good = comparison.verdict() and good
        update = Comparison(f"{title}, {evaluation}, update", 1e-6)
        for step, leaves in enumerate(optimizer_alone(before, found, trained, steps)):
            for name, leaf in leaves.items():  # two steps: the momentum is the difference of the second and the first
                update.add(f"{step}.{name}", found[f"{step}.after.{name}"], leaf)
        good = update.verdict() and good
    return good


def main():
    good = compare("float32", 32, 2, exact=False)
    good = compare("double", 4, 1, exact=True) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
