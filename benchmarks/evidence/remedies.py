#!/usr/bin/env python3
"""What was tried so that the fine network of progressive training looks at the image, in plain PyTorch and at a scale that two cores repeat.

  remedies.py --data DATA/cifar-100-binary --out build/remedies.csv [--variants bl,jnt,pt] [--seeds 1,2,3] [--epochs 12]
  remedies.py --out build/remedies.csv --table            only prints what is there

The 20 coarse classes of CIFAR-100, 10,000 training images at 16x16 (means of 2x2), three convolutions. Variants are compared on 5,000 other
images of the training file ("val"); the scores on the test file are stored beside them and are not used to choose. A row that is in the
file is not computed again. Columns: top-1 of the coarse and the fine network, and of the fine network conditioned on the truth, the
prediction's argmax, the prediction for another image, and zeros; the fractions of answers that it fixes and breaks against the coarse
network, and on which both agree. Needs NumPy. OMP_NUM_THREADS=1 where two run side by side.
"""
import argparse
import copy
import csv
import math
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

K, N, VAL, BATCH = 20, 10_000, 5_000, 100


def load(folder):
    def read(name):
        raw = np.fromfile(pathlib.Path(folder) / name, np.uint8).reshape(-1, 3074)
        x = torch.from_numpy(raw[:, 2:].reshape(-1, 3, 32, 32).copy()).float().div_(255)
        return F.avg_pool2d(x, 2), torch.from_numpy(raw[:, 0].astype(np.int64))
    x, y = read("train.bin")
    tx, ty = read("test.bin")
    mean, dev = x[:N].mean((0, 2, 3), keepdim=True), x[:N].std((0, 2, 3), keepdim=True)
    x, tx = (x - mean) / dev, (tx - mean) / dev
    return (x[:N], y[:N]), (x[N:N + VAL], y[N:N + VAL]), (tx, ty)


class Net(nn.Module):
    def __init__(self, channels, width=1.0):
        super().__init__()
        c = [int(32 * width), int(64 * width), int(64 * width)]
        self.layers = nn.Sequential(
            nn.Conv2d(channels, c[0], 3, padding=1, bias=False), nn.BatchNorm2d(c[0]), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(c[0], c[1], 3, padding=1, bias=False), nn.BatchNorm2d(c[1]), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(c[1], c[2], 3, padding=1, bias=False), nn.BatchNorm2d(c[2]), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c[2], K))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)

    def forward(self, x):
        return self.layers(x)


class Encoder(nn.Module):
    """Tiling of the class vector, two 3 x 3 convolutions with ReLU."""
    def __init__(self, hidden=3, out=3, gain=1.0):
        super().__init__()
        self.a, self.b, self.gain = nn.Conv2d(K, hidden, 3, padding=1), nn.Conv2d(hidden, out, 3, padding=1), gain
        for m in (self.a, self.b):
            nn.init.kaiming_normal_(m.weight)
            nn.init.zeros_(m.bias)

    def forward(self, y):
        y = (y * self.gain)[:, :, None, None].expand(-1, -1, 16, 16)
        return F.relu(self.b(F.relu(self.a(y))))


class Stack(nn.Module):
    def __init__(self, v):
        super().__init__()
        self.v = v
        self.coarse = Net(3, v.get("width", 1.0))
        if not v.get("bl"):
            out = v.get("channels", 3)
            self.g = Encoder(v.get("hidden", out), out, v.get("gain", 1.0))
            self.fine = Net(3 + out)

    def run_fine(self, x, y):
        return self.fine(torch.cat([x, self.g(y)], 1))


def moved(p, to):
    """The prediction with the masses of its argmax and of class `to` exchanged: as sure as before, of another class."""
    q = p.clone()
    top = p.argmax(1, keepdim=True)
    q.scatter_(1, top, p.gather(1, to[:, None]))
    q.scatter_(1, to[:, None], p.gather(1, top))
    return q


