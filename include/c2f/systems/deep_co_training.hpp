// c2f/systems/deep_co_training.hpp: networks that learn from few labels and from each other.
//
//   // struct photographs { using input = c2f::image<3, 32, 32>; using network = c2f::cnn13<c2f::class_vector<10>>; };
//   c2f::systems::deep_co_training<photographs> model({.labelled = 8, .unlabelled = 92}, seed);     // two views
//   auto const data = c2f::systems::few_label_data(model, cifar10, 4000, seed);                     // 4,000 labels
//   c2f::fit(model, data, c2f::systems::few_label_recipe(model));
//
// Qiao, Shen, Zhang, Wang, Yuille, "Deep co-training for semi-supervised image recognition", ECCV 2018. `Views` networks of the task, its
// input and network, that begin with other parameters. A batch has `labelled` rows for each of them, in orders of their own, and `unlabelled`
// rows for all. Losses, algorithm 1:
//   view1 ...   the cross-entropy of each view on its labelled rows                                      (eq. 3.1: their sum)
//   cot         lambda_cot * t * JS(p1(x), p2(x)), the Jensen-Shannon divergence on the unlabelled rows, in nats           (eq. 3.3)
//   dif         lambda_dif * t * [H(p1(x), p2(g1(x))) + H(p2(x), p1(g2(x)))] on all rows of a view                         (eq. 3.4)
// g1(x) is the adversarial example of x against view 1: x + epsilon * sign of the gradient of its loss (Goodfellow et al., ICLR 2015), at
// the label or, without one, at its prediction; made by a pass at inference, which changes no statistics and computes no gradients of
// parameters. epsilon is in units of the pixels that the network sees. Gradients flow into both distributions of a term.
// More than two views are shuffled in every step and taken in pairs; cot and dif are sums over pairs (eq. 3.8). All pairs share the unlabelled
// rows of a batch; in the dissertation each pair has its own.
//
// t warms up as the task's `schedule` says, by default gaussian_ramp<80>. At inference the answer is the mean of the views' predictions;
// evaluations score each view, "view1" ..., and the answer, "ensemble". Published tables report the mean of single views.
// A view may be a stack: `using network = c2f::stack<my_task>` for a task of the same input. It supervises itself, and its fine network sees
// nothing (zeros) as the truth of a row without a label.
//
// More than two views are shuffled on the host, so their step is not captured in a CUDA graph.
// Cost: for each view two passes and two backward passes with parameters, and one pass and backward pass to the pixels; without dif one.
// Errors: input_error for options out of range and for a batch of another number of rows; an odd number of views, and a kind that is no
// class_vector, are compile errors.
#pragma once

#include <c2f/loss/disagreement.hpp>
#include <c2f/systems/few_label_training.hpp>
#include <c2f/train/adversarial.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace c2f::systems {

struct co_training_options {
  std::int64_t labelled = 8, unlabelled = 92;  ///< rows of a batch: of each view, and for all views
  double lambda_cot = 10;                      ///< 0: without the loss
  double lambda_dif = 0.5;
  double epsilon    = 0.02;
};

namespace detail {
template <std::size_t Views>
consteval bool check_views() {
  static_assert(Views >= 2 && Views % 2 == 0, "co-training takes its views in pairs; write 2, 4 or 8 of them");
  return true;
}
}  // namespace detail

