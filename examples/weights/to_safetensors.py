#!/usr/bin/env python3
"""Converts a state dictionary written by torch.save to a safetensors file, which c2f::load_weights reads.

  to_safetensors.py IN.pth OUT.safetensors [--entry NAME]

IN.pth is a dictionary of tensors, or a checkpoint that contains one: under 'state_dict', 'model' or 'model_state_dict', or under the name
given by --entry ('model.backbone' for nested dictionaries). Nested dictionaries are flattened, their names joined by dots. Entries that are
not tensors are left out and listed. Tensors that share memory are copied. Needs torch and safetensors.

The file is read with weights_only=True, so no code in it can run. A pickled module is rejected: load it where it was defined and
save its state_dict().
"""
import argparse
import os
import pickle
import re
import sys

import safetensors.torch
import torch

USUAL = ("state_dict", "model", "model_state_dict")


def stop(message):
    sys.exit(f"to_safetensors.py: {message}")


def load(path):
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        stop(f"no file '{path}'; check its name and folder")
    except pickle.UnpicklingError as wrong:
        found = re.search(r"Unsupported \w+: GLOBAL (\S+)", str(wrong))
        if found:
            stop(f"'{path}' holds more than tensors: {found[1]}; load it where it was made and save its state_dict()")
        stop(f"'{path}' cannot be read: it is damaged or another kind of file; give a file that torch.save wrote")
    except Exception as wrong:  # torch.load raises many kinds of exceptions for faulty files
        stop(f"'{path}' cannot be read: {str(wrong).splitlines()[0]}; give a file that torch.save wrote")


def chosen(held, path, entry):
    """The state dictionary within a file."""
    if entry:
        for name in entry.split("."):
            if not isinstance(held, dict) or name not in held:
                there = ", ".join(sorted(map(str, held))[:10]) if isinstance(held, dict) else "none"
                stop(f"'{path}' has no entry '{name}' of '{entry}'; there are: {there}")
            held = held[name]
    elif isinstance(held, dict) and not any(isinstance(value, torch.Tensor) for value in held.values()):
        held = next((held[name] for name in USUAL if isinstance(held.get(name), dict)), held)
    if not isinstance(held, dict):
        stop(f"'{path}' holds a {type(held).__name__}, not a dictionary of tensors; name the part with --entry")
    return held


def flat(held, prefix, tensors, others):
    for name, value in held.items():
        path = f"{prefix}.{name}" if prefix else str(name)
        if isinstance(value, torch.Tensor):
            if path in tensors:
                stop(f"two tensors have the name '{path}' once dictionaries are joined by dots; choose one part with --entry")
            if value.layout != torch.strided or value.is_quantized:
                stop(f"'{path}' is {'quantised' if value.is_quantized else 'sparse'}; make it dense first")
            tensors[path] = value.detach().clone(memory_format=torch.contiguous_format)
        elif isinstance(value, dict):
            flat(value, path, tensors, others)
        else:
            others.append(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", metavar="IN.pth")
    parser.add_argument("target", metavar="OUT.safetensors")
    parser.add_argument("--entry", help="which part of a checkpoint, names joined by dots")
    options = parser.parse_args()

    tensors, others = {}, []
    flat(chosen(load(options.source), options.source, options.entry), "", tensors, others)
    if not tensors:
        stop(f"'{options.source}' holds no tensors; name the part with --entry")
    part = f"{options.target}.part{os.getpid()}"
    try:
        safetensors.torch.save_file(tensors, part, {"format": "pt"})
        os.replace(part, options.target)
    except Exception as wrong:
        if os.path.exists(part):
            os.remove(part)
        stop(f"cannot write '{options.target}': {wrong}; choose a folder that can be written and has room")
    if others:
        print(f"left out, as they are no tensors: {', '.join(others[:10])}{' ...' if len(others) > 10 else ''}")
    print(f"{len(tensors)} tensors, {sum(value.numel() for value in tensors.values()):,} numbers in {options.target}")


if __name__ == "__main__":
    main()
