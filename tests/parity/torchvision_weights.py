"""torchvision's networks in c2f and back: saved by Python's safetensors, loaded strictly by c2f, the same outputs; saved by c2f, the
same bytes, loaded strictly by torchvision.

The weights are torchvision's random initial ones: nothing is downloaded. The norms get different statistics in each layer. One of the
files is made by examples/weights/to_safetensors.py from a file of torch.save.
"""
import pathlib
import subprocess
import sys
import tempfile

import torch

from _exchange import call

try:
    import safetensors.torch
    import torchvision
except ImportError as missing:
    print(f"skipped: {missing.name} is not here; pip install -r requirements.txt")
    sys.exit(77)

LIMIT = 1e-5
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "examples/weights/to_safetensors.py"


MAKE = {
    "resnet10": lambda: torchvision.models.resnet.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1]),
    "resnet18": torchvision.models.resnet18,
    "resnet50": torchvision.models.resnet50,
    "vgg16": torchvision.models.vgg16,
}


def save(state, path, through_torch):
    if not through_torch:
        safetensors.torch.save_file(state, path, {"format": "pt"})
        return
    torch.save({"epoch": 1, "state_dict": state}, path.with_suffix(".pth"))
    subprocess.run([sys.executable, SCRIPT, path.with_suffix(".pth"), path], check=True)


def compare(name, batch, through_torch=False):
    torch.manual_seed(len(name))
    network = MAKE[name]().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1)
            module.num_batches_tracked += 7
    images = {"published": torch.randn(batch, 3, 224, 224), "other": torch.randn(2, 3, 96, 131)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        save(network.state_dict(), folder / "given.safetensors", through_torch)
        safetensors.torch.save_file(images, folder / "images.safetensors")
        found = {size: torch.from_numpy(value.copy()) for size, value in call("torchvision_weights", name, folder).items()}
        same = (folder / "given.safetensors").read_bytes() == (folder / "back.safetensors").read_bytes()
        back = MAKE[name]().eval()
        back.load_state_dict(safetensors.torch.load_file(folder / "back.safetensors"), strict=True)
    with torch.inference_mode():
        wanted = {size: network(value) for size, value in images.items()}
        equal = all(bool((back(images[size]) == value).all()) for size, value in wanted.items())
    far = max(float((found[size] - value).abs().max()) for size, value in wanted.items())
    scale = max(float(value.abs().max()) for value in wanted.values())
    print(f"{name}: largest difference {far:.1e} of outputs up to {scale:.2g}, limit {LIMIT:g}; the file that c2f wrote "
          f"{'is' if same else 'is NOT'} the one that it read, and gives Python {'the same' if equal else 'OTHER'} outputs")
    return far <= LIMIT and same and equal


def main():
    return 0 if all([compare("resnet10", 2), compare("resnet18", 4, through_torch=True), compare("resnet50", 2), compare("vgg16", 1)]) else 1


if __name__ == "__main__":
    sys.exit(main())
