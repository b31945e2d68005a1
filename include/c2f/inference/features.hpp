// c2f/inference/features.hpp: the features of all samples of a split, computed once.
//
//   auto const backbone = c2f::make_network<features, input>(seed);                            // ends in a vector
//   c2f::data::table<16> const seen = c2f::features_of(backbone, data.test);                   // a pass over the split, in memory
//   c2f::data::table<16> const kept = c2f::kept_features(file, backbone, data.test);           // the same, kept in a file
//
// The network runs at inference, on images that are not augmented. The file is a safetensors file with the features and a
// fingerprint of the network's type and tensors and of which samples the split has; where that is another one, the features are computed anew.
//
// Cost: a pass of each sample; of kept_features afterwards reading the file and the network's tensors. Errors: those of the split's read;
// input_error for a file that is there and holds no features.
#pragma once

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <c2f/core/pass.hpp>
#include <c2f/core/visit.hpp>
#include <c2f/data/episodes.hpp>
#include <c2f/data/io/safetensors.hpp>
#include <c2f/data/table.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

namespace c2f {

struct features_options {
  std::int64_t batch = 256;
  at::Device device  = at::kCPU;  ///< of the network
};

/// The features of a split and its labels.
template <class Net, data::few_shot_split S>
[[nodiscard]] data::table<Net::output::channels> features_of(Net const& net, S const& samples, features_options const& options = {}) {
  at::NoGradGuard const no_gradients;
  std::vector<at::Tensor> found;
  for (std::int64_t first = 0; first < samples.size(); first += options.batch) {
    std::vector<std::int64_t> ids;
    for (std::int64_t id = first; id < std::min(samples.size(), first + options.batch); ++id) ids.push_back(id);
    pass p;
    found.push_back(run_network(net, data::read_samples(samples, ids).to(options.device), p).to(at::kCPU));
  }
  if (found.empty()) throw input_error("the split " + std::string(samples.name()) + " has no samples to compute features of; add some");
  return {samples.name(), at::cat(found), data::labels(samples), samples.classes()};
}

namespace detail {
/// Of a network's type and tensors, and a split.
template <class Net, class S>
std::string features_fingerprint(Net const& net, S const& samples) {
  std::uint64_t hash = data::detail::hash_after(data::detail::samples_hash(samples), std::string_view(samples.name()));
  hash               = data::detail::hash_after(hash, static_cast<std::uint64_t>(samples.size()));
  // How a picture is seen (its size, resizing and normalisation) shows in the pixels of a few samples.
  for (std::int64_t const id : {std::int64_t{0}, samples.size() / 2, samples.size() - 1})
    if (id >= 0 && id < samples.size()) {
      at::Tensor const pixels = data::read_samples(samples, std::vector<std::int64_t>{id}).contiguous();
      hash = data::detail::hash_after(hash, std::string_view(static_cast<char const*>(pixels.const_data_ptr()), pixels.nbytes()));
    }
  hash = data::detail::hash_after(hash, std::string_view(typeid(Net).name()));
  for_each_tensor(net, [&](std::string const& path, state_tensor const& each, state_traits const&) {
    at::Tensor const value = each.tensor().detach().to(at::kCPU).contiguous();
    hash                   = data::detail::hash_after(hash, std::string_view(path));
    hash = data::detail::hash_after(hash, std::string_view(static_cast<char const*>(value.const_data_ptr()), value.nbytes()));
  });
  return std::to_string(hash);
}
}  // namespace detail

/// The features of a split, from `file` if it has those of this network and these samples; else they are computed and written to it.
template <class Net, data::few_shot_split S>
[[nodiscard]] data::table<Net::output::channels> kept_features(std::filesystem::path const& file, Net const& net, S const& samples,
                                                               features_options const& options = {}) {
  std::string const fingerprint = detail::features_fingerprint(net, samples);
  if (std::filesystem::exists(file)) {
    auto const kept = data::read_safetensors(file);
    if (!kept.metadata.contains("fingerprint") || !kept.tensors.contains("features") || kept.tensors.size() != 1)
      throw input_error("the file '" + file.string() + "' holds no features of samples; name one that does, or that is not there");
    if (kept.metadata.at("fingerprint") == fingerprint)
      return {samples.name(), kept.tensors.at("features"), data::labels(samples), samples.classes()};
  }
  auto const found = features_of(net, samples, options);
  data::write_safetensors(file, {{{"features", found.features()}}, {{"fingerprint", fingerprint}}});
  return found;
}

}  // namespace c2f
