// Declares the names that the examples at the head of the headers take for granted (see cmake/extract_blocks.py), and defines nothing.
#pragma once

#include <c2f/c2f.hpp>
#include <c2f/cuda/fused.hpp>
#include <c2f/cuda/kernels/multiply_crop.cuh>
#include <c2f/cuda/kernels/tiles.cuh>
#include <c2f/data/datasets/camvid.hpp>
#include <c2f/data/datasets/cifar_few_shot.hpp>
#include <c2f/data/datasets/dvps.hpp>
#include <c2f/data/datasets/fine_grained.hpp>
#include <c2f/data/datasets/kitti_depth.hpp>
#include <c2f/data/draw/animation.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/labelled_pictures.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/panoptic_pairs.hpp>
#include <c2f/data/run_lengths.hpp>
#include <c2f/data/synthetic/road_videos.hpp>
#include <c2f/data/volumes/volume.hpp>
#include <c2f/inference/attended_box.hpp>
#include <c2f/kinds/bundle.hpp>
#include <c2f/kinds/depth_map.hpp>
#include <c2f/kinds/field.hpp>
#include <c2f/kinds/weighted_dense.hpp>
#include <c2f/detection/deformable_reading.hpp>
#include <c2f/layers/aspp.hpp>
#include <c2f/layers/attention_pooling.hpp>
#include <c2f/layers/centred.hpp>
#include <c2f/layers/conv_rectangle.hpp>
#include <c2f/layers/depthwise.hpp>
#include <c2f/metrics/coco_ap.hpp>
#include <c2f/metrics/depth.hpp>
#include <c2f/metrics/detection.hpp>
#include <c2f/networks/deep_voting.hpp>
#include <c2f/inference/features.hpp>
#include <c2f/networks/inception_v3.hpp>
#include <c2f/layers/frozen_norm.hpp>
#include <c2f/systems/coarse2fine_training.hpp>
#include <c2f/systems/detectors.hpp>
#include <c2f/systems/one_stage_detector.hpp>
#include <c2f/systems/torchvision_detectors.hpp>
#include <c2f/systems/dynamic_few_shot.hpp>
#include <c2f/systems/mean_teacher.hpp>
#include <c2f/systems/parameter_predictor.hpp>
#include <c2f/systems/vip_deeplab.hpp>
#include <c2f/systems/vip_video.hpp>
#if __has_include(<cuda_runtime_api.h>)
#include <c2f/cuda/gpu.hpp>
#else
namespace c2f::cuda {
accelerator gpu(int index = 0);
}
#endif

#ifdef USE_C10D_GLOO
#include <c2f/dist/world.hpp>
#endif

#include <torch/nn/modules/linear.h>

#include <filesystem>
#include <span>
#include <vector>

