#!/usr/bin/env python3
"""Each header of include/ includes the third-party and standard headers whose names it uses, itself or through headers of c2f.

  headers.py INCLUDE        INCLUDE: LibTorch's include folder

The build compiles each header alone behind precompiled third-party headers, which would hide a missing #include of one of these. This is
stricter than compiling alone: what LibTorch's headers happen to include does not count.
"""
import functools
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1] / "include"
STRINGS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)\'|//[^\n]*|R"(\w*)\((?s:.*?)\)\1"')

# A name -> the headers of which one must be included.
NAMES = {
    r"at::NoGradGuard": ["ATen/core/grad_mode.h"],
    r"at::globalContext|at::Context\b": ["ATen/Context.h"],
    r"at::AutoDispatchBelow": ["ATen/core/LegacyTypeDispatch.h"],
    r"at::Generator": ["ATen/core/Generator.h", "ATen/CPUGeneratorImpl.h"],
    r"at::get_num_threads|at::parallel_for": ["ATen/Parallel.h"],
    r"torch::autograd::": ["torch/csrc/autograd/"],
    r"torch::nn::": ["torch/nn/module.h"],
    r"nlohmann::": ["nlohmann/json.hpp"],
    r"boost::hana::": ["boost/hana/"],
    r"fmt::": ["fmt/"],
    r"c10::Event\b": ["c10/core/Event.h"],
    r"c10::StreamGuard|c10::OptionalStreamGuard": ["c10/core/StreamGuard.h"],
    r"c10::DeviceGuard": ["c10/core/DeviceGuard.h"],
    r"\bat::Tensor\b|at::ScalarType|at::k(Float|Long|Double|CPU|Bool|Byte|BFloat16)\b": ["ATen/", "torch/"],
    r"std::(string|to_string)\b": ["string"],
    r"std::string_view": ["string_view"],
    r"std::vector": ["vector"],
    r"std::map\b": ["map"],
    r"std::set\b": ["set"],
    r"std::optional|std::nullopt": ["optional"],
    r"std::function": ["functional"],
    r"std::(unique_ptr|shared_ptr|make_unique|make_shared)": ["memory"],
    r"std::array": ["array"],
    r"std::span": ["span"],
    r"std::(tuple|make_tuple|tie|apply)\b": ["tuple"],
    r"std::filesystem": ["filesystem"],
    r"std::[io]fstream": ["fstream"],
    r"std::[io]?stringstream": ["sstream"],
    r"std::(mutex|lock_guard|unique_lock)": ["mutex"],
    r"std::(thread|jthread)\b": ["thread"],
    r"std::chrono": ["chrono"],
    r"std::atomic": ["atomic"],
    r"std::(max|min|clamp|sort|find|find_if|count_if|all_of|any_of|none_of|copy|copy_n|fill|fill_n|equal|reverse)\(": ["algorithm"],
    r"std::ranges::(copy|equal|sort|find)": ["algorithm"],
    r"std::u?int\d+_t": ["cstdint"],
    r"std::(move|exchange|pair|forward|declval|index_sequence)\b": ["utility", "tuple", "map"],
    r"std::(is_\w+_v|conditional_t|remove_\w+|integral_constant|true_type)\b": ["type_traits"],
    r"std::(same_as|convertible_to|integral|floating_point|copy_constructible)\b": ["concepts"],
    r"std::(sqrt|exp|log|cos|sin|abs|pow|floor|ceil|isfinite|isnan|hypot|lround|fabs)\(": ["cmath", "cstdlib"],
    r"std::(snprintf|fprintf|fputs|printf|sscanf)\(": ["cstdio"],
    r"std::(memcpy|memcmp|strlen)\(": ["cstring"],
    r"std::numeric_limits": ["limits"],
}
NAMES = {re.compile(name): headers for name, headers in NAMES.items()}
OPERATION = re.compile(r"(?<![\w:])at::([a-z_]\w*)\(")


def code(path):
    return STRINGS.sub("", path.read_text(encoding="utf-8"))


@functools.cache
def includes(name):
    """All headers that a header of c2f includes, through headers of c2f."""
    found = set()
    for each in re.findall(r"^#include <([^>]+)>", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE):
        found.add(each)
        if each.startswith("c2f/"):
            found |= includes(each)
    return frozenset(found)


def main():
    operations = pathlib.Path(sys.argv[1]) / "ATen/ops"
    wrong, checked = [], 0
    for path in sorted(ROOT.rglob("*.hpp")):
        name, text = str(path.relative_to(ROOT)), code(path)
        have, needed = includes(name), {}
        for pattern, headers in NAMES.items():
            if match := pattern.search(text):
                needed[match[0]] = headers
        for operation in set(OPERATION.findall(text)):
            if (operations / f"{operation}.h").exists():
                needed[f"at::{operation}"] = [f"ATen/ops/{operation}.h"]
        for used, headers in sorted(needed.items()):
            checked += 1
            if not any(each == header or (header.endswith("/") and each.startswith(header)) for each in have for header in headers):
                wrong.append(f"{name}: '{used}' is used, but <{headers[0]}> is not included")
    print("\n".join(wrong) if wrong else f"{checked} names, each with its header")
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
