// c2f/data/io/weights.hpp: loads and saves a network's parameters and buffers as a safetensors file.
//
//   c2f::load_weights(net, "resnet50.safetensors");                                      // all of them, or an error
//   c2f::load_weights(model.coarse, file, {.without = {"fc."}, .partial = true});        // what matches; the report lists what did not
//   c2f::load_weights(model.fine, file, {.widen = c2f::widening::zero});                 // initialised from the coarse network
//   c2f::load_weights(net, file, {.rename = {{"roi_heads.", "stages.0."}}});              // a table of the file's and the network's prefixes
//   c2f::save_weights(net, "mine.safetensors");                                          // readable by Python's load_file
//   c2f::take_sizes(net, c2f::data::read_safetensors("pruned.safetensors"));             // the file's widths, before load_weights
//
// Works for every network of c2f, also for one made of a torch::nn::Module. A tensor's name is its path in the network, which equals
// torchvision's name for networks that torchvision has. Everything is checked before the first value changes, so after an error the network
// is unchanged. Values are copied into the existing tensors, whose type, device, memory format and sharing do not change.
//
// `num_batches_tracked` is a buffer of c2f::batch_norm: it is loaded if the file has it, else keeps its value (files of before 2018); it is
// ignored if only the file has it. So it is never reported as missing or unexpected. It is always saved.
//
// Costs: memory for the file's tensors once, twice for those of another type. Needs nlohmann/json, header only. Errors: input_error with
// the file, the number of names that are on one side only or do not match, and the first of each; errors of the format are those of
// data/io/safetensors.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/core/visit.hpp>
#include <c2f/data/io/safetensors.hpp>

namespace c2f {

/// How to load a weight [out, c, ...] of the file into [out, 2c, ...] of the network: a fine network's first layer, whose input is the
/// image x concatenated with the map z. `zero`: the second half is 0, so net(x, z) equals the file's network on x. `copy`: both halves get
/// the weight times 1/2, so net(x, x) equals the file's network on x. `refuse`: it does not match.
enum class widening { refuse, zero, copy };

/// Which names are loaded, and how strictly. Saving uses only `from`, `into`, `without` and `rename`.
struct weights_options {
  std::string from                 = {};     ///< only names of the file with this prefix, which is removed: "module." or "fine."
  std::string into                 = {};     ///< only tensors of the network whose path has this prefix, which is removed: "fine."
  std::vector<std::string> without = {};     ///< ignored prefixes, on both sides, after that removal: {"fc."}
  bool partial                     = false;  ///< load what matches; false: names and shapes of both sides must be equal
  widening widen                   = widening::refuse;
  /// Prefixes of the file and what they are in the network, before the other rules; the first that fits. Saving writes the file's.
  std::vector<std::pair<std::string, std::string>> rename = {};
};

/// The result of loading: names after removal of `from` and `into`.
struct weights_report {
  std::vector<std::string> matched;     ///< loaded, including the widened and converted ones
  std::vector<std::string> missing;     ///< only in the network
  std::vector<std::string> unexpected;  ///< only in the file
  std::vector<std::string> unfit;       ///< of another shape, with other channel_blocks, or integer on one side only
  std::vector<std::string> widened;     ///< loaded by the rule of `widen`
  std::vector<std::string> converted;   ///< from another floating point type
};

namespace detail {

/// Removes `prefix` from `name`; false if the name is excluded by the options.
inline bool takes_part(std::string& name, std::string const& prefix, weights_options const& options) {
  if (!name.starts_with(prefix)) return false;
  name.erase(0, prefix.size());
  for (auto const& each : options.without)
    if (name.starts_with(each)) return false;
  return true;
}

/// The name in the network of a name in the file, or the other way round.
inline std::string renamed(std::string name, weights_options const& options, bool into_network = true) {
  for (auto const& [file, network] : options.rename)
    if (auto const& old = into_network ? file : network; name.starts_with(old))
      return (into_network ? network : file) + name.substr(old.size());
  return name;
}

[[noreturn]] inline void refuse_shared_name(std::string const& name) {
  throw input_error("weights_options.rename gives two tensors the name " + data::detail::shown(name) +
                    "; write prefixes that keep their names apart");
}

inline bool is_call_count(std::string_view name) {
  constexpr std::string_view count = "num_batches_tracked";
  return name == count || (name.ends_with(count) && name[name.size() - count.size() - 1] == '.');
}

/// Whether the file's sizes are [out, c, ...] and the network's [out, 2c, ...].
inline bool is_half(at::IntArrayRef file, at::IntArrayRef own) {
  return file.size() == own.size() && file.size() >= 2 && own[1] % 2 == 0 && file[1] == own[1] / 2 && file[0] == own[0] &&
         file.slice(2) == own.slice(2);
}

inline std::string type_and_dims(at::Tensor const& tensor) { return c10::toString(tensor.scalar_type()) + (' ' + dims_of(tensor)); }

/// The blocks in a file's metadata, by path; input_error for another text.
inline std::map<std::string, channel_blocks> blocks_of(data::safetensors const& file) {
  std::map<std::string, channel_blocks> found;
  auto const entry = file.metadata.find(blocks_entry);
  if (entry == file.metadata.end()) return found;
  std::istringstream lines(entry->second);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string path;
    channel_blocks of;
    bool const read   = static_cast<bool>(words >> path >> of.in >> of.out >> of.attention);
    auto const weight = read ? file.tensors.find(path) : file.tensors.end();
    if (weight == file.tensors.end() || weight->second.dim() != 4 || of.in < 1 || of.out < 1 || of.in >= weight->second.size(1) ||
        of.out >= weight->second.size(0))
      throw input_error("the metadata of the tensors name the channel blocks " + data::detail::shown(line) +
                        ", and there is no convolution of such channels; give a file that c2f has written");
    found[path] = of;
  }
  return found;
}

/// E.g. "; 2 missing in the file, first 'fc.bias'"; empty for no names.
inline std::string first_of(std::vector<std::string> const& names, std::string const& what) {
  return names.empty() ? "" : "; " + std::to_string(names.size()) + ' ' + what + ", first " + data::detail::shown(names.front());
}

}  // namespace detail