# bl: one network (twice the epochs; 1.45 times as wide); ind, jnt, pt as in Ren et al. 2020; then what is added to them:
#   detach      no gradient of the fine loss in the coarse network
#   t0, end     t rises from t0 to 1 in the first `end` of the training (.5, .5)
#   channels    of z (3)
#   gain        factor of the conditioning before g;  slow_g: factor of g's learning rate
#   lookalike   truths are the prediction with its argmax's mass moved to the true class
#   confused    truths are as often wrong as the network is, with its running confusions; as one-hot vectors, or as the prediction moved
#   borrowed    truths with the error of the prediction for another image
#   smooth      truths are .6 one-hot and .4 the network's confusions
#   drop_z, drop_x   zeros with this probability
#   average     predictions of the coarse network's moving average
#   warm        the fine network begins, after a quarter of the training, with the coarse one's weights, and zeros for z
#   residual    the fine network's logits are added to the coarse ones
VARIANTS = {
    "bl": dict(bl=True), "bl_2x_epochs": dict(bl=True, epochs=2.0), "bl_wide": dict(bl=True, width=1.45),
    "ind": dict(t0=0.0, end=9.0), "jnt": dict(t0=1.0), "jnt_detach": dict(t0=1.0, detach=True),
    "pt": dict(t0=0.5), "pt_detach": dict(t0=0.5, detach=True), "pt_t0_.9": dict(t0=0.9), "pt_end_.2": dict(t0=0.5, end=0.2),
    "pt_16ch": dict(t0=0.5, channels=16), "jnt_16ch": dict(t0=1.0, channels=16),
    "pt_gain_.03": dict(t0=0.5, gain=0.03), "pt_slow_g": dict(t0=0.5, g_rate=0.1),
    "pt_lookalike": dict(t0=0.5, truth="lookalike"), "pt_lookalike_t0_0": dict(t0=0.0, truth="lookalike"),
    "pt_confused": dict(t0=0.5, truth="confused"), "pt_confused_t0_0": dict(t0=0.0, truth="confused"),
    "pt_confused_onehot": dict(t0=0.5, truth="confused_onehot"),
    "pt_smooth": dict(t0=0.5, truth="smooth"),
    "pt_drop_z": dict(t0=0.5, drop_z=0.5), "jnt_drop_z": dict(t0=1.0, drop_z=0.5), "pt_drop_x": dict(t0=0.5, drop_x=0.25),
    "pt_average": dict(t0=0.5, ema=True), "jnt_average": dict(t0=1.0, ema=True),
    "pt_warm": dict(t0=0.5, warm=True), "jnt_warm": dict(t0=1.0, warm=True),
    "jnt_residual": dict(t0=1.0, residual=True), "pt_residual": dict(t0=0.5, residual=True),
    "pt_lookalike_warm": dict(t0=0.5, truth="lookalike", warm=True),
    "pt_borrowed": dict(t0=0.5, truth="borrowed"), "pt_borrowed_t0_0": dict(t0=0.0, truth="borrowed"),
    "pt_borrowed_detach": dict(t0=0.5, truth="borrowed", detach=True), "borrowed_always": dict(t0=0.0, truth="borrowed", end=9.0),
    "pt_confused_16ch": dict(t0=0.5, truth="confused", channels=16),
}


@torch.no_grad()
def scores(model, x, y):
    model.eval()
    c = torch.cat([model.coarse(b) for b in x.split(1000)])
    found = {"coarse": (c.argmax(1) == y).float().mean().item()}
    if model.v.get("bl"):
        return found
    p = c.softmax(1)
    def top(cond):
        f = torch.cat([model.run_fine(a, b) for a, b in zip(x.split(1000), cond.split(1000))])
        if model.v.get("residual"):
            f = f + c
        return f.argmax(1)
    fine = top(p)
    rolled = torch.roll(p, 1, 0)
    right_c, right_f = c.argmax(1) == y, fine == y
    found |= {"fine": right_f.float().mean().item(), "truth": (top(F.one_hot(y, K).float()) == y).float().mean().item(),
              "argmax": (top(F.one_hot(p.argmax(1), K).float()) == y).float().mean().item(),
              "shuffled": (top(rolled) == y).float().mean().item(), "none": (top(torch.zeros_like(p)) == y).float().mean().item(),
              "fixed": (~right_c & right_f).float().mean().item(), "broken": (right_c & ~right_f).float().mean().item(),
              "agree": (c.argmax(1) == fine).float().mean().item()}
    return found


