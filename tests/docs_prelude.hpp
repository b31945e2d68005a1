// Included by the code blocks of README.md and docs/ (see cmake/extract_blocks.py).
#pragma once

#include <c2f/c2f.hpp>
