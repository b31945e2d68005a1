// c2f/execution/check_widths.hpp: whether the tensors of a model fit each other, after they were given other sizes.
//
//   c2f::take_sizes(model, c2f::data::read_safetensors("pruned.safetensors"));
//   c2f::check_widths(model);                                                      // input_error if they are of no network of this type
//
// Cost: one pass on two images. Errors: input_error with what LibTorch or the model says of sizes that do not fit.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/core/visit.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>

#include <cstdint>
#include <exception>
#include <string>

namespace c2f {

namespace detail {
inline at::Tensor two_images(at::IntArrayRef dims, any_network net) {
  at::TensorOptions options(at::kFloat);
  for_each_tensor(net, [&](std::string const&, state_tensor& each, state_traits const& traits) {
    if (!traits.on_host) options = options.device(each.tensor().device());
  });
  return at::arange(2 * dims[0] * dims[1] * dims[2], options).sin().view({2, dims[0], dims[1], dims[2]});
}
}  // namespace detail

/// Runs a model once, to see that its tensors fit each other: after they were given the sizes of a file. input_error if they do not.
template <class Model>
void check_widths(Model const& model, std::int64_t side = 64) {
  using input = typename Model::input;
  at::NoGradGuard const no_gradients;
  pass p{.mode = eval};
  try {
    model(detail::two_images({input::channels, input::height < 0 ? side : input::height, input::width < 0 ? side : input::width},
                             any_network(const_cast<Model&>(model))),
          p);
  } catch (input_error const&) {
    throw;
  } catch (std::exception const& fault) {
    throw input_error("the sizes of the model's tensors do not fit each other: " + std::string(fault.what()) +
                      "; give it the sizes of one network of its type");
  }
}
}  // namespace c2f
