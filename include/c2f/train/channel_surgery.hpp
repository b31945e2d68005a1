// c2f/train/channel_surgery.hpp: takes dead channels out of a network and gives it new ones, under a budget.
//
//   c2f::surgery_report const done = c2f::replace_channels(model, c2f::channels_of(model), {.rescale = true});
//   for (auto const& norm : done.norms) std::printf("%s: %ld of %ld live, now %ld\n", norm.path.c_str(), norm.living, norm.before, norm.after);
//
// Neural rejuvenation (Qiao et al., "Neural rejuvenation", CVPR 2019, section 5). A channel of a norm that is free (execution/channel_graph.hpp)
// is dead where |weight| < .01 max |weight| of the norm. S are the channels that stay, R the new ones:
//   reallocation      one factor a for all free norms: of s living channels a norm gets round(a s), with the largest a whose cost is within
//                     the budget. Norms that are not free keep their channels.
//   reinitialisation  weights R→R: the layer's initial values; S→R and R→S: 0 at first. A layer that reads no new channels, such as the
//                     first, has initial values for the rows R; a layer whose channels are fixed, such as the classifier, reads R by 0.
//                     Norms of R begin with weight gamma_0, bias 0 and statistics 0 and 1.
//   rescaling         |weight'| = max(|weight|, gamma_0), the bias times weight' / weight, the columns that read the channel divided by it:
//                     changes no answer. A channel that carries constants (below) keeps its weight of 0
// gamma_0 is the initial weight of norms, 1; .5 in the published code for VGG, whose norms begin with that.
// So the network answers as before, but for what the dead channels said beyond a constant. This constant, relu(bias), is not lost: a
// convolution without padding or a linear layer has it added to the norm's mean or the bias. Behind zero padding no constant replaces it at
// the border, so one of the dead channels stays, with weight 0, and its readers' columns carry the constants of all: this is exact, too.
//
// The state of the optimiser follows the channels that stay; of new ones it is 0. New values are a function of (seed, number of the surgery,
// path). The layers' outputs are summed in another order afterwards: equal to rounding.
//
// Cost: a copy of the parameters, and the random numbers of R→R. Errors: input_error for a network without a free norm, for one that has cross
// attention, for a budget that the channels that stay exceed, in multiples and with those that carry constants, and for options out of
// range.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/visit.hpp>
#include <c2f/execution/channel_graph.hpp>
#include <c2f/layers/conv_blocks.hpp>
#include <c2f/train/state.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

/// What new channels have to do with the living ones (layers/conv_blocks.hpp).
enum class cross_connections {
  kept,      ///< weights that are 0 at first and trained (NR)
  none,      ///< none (NR-CR); of layers that read one map of free channels
  attention  ///< cross attention (NR-CA), of the same layers
};

struct surgery_options {
  double dead             = 0.01;  ///< a channel is dead below this part of the largest weight of its norm
  resource counted        = resource::parameters;
  double budget           = 0;     ///< the cost that the network may have; 0: as much as it has
  bool regrow             = true;  ///< false: dead channels are taken out, and none given back
  bool compensate         = true;  ///< keep the constants of dead channels; false: drop them, as the published code does
  bool rescale            = false;
  cross_connections cross = cross_connections::kept;
  double weight           = 1;  ///< gamma_0: of the norms of new channels, and the least one after rescaling; what the norms began with
  std::int64_t multiple   = 1;  ///< widths become multiples of this; 8 suits fused operations of a GPU
  std::uint64_t seed      = 1;
  std::uint64_t number    = 1;  ///< of the surgery in a training
};

/// The channels of a norm.
struct channel_count {
  std::string path;
  bool free           = false;
  std::int64_t before = 0, living = 0, kept = 0, after = 0;  ///< kept: the living ones, and one that carries constants
};
struct surgery_report {
  std::vector<channel_count> norms;
  double utilisation = 1, growth = 1;                                   ///< r and a
  double cost_before = 0, cost_living = 0, budget = 0, cost_after = 0;  ///< in the resource that was counted
};

