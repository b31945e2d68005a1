// c2f/cuda/autograd/fused_draw_boxes.hpp: cuda/kernels/draw_boxes.cuh for tensors, with its gradient.
#pragma once

#include <c2f/cuda/kernels/draw_boxes.cuh>
#include <c2f/cuda/autograd/fused_map.hpp>

namespace c2f::cuda::detail {

/// The maps, without a gradient.
inline at::Tensor drawn_boxes(at::Tensor const& boxes, map_shape const& shape, double edge) {
  at::Tensor const maps = empty_map(shape, boxes, at::kFloat);
  fill(write<float>(maps), shape, cuda::draw_boxes{read<float>(boxes), static_cast<float>(edge), shape}, device_stream_of(boxes));
  return maps;
}

struct draw_boxes_function : torch::autograd::Function<draw_boxes_function> {
  static at::Tensor forward(AutogradContext* context, at::Tensor const& boxes, std::int64_t height, std::int64_t width, double edge,
                            bool last) {
    context->save_for_backward({boxes});
    context->saved_data["edge"] = edge;
    context->saved_data["last"] = last;
    return drawn_boxes(boxes, {boxes.size(0), boxes.size(1), height, width, last}, edge);
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    at::Tensor const boxes    = context->get_saved_variables()[0];
    auto const format         = context->saved_data["last"].toBool() ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    at::Tensor const gradient = as_map(gradients[0].to(at::kFloat), format), to_boxes = at::empty_like(boxes);
    for_blocks(draw_boxes_backward{read<float>(boxes), read<float>(gradient), write<float>(to_boxes),
                                   static_cast<float>(context->saved_data["edge"].toDouble()), shape_of(gradient, format)},
               boxes.size(0) * boxes.size(1), device_stream_of(boxes));
    return {to_boxes, {}, {}, {}, {}};
  }
};

/// fused_operations::draw_boxes.
inline at::Tensor draw_boxes(at::Tensor const& y, std::int64_t height, std::int64_t width, double edge, at::MemoryFormat format) {
  at::Tensor const boxes = y.narrow(2, 0, 4).to(at::kFloat).contiguous();
  bool const last        = format == at::MemoryFormat::ChannelsLast;
  if (edge == 0) return drawn_boxes(boxes.detach(), {boxes.size(0), boxes.size(1), height, width, last}, edge);
  return draw_boxes_function::apply(boxes, height, width, edge, last);
}

}  // namespace c2f::cuda::detail
