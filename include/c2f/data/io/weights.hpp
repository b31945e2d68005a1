// c2f/data/io/weights.hpp: a network's numbers out of and into a safetensors file.
//
//   c2f::load_weights(net, "resnet50.safetensors");                                      // all of them, or an error
//   c2f::load_weights(model.coarse, file, {.without = {"fc."}, .partial = true});        // what fits; the report says what
//   c2f::load_weights(model.fine, file, {.widen = c2f::widening::zero});                 // begins as the coarse network
//   c2f::save_weights(net, "mine.safetensors");                                          // Python's load_file reads it
//
// Any network of c2f will do, also one made of a torch::nn::Module: a number's name is its leaf's path, which is torchvision's where
// torchvision has the network. Everything is judged before the first number changes, so a network whose file is refused is as it was.
// Numbers are copied into the leaf's tensor, which stays what it is: its type, device, layout in memory, and who shares it.
//
// `num_batches_tracked` is a leaf of c2f::batch_norm: it is loaded where the file has it, keeps its value where not (files of before
// 2018), and is passed over where the file has it and the network not; so it is never missing, and never unexpected. It is always saved.
//
// Costs: memory for the file's tensors once, twice for those of another type. Needs nlohmann/json, header only. Errors: input_error of one
// line with the file, how many names are on one side only or do not fit, and the first of each; what the format has wrong
// (data/io/safetensors.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/core/visit.hpp>
#include <c2f/data/io/safetensors.hpp>