namespace detail {

/// The rows and columns of a tensor after a surgery: where they were, or -1 for new ones; empty: unchanged. scale: of what stays.
struct tensor_change {
  std::vector<std::int64_t> rows{}, columns{};
  at::Tensor row_scale{}, column_scale{};  ///< double, over the rows and columns of before
};

inline at::Tensor at_places(at::Tensor const& from, std::int64_t dim, std::vector<std::int64_t> const& places) {
  if (places.empty()) return from;
  at::Tensor const index = at::tensor(places).to(from.device());
  std::vector<std::int64_t> dims(static_cast<std::size_t>(from.dim()), 1);
  dims[static_cast<std::size_t>(dim)] = index.numel();
  return from.index_select(dim, index.clamp_min(0)).mul(index.ge(0).to(from.scalar_type()).view(dims));
}
inline at::Tensor scaled(at::Tensor const& from, std::int64_t dim, at::Tensor const& scale, double power) {
  if (!scale.defined() || from.dim() <= dim) return from;
  std::vector<std::int64_t> dims(static_cast<std::size_t>(from.dim()), 1);
  dims[static_cast<std::size_t>(dim)] = scale.numel();
  return from.mul(scale.pow(power).to(from.options()).view(dims));
}
/// A tensor after a change, with 0 for what is new.
inline at::Tensor changed(at::Tensor const& from, tensor_change const& by, double power) {
  at::Tensor const values = scaled(scaled(from, 0, by.row_scale, power), 1, by.column_scale, power);
  return at_places(at_places(values, 0, by.rows), 1, by.columns);
}

inline void check_free(channel_graph const& graph) {
  if (std::none_of(graph.norms().begin(), graph.norms().end(), [](auto const& each) { return each.free; }))
    throw input_error(
        "no norm of this network has channels that may be replaced, since each is part of a sum or of the output, or follows no "
        "convolution; give convolutions a c2f::batch_norm of their own");
}

inline void check_options(surgery_options const& how) {
  if (!(how.dead >= 0 && how.dead < 1) || !(how.budget >= 0) || !(how.weight > 0) || how.multiple < 1)
    throw input_error("channels cannot be replaced with dead " + std::to_string(how.dead) + ", budget " + std::to_string(how.budget) +
                      ", weight " + std::to_string(how.weight) + " and multiple " + std::to_string(how.multiple) +
                      "; write a dead from 0 to below 1, no budget below 0, a weight above 0 and a multiple of 1 or more");
}

class surgery {
 public:
  /// shrink: every free norm keeps the first channels, as many as the budget allows.
  surgery(any_network net, channel_graph const& graph, surgery_options const& how, bool shrink = false)
      : graph_(graph), how_(how), shrink_(shrink) {
    check_options(how);
    for_each_tensor(net, [&](std::string const& path, state_tensor& each, state_traits const& traits) { known_[&each] = {path, &traits}; });
    choose();
  }

  /// Changes the model's tensors; returns what was done.
  surgery_report operate(named_tensors* optimizer_state) {
    at::NoGradGuard const no_gradients;
    if (how_.compensate) compensate();
    if (how_.rescale) rescale();
    for (std::size_t n = 0; n < kept_.size(); ++n) plan(n);
    for (auto const& layer : graph_.layers()) plan(layer);
    if (optimizer_state != nullptr) move(*optimizer_state);
    for (auto const& layer : graph_.layers()) rebuild(layer);
    for (std::size_t n = 0; n < kept_.size(); ++n)
      if (graph_.norms()[n].free) rebuild(graph_.norms()[n]);
    for (auto const& [tensor, value] : values_)  // compensated, of an unchanged shape
      if (!changes_.contains(tensor)) put(*tensor, value);
    return report_;
  }

 private:
  using norm_record  = channel_graph::norm_record;
  using layer_record = channel_graph::layer_record;

  // ---- which channels stay, and how many are added ----

