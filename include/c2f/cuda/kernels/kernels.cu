// c2f/cuda/kernels/kernels.cu: compiles the kernels that c2f/cuda/fused.hpp launches. The CMake target c2f::cuda adds this file to every
// target that links it.
#include <c2f/cuda/kernels/augment_pictures.cuh>
#include <c2f/cuda/kernels/bias_relu.cuh>
#include <c2f/cuda/kernels/draw_boxes.cuh>
#include <c2f/cuda/kernels/dropout.cuh>
#include <c2f/cuda/kernels/map_cross_entropy.cuh>
#include <c2f/cuda/kernels/max_pool.cuh>
#include <c2f/cuda/kernels/multiply_crop.cuh>
#include <c2f/cuda/kernels/norm_relu.cuh>
#include <c2f/cuda/kernels/concat_broadcast.cuh>
#include <c2f/cuda/kernels/sample_source.cuh>
#include <c2f/cuda/kernels/update.cuh>
#include <c2f/cuda/kernels/upsample_bilinear.cuh>

namespace c2f::cuda {

template void launch_rows(sample_source<float> const&, std::int64_t, void*);
template void launch_rows(sample_source<bfloat16> const&, std::int64_t, void*);
template void launch_rows(sample_source_backward<float> const&, std::int64_t, void*);
template void launch_rows(sample_source_backward<bfloat16> const&, std::int64_t, void*);

template void launch_blocks(sgd_update<few_parts> const&, std::int64_t, void*);
template void launch_blocks(sgd_update<many_parts> const&, std::int64_t, void*);
template void launch_blocks(adam_update<few_parts> const&, std::int64_t, void*);
template void launch_blocks(adam_update<many_parts> const&, std::int64_t, void*);
template void launch_each(adam_advance const&, std::int64_t, void*);
template void launch_blocks(sum_of_squares<few_parts> const&, std::int64_t, void*);
template void launch_blocks(sum_of_squares<many_parts> const&, std::int64_t, void*);
template void launch_blocks(norm_of_sums const&, std::int64_t, void*);
template void launch_each(decide_step const&, std::int64_t, void*);

template void tiles::launch_tiles(norm::statistics<float> const&, tiles::tiling const&, void*);
template void tiles::launch_tiles(norm::statistics<bfloat16> const&, tiles::tiling const&, void*);
template void tiles::launch_tiles(norm::apply<float> const&, tiles::tiling const&, void*);
template void tiles::launch_tiles(norm::apply<bfloat16> const&, tiles::tiling const&, void*);
template void tiles::launch_tiles(norm::backward_sums<float> const&, tiles::tiling const&, void*);
template void tiles::launch_tiles(norm::backward_sums<bfloat16> const&, tiles::tiling const&, void*);
template void tiles::launch_tiles(norm::backward_apply<float> const&, tiles::tiling const&, void*);
template void tiles::launch_tiles(norm::backward_apply<bfloat16> const&, tiles::tiling const&, void*);

template void launch_each(bias_relu<float> const&, std::int64_t, void*);
template void launch_each(bias_relu<bfloat16> const&, std::int64_t, void*);
template void tiles::launch_tiles(bias_relu_backward<float> const&, tiles::tiling const&, void*);
template void tiles::launch_tiles(bias_relu_backward<bfloat16> const&, tiles::tiling const&, void*);
template void tiles::launch_tiles(bias_sums<float> const&, tiles::tiling const&, void*);
template void tiles::launch_tiles(bias_sums<bfloat16> const&, tiles::tiling const&, void*);

template void launch_each(fill_map<float, concat_broadcast<float>> const&, std::int64_t, void*);
template void launch_each(fill_map<bfloat16, concat_broadcast<bfloat16>> const&, std::int64_t, void*);
template void launch_rows(sum_columns<float> const&, std::int64_t, void*);
template void launch_rows(sum_columns<bfloat16> const&, std::int64_t, void*);
template void launch_rows(sum_rows<float> const&, std::int64_t, void*);
template void launch_rows(sum_rows<bfloat16> const&, std::int64_t, void*);
template void launch_each(fill_map<float, broadcast_interior<float>> const&, std::int64_t, void*);
template void launch_each(fill_map<bfloat16, broadcast_interior<bfloat16>> const&, std::int64_t, void*);
template void launch_each(broadcast_interior_words<float> const&, std::int64_t, void*);
template void launch_each(broadcast_interior_words<bfloat16> const&, std::int64_t, void*);
template void launch_each(sum_columns_of_words<float> const&, std::int64_t, void*);
template void launch_each(sum_columns_of_words<bfloat16> const&, std::int64_t, void*);

template void launch_each(max_pool<float> const&, std::int64_t, void*);
template void launch_each(max_pool<bfloat16> const&, std::int64_t, void*);
template void launch_each(max_pool_backward<float> const&, std::int64_t, void*);
template void launch_each(max_pool_backward<bfloat16> const&, std::int64_t, void*);

template void launch_each(fill_map<float, draw_boxes> const&, std::int64_t, void*);
template void launch_blocks(draw_boxes_backward const&, std::int64_t, void*);

template void launch_each(fill_map<float, multiply_crop<float>> const&, std::int64_t, void*);
template void launch_each(fill_map<bfloat16, multiply_crop<bfloat16>> const&, std::int64_t, void*);
template void launch_each(fill_map<float, multiply_crop_backward<float>> const&, std::int64_t, void*);
template void launch_each(fill_map<bfloat16, multiply_crop_backward<bfloat16>> const&, std::int64_t, void*);

template void launch_each(fill_map<float, upsample_bilinear<float>> const&, std::int64_t, void*);
template void launch_each(fill_map<bfloat16, upsample_bilinear<bfloat16>> const&, std::int64_t, void*);
template void launch_each(fill_map<float, upsample_bilinear_backward<float>, 1> const&, std::int64_t, void*);
template void launch_each(fill_map<float, upsample_bilinear_backward<bfloat16>, 1> const&, std::int64_t, void*);
template void launch_each(fill_map<bfloat16, upsample_bilinear_backward<float>, 1> const&, std::int64_t, void*);

template void launch_blocks(map_cross_entropy<float> const&, std::int64_t, void*);
template void launch_blocks(map_cross_entropy<bfloat16> const&, std::int64_t, void*);
template void launch_rows(vector_cross_entropy<float> const&, std::int64_t, void*);
template void launch_rows(vector_cross_entropy<bfloat16> const&, std::int64_t, void*);
template void launch_blocks(map_cross_entropy_mean const&, std::int64_t, void*);
template void launch_each(fill_map<float, map_cross_entropy_backward<float>> const&, std::int64_t, void*);
template void launch_each(fill_map<bfloat16, map_cross_entropy_backward<bfloat16>> const&, std::int64_t, void*);

template void launch_blocks(augment_pictures<float> const&, std::int64_t, void*);
template void launch_blocks(augment_pictures<bfloat16> const&, std::int64_t, void*);

template void launch_blocks(dropout<float> const&, std::int64_t, void*);
template void launch_blocks(dropout<bfloat16> const&, std::int64_t, void*);

}  // namespace c2f::cuda
