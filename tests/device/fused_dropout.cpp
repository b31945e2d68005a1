// cuda/kernels/dropout.cuh against c2f::dropout, whose random numbers are computed on the host.
#include <c2f/layers/dropout.hpp>

#include "catch.hpp"
#include "device.hpp"

namespace {

struct case_of {
  std::vector<std::int64_t> dims;
  bool channels_last;
  std::int64_t rows = 1;  // of a sample
};

// The result and the gradient of the layer on the host, bit for bit.
template <double P>
void require_same_as_host(case_of const& now, at::ScalarType type) {
  using layer              = typename c2f::dropout<P>::template on<c2f::image<3, 4, 4>>;
  std::uint64_t const seed = 0x8000000100000007, epoch = (std::uint64_t{1} << 33) + 5;
  std::int64_t const samples = now.dims[0] / now.rows;
  at::Tensor x = tests::normal(now.dims, 1).to(type), weight = tests::normal(now.dims, 2).to(type);
  if (now.channels_last) x = x.contiguous(at::MemoryFormat::ChannelsLast);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(samples));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i * i + 3) + (i == 1 ? std::int64_t{1} << 35 : 0);
  at::Tensor const device_ids = at::empty({samples}, at::TensorOptions(at::kLong)), keys = at::empty({2}, at::TensorOptions(at::kLong));
  std::ranges::copy(ids, device_ids.mutable_data_ptr<std::int64_t>());
  keys[0].fill_(static_cast<std::int64_t>(seed)), keys[1].fill_(static_cast<std::int64_t>(epoch));

  auto const with_gradient = [&](auto const& drop) {
    at::Tensor const input = x.detach().clone().set_requires_grad(true), dropped = drop(input);
    dropped.mul(weight).sum().backward();
    return std::pair{dropped.detach(), input.grad()};
  };
  auto const [wanted, wanted_gradient] = with_gradient([&](at::Tensor const& input) {
    c2f::pass p{.mode = c2f::train, .seed = seed, .epoch = epoch, .ids = ids, .level = 2, .drops = 3};
    return layer{}(input, p);
  });
  c2f::device_numbers numbers;
  numbers.keys = keys.to(tests::device()), numbers.ids = device_ids.to(tests::device());
  auto const [found, gradient] = with_gradient([&](at::Tensor const& input) {
    c2f::with_fused const scope(&c2f::cuda::fused);
    c2f::pass p{
        .mode = c2f::train, .level = 2, .drops = 3, .device = &numbers, .capturing = true};  // random choices on the host are refused
    return layer{}(input, p);
  });
  REQUIRE(found.scalar_type() == type);
  REQUIRE(found.strides() == x.strides());
  REQUIRE(found.equal(wanted));
  REQUIRE(gradient.equal(wanted_gradient));
}

}  // namespace

TEST_CASE("kernel dropout: result and gradient are those of the layer on the host, bit for bit") {
  C2F_NEEDS_DEVICE();
  std::vector<case_of> const cases{{{3, 1}, false},         {{1, 5}, false},        {{4, 4096}, false},
                                   {{2, 4099}, false},      {{3, 10000}, false},    {{2, 5, 3, 7}, false},
                                   {{2, 5, 3, 7}, true},    {{3, 6, 4, 4}, true},   {{2, 33, 16, 16}, false},
                                   {{2, 33, 16, 16}, true}, {{1, 300, 5, 5}, true}, {{2, 1, 6, 6}, true},
                                   {{2, 7, 1, 1}, true},    {{5}, false},           {{2, 3, 2, 5, 2}, false},
                                   {{0, 4}, false},         {{6, 7}, false, 2},     {{6, 3, 4, 5}, false, 3}};
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (auto const& each : cases) {
      require_same_as_host<0.5>(each, type);
      require_same_as_host<0.3>(each, type);
      require_same_as_host<0.0>(each, type);
    }
}
