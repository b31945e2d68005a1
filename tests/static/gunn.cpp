// Gradually updated networks: numbers of parameters and shapes. They are those of the paper (table 3) and of its published code; without
// shortcuts they were counted by hand.
#include <c2f/networks/gunn.hpp>

#include <concepts>
#include <tuple>

using c2f::class_vector;
using c2f::image;
namespace update = c2f::update;

template <class Network, class In = image<3, 32, 32>>
constexpr auto count = c2f::parameter_count<c2f::network_on<Network, In>>;
template <class Features, std::size_t Layer, class In = image<3, 32, 32>>
using after = typename std::tuple_element_t<Layer, typename c2f::network_on<Features, In>::chain::nets>::output;

static_assert(count<c2f::gunn15<class_vector<10>>> == 1'585'746 && count<c2f::gunn15<class_vector<100>>> == 1'618'236);
static_assert(count<c2f::gunn24<class_vector<10>>> == 29'534'106 && count<c2f::gunn24<class_vector<100>>> == 29'631'396);
// The twin has the same units; the identity and what is kept for the backward pass have no parameters.
static_assert(count<c2f::gunn15<class_vector<10>, c2f::gunn15_unit, update::simultaneous>> == 1'585'746);
static_assert(count<c2f::gunn15<class_vector<10>, c2f::gunn15_unit, update::gradual, c2f::activations::kept>> == 1'585'746);
static_assert(count<c2f::gunn15<class_vector<10>, c2f::gunn_unit<2, 1, c2f::shortcut::per_unit, false>>> == 1'585'746);
// Without shortcuts: a stage of N channels has N^2 + 2N parameters less, the weights of P convolutions N -> N / P with their norms.
using bare15 = c2f::gunn_unit<2>;
using bare24 = c2f::gunn_unit<3, 2>;
static_assert(count<c2f::gunn15<class_vector<10>, bare15>> == 1'306'746 && count<c2f::gunn15<class_vector<100>, bare15>> == 1'339'236);
static_assert(count<c2f::gunn24<class_vector<10>, bare24>> == 27'033'906 && count<c2f::gunn24<class_vector<100>, bare24>> == 27'131'196);
static_assert(1'585'746 - 1'306'746 == (240 * 240 + 2 * 240) + (300 * 300 + 2 * 300) + (360 * 360 + 2 * 360));

using pictures = image<3, 224, 224>;
static_assert(count<c2f::gunn18<class_vector<1000>>, pictures> == 28'909'736);
static_assert(count<c2f::wide_gunn18<class_vector<1000>>, pictures> == 45'624'936);

// One group by hand: 12 of 48 channels, 24 in the middle: 48 x 24 + 9 x 24 x 24 + 24 x 12, and two numbers a channel in three norms.
static_assert(count<c2f::gunn<4>, image<48, 8, 8>> == 4 * (48 * 24 + 9 * 24 * 24 + 24 * 12 + 2 * (24 + 24 + 12)));
// The second of two stacked units reads the channels of its group; each has a shortcut of its own, or both have one.
template <class Shortcut>
using two                       = c2f::gunn<4, c2f::gunn_unit<1, 2, Shortcut>>;
constexpr std::int64_t bare_two = 4 * ((48 + 12) * 12 + 2 * (9 * 12 * 12 + 12 * 12 + 6 * 12));
static_assert(count<two<c2f::shortcut::none>, image<48, 8, 8>> == bare_two);
static_assert(count<two<c2f::shortcut::per_stack>, image<48, 8, 8>> == bare_two + 4 * (48 * 12 + 24));
static_assert(count<two<c2f::shortcut::per_unit>, image<48, 8, 8>> == bare_two + 4 * (48 * 12 + 24 + 12 * 12 + 24));

// Maps between the stages.
using f15 = c2f::gunn15_features<>;
static_assert(std::same_as<after<f15, 2>, image<64, 32, 32>> && std::same_as<after<f15, 3>, image<240, 32, 32>>);
static_assert(std::same_as<after<f15, 4>, image<300, 16, 16>> && std::same_as<after<f15, 5>, image<360, 8, 8>>);
static_assert(std::same_as<after<f15, 8>, image<360, 8, 8>>);
using f24 = c2f::gunn24_features<>;
static_assert(std::same_as<after<f24, 3>, image<720, 32, 32>> && std::same_as<after<f24, 4>, image<900, 16, 16>> &&
              std::same_as<after<f24, 5>, image<1080, 8, 8>>);
using f18 = c2f::gunn18_features<>;
static_assert(std::same_as<after<f18, 3, pictures>, image<64, 56, 56>> && std::same_as<after<f18, 4, pictures>, image<400, 56, 56>> &&
              std::same_as<after<f18, 5, pictures>, image<800, 28, 28>> && std::same_as<after<f18, 6, pictures>, image<1600, 14, 14>> &&
              std::same_as<after<f18, 7, pictures>, image<2000, 7, 7>>);
using w18 = c2f::wide_gunn18_features<>;
static_assert(std::same_as<after<w18, 4, pictures>, image<1200, 56, 56>> && std::same_as<after<w18, 7, pictures>, image<2000, 7, 7>>);
// Groups of 12 channels in each stage of GUNN-15, of 36 in GUNN-24, of 40 in both networks for ImageNet.
template <class Features, std::size_t Stage, class In = image<3, 32, 32>>
using unit = typename decltype(std::tuple_element_t<Stage, typename c2f::network_on<Features, In>::chain::nets>::gunn1)::unit;
static_assert(unit<f15, 3>::output::channels == 12 && unit<f15, 4>::output::channels == 12 && unit<f15, 5>::output::channels == 12);
static_assert(unit<f24, 3>::output::channels == 36 && unit<f24, 4>::output::channels == 36 && unit<f24, 5>::output::channels == 36);
static_assert(unit<f18, 4, pictures>::output::channels == 40 && unit<f18, 7, pictures>::output::channels == 40);
static_assert(unit<w18, 4, pictures>::output::channels == 40 && unit<w18, 7, pictures>::output::channels == 40);
// Any size of image, known or not.
static_assert(std::same_as<c2f::network_on<f15, image<6, c2f::dynamic, c2f::dynamic>>::output, image<360, c2f::dynamic, c2f::dynamic>>);
