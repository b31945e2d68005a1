"""Whole steps of progressive training, ResNet-20 with 100 classes, t = 0.5, against plain PyTorch.

Python recomputes the random draws, tiles the vectors and updates with torch.optim.SGD; c2f evaluates g by its definition (naive) and in
its compact form. ReLU limits the accuracy of a float32 gradient: where an input is within rounding error of 0, two correct programs may
get different signs, which changes a gradient by a percent; among millions of inputs this happens. So there are two comparisons:
  float32   32 images, two steps, naive form: both sides call the same kernels in the same order, so the signs agree. For the compact
            form only outputs, losses and the update are compared.
  double    4 images, one step, the reference in double precision. The images are chosen such that no ReLU input of the reference is
            near 0, so that rounding changes no sign on any machine, in either form.
"""
import copy
import sys

import numpy
import torch
from torch.nn import functional

from _exchange import Comparison, call
from _philox import SOURCE, uniform
from _reference import ResNetCifar, Stack
from networks import random_state

T, LEARNING_RATE, SEED, EPOCH, CLASSES = 0.5, 0.1, 2**35 + 11, 3, 100


def smallest_input_of_relu(model):
    """A list that receives, at every call of a ReLU, the smallest absolute value of its input."""
    found = []
    for relu in model.modules():
        if isinstance(relu, torch.nn.ReLU):
            relu.register_forward_pre_hook(lambda _, inputs: found.append(float(inputs[0].detach().abs().min())))
    return found


def draws(step, ids):
    """Whether the fine network is conditioned on the truth, for each sample."""
    return torch.from_numpy(uniform(SEED, SOURCE, EPOCH + step, ids, 1)[:, 0] > T)


def train(model, images, truth, ids, steps):
    """Outputs, losses, gradients and state of each step."""
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9, weight_decay=1e-4)
    model.train()
    for step in range(steps):
        coarse, fine = model(images, truth, draws(step, ids))
        losses = {"coarse": functional.cross_entropy(coarse, truth), "fine": functional.cross_entropy(fine, truth)}
        optimizer.zero_grad()
        sum(losses.values()).backward()
        gradients = {name: tensor.grad.clone() for name, tensor in model.named_parameters()}
        optimizer.step()
        yield {
            "coarse": coarse.detach(), "fine": fine.detach(), "losses": {name: loss.detach() for name, loss in losses.items()},
            "gradients": gradients, "after": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        }


def optimizer_alone(before, found, trained, steps):
    """torch.optim.SGD on the gradients of c2f: the update alone, without the rounding differences of the gradients."""
    state = {name: torch.nn.Parameter(torch.from_numpy(before[f"state.{name}"]).double()) for name in trained}
    optimizer = torch.optim.SGD(state.values(), LEARNING_RATE, momentum=0.9, weight_decay=1e-4)
    for step in range(steps):
        for name, tensor in state.items():
            tensor.grad = torch.from_numpy(found[f"{step}.gradient.{name}"].astype(numpy.float64))
        optimizer.step()
        yield {name: tensor.detach().clone() for name, tensor in state.items()}


def new_stack(random):
    model = Stack(lambda channels: ResNetCifar(20, CLASSES, channels=channels), CLASSES)
    random_state(model, random)
    for convolution in model.encoder.project:
        convolution.bias.data += 1  # as initially: no ReLU of g has a negative input
    return model


def images_away_from_kinks(model, random, truth, ids):
    """Images for which no ReLU input is near 0 in double precision; the error of float32 is at most 1e-6."""
    trial = copy.deepcopy(model).train()
    distances = smallest_input_of_relu(trial)
    for _ in range(1000):
        images = random.normal(0, 1, (len(truth), 3, 32, 32)).astype(numpy.float32)
        distances.clear()
        with torch.no_grad():
            trial(torch.from_numpy(images).double(), torch.from_numpy(truth), draws(0, ids))
        if min(distances) > 3e-6:
            return images
    sys.exit("no images were found whose ReLU inputs are all away from 0")


def compare(title, batch, steps, exact):
    random = numpy.random.default_rng(20)
    model = new_stack(random)
    before = {f"state.{name}": tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    trained = [name for name, _ in model.named_parameters()]
    model.to(torch.float64 if exact else torch.float32)
    truth = random.integers(0, CLASSES, batch)
    ids = random.permutation(50000)[:batch]
    ids[:2] = 0, 2**33 + 5
    assert all(0.2 < draws(step, ids).double().mean() < 0.8 for step in range(steps))
    images = images_away_from_kinks(model, random, truth, ids) if exact else random.normal(0, 1, (batch, 3, 32, 32)).astype(numpy.float32)
    given = before | {"images": images, "truth": truth, "ids": ids, "order": numpy.array([SEED, EPOCH, steps]),
                      "learning_rate": numpy.float32(LEARNING_RATE)}
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
            good = comparison.passed() and good
        update = Comparison(f"{title}, {evaluation}, update", 1e-6)
        for step, state in enumerate(optimizer_alone(before, found, trained, steps)):
            for name, tensor in state.items():  # two steps: the momentum is the difference of the second and the first
                update.add(f"{step}.{name}", found[f"{step}.after.{name}"], tensor)
        good = update.passed() and good
    return good


def main():
    good = compare("float32", 32, 2, exact=False)
    good = compare("double", 4, 1, exact=True) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