/// `Views` networks that learn from each other; a model (task/model.hpp).
template <class Task, std::size_t Views = 2>
struct deep_co_training
    : c2f::detail::static_check<detail::check_views<Views>(), detail::check_probabilities<typename Task::network::kind>()> {
  static constexpr char const* name = "deep co-training";
  using input                       = typename Task::input;
  using network                     = network_on<typename Task::network, input>;
  using kind                        = typename Task::network::kind;
  using schedule                    = typename detail::warm_up_of<Task>::type;

  static constexpr std::size_t labelled_streams = Views;
  static constexpr bool whole_batches           = true;
  static constexpr bool view_is_stack           = requires { typename network::completed; };

  std::array<network, Views> views;

  explicit deep_co_training(co_training_options const& options, std::uint64_t seed = 0) : options_(options) {
    auto const& [labelled, unlabelled, cot, dif, epsilon] = options;
    auto const above                                      = [](double value) { return value >= 0 && std::isfinite(value); };
    if (labelled < 1 || unlabelled < 1 || !above(cot) || !above(dif) || !above(epsilon))
      throw input_error("co-training cannot have " + std::to_string(labelled) + " labelled and " + std::to_string(unlabelled) +
                        " unlabelled rows, lambda_cot " + std::to_string(cot) + ", lambda_dif " + std::to_string(dif) + " and epsilon " +
                        std::to_string(epsilon) + "; write 1 or more rows of both and no number below 0");
    initialize(*this, seed);
  }
  [[nodiscard]] co_training_options const& options() const { return options_; }
  /// Rows of a batch.
  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(Views) * options_.labelled + options_.unlabelled; }
  [[nodiscard]] std::uint64_t fingerprint() const {
    std::uint64_t hash = data::detail::empty_hash;
    for (double const value : {options_.lambda_cot, options_.lambda_dif, options_.epsilon})
      hash = data::detail::hash_after(hash, std::bit_cast<std::uint64_t>(value));
    return hash;
  }
  template <class Self, class F>
  static void each_member(Self& self, F&& f) {
    for (std::size_t i = 0; i < Views; ++i) f("view" + std::to_string(i + 1), self.views[i]);
  }
  static constexpr std::int64_t count_of_parameters() { return static_cast<std::int64_t>(Views) * parameter_count<network>; }

  /// The answer, log of the mean of the views' predictions [N, K]; in training undefined.
  at::Tensor operator()(at::Tensor const& images, pass& p) const {
    if (p.training()) return train_views(images, p), at::Tensor();
    at::Tensor sum;
    for (std::size_t i = 0; i < Views; ++i) {
      std::string const view = "view" + std::to_string(i + 1);
      at::Tensor const raw   = [&] {
        stage_scope const names(p, view);
        return at::Tensor(run_network(views[i], images, p));
      }();
      p.add_scored_output(view, raw);
      at::Tensor const predicted = kind::predict(raw.to(at::kFloat));
      sum                        = sum.defined() ? sum.add(predicted) : predicted;
    }
    at::Tensor const answer = sum.div(static_cast<double>(Views)).clamp_min(1e-30).log();
    p.add_scored_output("ensemble", answer);
    return answer;
  }

 private:
  // Which views are pairs: a function of (seed, epoch, step).
  [[nodiscard]] std::array<std::size_t, Views> order_of(pass const& p) const {
    std::array<std::size_t, Views> order;
    std::iota(order.begin(), order.end(), std::size_t{0});
    if constexpr (Views > 2) {
      p.requires_host("co-training of more than two views, which are shuffled in every step");
      random_stream draw{p.seed, purpose::pairing, p.epoch, p.now ? static_cast<std::uint64_t>(p.now->iteration) : 0};
      for (std::size_t left = Views; left > 1; --left) std::swap(order[left - 1], order[draw.below(static_cast<std::uint32_t>(left))]);
    }
    return order;
  }

  // What a view gets of a batch: the labelled rows of its stream, then the unlabelled ones.
  struct rows_of_view {
    at::Tensor images, truth;
    std::vector<std::int64_t> ids;
  };
  [[nodiscard]] rows_of_view rows_of(std::size_t stream, at::Tensor const& images, pass const& p) const {
    std::int64_t const first = static_cast<std::int64_t>(stream) * options_.labelled, rest = rows() - options_.unlabelled;
    auto const both = [&](at::Tensor const& of) {
      return at::cat({of.narrow(0, first, options_.labelled), of.narrow(0, rest, options_.unlabelled)});
    };
    rows_of_view found{both(images), both(p.truth), {}};
    if (!p.ids.empty()) {
      found.ids.assign(p.ids.begin() + first, p.ids.begin() + first + options_.labelled);
      found.ids.insert(found.ids.end(), p.ids.begin() + rest, p.ids.end());
    }
    return found;
  }
  // A pass of a view in training, with losses of its own. t: of the view's own schedule, where it is a stack.
  static pass pass_of_view(std::size_t view, rows_of_view const& rows, pass const& p) {
    pass own{.mode = train, .truth = rows.truth, .seed = p.seed, .epoch = p.epoch, .ids = rows.ids, .now = p.now, .capturing = p.capturing};
    own.level = p.level + 16 * (static_cast<std::uint32_t>(view) + 1);  // views, and the networks within them, draw independent numbers
    if constexpr (view_is_stack) {
      p.requires_host("a stack as a view of co-training, whose t is read from the host");
      if (p.now) own.t = t_at<typename network::schedule>(*p.now);
    }
    return own;
  }

  void train_views(at::Tensor const& images, pass& p) const {
    detail::check_rows("co-training", images, rows());
    auto const order = order_of(p);
    std::array<at::Tensor, Views> supervised;
    at::Tensor cot, dif;
    auto const add = [](at::Tensor& sum, at::Tensor const& value) { sum = sum.defined() ? sum.add(value) : value; };

    for (std::size_t first = 0; first < Views; first += 2) {
      std::array<rows_of_view, 2> const in{rows_of(first, images, p), rows_of(first + 1, images, p)};
      std::array<at::Tensor, 2> raw;
      for (std::size_t k = 0; k < 2; ++k) {
        std::size_t const view = order[first + k];
        pass own               = pass_of_view(view, in[k], p);
        raw[k]                 = run_network(views[view], in[k].images, own);
        if constexpr (view_is_stack)
          supervised[view] = own.loss();
        else
          supervised[view] = kind::default_loss::of(raw[k], in[k].truth);
      }
      auto const unlabelled = [&](at::Tensor const& of) { return of.narrow(0, options_.labelled, options_.unlabelled); };
      if (options_.lambda_cot > 0) add(cot, loss::disagreement(unlabelled(raw[0]), unlabelled(raw[1])));
      for (std::size_t k = 0; k < 2 && options_.lambda_dif > 0; ++k) {
        std::size_t const other  = order[first + 1 - k];
        at::Tensor const labels  = at::where(in[k].truth.ge(0), in[k].truth, raw[k].detach().argmax(1)),
                         fooling = adversarial(views[order[first + k]], in[k].images, labels, options_.epsilon);
        pass own                 = pass_of_view(other, in[k], p);
        add(dif, loss::soft_cross_entropy(raw[k], run_network(views[other], fooling, own)));
      }
    }
    for (std::size_t i = 0; i < Views; ++i) p.add("view" + std::to_string(i + 1), supervised[i]);
    if (cot.defined()) p.add("cot", p.times_t(cot.mul(options_.lambda_cot)));
    if (dif.defined()) p.add("dif", p.times_t(dif.mul(options_.lambda_dif)));
  }

  co_training_options options_;
};

}  // namespace c2f::systems
