#pragma once

#include <c2f/c2f.hpp>

struct tiny {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
};

void in_two(c2f::stack<tiny>& model);
