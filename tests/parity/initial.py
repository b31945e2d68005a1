"""The initial values of a stack, recomputed from (seed, path): Philox, Box-Muller and the rule of each tensor."""
import sys

import numpy

from _exchange import Comparison, call
from _philox import INITIAL_VALUE, hash_of, normal, uniform


def initial(path, dims, seed):
    """The initial value of a parameter or buffer, by c2f/core/initial.hpp and the layers."""
    count = int(numpy.prod(dims, dtype=numpy.int64))
    stream = seed, INITIAL_VALUE, 0
    if path.endswith(("running_mean", "num_batches_tracked")):
        return numpy.zeros(dims)
    if path.endswith("running_var"):
        return numpy.ones(dims)
    if "fc." in path:  # uniform in +-1/sqrt(fan in); the fan-in is 64
        return ((2 * uniform(*stream, [hash_of(path)], count) - 1) / 8).reshape(dims)
    if len(dims) == 4:  # normal with variance 2 / (k k c_out)
        return (normal(*stream, hash_of(path), count) * (2 / (dims[0] * dims[2] * dims[3])) ** 0.5).reshape(dims)
    if path.startswith("encoder."):
        return numpy.ones(dims)
    return numpy.ones(dims) if path.endswith("weight") else numpy.zeros(dims)  # of a norm


def main():
    good = True
    for seed in (0, 2**40 + 17):
        found = call("step", "initial", seed)
        comparison = Comparison(f"initial values, seed {seed}", 1e-6)
        for name, value in found.items():
            comparison.add(name, value, initial(name.removeprefix("state."), value.shape, seed).astype(numpy.float32))
        good = comparison.passed() and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