namespace c2f {

/// What becomes of a weight [out, c, ...] in the file where the network has [out, 2c, ...], as a fine network's first layer has, which sees
/// the image x and beside it the map z. With `zero` z is not looked at yet: net(x, z) is what the file's network says of x. With `copy`
/// both halves get the weight times 1/2: net(x, x) is what the file's network says of x.
enum class widening { refuse, zero, copy };

/// Which names, and how strictly. Saving looks at `from`, `into` and `without`.
struct weights_options {
  std::string from                 = {};     ///< only names of the file that begin so, without that: "module." or "fine."
  std::string into                 = {};     ///< only leaves of the network whose path begins so, without that: "fine."
  std::vector<std::string> without = {};     ///< neither names nor leaves that then begin so: {"fc."}
  bool partial                     = false;  ///< take what fits; else both sides have the same names and shapes
  widening widen                   = widening::refuse;
};

/// What loading found, by the names that are left without `from` and `into`.
struct weights_report {
  std::vector<std::string> matched;     ///< got their numbers, also the widened and converted
  std::vector<std::string> missing;     ///< in the network alone
  std::vector<std::string> unexpected;  ///< in the file alone
  std::vector<std::string> unfit;       ///< of another shape, or whole numbers on one side alone
  std::vector<std::string> widened;
  std::vector<std::string> converted;  ///< from another type of floating point number
};

namespace detail {

/// The name that is looked for, if it is one that takes part.
inline bool takes_part(std::string& name, std::string const& prefix, weights_options const& options) {
  if (!name.starts_with(prefix)) return false;
  name.erase(0, prefix.size());
  for (auto const& each : options.without)
    if (name.starts_with(each)) return false;
  return true;
}

inline bool is_call_count(std::string_view name) {
  constexpr std::string_view count = "num_batches_tracked";
  return name == count || (name.ends_with(count) && name[name.size() - count.size() - 1] == '.');
}

/// Whether a leaf [out, 2c, ...] meets a weight [out, c, ...].
inline bool is_half(at::IntArrayRef file, at::IntArrayRef leaf) {
  return file.size() == leaf.size() && file.size() >= 2 && leaf[1] % 2 == 0 && file[1] == leaf[1] / 2 && file[0] == leaf[0] &&
         file.slice(2) == leaf.slice(2);
}

inline std::string type_and_dims(at::Tensor const& tensor) { return c10::toString(tensor.scalar_type()) + (' ' + dims_of(tensor)); }

/// "; 2 missing in the file, first 'fc.bias'", where there are any.
inline std::string first_of(std::vector<std::string> const& names, std::string const& what) {
  return names.empty() ? "" : "; " + std::to_string(names.size()) + ' ' + what + ", first " + data::detail::shown(names.front());
}

}  // namespace detail

/// Gives the network's leaves the numbers in a file. Refuses, and then changes nothing, what is not as the options allow; a file of which
/// nothing at all fits is always refused.
template <class Net>
weights_report load_weights(Net& net, std::filesystem::path const& file, weights_options const& options = {}) {
  auto const held = data::read_safetensors(file);
  std::map<std::string, at::Tensor> given;
  for (auto const& [name, tensor] : held.tensors)
    if (std::string left = name; detail::takes_part(left, options.from, options)) given.emplace(std::move(left), tensor);

  weights_report report;
  std::map<std::string, at::Tensor> taken;
  std::string why_unfit;
  for_each_tensor(std::as_const(net), [&](std::string const& path, state_tensor const& each, state_traits const&) {
    std::string name = path;
    if (!detail::takes_part(name, options.into, options)) return;
    auto const found = given.extract(name);
    if (found.empty()) {
      if (!detail::is_call_count(name)) report.missing.push_back(name);
      return;
    }
    at::Tensor const &value = found.mapped(), &own = each.tensor();
    bool const same_type = value.scalar_type() == own.scalar_type();
    bool const half      = detail::is_half(value.sizes(), own.sizes());
    if ((!same_type && !(value.is_floating_point() && own.is_floating_point())) ||
        !(value.sizes() == own.sizes() || (half && options.widen != widening::refuse))) {
      if (report.unfit.empty())
        why_unfit = " (" + detail::type_and_dims(value) + " in the file, " + detail::type_and_dims(own) + " in the network" +
                    (half ? ", which 'widen' can fill)" : ")");
      report.unfit.push_back(name);
      return;
    }
    report.matched.push_back(name);
    if (half) report.widened.push_back(name);
    if (!same_type) report.converted.push_back(name);
    taken.emplace(path, value.to(own.scalar_type()));
  });
  for (auto const& [name, tensor] : given)
    if (!detail::is_call_count(name)) report.unexpected.push_back(name);

  bool const others = !report.missing.empty() || !report.unexpected.empty() || !report.unfit.empty();
  if (report.matched.empty() || (others && !options.partial))
    throw input_error("the weights in '" + file.string() + "' are not those of this network: " + std::to_string(report.matched.size()) +
                      " fit" + detail::first_of(report.missing, "missing in the file") +
                      detail::first_of(report.unexpected, "unknown to the network") + detail::first_of(report.unfit, "unfit") + why_unfit +
                      "; give its own file, a prefix, what to leave out, or load what fits");

  for_each_tensor(net, [&](std::string const& path, state_tensor& each, state_traits const&) {
    auto const found = taken.find(path);
    if (found == taken.end()) return;
    at::Tensor const into = each.tensor().detach(), value = found->second;  // the same numbers, without a gradient
    if (into.sizes() == value.sizes()) {
      into.copy_(value);
      return;
    }
    std::int64_t const channels = value.size(1);
    into.narrow(1, 0, channels).copy_(value);
    if (options.widen == widening::zero) {
      into.narrow(1, channels, channels).zero_();
    } else {
      into.narrow(1, channels, channels).copy_(value);
      into.mul_(0.5);
    }
  });
  return report;
}

/// Writes the network's leaves, `from` + their path without `into`; the file is whole or not there. Its metadata is {"format": "pt"}, which
/// Python programs look for.
template <class Net>
void save_weights(Net const& net, std::filesystem::path const& file, weights_options const& options = {}) {
  data::safetensors out{{}, {{"format", "pt"}}};
  for_each_tensor(net, [&](std::string const& path, state_tensor const& each, state_traits const&) {
    if (std::string name = path; detail::takes_part(name, options.into, options))
      out.tensors.emplace(options.from + name, each.tensor().detach());
  });
  data::write_safetensors(file, out);
}

}  // namespace c2f
