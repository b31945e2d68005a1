"""Inception-v3 to Mixed_6e against torchvision's, from the same random weights: features of 299, 448 and other pixels, and of a training
call, with the running statistics after it. torchvision's transform_input is on, as with its published weights."""
import sys

import numpy
import torch

from _exchange import Comparison, call
from networks import random_state

try:
    import torchvision
except ImportError as missing:
    print(f"skipped: {missing.name} is not here; pip install -r requirements.txt")
    sys.exit(77)


def features(network, x):
    """torchvision's forward as far as Mixed_6e."""
    found = []
    hook = network.Mixed_6e.register_forward_hook(lambda module, inputs, output: found.append(output))
    try:
        network._forward(network._transform_input(x))
    finally:
        hook.remove()
    return found[0].detach()


def main():
    random = numpy.random.default_rng(1)
    network = torchvision.models.inception_v3(weights=None, init_weights=False, transform_input=True, aux_logits=False)
    random_state(network, random)
    inside = lambda name: not name.startswith(("Mixed_7", "fc."))
    given = {f"state.{path}": tensor.numpy().copy() for path, tensor in network.state_dict().items() if inside(path)}
    sizes = {"published": (1, 299, 299), "large": (1, 448, 448), "other": (2, 107, 140), "trained": (3, 107, 140)}
    pictures = {name: random.normal(0, 1, (n, 3, h, w)).astype(numpy.float32) for name, (n, h, w) in sizes.items()}
    found = call("inception_v3", "features", given | pictures)
    comparison = Comparison("inception_v3 to Mixed_6e")
    network.eval()
    with torch.no_grad():
        for name, picture in pictures.items():
            if name != "trained":
                comparison.add(name, found[name], features(network, torch.from_numpy(picture)))
        network.train()
        network.Mixed_7a = network.Mixed_7b = network.Mixed_7c = network.fc = torch.nn.Identity()
        comparison.add("trained", found["trained"], features(network, torch.from_numpy(pictures["trained"])))
    comparison.add_all("after.", found, {path: tensor for path, tensor in network.state_dict().items() if inside(path)})
    assert found["published"].shape == (1, 768, 17, 17) and found["large"].shape == (1, 768, 26, 26)
    return 0 if comparison.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
