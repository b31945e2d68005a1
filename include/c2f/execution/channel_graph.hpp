// c2f/execution/channel_graph.hpp: which layer reads which channel of a network, which channels could be taken out, and what they cost.
//
//   auto const graph = c2f::channels_of(model);                        // a model: one pass
//   for (auto const& norm : graph.norms()) std::printf("%s %s\n", norm.path.c_str(), norm.free ? "free" : "fixed");
//   auto const living = graph.living(0.01);                            // where |weight| is at least .01 of the largest of the norm
//   double const used = graph.utilisation(living, c2f::resource::parameters);
//
// Nothing is declared: one pass in eval mode is watched (execution/layer_watcher.hpp) in which every norm answers numbers of its own instead of
// normalising, another number for each channel. A layer that finds such a number in a column of its input reads that channel, through
// whatever lies between: ReLU, pooling, concatenation, flatten. Numbers that were changed, as by a sum of two maps, are unknown, and the
// norms that they come from are fixed, as are those that reach the network's output. Free are the norms that follow a convolution or
// linear layer and whose every reader was found: the first norm of a basic block of a ResNet, all of a VGG. A depthwise convolution has the
// channels that it reads: the norms before and behind it are one group, for which the last one decides.
// The second image of that pass has each norm's bias in the place of its number: what a channel whose weight is 0 is for its readers. What a
// network does in training alone is not seen.
//
// Found are readers that compute f(x) with f(a x) = a f(x) for a > 0 between norm and layer, as of ReLU; what computes something else is an
// unknown number, or fixes the norm: four more images have the numbers times .01, 100, -.01 and -100, which ELU or ReLU6 answer otherwise.
//
// Cost: a pass of six images without norms, and its gradient with respect to one number a channel. A graph points to the model's
// parameters and buffers: the model must keep its address. Errors: those of the pass; c2f::error for a pass of another network.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/visit.hpp>
#include <c2f/execution/check_widths.hpp>
#include <c2f/execution/layer_watcher.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

/// What channels cost: weights of convolutions and linear layers, or their multiply-adds for an image. Norms and biases are not counted.
enum class resource { parameters, multiply_adds };

/// Whether each channel of each norm is wanted, in the order of channel_graph::norms().
using channel_masks = std::vector<std::vector<bool>>;

/// See the top of this file.
class channel_graph final : public layer_watcher {
 public:
  /// Consecutive columns of a layer's input: all channels of a norm, `each` columns a channel; norm -1: columns of anything else.
  struct column_block {
    std::int64_t norm = -1, columns = 0, each = 1;
  };
  struct layer_record {
    state_tensor *weight, *bias;
    std::string path{};  ///< without ".weight"
    bool padded, depthwise;
    std::int64_t positions = 0;   ///< pixels of its output; 1 of a linear layer
    std::int64_t norm      = -1;  ///< that follows it
    std::vector<column_block> blocks{};
    std::vector<double> constants{};  ///< a number a column, if the norms before it answered their biases
    bool even      = true;            ///< that number is the same at all pixels
    bool only_norm = true;            ///< nothing but that norm reads its output, and that norm nothing else
  };
  struct norm_record {
    state_tensor *weight, *bias, *running_mean, *running_var;
    std::string path{};  ///< without ".weight"
    bool free            = false;
    std::int64_t layer   = -1;  ///< that it follows
    std::int64_t decides = 0;   ///< the norm that decides which channels live: itself, or the one behind a depthwise convolution
  };

  static constexpr std::int64_t images = 6;  ///< of the pass: codes, biases, and codes times each of `scales`
  static constexpr std::array<double, 4> scales{0.01, 100, -0.01, -100};
  static constexpr double tolerance = 1e-12;  ///< means over pixels are rounded

  /// run: a pass of the network on that many images, in eval mode; returns its output.
  channel_graph(any_network net, std::function<at::Tensor()> const& run) {
    c10::AutoGradMode const with_gradients(true);
    for_each_tensor(net, [&](std::string const& path, state_tensor& each, state_traits const& traits) {
      if (each.tensor().dim() > 0) known_[&each] = {path.substr(0, path.rfind('.')), traits.trained};
    });
    at::Tensor const output = [&] {
      scope const watching(*this);
      return run();
    }();
    look_into(output);
    find_fixed();
    for (auto& each : layers_) each.seen = {};
    for (auto& each : norms_) each.codes.reset();
    unknown_.clear(), codes_.clear(), known_.clear();
    for (auto& each : layers_) records_.push_back(std::move(each.record));
    for (auto& each : norms_) norm_records_.push_back(std::move(each.record));
  }

