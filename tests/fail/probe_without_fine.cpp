// expect-error: c2f::probe asks what the fine network reads of the coarse prediction
// expect-error: in_task<mine>
#include <c2f/c2f.hpp>
#include <c2f/train/probe.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<8>>;
#ifndef CORRECTED
  using refine = c2f::refine::no_fine_network;
#endif
};
double wrong(c2f::stack<mine> const& model, c2f::data::glyphs<8> const& data) { return c2f::probe(model, data.test).fixed; }