def train(v, seed, epochs, train_set):
    torch.manual_seed(seed)
    model = Stack(v)
    x, y = train_set
    epochs = int(round(epochs * v.get("epochs", 1.0)))
    steps = epochs * (N // BATCH)
    g = list(model.g.parameters()) if not v.get("bl") else []
    ids = {id(p) for p in g}
    groups = [{"params": [p for p in model.parameters() if id(p) not in ids], "factor": 1.0}]
    if g:
        groups.append({"params": g, "factor": v.get("g_rate", 1.0)})
    opt = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    average = None
    confusion = torch.ones(K, K) / K
    order_rng, rng = torch.Generator().manual_seed(seed * 7919 + 1), torch.Generator().manual_seed(seed * 7919 + 2)
    t0, end, step = v.get("t0", 1.0), v.get("end", 0.5), 0
    if v.get("ema"):
        import copy
        average = copy.deepcopy(model.coarse)
    warmed = False
    for epoch in range(epochs):
        order = torch.randperm(N, generator=order_rng)
        for at in range(0, N, BATCH):
            progress = step / steps
            rate = 0.1 * (0.5 * (1 + np.cos(np.pi * progress)))
            for group in opt.param_groups:
                group["lr"] = rate * group["factor"]
            ids = order[at:at + BATCH]
            bx, by = x[ids], y[ids]
            flip = torch.rand(BATCH, generator=rng) < 0.5
            bx = torch.where(flip[:, None, None, None], bx.flip(3), bx)
            model.train()
            c = model.coarse(bx)
            loss = F.cross_entropy(c, by)
            if not v.get("bl") and v.get("warm") and not warmed and progress >= 0.25:
                with torch.no_grad():  # the fine network begins as the coarse one, with z at zero
                    for (name, a), b in zip(model.fine.state_dict().items(), model.coarse.state_dict().values()):
                        if a.dim() == 4 and a.shape != b.shape:
                            a[:, :3].copy_(b); a[:, 3:].zero_()
                        else:
                            a.copy_(b)
                warmed = True
            if not v.get("bl") and (not v.get("warm") or warmed):
                t = min(1.0, t0 + (1 - t0) * progress / end)
                p = c.softmax(1)
                if average is not None:
                    average.eval()
                    with torch.no_grad():
                        p = average(bx).softmax(1)
                if v.get("detach"):
                    p = p.detach()
                kind = v.get("truth", "onehot")
                with torch.no_grad():
                    hot = F.one_hot(by, K).float()
                    d = p.detach()
                    if kind == "lookalike":
                        shown = moved(d, by)
                    elif kind == "borrowed":  # the truth, seen with the error that the network makes of another image
                        shown, other = torch.roll(d, 1, 0), torch.roll(by, 1, 0)[:, None]
                        at_other, at_own = shown.gather(1, other), shown.gather(1, by[:, None])
                        shown = shown.scatter(1, other, at_own).scatter(1, by[:, None], at_other)
                    elif kind.startswith("confused"):
                        found = torch.multinomial(confusion[by], 1, generator=rng)[:, 0]
                        shown = moved(d, found) if kind == "confused" else F.one_hot(found, K).float()
                        seen = torch.zeros(K, K).index_put_((by, d.argmax(1)), torch.ones(BATCH), accumulate=True)
                        rows = seen.sum(1, keepdim=True)
                        confusion = torch.where(rows > 0, 0.95 * confusion + 0.05 * seen / rows.clamp(min=1), confusion)
                    elif kind == "smooth":
                        shown = 0.6 * hot + 0.4 * confusion[by]
                        seen = torch.zeros(K, K).index_put_((by, d.argmax(1)), torch.ones(BATCH), accumulate=True)
                        rows = seen.sum(1, keepdim=True)
                        confusion = torch.where(rows > 0, 0.95 * confusion + 0.05 * seen / rows.clamp(min=1), confusion)
                    else:
                        shown = hot
                draw = torch.rand(BATCH, 1, generator=rng) <= t
                cond = torch.where(draw, p, shown)
                if v.get("drop_z"):
                    cond = cond * (torch.rand(BATCH, 1, generator=rng) > v["drop_z"])
                fx = bx
                if v.get("drop_x"):
                    fx = bx * (torch.rand(BATCH, 1, 1, 1, generator=rng) > v["drop_x"])
                f = model.run_fine(fx, cond)
                if v.get("residual"):
                    f = f + c.detach()
                loss = loss + F.cross_entropy(f, by)
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            if average is not None:
                with torch.no_grad():
                    for a, b in zip(average.state_dict().values(), model.coarse.state_dict().values()):
                        a.lerp_(b, 0.01) if a.is_floating_point() else a.copy_(b)
            step += 1
    return model


def table(path):
    rows = list(csv.DictReader(path.open()))
    print("| variant | coarse | fine | truth | shuffled | nothing | fixed | broken | test | seeds |\n|---|" + "---:|" * 9)
    for name in dict.fromkeys(row["variant"] for row in rows):
        mine = [row for row in rows if row["variant"] == name]
        def cell(column):
            values = [100 * float(row[column]) for row in mine if row[column]]
            if not values:
                return "–"
            mean = sum(values) / len(values)
            spread = math.sqrt(sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1))
            return f"{mean:.1f}" if len(values) < 2 else f"{mean:.1f} ({spread:.1f})"
        answer = "test_fine" if mine[0]["test_fine"] else "test_coarse"
        cells = [cell(f"val_{column}") for column in ("coarse", "fine", "truth", "shuffled", "none", "fixed", "broken")]
        print(f"| {name} | " + " | ".join([*cells, cell(answer)]) + f" | {len(mine)} |")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data")
    p.add_argument("--out", required=True)
    p.add_argument("--variants", default=",".join(VARIANTS))
    p.add_argument("--seeds", default="1,2,3")
    p.add_argument("--epochs", type=int, default=12)
    p.add_argument("--table", action="store_true", help="train nothing")
    a = p.parse_args()
    if a.table:
        return table(pathlib.Path(a.out))
    if not a.data:
        p.error("--data is missing: the folder of CIFAR-100's binary files")
    torch.set_num_threads(1)
    train_set, val, test = load(a.data)
    out = pathlib.Path(a.out)
    columns = ["variant", "seed", "epochs", "seconds"] + [f"{s}_{c}" for s in ("val", "test") for c in
               ("coarse", "fine", "truth", "argmax", "shuffled", "none", "fixed", "broken", "agree")]
    done = set()
    if out.exists():
        done = {(r["variant"], r["seed"], r["epochs"]) for r in csv.DictReader(out.open())}
    else:
        out.write_text(",".join(columns) + "\n")
    for seed in a.seeds.split(","):
        for name in a.variants.split(","):
            if (name, seed, str(a.epochs)) in done:
                continue
            begin = time.time()
            model = train(VARIANTS[name], int(seed), a.epochs, train_set)
            row = {"variant": name, "seed": seed, "epochs": a.epochs, "seconds": f"{time.time() - begin:.1f}"}
            for split, (x, y) in (("val", val), ("test", test)):
                row |= {f"{split}_{k}": f"{value:.4f}" for k, value in scores(model, x, y).items()}
            with out.open("a", newline="") as f:
                csv.DictWriter(f, columns).writerow(row)
            print(name, seed, row["seconds"], {k: row[k] for k in row if k.startswith("val")}, flush=True)


if __name__ == "__main__":
    main()