  void choose() {
    auto const& norms = graph_.norms();
    check_free(graph_);
    for (auto const& layer : graph_.layers())
      if (attends(*layer.weight))
        throw input_error("'" + layer.path +
                          "' has cross attention, between channels that a second replacement would not keep apart; replace channels once "
                          "with cross attention, or several times without");
    channel_masks const living = graph_.living(how_.dead);
    report_.cost_before        = graph_.cost(how_.counted);
    report_.cost_living        = graph_.cost(living, how_.counted);
    report_.utilisation        = report_.cost_living / report_.cost_before;
    report_.budget             = how_.budget > 0 ? how_.budget : report_.cost_before;
    for (std::size_t n = 0; n < norms.size(); ++n) {
      kept_.push_back(places_of(living[n]));
      carrier_.push_back(-1);
      report_.norms.push_back({norms[n].path, norms[n].free, graph_.channels(n), std::ssize(kept_[n]), 0, 0});
    }
    if (how_.compensate)
      for (std::size_t n = 0; n < norms.size(); ++n)
        if (norms[n].free && norms[n].decides == static_cast<std::int64_t>(n)) keep_constants(n, living[n]);
    for (std::size_t n = 0; n < norms.size(); ++n) kept_[n] = kept_[static_cast<std::size_t>(norms[n].decides)];

    double low = shrink_ ? 0 : 1, high = 1;
    if (how_.regrow) {
      double const least = cost_at(low);  // also of channels that carry constants, and in multiples
      if (least > report_.budget * (1 + 1e-12))
        throw input_error("the channels that stay cost " + std::to_string(std::llround(least)) + ", and the budget is " +
                          std::to_string(std::llround(report_.budget)) +
                          "; give a larger budget, or take channels out at a lower utilisation");
      // Without cross-connections a layer becomes cheaper where the second of its sides gets new channels. Counted as if it had them on both
      // at any factor, which is at most its cost, the cost only rises: the factor found by that count is the largest or above it.
      while (cost_at(high, true) <= report_.budget && high < 1e6) high *= 2;
      for (int i = 0; i < 60; ++i) (cost_at((low + high) / 2, true) <= report_.budget ? low : high) = (low + high) / 2;
      while (cost_at(low) > report_.budget) low = growth_below(low);
    }
    report_.growth     = low;
    report_.cost_after = cost_at(low);
    for (std::size_t n = 0; n < norms.size(); ++n) {
      width_.push_back(width_at(n, low));
      if (shrink_) kept_[n].resize(static_cast<std::size_t>(std::min(width_[n], std::ssize(kept_[n]))));
      report_.norms[n].kept  = std::ssize(kept_[n]);
      report_.norms[n].after = width_[n];
    }
  }
  static std::vector<std::int64_t> places_of(std::vector<bool> const& mask) {
    std::vector<std::int64_t> all;
    for (std::size_t i = 0; i < mask.size(); ++i)
      if (mask[i]) all.push_back(static_cast<std::int64_t>(i));
    return all;
  }
  /// Calls f(layer, first column, block) for the places where a norm is read.
  template <class F>
  void for_each_reader(std::size_t norm, F const& f) const {
    for (auto const& layer : graph_.layers()) {
      std::int64_t at = 0;
      for (auto const& block : layer.blocks) {
        if (block.norm == static_cast<std::int64_t>(norm)) f(layer, at, block);
        at += block.columns;
      }
    }
  }
  /// Whether the mean of a layer's norm may take what the layer has lost: no other reads the layer.
  static bool has_own_norm(layer_record const& layer) { return layer.norm >= 0 && layer.only_norm; }
  static bool absorbs(layer_record const& layer) { return !layer.padded && layer.even && (has_own_norm(layer) || layer.bias != nullptr); }
  static bool same(std::vector<double> const& a, std::vector<double> const& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](double x, double y) { return std::abs(x - y) <= channel_graph::tolerance * (1 + std::abs(x)); });
  }
  /// Keeps what is needed for the constants of a norm's dead channels.
  void keep_constants(std::size_t n, std::vector<bool> const& living) {
    std::vector<double> constants;
    bool alike = true, absorbed = true;
    for_each_reader(n, [&](layer_record const& layer, std::int64_t at, auto const& block) {
      std::vector<double> here;
      for (std::int64_t i = 0; i < block.columns; i += block.each) here.push_back(layer.constants[static_cast<std::size_t>(at + i)]);
      alike    = alike && layer.even && (constants.empty() || same(constants, here));
      absorbed = absorbed && absorbs(layer);
      if (constants.empty()) constants = here;
      for (std::size_t k = 0; k < here.size(); ++k)
        if (constants[k] == 0) constants[k] = here[k];
    });
    std::int64_t carrier = -1;
    for (std::size_t k = 0; k < constants.size(); ++k) {
      if (living[k] || constants[k] == 0) continue;
      if (!alike && !absorbed) kept_[n].push_back(static_cast<std::int64_t>(k));  // no other channel can carry it
      if (carrier < 0 || std::abs(constants[k]) > std::abs(constants[static_cast<std::size_t>(carrier)]))
        carrier = static_cast<std::int64_t>(k);
    }
    if (carrier >= 0 && alike && !absorbed) {
      kept_[n].push_back(carrier);
      carrier_[n] = carrier;
    }
    std::sort(kept_[n].begin(), kept_[n].end());
  }

  [[nodiscard]] std::int64_t width_at(std::size_t n, double growth) const {
    std::int64_t const kept = std::ssize(kept_[n]), m = how_.multiple;
    if (!graph_.norms()[n].free || !how_.regrow) return kept;
    std::int64_t const rounded = m * std::llround(growth * static_cast<double>(kept) / static_cast<double>(m));
    return std::max(rounded, ((shrink_ ? 1 : kept) + m - 1) / m * m);
  }
  /// The next smaller factor at which a norm has fewer channels.
  [[nodiscard]] double growth_below(double growth) const {
    double const least = shrink_ ? 0 : 1;
    double found       = least;
    for (std::size_t n = 0; n < kept_.size(); ++n) {
      auto const width = static_cast<double>(width_at(n, growth)), m = static_cast<double>(how_.multiple);
      if (width > static_cast<double>(width_at(n, least)))
        found = std::max(found, m * (std::round(width / m) - 0.5) / static_cast<double>(std::ssize(kept_[n])) * (1 - 1e-12));
    }
    return found;
  }
  struct layer_widths {
    double rows, new_rows, columns, new_columns;
  };
  [[nodiscard]] layer_widths widths_at(layer_record const& layer, double growth) const {
    layer_widths found{static_cast<double>(layer.weight->tensor().size(0)), 0, 0, 0};
    if (layer.norm >= 0) {
      auto const n   = static_cast<std::size_t>(layer.norm);
      found.rows     = static_cast<double>(std::ssize(kept_[n]));
      found.new_rows = static_cast<double>(width_at(n, growth)) - found.rows;
    }
    for (auto const& block : layer.blocks) {
      if (block.norm < 0) {
        found.columns += static_cast<double>(block.columns);
        continue;
      }
      auto const n      = static_cast<std::size_t>(block.norm);
      double const kept = static_cast<double>(std::ssize(kept_[n])), each = static_cast<double>(block.each);
      found.columns += each * kept;
      found.new_columns += each * (static_cast<double>(width_at(n, growth)) - kept);
    }
    return found;
  }
  /// apart: layers in blocks are counted as blocks even where one of them is empty.
  [[nodiscard]] double cost_at(double growth, bool apart = false) const {
    double sum = 0;
    for (auto const& layer : graph_.layers()) {
      auto const [rows, new_rows, columns, new_columns] = widths_at(layer, growth);
      bool const blocks  = how_.cross == cross_connections::none && in_blocks(layer) && (apart || (new_rows > 0 && new_columns > 0));
      double const count = layer.depthwise ? rows + new_rows
                           : blocks        ? rows * columns + new_rows * new_columns
                                           : (rows + new_rows) * (columns + new_columns);
      sum += count * channel_graph::cost_of_one(layer, how_.counted);
    }
    return sum;
  }
  /// Whether a layer's channels of both sides are living ones followed by new ones.
  [[nodiscard]] bool in_blocks(layer_record const& layer) const {
    return how_.cross != cross_connections::kept && !layer.depthwise && layer.weight->tensor().dim() == 4 && layer.norm >= 0 &&
           graph_.norms()[static_cast<std::size_t>(layer.norm)].free && layer.blocks.size() == 1 && layer.blocks.front().norm >= 0;
  }

  // ---- values that change before tensors do ----

  /// The value of a tensor during the surgery.
  at::Tensor& value(state_tensor* of) {
    auto const [at, made] = values_.try_emplace(of);
    if (made) at->second = of->tensor().detach().clone();
    return at->second;
  }

  void compensate() {
    for (auto const& layer : graph_.layers()) {
      at::Tensor lost = at::zeros({std::ssize(layer.constants)}, at::TensorOptions(at::kDouble));
      bool any        = false;
      std::int64_t at = 0;
      for (auto const& block : layer.blocks) {
        auto const n = static_cast<std::size_t>(std::max<std::int64_t>(block.norm, 0));
        if (block.norm >= 0 && graph_.norms()[n].decides == block.norm) {
          std::vector<bool> stays(static_cast<std::size_t>(graph_.channels(n)), false);
          for (auto const k : kept_[n]) stays[static_cast<std::size_t>(k)] = true;
          for (std::int64_t i = 0; i < block.columns; ++i) {
            double const constant = layer.constants[static_cast<std::size_t>(at + i)];
            if (stays[static_cast<std::size_t>(i / block.each)] || constant == 0) continue;
            if (carrier_[n] < 0) {
              lost.mutable_data_ptr<double>()[at + i] = constant;
              any                                     = true;
              continue;
            }
            std::int64_t const to = at + carrier_[n] * block.each + i % block.each;
            double const carried  = layer.constants[static_cast<std::size_t>(to)];
            at::Tensor& weight    = value(layer.weight);
            if (carried != 0) weight.select(1, to).add_(weight.select(1, at + i), constant / carried);
          }
        }
        at += block.columns;
      }
      if (!any) continue;
      at::Tensor const weight =
          value(layer.weight).to(at::kDouble).flatten(1).view({layer.weight->tensor().size(0), std::ssize(layer.constants), -1}).sum(2);
      at::Tensor const sum = weight.matmul(lost.to(weight.device()));
      if (has_own_norm(layer)) {
        at::Tensor& mean = value(graph_.norms()[static_cast<std::size_t>(layer.norm)].running_mean);
        mean             = mean.to(at::kDouble).sub(sum).to(mean.scalar_type());
      } else if (layer.bias != nullptr) {
        at::Tensor& added = value(layer.bias);
        added             = added.to(at::kDouble).add(sum).to(added.scalar_type());
      }
    }
    for (std::size_t n = 0; n < carrier_.size(); ++n)
      if (carrier_[n] >= 0) value(graph_.norms()[n].weight).select(0, carrier_[n]).zero_();
  }

  void rescale() {
    for (std::size_t n = 0; n < kept_.size(); ++n) {
      norm_record const& norm = graph_.norms()[n];
      if (!norm.free) continue;
      at::Tensor const size  = value(norm.weight).to(at::kDouble).abs();
      at::Tensor const scale = size.clamp_min(how_.weight).div(size).masked_fill(size.eq(0), 1);  // weight' / weight
      for (state_tensor* const each : {norm.weight, norm.bias}) {
        at::Tensor& held         = value(each);
        held                     = scaled(held, 0, scale, 1);
        changes_[each].row_scale = scale.reciprocal();  // gradients are divided by what parameters are multiplied by
      }
      for_each_reader(n, [&](layer_record const& layer, std::int64_t at, auto const& block) {
        at::Tensor& weight  = value(layer.weight);
        at::Tensor& factors = layer.depthwise ? changes_[layer.weight].row_scale : changes_[layer.weight].column_scale;
        if (!factors.defined()) factors = at::ones({layer.depthwise ? weight.size(0) : weight.size(1)}, scale.options());
        factors.narrow(0, at, block.columns).copy_(scale.repeat_interleave(block.each));
      });
    }
    for (auto const& layer : graph_.layers()) {
      auto const found = changes_.find(layer.weight);
      if (found == changes_.end()) continue;
      at::Tensor& weight = value(layer.weight);
      weight             = scaled(scaled(weight, 0, found->second.row_scale, -1), 1, found->second.column_scale, -1);
    }
  }

  // ---- new sizes ----

  [[nodiscard]] std::vector<std::int64_t> places(std::size_t n) const {
    std::vector<std::int64_t> all = kept_[n];
    all.resize(static_cast<std::size_t>(width_[n]), -1);
    return all;
  }
  void plan(std::size_t n) {
    norm_record const& norm = graph_.norms()[n];
    if (!norm.free) return;
    for (state_tensor* const each : {norm.weight, norm.bias, norm.running_mean, norm.running_var}) changes_[each].rows = places(n);
  }
  void plan(layer_record const& layer) {
    tensor_change& weight = changes_[layer.weight];
    if (layer.norm >= 0 && graph_.norms()[static_cast<std::size_t>(layer.norm)].free) {
      weight.rows = places(static_cast<std::size_t>(layer.norm));
      if (layer.bias != nullptr) changes_[layer.bias].rows = weight.rows;
    }
    if (layer.depthwise) return;
    std::int64_t at = 0;
    bool any        = false;
    for (auto const& block : layer.blocks) {
      any = any || block.norm >= 0;
      if (block.norm < 0)
        for (std::int64_t i = 0; i < block.columns; ++i) weight.columns.push_back(at + i);
      else
        for (std::int64_t const k : places(static_cast<std::size_t>(block.norm)))
          for (std::int64_t i = 0; i < block.each; ++i) weight.columns.push_back(k < 0 ? -1 : at + k * block.each + i);
      at += block.columns;
    }
    if (!any) weight.columns.clear();
  }
  void move(named_tensors& all) const {
    std::map<std::string, tensor_change const*> by_path;
    for (auto const& [tensor, change] : changes_) by_path[known_.at(tensor).first] = &change;
    for (auto& [name, tensor] : all) {
      std::string path = name;
      double power     = 1;
      for (auto const& [ending, its] : {std::pair{std::string(".first_moment"), 1.0}, {std::string(".second_moment"), 2.0}})
        if (path.ends_with(ending)) path.resize(path.size() - ending.size()), power = its;
      if (auto const found = by_path.find(path); found != by_path.end()) tensor = changed(tensor.detach(), *found->second, power).clone();
    }
  }

  void put(state_tensor& into, at::Tensor const& value) const {
    into.assign(value.contiguous(into.tensor().suggest_memory_format()).set_requires_grad(known_.at(&into).second->trained));
  }
  [[nodiscard]] random_stream stream(state_tensor const* of) const {
    return {how_.seed, purpose::new_channel, how_.number, hash_of(known_.at(of).first)};
  }
  void rebuild(layer_record const& layer) {
    tensor_change const& change = changes_.at(layer.weight);
    at::Tensor made             = changed(value(layer.weight), {change.rows, change.columns}, 1);
    auto const is_new           = [](std::int64_t from) { return from < 0; };
    bool const new_columns      = std::any_of(change.columns.begin(), change.columns.end(), is_new);
    state_traits const& traits  = *known_.at(layer.weight).second;
    if (std::any_of(change.rows.begin(), change.rows.end(), is_new) && traits.draw != nullptr) {
      at::Tensor fresh                     = at::zeros(made.sizes(), at::TensorOptions(at::kFloat));
      std::vector<std::int64_t> const dims = made.sizes().vec();
      std::int64_t const kernel            = made.numel() / (dims[0] * dims[1]);
      random_stream draw                   = stream(layer.weight);
      float* const numbers                 = fresh.mutable_data_ptr<float>();
      for (std::int64_t i = 0; i < dims[0]; ++i)
        for (std::int64_t j = 0; j < dims[1]; ++j)
          if (traits.finish != nullptr ||
              (change.rows[static_cast<std::size_t>(i)] < 0 && (!new_columns || change.columns[static_cast<std::size_t>(j)] < 0)))
            for (std::int64_t k = 0, at = (i * dims[1] + j) * kernel; k < kernel; ++k)
              numbers[at + k] = static_cast<float>(traits.draw(draw, dims, at + k));
      if (traits.finish != nullptr) traits.finish(dims, numbers);
      at::Tensor const rows    = at::tensor(change.rows).lt(0).view({-1, 1}).to(at::kFloat);
      at::Tensor const columns = new_columns ? at::tensor(change.columns).lt(0).view({1, -1}).to(at::kFloat) : at::ones({1, dims[1]});
      std::vector<std::int64_t> both{dims[0], dims[1]};
      both.resize(dims.size(), 1);
      made = made.add(fresh.mul(rows.mul(columns).view(both)).to(made.options()));
    }
    if (!change.rows.empty() || !change.columns.empty() || values_.contains(layer.weight)) put(*layer.weight, made);
    if (layer.bias != nullptr && changes_.contains(layer.bias))
      put(*layer.bias, changed(value(layer.bias), {changes_.at(layer.bias).rows, {}}, 1));
    if (layer.depthwise) return;
    auto const [rows, new_rows, columns, more_columns] = widths_at(layer, report_.growth);
    if (in_blocks(layer) && new_rows > 0 && more_columns > 0)
      layer.weight->set_blocks(
          {static_cast<std::int64_t>(columns), static_cast<std::int64_t>(rows), how_.cross == cross_connections::attention});
    else
      layer.weight->clear_blocks();
  }
  void rebuild(norm_record const& norm) {
    for (auto const& [tensor, fresh] :
         {std::pair{norm.weight, how_.weight}, {norm.bias, 0.0}, {norm.running_mean, 0.0}, {norm.running_var, 1.0}}) {
      auto const& rows      = changes_.at(tensor).rows;
      at::Tensor const made = changed(value(tensor), {rows}, 1);
      put(*tensor, made.add(at::tensor(rows).lt(0).to(made.options()).mul(fresh)));
    }
  }

  channel_graph const& graph_;
  surgery_options how_;
  bool shrink_ = false;
  std::map<state_tensor const*, std::pair<std::string, state_traits const*>> known_;
  std::vector<std::vector<std::int64_t>> kept_;  // of every norm
  std::vector<std::int64_t> carrier_, width_;    // the channel that carries the constants of dead ones, or -1
  std::map<state_tensor*, at::Tensor> values_;
  std::map<state_tensor*, tensor_change> changes_;
  surgery_report report_;
};

}  // namespace detail

