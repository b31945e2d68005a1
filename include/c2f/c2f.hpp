// c2f/c2f.hpp: coarse-to-fine vision models as types.
//
//   struct cifar100 {
//     using input   = c2f::image<3, 32, 32>;
//     using network = c2f::resnet_cifar<20, c2f::class_vector<100>>;
//   };
//   static_assert(c2f::task<cifar100>);
//   c2f::stack<cifar100> model;
//
// Includes: tasks and stacks; every part (c2f/parts); class vectors, boxes and dense maps with their losses; the networks resnet,
// resnet_cifar, fcn, unet, localiser and predicts with their layers; CIFAR and the synthetic glyphs; training (train/fit.hpp) and the
// predictor. To be included separately: attributes, numbers, bundles, fields and depth maps with their losses (c2f/kinds/...);
// loss/hardest.hpp; the networks vgg, deep_voting, dense_heads, few_shot_resnet, gunn and levels; the layers aspp, average_pool, depthwise,
// dropout, frozen, cosine, growing_cosine, gunn and pyramid_pooling; systems and metrics; the other data sets, files and drawing
// (c2f/data.hpp, c2f/data/...); checkpoints and fine-tuning (c2f/train/...); c2f/conformance.hpp, c2f/print.hpp (fmt),
// c2f/torch/network.hpp (torch::nn), c2f/cuda/... and c2f/dist/....
#pragma once

#include <c2f/core/compiler.hpp>  // first

#include <c2f/core/errors.hpp>
#include <c2f/parts/encode_dense.hpp>
#include <c2f/parts/encode_rasterize.hpp>
#include <c2f/parts/encode_saliency.hpp>
#include <c2f/parts/encode_tile.hpp>
#include <c2f/parts/fuse_crop.hpp>
#include <c2f/inference/predictor.hpp>
#include <c2f/kinds/boxes.hpp>
#include <c2f/kinds/class_vector.hpp>
#include <c2f/kinds/dense.hpp>
#include <c2f/layers/residual.hpp>
#include <c2f/loss/cross_entropy_with.hpp>
#include <c2f/loss/dice.hpp>
#include <c2f/loss/sum.hpp>
#include <c2f/networks/fcn.hpp>
#include <c2f/networks/localiser.hpp>
#include <c2f/networks/predicts.hpp>
#include <c2f/networks/resnet.hpp>
#include <c2f/networks/resnet_cifar.hpp>
#include <c2f/networks/unet.hpp>
#include <c2f/task/registry.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/train/fit.hpp>
#include <c2f/train/interrupt.hpp>
#include <c2f/train/memory.hpp>
#include <c2f/train/training_stages.hpp>
