#include "tiny.hpp"

#include <ATen/ops/randn.h>

void in_two(c2f::stack<tiny>& model) { model(at::randn({1, 3, 32, 32}), c2f::eval); }