/// Replaces the dead channels of a model or network. graph: of it as it is now, since the constants of channels are in the graph. optimizer_state: by path, as in a training_state; it is changed with
/// the parameters. Throws without a change.
template <class Model>
surgery_report replace_channels(Model& model, channel_graph const& graph, surgery_options const& how = {},
                                named_tensors* optimizer_state = nullptr) {
  return detail::surgery(any_network(model), graph, how).operate(optimizer_state);
}

/// Sets every parameter and buffer to an initial value, a function of (seed, path), in the sizes that it has today: the found architecture,
/// from scratch. The bias of a linear layer keeps the bound that its type gives it.
template <class Model>
void initialize_again(Model& model, std::uint64_t seed) {
  for_each_tensor(model, [&](std::string const& path, state_tensor& each, state_traits const& traits) {
    if (traits.draw == nullptr) return;
    at::Tensor const& own = each.tensor();
    each.assign(detail::initial_value(path, traits, own.sizes(), seed)
                    .to(own.device(), traits.type)
                    .contiguous(own.suggest_memory_format())
                    .set_requires_grad(traits.trained));
  });
}

/// Scales the widths of all free norms by one factor, so that the network costs at most `budget`, and sets initial values: a smaller network
/// of the same kind, from scratch. Throws without a change.
template <class Model>
surgery_report scale_widths(Model& model, channel_graph const& graph, double budget, resource counted, std::uint64_t seed) {
  auto const report =
      detail::surgery(any_network(model), graph, {.dead = 0, .counted = counted, .budget = budget, .compensate = false}, true)
          .operate(nullptr);
  initialize_again(model, seed);
  return report;
}

}  // namespace c2f
