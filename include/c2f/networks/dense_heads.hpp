// c2f/networks/dense_heads.hpp: heads that predict a class for every pixel from a map of features.
//
//   using network = c2f::coarse_fine<c2f::fcn_head<c2f::dense<33>>, c2f::psp_head<c2f::dense<33>>>;    // on c2f::share::features<backbone>
//
// fcn_head: a 3x3 convolution to `Width` channels, a norm, ReLU and a 1x1 convolution to the classes (Long et al., CVPR 2015; torchvision's
// FCNHead without its dropout). psp_head: the pyramid pooling module (layers/pyramid_pooling.hpp) before these layers (Zhao et al., CVPR
// 2017; each branch has `Pooled` channels). Both end at the size of the features; the stack resizes their logits to the image
// (kinds/dense.hpp). Parameters on 2,048 channels, with 33 classes: 9,455,137 and 23,090,721.
// Errors: features that are not a map are a compile error.
#pragma once

#include <c2f/kinds/dense.hpp>
#include <c2f/layers/pyramid_pooling.hpp>
#include <c2f/networks/predicts.hpp>

namespace c2f {

template <class Kind, std::int64_t Width = 512>
struct fcn_head : predicts<Kind, conv<Width, 3>, batch_norm, relu, conv<Kind::classes, 1, 1, 0, bias>> {};

template <class Kind, std::int64_t Width = 512, std::int64_t Pooled = Width, std::int64_t... Bins>
struct psp_head : predicts<Kind, pyramid_pooling<Pooled, Bins...>, conv<Width, 3>, batch_norm, relu, conv<Kind::classes, 1, 1, 0, bias>> {};
/// The published bins.
template <class Kind, std::int64_t Width, std::int64_t Pooled>
struct psp_head<Kind, Width, Pooled> : psp_head<Kind, Width, Pooled, 1, 2, 3, 6> {};

}  // namespace c2f