/// Loads the file's tensors into the network's parameters and buffers. Throws, without a change, if the options do not allow a mismatch;
/// a file in which nothing matches is always an error.
template <class Net>
weights_report load_weights(Net& net, std::filesystem::path const& file, weights_options const& options = {}) {
  auto const held   = data::read_safetensors(file);
  auto const blocks = detail::blocks_of(held);
  std::map<std::string, at::Tensor> given;
  std::map<std::string, channel_blocks> apart;
  for (auto const& [name, tensor] : held.tensors)
    if (std::string left = detail::renamed(name, options); detail::takes_part(left, options.from, options)) {
      if (auto const of = blocks.find(name); of != blocks.end()) apart.emplace(left, of->second);
      if (!given.emplace(left, tensor).second) detail::refuse_shared_name(left);
    }

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
    auto const theirs = apart.find(name);
    if (channel_blocks const* const mine = each.blocks();
        (theirs == apart.end()) != (mine == nullptr) || (mine && theirs->second != *mine)) {
      if (report.unfit.empty()) why_unfit = " (it keeps other channels apart in the network, which c2f::take_sizes can change)";
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
    at::Tensor const into = each.tensor().detach(), value = found->second;  // shares storage, without gradient
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

/// Saves the network's parameters and buffers atomically, under the names `from` + path without `into`. The metadata is {"format": "pt"},
/// which Python programs expect.
template <class Net>
void save_weights(Net const& net, std::filesystem::path const& file, weights_options const& options = {}) {
  data::safetensors out{{}, {{"format", "pt"}}};
  std::string blocks;
  for_each_tensor(net, [&](std::string const& path, state_tensor const& each, state_traits const&) {
    std::string name = path;
    if (!detail::takes_part(name, options.into, options)) return;
    name = detail::renamed(options.from + name, options, /*into_network=*/false);
    if (!out.tensors.emplace(name, each.tensor().detach()).second) detail::refuse_shared_name(name);
    if (channel_blocks const* const of = each.blocks(); of != nullptr) blocks += detail::line_of_blocks(name, *of);
  });
  if (!blocks.empty()) out.metadata[detail::blocks_entry] = blocks;
  data::write_safetensors(file, out);
}

/// Gives the parameters and buffers the sizes of the tensors of the same names, for a network whose widths were changed after it was made:
/// load_weights and checkpoints need equal sizes. A tensor whose sizes change is 0 until it is loaded; one that `sizes` does not have keeps
/// its own. `options`: from, into and without. Throws, without a change, if a number of dimensions or the size of a kernel differs. Whether
/// the widths fit each other is seen by a pass: c2f::check_widths (execution/check_widths.hpp).
template <class Net>
void take_sizes(Net& net, std::map<std::string, at::Tensor> const& sizes, weights_options const& options = {}) {
  std::map<std::string, at::Tensor> given, taken;
  for (auto const& [name, tensor] : sizes)
    if (std::string left = name; detail::takes_part(left, options.from, options)) given.emplace(std::move(left), tensor);
  for_each_tensor(std::as_const(net), [&](std::string const& path, state_tensor const& each, state_traits const& traits) {
    std::string name = path;
    if (!detail::takes_part(name, options.into, options)) return;
    auto const found = given.find(name);
    if (found == given.end() || found->second.sizes() == each.tensor().sizes()) return;
    at::Tensor const& own = each.tensor();
    if (found->second.dim() != own.dim())
      throw input_error("the network's '" + path + "' is " + detail::dims_of(own) + " and cannot become " + detail::dims_of(found->second) +
                        ": widths may differ, and not the number of dimensions; give the tensors of the same architecture");
    if (found->second.sizes().slice(std::min<std::size_t>(2, own.sizes().size())) !=
        own.sizes().slice(std::min<std::size_t>(2, own.sizes().size())))
      throw input_error("the network's '" + path + "' is " + detail::dims_of(own) + " and cannot become " + detail::dims_of(found->second) +
                        ": widths may differ, and not the size of a kernel; give the tensors of the same architecture");
    at::TensorOptions const like = own.options().requires_grad(false).memory_format(own.suggest_memory_format());
    taken.emplace(path, at::empty(found->second.sizes(), like).zero_().set_requires_grad(traits.trained));
  });
  for_each_tensor(net, [&](std::string const& path, state_tensor& each, state_traits const&) {
    if (auto const found = taken.find(path); found != taken.end()) each.assign(found->second);
  });
}

namespace detail {
/// Gives the weights the channels that the file's convolutions keep apart, or none.
template <class Net>
void take_blocks(Net& net, data::safetensors const& file, weights_options const& options = {}) {
  auto const blocks = blocks_of(file);
  for_each_tensor(net, [&](std::string const& path, state_tensor& each, state_traits const&) {
    std::string name = path;
    if (!takes_part(name, options.into, options)) return;
    each.clear_blocks();
    if (auto const found = blocks.find(options.from + name); found != blocks.end()) each.set_blocks(found->second);
  });
}
}  // namespace detail

/// The same from a file, with the channels that its convolutions keep apart (channel_blocks).
template <class Net>
void take_sizes(Net& net, data::safetensors const& file, weights_options const& options = {}) {
  (void)detail::blocks_of(file);  // refused before a change
  take_sizes(net, file.tensors, options);
  detail::take_blocks(net, file, options);
}

}  // namespace c2f