  [[nodiscard]] std::vector<layer_record> const& layers() const& { return records_; }
  [[nodiscard]] std::vector<norm_record> const& norms() const& { return norm_records_; }
  std::vector<layer_record> const& layers() && = delete;  // of a temporary
  std::vector<norm_record> const& norms() &&   = delete;
  [[nodiscard]] std::int64_t channels(std::size_t norm) const { return norm_records_[norm].weight->tensor().size(0); }

  /// Every channel; of free norms those whose weight is at least `dead` times the largest of its norm.
  [[nodiscard]] channel_masks living(double dead) const {
    channel_masks all;
    for (std::size_t i = 0; i < norm_records_.size(); ++i) {
      norm_record const& each = norm_records_[i];
      all.emplace_back(static_cast<std::size_t>(channels(i)), true);
      if (!each.free) continue;
      at::Tensor const size =
          norm_records_[static_cast<std::size_t>(each.decides)].weight->tensor().detach().to(at::kCPU, at::kDouble).abs();
      at::Tensor const lives   = size.ge(size.max().mul(dead)).contiguous();
      bool const* const values = lives.const_data_ptr<bool>();
      all.back().assign(values, values + lives.numel());
    }
    return all;
  }
  /// What the layers cost with these channels alone. A channel costs nothing where it is read if the layer before it does not make it.
  [[nodiscard]] double cost(channel_masks const& wanted, resource counted) const {
    double sum = 0;
    for (auto const& layer : records_) {
      auto const [rows, columns]        = masks_of(layer, wanted);
      channel_blocks const* const apart = layer.weight->blocks();
      double count                      = 0;
      if (layer.depthwise)
        count = number_of(rows, 0, rows.size());
      else if (apart == nullptr || apart->attention)
        count = number_of(rows, 0, rows.size()) * number_of(columns, 0, columns.size());
      else
        count = number_of(rows, 0, static_cast<std::size_t>(apart->out)) * number_of(columns, 0, static_cast<std::size_t>(apart->in)) +
                number_of(rows, static_cast<std::size_t>(apart->out), rows.size()) *
                    number_of(columns, static_cast<std::size_t>(apart->in), columns.size());
      sum += count * cost_of_one(layer, counted);
    }
    return sum;
  }
  /// Cost of the network as it is.
  [[nodiscard]] double cost(resource counted) const { return cost(living(0), counted); }
  /// r: the part of the network's cost that these channels have.
  [[nodiscard]] double utilisation(channel_masks const& living_ones, resource counted) const {
    return cost(living_ones, counted) / cost(counted);
  }
  /// What one pair of channels, written and read, costs in a layer; of a depthwise convolution one channel.
  [[nodiscard]] static double cost_of_one(layer_record const& layer, resource counted) {
    at::Tensor const& weight = layer.weight->tensor();
    double const kernel      = static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0) * weight.size(1));
    return counted == resource::parameters ? kernel : kernel * static_cast<double>(layer.positions);
  }

  at::Tensor layer(at::Tensor const& x, at::Tensor const& y, watched_layer const& which) override {
    watched& own          = layer_of(which);
    // What reads y without a norm depends on this token.
    at::Tensor const made = y.detach().add(shaped(own.token, y));
    own.seen.push_back({made, made._version()});
    own.record.positions += y.numel() / (y.size(0) * which.weight->tensor().size(0));
    std::vector<source> found = columns_of(x, own);
    if (own.seen.size() == 1)
      own.columns = std::move(found);
    else if (found != own.columns)  // called with different maps
      for (auto const* all : {&found, &own.columns})
        for (auto const& each : *all) fix(each.norm);
    return made;
  }

  at::Tensor norm(at::Tensor const& x, watched_norm const& which) override {
    std::size_t index = 0;
    while (index < norms_.size() && norms_[index].record.weight != which.weight) ++index;
    if (index == norms_.size()) add_norm(which);
    std::int64_t before = -1;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      for (auto const& [made, version] : layers_[i].seen)
        if (made.is_same(x) && made._version() == version) before = static_cast<std::int64_t>(i);
    auto const number   = static_cast<std::int64_t>(index);
    norm_record& record = norms_[index].record;
    if (x.size(0) != images) {  // parts of images, or several in one
      look_into(x);
      fix(number);
      norms_[index].reads_other = true;
      return shaped(norms_[index].codes, x).mul(at::ones(x.sizes(), norms_[index].codes.options().requires_grad(false)));
    }
    if (before < 0) {
      look_into(x);
      fix(number);
      norms_[index].reads_other = true;
    } else {
      std::int64_t& follows = layers_[static_cast<std::size_t>(before)].record.norm;
      if ((follows >= 0 && follows != number) || (record.layer >= 0 && record.layer != before)) {
        fix(follows), fix(number);
        for (std::int64_t const each : {before, record.layer})
          if (each >= 0) layers_[static_cast<std::size_t>(each)].record.only_norm = false;
      }
      follows      = number;
      record.layer = before;
    }
    at::Tensor const like  = at::ones(x.sizes().slice(1), at::TensorOptions(at::kDouble).device(x.device())).unsqueeze(0);
    at::Tensor const shift = which.bias->tensor().detach().to(at::kDouble);
    at::Tensor const codes = shaped(norms_[index].codes, x).mul(like);
    std::vector<at::Tensor> answers{codes, shaped(shift, x).mul(like)};
    for (double const scale : scales) answers.push_back(codes.mul(scale));
    return at::cat(answers);
  }

  void fixed(at::Tensor const& map) override { look_into(map); }

 private:
  struct source {
    std::int64_t norm = -1, channel = 0;
    friend bool operator==(source const&, source const&) = default;
  };
  struct watched {
    layer_record record;
    at::Tensor token;
    std::vector<std::pair<at::Tensor, std::uint32_t>> seen;
    std::vector<source> columns;
  };
  struct coded {
    norm_record record;
    at::Tensor codes;
    bool fixed       = false;
    bool reads_other = false;  ///< than the output of one layer
  };

  static double number_of(std::vector<bool> const& mask, std::size_t from, std::size_t to) {
    return static_cast<double>(
        std::count(mask.begin() + static_cast<std::ptrdiff_t>(from), mask.begin() + static_cast<std::ptrdiff_t>(to), true));
  }
  [[nodiscard]] std::pair<std::vector<bool>, std::vector<bool>> masks_of(layer_record const& layer, channel_masks const& wanted) const {
    auto const size_of     = [&](std::int64_t dim) { return static_cast<std::size_t>(layer.weight->tensor().size(dim)); };
    std::vector<bool> rows = layer.norm >= 0 ? wanted[static_cast<std::size_t>(layer.norm)] : std::vector<bool>(size_of(0), true);
    std::vector<bool> columns;
    for (auto const& block : layer.blocks)
      for (std::int64_t i = 0; i < block.columns; ++i)
        columns.push_back(block.norm < 0 || wanted[static_cast<std::size_t>(block.norm)][static_cast<std::size_t>(i / block.each)]);
    return {std::move(rows), std::move(columns)};
  }
  static at::Tensor shaped(at::Tensor const& channels, at::Tensor const& like) {
    std::vector<std::int64_t> dims(static_cast<std::size_t>(like.dim()), 1);
    dims[like.dim() == 4 ? 1 : dims.size() - 1] = channels.numel();
    return channels.view(dims);
  }
  void fix(std::int64_t norm) {
    if (norm >= 0) norms_[static_cast<std::size_t>(norm)].fixed = true;
  }
  /// The norms that this tensor depends on are fixed.
  void look_into(at::Tensor const& x) {
    if (x.defined() && x.requires_grad()) unknown_.push_back(x.reshape({-1}));
  }

  [[nodiscard]] std::pair<std::string, bool> const& known(state_tensor const* weight) const {
    auto const found = known_.find(weight);
    if (found == known_.end())
      throw error(
          "the channels of a network were looked for in the pass of a layer that is no part of the network; run the network itself");
    return found->second;
  }
  watched& layer_of(watched_layer const& which) {
    for (auto& each : layers_)
      if (each.record.weight == which.weight) return each;
    auto const& [path, trained] = known(which.weight);
    at::Tensor const token =
        at::zeros({which.weight->tensor().size(0)}, which.weight->tensor().options().dtype(at::kDouble).requires_grad(false))
            .set_requires_grad(true);
    // A forward pass sees const layers; a surgery changes them later, on behalf of the network's owner.
    layers_.push_back(
        {{const_cast<state_tensor*>(which.weight), const_cast<state_tensor*>(which.bias), path, which.padded, which.depthwise},
         token,
         {},
         {}});
    return layers_.back();
  }
  void add_norm(watched_norm const& which) {
    auto const& [path, trained] = known(which.weight);
    std::int64_t const count = which.weight->tensor().size(0), index = std::ssize(norms_);
    at::Tensor codes = at::empty({count}, at::TensorOptions(at::kDouble));
    random_stream draw(0, purpose::synthesis, 0, static_cast<std::uint64_t>(index));
    for (std::int64_t k = 0; k < count; ++k) {
      double const code                   = 1 + (draw.uniform() + draw.uniform() * 0x1p-32) / 2;  // 1 to 1.5: no sum of two is one
      codes.mutable_data_ptr<double>()[k] = code;
      codes_[code]                        = {index, k};
    }
    auto const own = [](state_tensor const* each) { return const_cast<state_tensor*>(each); };
    norm_record record{own(which.weight), own(which.bias), own(which.running_mean), own(which.running_var), path};
    record.decides = index;
    norms_.push_back({std::move(record), codes.to(which.weight->tensor().device()).set_requires_grad(true), !trained});
  }
  [[nodiscard]] source source_of(double value) const {
    auto const found = codes_.lower_bound(value - tolerance);
    return found != codes_.end() && found->first <= value + tolerance ? found->second : source{};
  }
  /// The sources of x's columns, and what the second image has there. A column that is another multiple in the other images fixes its norm.
  std::vector<source> columns_of(at::Tensor const& x, watched& own) {
    bool const map = x.dim() == 4;
    if (x.size(0) != images || !(map || x.dim() == 2)) {
      look_into(x);
      own.record.constants.assign(static_cast<std::size_t>(x.size(map ? 1 : -1)), 0.0);
      own.record.even = false;
      return std::vector<source>(static_cast<std::size_t>(x.size(map ? 1 : -1)));
    }
    at::Tensor const values = x.detach().to(at::kCPU, at::kDouble);
    auto const middle       = [&](std::int64_t image) {
      at::Tensor const one = values.select(0, image);
      return (map ? one.select(2, one.size(2) / 2).select(1, one.size(1) / 2) : one).contiguous();
    };
    at::Tensor const codes = middle(0), biases = middle(1);
    std::vector<source> found;
    std::vector<std::int64_t> unknown;
    for (std::int64_t k = 0; k < codes.numel(); ++k) {
      found.push_back(source_of(codes.const_data_ptr<double>()[k]));
      if (found.back().norm < 0) unknown.push_back(k);
    }
    at::Tensor tiny = middle(2), large = middle(3), below = middle(4), far_below = middle(5);
    auto const differ = [](double a, double b) { return !(std::abs(a - b) <= 1e-9 * std::abs(b)); };
    for (std::int64_t k = 0; k < codes.numel(); ++k) {
      double const code = codes.const_data_ptr<double>()[k];
      if (differ(large.const_data_ptr<double>()[k], scales[1] * code) || differ(tiny.const_data_ptr<double>()[k], scales[0] * code) ||
          differ(far_below.const_data_ptr<double>()[k], scales[3] / scales[2] * below.const_data_ptr<double>()[k]))
        fix(found[static_cast<std::size_t>(k)].norm);
    }
    if (!unknown.empty()) look_into(x.select(0, 0).index_select(0, at::tensor(unknown).to(x.device())));
    double const* const constants = biases.const_data_ptr<double>();
    own.record.constants.assign(constants, constants + biases.numel());
    if (map) {
      at::Tensor const flat = values.select(0, 1).flatten(1);
      for (std::int64_t k = 0; k < codes.numel(); ++k)
        if (found[static_cast<std::size_t>(k)].norm >= 0 &&
            flat[k].sub(constants[k]).abs().max().item<double>() > 1e-9 * (1 + std::abs(constants[k])))
          own.record.even = false;
    }
    return found;
  }

  void find_fixed() {
    if (!unknown_.empty()) {
      at::Tensor const all = at::cat(unknown_);
      // Weighted, so that what is subtracted somewhere does not cancel.
      all.mul(at::arange(all.numel(), all.options().requires_grad(false)).sin().add(2)).sum().backward();
      auto const reached = [](at::Tensor const& leaf) { return leaf.grad().defined() && leaf.grad().ne(0).any().item<bool>(); };
      for (auto& each : norms_) each.fixed = each.fixed || reached(each.codes);
      for (auto& each : layers_)
        if (reached(each.token)) {
          each.record.only_norm = false;
          fix(each.record.norm);
        }
    }
    for (auto& each : layers_)
      if (each.record.norm >= 0 && norms_[static_cast<std::size_t>(each.record.norm)].reads_other) each.record.only_norm = false;
    std::vector<std::vector<std::size_t>> readers(norms_.size());
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      find_blocks(layers_[i]);
      for (auto const& block : layers_[i].record.blocks)
        if (block.norm >= 0) readers[static_cast<std::size_t>(block.norm)].push_back(i);
    }
    for (std::size_t i = 0; i < norms_.size(); ++i) {
      coded& each = norms_[i];
      each.fixed  = each.fixed || each.record.layer < 0 || readers[i].empty();
    }
    // A depthwise convolution makes one group of the norms before and behind it.
    for (auto const& each : layers_) {
      layer_record const& layer = each.record;
      if (!layer.depthwise || layer.blocks.empty()) continue;
      std::int64_t const before = layer.blocks.front().norm;
      bool const alone          = layer.blocks.size() == 1 && before >= 0 && layer.blocks.front().each == 1 && layer.norm >= 0 &&
                         readers[static_cast<std::size_t>(before)].size() == 1;
      if (alone)
        norms_[static_cast<std::size_t>(before)].record.decides = layer.norm;
      else
        for (auto const& block : layer.blocks) fix(block.norm), fix(layer.norm);
    }
    for (bool changed = true; changed;) {  // a group is fixed if one of it is
      changed = false;
      for (std::size_t i = 0; i < norms_.size(); ++i) {
        coded &each = norms_[i], &next = norms_[static_cast<std::size_t>(each.record.decides)];
        if (each.fixed != next.fixed) each.fixed = next.fixed = changed = true;
        if (next.record.decides != each.record.decides) each.record.decides = next.record.decides, changed = true;
      }
    }
    for (auto& each : norms_) each.record.free = !each.fixed;
    for (auto& each : layers_)
      for (auto& block : each.record.blocks)
        if (block.norm >= 0 && norms_[static_cast<std::size_t>(block.norm)].fixed) block = {-1, block.columns, 1};
  }
  void find_blocks(watched& each) {
    auto const& columns = each.columns;
    auto& blocks        = each.record.blocks;
    for (std::size_t at = 0; at < columns.size();) {
      source const first = columns[at];
      if (first.norm < 0) {
        if (blocks.empty() || blocks.back().norm >= 0) blocks.push_back({});
        ++blocks.back().columns, ++at;
        continue;
      }
      std::size_t same = 1;
      while (at + same < columns.size() && columns[at + same] == first) ++same;
      auto const count = static_cast<std::size_t>(norms_[static_cast<std::size_t>(first.norm)].codes.numel()) * same;
      bool whole       = at + count <= columns.size();
      for (std::size_t i = 0; whole && i < count; ++i) whole = columns[at + i] == source{first.norm, static_cast<std::int64_t>(i / same)};
      if (whole) {
        blocks.push_back({first.norm, static_cast<std::int64_t>(count), static_cast<std::int64_t>(same)});
        at += count;
      } else {  // some of its channels, or in another order
        fix(first.norm);
        if (blocks.empty() || blocks.back().norm >= 0) blocks.push_back({});
        blocks.back().columns += static_cast<std::int64_t>(same);
        at += same;
      }
    }
  }

  std::map<state_tensor const*, std::pair<std::string, bool>> known_;  // path without its last component, and whether it is trained
  std::vector<watched> layers_;
  std::vector<coded> norms_;
  std::map<double, source> codes_;
  std::vector<at::Tensor> unknown_;
  std::vector<layer_record> records_;
  std::vector<norm_record> norm_records_;
};

namespace detail {
inline at::Tensor watched_images(at::IntArrayRef dims, any_network net) {
  at::Tensor const two = two_images(dims, net);
  static_assert(channel_graph::images == 6);
  return at::cat({two, two, two});
}
}  // namespace detail

/// The channels of a model (task/model.hpp). side: of the images, where the input's size is not known while compiling.
template <class Model>
[[nodiscard]] channel_graph channels_of(Model& model, std::int64_t side = 64) {
  using input = typename Model::input;
  return channel_graph(any_network(model), [&]() -> at::Tensor {
    pass p{.mode = eval};
    return model(detail::watched_images({input::channels, input::height < 0 ? side : input::height, input::width < 0 ? side : input::width},
                                        any_network(model)),
                 p);
  });
}
/// The channels of a network on images of this size.
template <class Net>
[[nodiscard]] channel_graph channels_of(Net& net, std::int64_t channels, std::int64_t height, std::int64_t width) {
  return channel_graph(any_network(net), [&] { return net(detail::watched_images({channels, height, width}, any_network(net)), eval); });
}

}  // namespace c2f
