// cuda/kernels/augment_pictures.cuh and data/resident.hpp against the batches of data::loader.
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>

#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/resident.hpp>

#include "catch.hpp"
#include "device.hpp"

namespace {

using namespace c2f::data;

static_assert(can_be_resident<pictures<10>> && can_be_resident<taken<pictures<10>>>);
struct other_split {
  using image       = c2f::image<3, 32, 32>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  [[nodiscard]] std::int64_t size() const { return 1; }
  [[nodiscard]] std::string name() const { return "other"; }
  void read(std::int64_t, c2f::random_stream*, float*, std::int64_t*) const {}
};
static_assert(split<other_split> && !can_be_resident<other_split>);

at::Tensor numbers(std::vector<std::int64_t> const& values) {
  at::Tensor const on_host = at::empty({static_cast<std::int64_t>(values.size())}, at::TensorOptions(at::kLong));
  std::ranges::copy(values, on_host.mutable_data_ptr<std::int64_t>());
  return on_host.to(tests::device());
}
at::Tensor keys(std::uint64_t seed, std::uint64_t epoch) {
  return numbers({static_cast<std::int64_t>(seed), static_cast<std::int64_t>(epoch)});
}
// Images and truth with other values, to be overwritten.
struct outputs {
  at::Tensor images, truth;
  explicit outputs(std::int64_t n, at::ScalarType type = at::kFloat)
      : images(at::full({n, 3, 32, 32}, 9, at::TensorOptions(type).device(tests::device())).contiguous(at::MemoryFormat::ChannelsLast)),
        truth(at::full({n}, 9, at::TensorOptions(at::kLong).device(tests::device()))) {}
};

// Like CIFAR: three label bytes before the planes, a table for each channel, shifts by up to four pixels and flips.
pictures<10> noise(std::int64_t n) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(n) * 3075);
  c2f::random_stream draw(5, c2f::purpose::synthesis, 0, 0);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(draw.below(256));
  for (std::size_t id = 0; id < static_cast<std::size_t>(n); ++id) bytes[3075 * id + 1] = static_cast<std::uint8_t>(id % 10);
  return {"noise", std::move(bytes), {3075, 1, 3, {.4914f, .4822f, .4465f}, {.2023f, .1994f, .2010f}, 4, true}, {}};
}

template <class S>
void require_what_the_loader_makes(S const& samples) {
  resident const held(samples, tests::device());
  for (bool const augment : {true, false})
    for (std::uint64_t const seed : {std::uint64_t{1}, std::uint64_t{0x9000000080000001}})
      for (std::uint64_t const epoch : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{1} << 40}) {
        loader const batches(samples, {.batch = 23, .seed = seed, .threads = 0, .augment = augment});
        for (auto const& wanted : batches.epoch(epoch)) {
          at::Tensor const ids = numbers(wanted.ids);
          for (auto const type : {at::kFloat, at::kBFloat16}) {
            outputs const to(ids.size(0), type);
            held.batch(ids, keys(seed, epoch), to.images, to.truth, augment);
            REQUIRE(to.images.cpu().equal(wanted.images.to(type)));
            REQUIRE(to.truth.cpu().equal(wanted.truth));
          }
        }
      }
}

}  // namespace

TEST_CASE("kernel augment_pictures: batches of a resident split are those of the loader, bit for bit") {
  C2F_NEEDS_DEVICE();
  for (auto const* table : {&c2f::cuda::fused, static_cast<c2f::fused_operations const*>(nullptr)}) {
    c2f::with_fused const scope(table);
    require_what_the_loader_makes(noise(70));
    require_what_the_loader_makes(take(noise(70), 31));
    require_what_the_loader_makes(glyphs<>({.train = 40, .test = 1}).train);
  }
}

TEST_CASE("kernel augment_pictures: an id outside of the split gives zeros and -100") {
  C2F_NEEDS_DEVICE();
  for (auto const* table : {&c2f::cuda::fused, static_cast<c2f::fused_operations const*>(nullptr)}) {
    c2f::with_fused const scope(table);
    resident const held(noise(5), tests::device());
    outputs const to(4), one(1);
    held.batch(numbers({2, -1, 5, 4}), keys(1, 2), to.images, to.truth, true);
    REQUIRE(to.truth.cpu().equal(numbers({2, -100, -100, 4}).cpu()));
    REQUIRE(to.images.narrow(0, 1, 2).eq(0).all().item<bool>());
    held.batch(numbers({4}), keys(1, 2), one.images, one.truth, true);  // a sample does not depend on the others
    REQUIRE(to.images.narrow(0, 3, 1).equal(one.images));
    outputs const none(0);
    held.batch(numbers({}), keys(1, 2), none.images, none.truth, true);
  }
}

TEST_CASE("a resident split refuses tensors that do not fit") {
  C2F_NEEDS_DEVICE();
  resident const held(noise(5), tests::device());
  at::Tensor const ids = numbers({0, 1, 2}), key = keys(1, 2);
  outputs const to(3), few(2);
  auto const batch = [&](auto const&... tensors) { held.batch(tensors..., true); };
  batch(ids, key, to.images, to.truth);
  REQUIRE_THROWS_AS(batch(ids, key, few.images, to.truth), c2f::input_error);
  REQUIRE_THROWS_AS(batch(ids, key, to.images, few.truth), c2f::input_error);
  REQUIRE_THROWS_AS(batch(ids, ids, to.images, to.truth), c2f::input_error);
  REQUIRE_THROWS_AS(batch(ids.to(at::kInt), key, to.images, to.truth), c2f::input_error);
  REQUIRE_THROWS_AS(batch(ids, key, to.images.contiguous(), to.truth), c2f::input_error);
  REQUIRE_THROWS_AS(batch(ids, key, to.images.to(at::kDouble), to.truth), c2f::input_error);
}
