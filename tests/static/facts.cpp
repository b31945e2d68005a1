// Compile-time facts.
#include <c2f/c2f.hpp>

#include <any>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using c2f::image;

// Shapes.
static_assert(c2f::shape<image<3, 32, 32>> && c2f::shape<c2f::vector<10>> && !c2f::shape<int>);
static_assert(std::same_as<c2f::widen<image<3, 32, 32>, 3>, image<6, 32, 32>>);
static_assert(std::same_as<c2f::strided<image<64, 224, 224>, 7, 2, 3>, image<64, 112, 112>>);
static_assert(std::same_as<c2f::strided<image<64, c2f::dynamic, 112>, 3, 2, 1>, image<64, c2f::dynamic, 56>>);
static_assert(!c2f::window_fits<image<3, 4, 4>, 7, 1, 0> && c2f::window_fits<image<3, 4, 4>, 7, 1, 3>);
static_assert(c2f::same_size<image<3, c2f::dynamic, 8>, image<3, 9, 8>> && !c2f::same_size<image<3, 7, 8>, image<3, 9, 8>>);

// Philox4x32-10: known-answer tests of its authors' library (Random123, kat_vectors).
using words = std::array<std::uint32_t, 4>;
static_assert(c2f::philox({0, 0, 0, 0}, {0, 0}) == words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
static_assert(c2f::philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
static_assert(c2f::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
static_assert(c2f::hash_of("") == 0xcbf29ce484222325 && c2f::hash_of("a") == 0xaf63dc4c8601ec8c);  // published values of FNV-1a

// Schedules: Ren et al. 2020, t0 = .5, E = 30, at epochs 0, 15, 30, 49; and the one of its section 4.3.
using paper = c2f::schedule::ramp<0.5, 30>;
static_assert(paper::at(0) == 0.5 && paper::at(15) == 0.75 && paper::at(30) == 1 && paper::at(49) == 1);
using segmentation = c2f::schedule::ramp<0, 80'000, c2f::by::iteration, 40'000>;
static_assert(segmentation::at(0) == 0 && segmentation::at(39'999) == 0 && segmentation::at(60'000) == 0.5 &&
              segmentation::at(80'000) == 1 && segmentation::at(120'000) == 1);
static_assert(c2f::t_at<paper>({.epoch = 15, .iteration = 7, .fraction = 0.9}) == 0.75);
static_assert(c2f::t_at<segmentation>({.epoch = 15, .iteration = 60'000, .fraction = 0.9}) == 0.5);
static_assert(c2f::t_at<c2f::schedule::ramp<0.5, 1, c2f::by::fraction>>({.epoch = 15, .iteration = 7, .fraction = 0.5}) == 0.75);
using switched = c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 0>, c2f::step<10, 0.25>, c2f::step<20, 1>>;
static_assert(switched::at(0) == 0 && switched::at(9) == 0 && switched::at(10) == 0.25 && switched::at(20) == 1);
using fault = c2f::detail::schedule_fault;
static_assert(c2f::detail::fault_of<paper>() == fault::none && c2f::detail::fault_of<c2f::schedule::always_truth>() == fault::none);
static_assert(c2f::detail::fault_of<c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 1>, c2f::step<10, 0>>>() == fault::falls);
static_assert(c2f::detail::fault_of<c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 0.5>, c2f::step<10, 1.5>>>() == fault::leaves_range);
static_assert(c2f::detail::fault_of<c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 0.5>>>() == fault::never_one);

// Parameter counts: the published ones for 10 and 100 classes, those of torchvision for 1,000.
template <class Network, class In = image<3, 32, 32>>
constexpr auto count = c2f::parameter_count<c2f::network_on<Network, In>>;
template <int Depth, int Classes>
using basic = c2f::resnet_cifar<Depth, c2f::class_vector<Classes>>;
template <int Depth, int Classes>
using bottle = c2f::resnet_cifar<Depth, c2f::class_vector<Classes>, c2f::bottleneck>;
static_assert(count<basic<20, 10>> == 272'474 && count<basic<20, 100>> == 278'324);
static_assert(count<basic<56, 10>> == 855'770 && count<basic<56, 100>> == 861'620);
static_assert(count<basic<110, 10>> == 1'730'714 && count<basic<110, 100>> == 1'736'564);
static_assert(count<bottle<56, 10>> == 869'530 && count<bottle<56, 100>> == 892'660);
static_assert(count<bottle<110, 10>> == 1'704'154 && count<bottle<110, 100>> == 1'727'284);
template <int Depth>
constexpr auto imagenet = count<c2f::resnet<Depth, c2f::class_vector<1000>>, image<3, 224, 224>>;
static_assert(imagenet<18> == 11'689'512 && imagenet<34> == 21'797'672 && imagenet<50> == 25'557'032);

// A task, its defaults, and its stack.
struct cifar100 {
  static constexpr char const* name = "cifar100";
  using input                       = image<3, 32, 32>;
  using network                     = basic<20, 100>;
};
static_assert(c2f::task<cifar100>);
static_assert(c2f::parameter_count<c2f::stack<cifar100>> == 559'867);
using all = c2f::complete<cifar100>;
static_assert(std::same_as<all::encoder, c2f::encode::tile<>> && !all::parts::encoder::given);
static_assert(std::same_as<all::schedule, c2f::schedule::ramp<0.5, 0.3, c2f::by::fraction>>);
static_assert(std::same_as<all::loss_weights, c2f::loss_weights<1.0, 1.0>> && std::same_as<all::fine, basic<20, 100>>);
// The fine network differs from the coarse one in its first layer only: 3 more input channels, 3 * 16 * 9 weights.
static_assert(count<basic<20, 100>, image<6, 32, 32>> - count<basic<20, 100>> == 3 * 16 * 9);

struct baseline : cifar100 {
  static constexpr char const* name = "baseline";
  using refine                      = c2f::refine::no_fine_network;
};
static_assert(c2f::parameter_count<c2f::stack<baseline>> == 278'324);
struct one_network : cifar100 {
  using share = c2f::share::weights;
  using fuse  = c2f::fuse::multiply;
};
static_assert(c2f::parameter_count<c2f::stack<one_network>> == 278'324 + 2'787);

// A stack is an architecture and can be the coarse network of another one.
struct three_stages {
  using input   = image<3, 32, 32>;
  using network = c2f::coarse_fine<c2f::stack<cifar100>, basic<20, 100>>;
};
static_assert(c2f::task<three_stages>);
static_assert(c2f::parameter_count<c2f::stack<three_stages>> == 559'867 + 2'787 + 278'756);

// Names.
using both = c2f::registry<cifar100, baseline>;
static_assert(both::names()[0] == std::string_view("cifar100") && both::names().size() == 2);
static_assert(both::map()[BOOST_HANA_STRING("baseline")] == boost::hana::type_c<baseline>);

// Names that are on the list of misspellings are no mistake where they name the task itself, and a task may be a class of any sort.
struct fusion : cifar100 {};
struct sharing : fusion {
  using kind = c2f::class_vector<100>;  // what its network predicts
  using net  = network;                 // a name of its own
};
struct last final : sharing {};
struct polymorphic : cifar100 {
  virtual ~polymorphic() = default;
};
static_assert(c2f::task<fusion> && c2f::task<sharing> && c2f::task<last> && c2f::task<polymorphic>);
template <class T>
inline constexpr bool spelt = c2f::detail::no_misspelt_name<T>;
struct with_private_losses : cifar100 {
 private:
  using losses = int;
};
struct with_function : cifar100 {
  static void encode(int);
  static void encode(double);
};
static_assert(spelt<cifar100> && spelt<baseline> && !spelt<with_private_losses> && !spelt<with_function>);

// Every member that owns parameters is listed; others need not be.
using c2f::detail::lists_all_members;
using net = c2f::network_on<c2f::conv<4, 3>, image<3, 8, 8>>;
struct others {
  int number = 0;
  std::vector<float> numbers;
  std::any anything;
  std::function<int(int)> function;
  std::unique_ptr<net> pointer;
  std::optional<net> teacher;
  std::variant<int, net> either;
  at::Tensor tensor;
  int array[3]{};
  std::string text;
  c2f::network_on<c2f::relu, image<3, 8, 8>> relu;
  net conv;
  C2F_MEMBERS(conv);
};
struct derived : others {
  net second;
  C2F_MEMBERS(conv, second);
};
struct one_forgotten {
  int number = 0;
  net conv;
  net second;
  std::vector<net> others;
  C2F_MEMBERS(conv);
};
struct parameter_forgotten {
  net conv;
  c2f::buffer<c2f::initial::zeros, 4> mean;
  C2F_MEMBERS(conv);
};
struct array_forgotten {
  C2F_MEMBERS();
  std::array<net, 2> convs;
};
struct base_forgotten : net {
  net second;
  C2F_MEMBERS(second);
};
static_assert(lists_all_members<others>() && lists_all_members<derived>() && lists_all_members<net>());
static_assert(!lists_all_members<one_forgotten>() && !lists_all_members<parameter_forgotten>() && !lists_all_members<array_forgotten>());
static_assert(!lists_all_members<base_forgotten>());
