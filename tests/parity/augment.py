"""Colours, rotations and shears of augmentation as torchvision's functional operations have them."""
import sys

import numpy

from _exchange import Comparison, call

try:
    import torch
    from torchvision.transforms import InterpolationMode, functional as F
except ImportError as missing:
    print(f"skipped: {missing.name} is not here; pip install torchvision")
    sys.exit(77)

SIDE = 48


def picture():
    """Smooth colours with noise, a grey corner and a flat one: hues of every sector, and without."""
    generator = numpy.random.default_rng(3)
    y, x = numpy.mgrid[0:SIDE, 0:SIDE]
    made = numpy.stack([40 + 4 * x, 200 - 3 * y, 20 + 2 * (x + y)], 2) + generator.normal(0, 30, (SIDE, SIDE, 3))
    made[:8, :8] = made[:8, :8, :1]
    made[-6:, -6:] = 90
    return numpy.clip(numpy.round(made), 0, 255).astype(numpy.uint8)


def main():
    rgb = picture()
    names = {}
    for factor in (0.0, 0.3, 1.0, 1.7):
        for what in ("brightness", "contrast", "saturation", "sharpness"):
            names[f"{what} {factor}"] = factor
    for turn in (-0.5, -0.2, 0.0, 0.1, 0.37, 0.5):
        names[f"hue {turn}"] = turn
    for bits in (1, 4, 8):
        names[f"posterize {bits}"] = bits
    for threshold in (0.0, 100.0, 255.0):
        names[f"solarize {threshold}"] = threshold
    names["autocontrast"] = names["equalize"] = 0
    for degrees in (0, 13, -40, 90, 171):
        names[f"rotate {degrees}"] = degrees
    found = call("augment", "all", {"picture": rgb.astype(numpy.float32), **{k: numpy.float32(v) for k, v in names.items()}})

    byte = torch.from_numpy(rgb).permute(2, 0, 1)
    unit = byte.float() / 255
    compared = Comparison("augment", limit=2e-5)
    for name, strength in names.items():
        what = name.split()[0]
        if what == "rotate":
            # Bilinear, without the border, where torchvision blends with its filling and c2f repeats the last pixel.
            turned = F.rotate(unit, strength, InterpolationMode.BILINEAR)
            inside = F.rotate(torch.nn.functional.pad(torch.ones(1, SIDE - 6, SIDE - 6), (3, 3, 3, 3)), strength, InterpolationMode.NEAREST)[0] > 0.5
            compared.add(name, found[name][inside.numpy()], (255 * turned).permute(1, 2, 0).numpy()[inside.numpy()])
            continue
        if what in ("posterize", "equalize"):
            wanted = F.posterize(byte, strength) if what == "posterize" else F.equalize(byte)
            wanted = wanted.float()
        elif what == "solarize":
            wanted = F.solarize(byte.float() / 255, strength / 255) * 255
        elif what == "autocontrast":
            wanted = F.autocontrast(unit) * 255
        else:
            wanted = getattr(F, f"adjust_{what}")(unit, strength) * 255
        compared.add(name, found[name], wanted.permute(1, 2, 0).numpy())
    return 0 if compared.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
