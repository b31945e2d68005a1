"""The random numbers of c2f/core/random.hpp, reimplemented with numpy."""
import numpy

LOW = numpy.uint64(0xFFFFFFFF)
HALF = numpy.uint64(32)
INITIAL_VALUE, SOURCE = 1, 4  # purposes


def philox(counter, key):
    """Philox4x32-10 of Salmon et al., SC 2011. counter: four, key: two arrays of uint64 that hold 32 bits each."""
    c0, c1, c2, c3 = (numpy.asarray(c, numpy.uint64) for c in counter)
    k0, k1 = (numpy.asarray(k, numpy.uint64) for k in key)
    for _ in range(10):
        first, second = numpy.uint64(0xD2511F53) * c0, numpy.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (second >> HALF) ^ c1 ^ k0, second & LOW, (first >> HALF) ^ c3 ^ k1, first & LOW
        k0, k1 = (k0 + numpy.uint64(0x9E3779B9)) & LOW, (k1 + numpy.uint64(0xBB67AE85)) & LOW
    return c0, c1, c2, c3


def halves(number):
    """The low and the high 32 bits."""
    number = numpy.asarray(number).astype(numpy.uint64)
    return number & LOW, number >> HALF


def uniform(seed, purpose, epoch, ids, count):
    """The first `count` numbers in (0, 1] of each stream (seed, purpose, epoch, id): [ids, count]."""
    key = philox((purpose, *halves(epoch), 0x63326600), halves(seed))[:2]
    index = numpy.arange((count + 3) // 4, dtype=numpy.uint64)[None, :]
    low, high = halves(numpy.asarray(ids).reshape(-1, 1))
    blocks = numpy.stack(numpy.broadcast_arrays(*philox((*halves(index), low, high), key)), -1)
    return (blocks.reshape(len(low), -1)[:, :count].astype(numpy.float64) + 1) * 2.0**-32


def normal(seed, purpose, epoch, id, count):
    """Standard normal numbers of one stream, two uniform ones for each (Box-Muller)."""
    pairs = uniform(seed, purpose, epoch, [id], 2 * count).reshape(count, 2)
    return numpy.sqrt(-2 * numpy.log(pairs[:, 0])) * numpy.cos(2 * numpy.pi * pairs[:, 1])


def hash_of(text):
    """64-bit FNV-1a."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value
