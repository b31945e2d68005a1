// Compile-time facts about localisation.
#include <c2f/c2f.hpp>
#include <c2f/networks/localiser.hpp>
#include <c2f/parts/encode_rasterize.hpp>

using vehicles = c2f::image<3, 192, 192>;
using middle   = c2f::network_on<c2f::resnet_features<50, 3>, vehicles>;
static_assert(std::same_as<middle::output, c2f::image<1024, 12, 12>>);  // stride 16

// ResNet-50 has 25,557,032 parameters with 1,000 classes; without its last stage (14,964,736) and classifier (2,049,000) 8,543,296.
static_assert(c2f::parameter_count<middle> == 8'543'296);
static_assert(c2f::parameter_count<c2f::network_on<c2f::resnet_features<50>, vehicles>> == 25'557'032 - 2'049'000);

// Head: 1024 * 4096 + 4096 * 4096 weights, four vectors of 4096 for the norms, 4096 * 4 + 4; flattened the last layer reads 12 * 12 positions.
using paper = c2f::network_on<c2f::localiser<c2f::resnet_features<50, 3>, c2f::boxes<1>, 4096, c2f::head::average>, vehicles>;
static_assert(c2f::parameter_count<paper> == 8'543'296 + 1024 * 4096 + 4096 * 4096 + 4 * 4096 + 4096 * 4 + 4);
static_assert(std::same_as<paper::output, c2f::vector<4>>);
using flat = c2f::network_on<c2f::localiser<c2f::resnet_features<50, 3>, c2f::boxes<1>>, vehicles>;
static_assert(c2f::parameter_count<flat> == c2f::parameter_count<paper> + 4096 * 143 * 4);
static_assert(
    std::same_as<c2f::network_on<c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<21>, 256>, vehicles>::output, c2f::vector<105>>);

struct task {
  using input   = vehicles;
  using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<3>, 256>;
};
static_assert(c2f::task<task>);
using completed = c2f::complete<task>;
static_assert(std::same_as<completed::encoder, c2f::encode::rasterize<>>);
static_assert(std::same_as<completed::loss, c2f::loss::sum<c2f::loss::log_l1, c2f::loss::presence>>);
static_assert(std::same_as<c2f::boxes<1>::default_loss, c2f::loss::log_l1>);
using model = c2f::stack<task>;
static_assert(std::same_as<decltype(model::encoder)::output, vehicles>);
// The fine network reads 6 channels for any number of classes.
static_assert(decltype(model::fine.backbone.conv1.weight)::dims[1] == 6);

// Output stride 8: dilation instead of stride, the same parameters.
using at_8 = c2f::network_on<c2f::resnet_features<50, 4, 8>, c2f::image<3, 64, 96>>;
static_assert(std::same_as<at_8::output, c2f::image<2048, 8, 12>>);
static_assert(std::same_as<c2f::network_on<c2f::resnet_features<18, 4, 16>, c2f::image<3, 64, 96>>::output, c2f::image<512, 4, 6>>);
static_assert(c2f::parameter_count<at_8> == 25'557'032 - 2'049'000);
