"""The networks of dynamic few-shot learning against plain PyTorch: the feature extractor, and both weight generators with the grown cosine
classifier, by the equations of Gidaris and Komodakis (CVPR 2018), one class at a time."""
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

from _exchange import Comparison, call
from networks import random_state

BASE, WAY, SHOT, CHANNELS = 8, 3, 2, 12


class Block(nn.Module):
    def __init__(self, before, width):
        super().__init__()
        layers = []
        for channels in (before, width, width):
            layers += [nn.BatchNorm2d(channels), nn.LeakyReLU(0.1), nn.Conv2d(channels, width, 3, padding=1, bias=False)]
        self.body, self.shortcut = nn.Sequential(*layers), nn.Conv2d(before, width, 1)

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def extractor():
    layers, before = [nn.Conv2d(3, 64, 3, padding=1)], 64
    for width in (64, 96, 128, 256):
        layers += [Block(before, width), nn.MaxPool2d(2)]
        before = width
    return nn.Sequential(*layers, Mean(), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 384), nn.Identity(), nn.BatchNorm1d(384), nn.ReLU(),
                         nn.Linear(384, 512), nn.BatchNorm1d(512), nn.Identity())


def features():
    random = numpy.random.default_rng(1)
    network = extractor()
    random_state(network, random)
    images, upstream = random.normal(0, 1, (4, 3, 84, 84)).astype("f4"), random.normal(0, 1, (4, 512)).astype("f4")
    given = {f"state.{path}": tensor.numpy().copy() for path, tensor in network.state_dict().items()}
    found = call("few_shot", "features", given | {"images": images, "upstream": upstream})
    network.eval()
    wanted = {"eval": network(torch.from_numpy(images)).detach()}
    network.train()
    output = network(torch.from_numpy(images))
    (output * torch.from_numpy(upstream)).sum().backward()
    wanted["train"] = output.detach()
    comparison = Comparison("features", 2e-4)
    for part in wanted:
        comparison.add(part, found[part], wanted[part])
    comparison.add_all("gradient.", found, {name: tensor.grad for name, tensor in network.named_parameters()})
    comparison.add_all("after.", found, network.state_dict())
    parameters = sum(tensor.numel() for tensor in network.parameters())
    print(f"  {parameters:,} parameters")
    return comparison.passed() and parameters == 2_570_464


def unit(rows):
    return rows / rows.norm(dim=-1, keepdim=True)


def rows_of_new_classes(state, attention, features, labels, pseudo_novel):
    """Equations 6 to 8, class by class and sample by sample."""
    open_classes = [k for k in range(BASE) if k not in pseudo_novel]
    rows = []
    for new in range(WAY):
        own = [unit(features[s]) for s in range(len(labels)) if labels[s] == new]
        row = state["classifier.generator.of_features"] * sum(own) / len(own)
        if attention:
            seen = 0
            for z in own:
                query = state["classifier.generator.query.weight"] @ z + state["classifier.generator.query.bias"]
                scores = torch.stack([state["classifier.generator.scale"][0] * unit(query) @ unit(state["classifier.generator.keys"][k]) for k in open_classes])
                weights = scores.softmax(0)
                seen = seen + sum(weight * unit(state["classifier.weight"][k]) for weight, k in zip(weights, open_classes))
            row = row + state["classifier.generator.of_rows"] * seen / len(own)
        rows.append(row)
    return torch.stack(rows)


def episode(name):
    attention = name == "attention"
    random = numpy.random.default_rng(2)
    normal = lambda *shape: random.normal(0, 1, shape).astype("f4")
    state = {"features.0.weight": normal(CHANNELS, 3, 3, 3), "classifier.weight": normal(BASE, CHANNELS), "classifier.scale": numpy.array([7], "f4"),
              "classifier.generator.of_features": normal(CHANNELS)}
    if attention:
        state |= {"classifier.generator.of_rows": normal(CHANNELS), "classifier.generator.query.weight": normal(CHANNELS, CHANNELS),
                   "classifier.generator.query.bias": normal(CHANNELS), "classifier.generator.keys": normal(BASE, CHANNELS),
                   "classifier.generator.scale": numpy.array([3], "f4")}
    support, query = normal(WAY * SHOT, 3, 16, 16), normal(10, 3, 16, 16)
    labels, pseudo_novel = numpy.array([2, 0, 1, 1, 0, 2]), numpy.array([6, 1, 3])
    truth = numpy.array([8, 9, 10, 0, 2, 4, 5, 7, 9, 8])
    given = {f"state.{path}": tensor for path, tensor in state.items()}
    found = call("few_shot", name, given | {
        "support": support, "labels": labels, "pseudo_novel": pseudo_novel, "query": query, "truth": truth})

    state = {path: torch.from_numpy(tensor).double().requires_grad_() for path, tensor in state.items()}
    see = lambda images: functional.conv2d(torch.from_numpy(images).double(), state["features.0.weight"], stride=2, padding=1).mean((2, 3))
    rows = rows_of_new_classes(state, attention, see(support), labels.tolist(), pseudo_novel.tolist())
    logits = state["classifier.scale"][0] * unit(see(query)) @ torch.cat([unit(state["classifier.weight"]), unit(rows)]).T
    logits = logits.index_fill(1, torch.from_numpy(pseudo_novel), -1e6)
    loss = functional.cross_entropy(logits, torch.from_numpy(truth))
    loss.backward()
    comparison = Comparison(name)
    comparison.add("loss", found["loss"], loss.detach())
    comparison.add("rows", found["rows"], rows.detach())
    allowed = [k for k in range(BASE + WAY) if k not in pseudo_novel]
    comparison.add("logits", found["logits"][:, allowed], logits.detach()[:, allowed])
    if not (found["logits"][:, pseudo_novel] == -1e6).all():
        sys.exit(f"{name}: a pseudo-novel class is not masked")
    comparison.add_all("gradient.", found, {path: tensor.grad for path, tensor in state.items() if tensor.grad is not None})
    return comparison.passed()


def main():
    return 0 if features() & episode("average") & episode("attention") else 1


if __name__ == "__main__":
    sys.exit(main())
