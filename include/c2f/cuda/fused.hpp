// c2f/cuda/fused.hpp: the fused operations of execution/fused_operations.hpp, with their gradients.
//
//   c2f::with_fused const scope(&c2f::cuda::fused);
//
// On CPU tensors the CPU versions of the kernels run, which are slow and for tests. On GPU tensors the kernels run in the current stream;
// for that the program links the CMake target c2f::cuda. Tensors of other number types than float and bfloat16, or in a layout that a
// kernel does not read, are converted, which costs a copy. Cost to compile: about 6 s, for torch::autograd::Function. Include it in one
// file of a program.
#pragma once

#include <c2f/execution/fused_operations.hpp>
#include <c2f/cuda/autograd/fused_augment_pictures.hpp>
#include <c2f/cuda/autograd/fused_bias_relu.hpp>
#include <c2f/cuda/autograd/fused_draw_boxes.hpp>
#include <c2f/cuda/autograd/fused_dropout.hpp>
#include <c2f/cuda/autograd/fused_map_cross_entropy.hpp>
#include <c2f/cuda/autograd/fused_max_pool.hpp>
#include <c2f/cuda/autograd/fused_multiply_crop.hpp>
#include <c2f/cuda/autograd/fused_norm_relu.hpp>
#include <c2f/cuda/autograd/fused_broadcast_interior.hpp>
#include <c2f/cuda/autograd/fused_concat_broadcast.hpp>
#include <c2f/cuda/autograd/fused_sample_source.hpp>
#include <c2f/cuda/autograd/fused_update.hpp>
#include <c2f/cuda/autograd/fused_upsample_bilinear.hpp>

namespace c2f::cuda {

/// The table for c2f::with_fused.
inline constexpr fused_operations fused{
    .sample_source      = &detail::sample_source,
    .norm_relu          = &detail::norm_relu,
    .gradient_fan_out   = &detail::gradient_fan_out,
    .bias_relu          = &detail::bias_relu,
    .sgd                = &detail::sgd,
    .adam               = &detail::adam,
    .gradient_norm      = &detail::gradient_norm,
    .decide_step        = &detail::decide_step,
    .augment_pictures   = &detail::augment_pictures,
    .dropout            = &detail::dropout,
    .concat_broadcast   = &detail::concat_broadcast,
    .broadcast_interior = &detail::broadcast_interior,
    .max_pool           = &detail::max_pool,
    .draw_boxes         = &detail::draw_boxes,
    .multiply_crop      = &detail::multiply_crop,
    .upsample_bilinear  = &detail::upsample_bilinear,
    .map_cross_entropy  = &detail::map_cross_entropy,
};

}  // namespace c2f::cuda