namespace examples {

struct cifar100 {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<20, c2f::class_vector<100>>;
};
using input      = c2f::image<3, 32, 32>;
using arch       = c2f::resnet_cifar<20, c2f::class_vector<10>>;
using backbone   = c2f::resnet_features<18, 3>;
using features   = c2f::sequential<c2f::conv<16, 3>, c2f::global_average_pool>;
using my_encoder = c2f::encode::tile<>;

extern c2f::stack<cifar100> model;
extern c2f::network_on<arch, input> net;
extern c2f::data::cifar100 data;
extern c2f::recipe::settings recipe;
extern c2f::communicator& world;
extern c2f::pass step;
extern at::Tensor images, labels, x, raw, logits, truth;
extern at::Device device;
extern std::filesystem::path dir, out, file;
extern std::vector<std::int64_t> ids;
extern std::uint64_t seed, epoch, sample_id;
void use(auto const&... values);

namespace in_cuda {
struct tile_work {
  static constexpr int shared_size = 0;
  void operator()(auto const& thread_block, std::int64_t tile, std::int64_t row_block, float* shared) const;
};
extern tile_work work;
extern c2f::cuda::device_stream where;
extern c2f::cuda::one_lane lanes;
extern c2f::cuda::tiles::tiling tiling;
extern c2f::cuda::tiles::pair* partials;
extern c2f::cuda::map_shape shape, of_tiny, of_x, of_y, of_z, of_small, of_large;
extern c2f::cuda::map_corners corners;
extern c2f::cuda::bfloat16* low;
extern float *x, *y, *z, *dx, *dy, *raw, *from, *to, *tiny, *onto, *small, *large, *joined, *maps, *parts, *images, *numbers, *normalised;
extern float *bias, *weight, *shortcut, *to_bias, *to_raw, *boxes, *to_boxes, *gradient, *conditioning, *largest, *logarithm, *loss;
extern float *inverse_count, *mean, *invstd, *running_mean, *running_var, *parameters, *momenta, *scale, *skip;
extern double *partial, *uniform;
extern std::int64_t *ids, *keys, *labels, *truth;
extern std::uint8_t *bytes, *indices;
extern std::int64_t rows, classes, count, samples, width, each, ignore, i;
extern int N, K, C, H, W, channels, pad;
extern bool flip;
extern float edge, factor;
extern double t, rate;
extern std::uint32_t what;
}  // namespace in_cuda

namespace in_data {
extern c2f::data::table<64> activations;
extern c2f::data::canvas page;
extern c2f::data::picture_bytes photo;
extern c2f::data::volume<float> ct, mr;
extern c2f::data::volume<std::uint8_t> mask;
extern std::vector<c2f::data::volume<float>> three_planes;
extern std::vector<std::filesystem::path> list;
extern std::vector<c2f::data::labelled_file> files;
extern std::vector<std::string> names;
extern std::vector<std::uint8_t> bytes, rgb, object;
extern std::vector<float> heat;
extern std::span<std::int64_t const> labels, next_labels;
extern std::int64_t height, width;
extern at::Tensor ids, keys;
extern float* pixels;
extern std::int64_t label;
extern std::uint64_t id;
std::vector<std::uint8_t> decode(std::filesystem::path const& file);
namespace in_draw {
extern c2f::data::camvid<> data;
extern std::vector<std::uint8_t> prediction, organ, truth;
extern std::vector<double> epochs, accuracy;
}  // namespace in_draw
}  // namespace in_data

namespace in_detection {
using settings = c2f::systems::faster_rcnn;
extern std::vector<at::Tensor> pyramid;
extern at::Tensor valid;
extern c2f::detection::objects truth_of_batch;
extern c2f::detection::candidates boxes_with_scores;
extern at::Tensor map, small, boxes, scores, classes, level, levels, picture, proposals, objectness, deltas, wanted, targets, offset,
    weight, anchors;
extern c2f::pass p;
extern double positives;
}  // namespace in_detection

namespace in_execution {
extern at::Tensor joined, tiny;
}

namespace in_inference {
struct segmentation {
  using input   = c2f::image<3, c2f::dynamic, c2f::dynamic>;
  using network = c2f::fcn<c2f::resnet_features<18, 3>, c2f::dense<11, 11>>;
};
extern c2f::stack<segmentation> segmenter;
extern c2f::data::camvid<> streets;
extern c2f::data::picture_bytes photo;
extern c2f::data::volume<float> ct;
extern std::span<std::int64_t const> classes, next_classes, labels, next_labels;
extern std::span<float const> heat, offsets, next_offsets;
extern std::int64_t height, width;
struct pair_maps {
  at::Tensor classes, heat, offsets;
};
extern pair_maps maps;
}  // namespace in_inference

namespace in_parts {
using head = c2f::conv<2, 1, 1, 0, c2f::bias>;
}  // namespace in_parts

namespace in_kinds {
extern std::vector<std::int64_t> mask;
extern std::int64_t height, width;
}  // namespace in_kinds

namespace in_layers {
extern c2f::network_on<c2f::small_stages<16, 24, 48>, c2f::image<3, 64, 64>> plain_net;
}  // namespace in_layers

namespace in_metrics {
struct judged_picture {
  std::vector<c2f::metrics::found_object> found;
  std::vector<c2f::metrics::true_object> objects;
};
extern std::vector<judged_picture> pictures;
extern std::vector<c2f::data::run_lengths> masks, of_objects;
extern std::vector<float> heat;
extern std::vector<c2f::metrics::box> boxes;
extern std::vector<c2f::metrics::detection> found;
extern std::vector<c2f::metrics::annotation> annotated;
extern std::vector<double> scores, accuracies;
extern std::vector<std::int64_t> base_classes, novel_classes;
extern at::Tensor coarse, fine;
extern c2f::data::volume<std::uint8_t> prediction, target;
extern std::span<std::int64_t const> true_labels, predicted_labels;
extern std::span<float const> true_depth, depth;
extern std::int64_t sequence;
extern c2f::metrics::depth_inliers inliers;
}  // namespace in_metrics

namespace in_networks {
extern at::Tensor targets;
extern std::vector<c2f::part_size> sizes;
}  // namespace in_networks

namespace in_systems {
extern c2f::network_on<c2f::systems::small_pyramid<c2f::systems::parts_of_detectors::none>, c2f::image<3, 192, 256>> plain;
struct photographs {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
};
extern c2f::data::cifar10 cifar10;
struct base {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::dynamic_few_shot::network<features, 64, 5>;
};
struct few_shot {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::dynamic_few_shot::network<c2f::frozen<features>, 64, 5>;
};
extern c2f::data::cifar_fs cifar_fs;
extern c2f::systems::vip_deeplab<c2f::systems::vip_kind<c2f::systems::vip_labels<5, 88>>, c2f::image<6, 48, 64>, c2f::systems::vip_small>
    vip;
extern std::vector<at::Tensor> frames;
extern c2f::data::table<64> activations, held;
extern at::Tensor support;
}  // namespace in_systems

namespace in_task {
struct ind : cifar100 {
  static constexpr char const* name = "ind";
};
struct pt : cifar100 {
  static constexpr char const* name = "pt";
};
}  // namespace in_task

namespace in_train {
extern at::Tensor from, to, losses, norm, skip;
extern std::vector<at::Tensor> tensors;
extern std::int64_t iteration;
extern double clip;
extern c2f::optimizer& optimizer;
extern c2f::interrupt on_ctrl_c;
extern c2f::training_state state;
extern c2f::training_step<cifar100> training;
extern c2f::data::batch batch;
extern std::vector<c2f::data::batch> batches;
extern c2f::detail::step_slot& slot;
extern c10::Stream stream;
c2f::data::batch batch_at(std::int64_t number);
bool stop();
bool wait(c2f::progress const& now);
}  // namespace in_train

}  // namespace examples
