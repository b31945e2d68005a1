// c2f/systems/dynamic_few_shot.hpp: few-shot classification by a classifier that is extended by new classes, alone or coarse to fine.
//
//   template <class Features> using network = c2f::dynamic_few_shot::network<Features, 64, 5>;    // 64 base classes, 5 new ones
//   c2f::stack<base> first;                                      // Features; trained on the base classes by c2f::fit
//   c2f::dynamic_few_shot::episodic<few_shot> second({.way = 5, .shot = 1});     // c2f::frozen<Features>: the same paths, so load_weights works
//   auto const held = c2f::data::hold_out(cifar_fs.base, 20);
//   auto const episodes = c2f::dynamic_few_shot::episodes_for(second, held.train, held.test, 1000);
//   c2f::fit(second, episodes, recipe.batch(episodes.train.rows()));             // trains the weight generators
//   c2f::dynamic_few_shot::adapt(second, images, labels, step);                  // adds new classes; the stack now predicts all 69
//
// Gidaris and Komodakis, "Dynamic few-shot visual learning without forgetting", CVPR 2018, and Ren et al. 2020, section 4.2.2, which trains
// it progressively on ImageNet's low-shot benchmark. The classifier, c2f::growing_cosine, generates the rows of new classes with a weight
// generator. In training some base classes are pseudo-novel: they are treated as new classes, and their own rows are masked.
//
// New class i is class Base + i of the network's class_vector<Base + Way>. The generator reads features, so any Features works.
// In a stack, coarse and fine network have separate rows and generators. The fine network reads the support images like any other image:
// fused with the encoding of the conditioning, which the source chooses in training and which is the coarse prediction otherwise. The paper
// does not state how it combines the two methods; this is our choice. In the authors' code dropout stays active in frozen features while
// generators are trained; here it does not.
//
// Cost: per adapt and per training step, one pass over the support. A training step on episodes is not captured. Errors: labels out of
// range, class counts that do not match, and a batch that is no episode are a c2f::input_error.
#pragma once

#include <c2f/data/episodes.hpp>
#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/frozen.hpp>
#include <c2f/layers/growing_cosine.hpp>
#include <c2f/task/model.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/where.h>

#include <span>
#include <string>
#include <utility>

namespace c2f::dynamic_few_shot {

/// Features and a growing_cosine classifier on them: [N, C, H, W] -> logits [N, Base + Way].
template <class Features, std::int64_t Base, std::int64_t Way, class Generator = weight_generator::attention<>>
struct network {
  using kind                               = class_vector<Base + Way>;
  static constexpr std::int64_t base_count = Base, way = Way;

  template <shape In>
  struct on {
    using extractor = network_on<Features, In>;
    using head      = network_on<growing_cosine<Base, Way, Generator>, typename extractor::output>;
    using output    = typename head::output;

    extractor features;
    head classifier;
    C2F_MEMBERS(features, classifier);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return classifier(features(x, m), m); }
    at::Tensor operator()(at::Tensor const& x, pass& p) const { return classifier(c2f::detail::run(features, x, p), p); }
    /// The rows of new classes (layers/growing_cosine.hpp), generated from images.
    [[nodiscard]] typename head::new_classes generated(at::Tensor const& x, at::Tensor const& labels, at::Tensor const& pseudo_novel,
                                                       pass& p) const {
      return classifier.generated(c2f::detail::run(features, x, p), labels, pseudo_novel);
    }
    void adapt(at::Tensor const& x, at::Tensor const& labels, at::Tensor const& pseudo_novel, pass& p) {
      classifier.assign(generated(x, labels, pseudo_novel, p));
    }
  };
};

/// A split of base classes that reports `Way` more classes than it has, so that c2f::fit accepts it for a network with `Way` new classes.
template <std::int64_t Way, data::few_shot_split Split>
struct with_room : Split {
  explicit with_room(Split samples) : Split(std::move(samples)) {}
  [[nodiscard]] static constexpr std::int64_t class_count()
    requires requires { Split::class_count(); }
  {
    return Split::class_count() + Way;
  }
};

namespace detail {
/// Generates the rows of new classes for the networks of a stack, as side outputs "coarse.rows", "coarse.masked", "fine.rows" and
/// "fine.masked" of the pass.
template <class Task>
void generate(stack<Task> const& model, at::Tensor const& images, at::Tensor const& labels, at::Tensor const& pseudo_novel, pass& p) {
  using completed      = complete<Task>;
  auto const generated = [&](char const* stage, auto const& network, at::Tensor const& x) {
    stage_scope const names(p, stage);
    auto const added = network.generated(x, labels, pseudo_novel, p);
    p.add_output("rows", added.rows);
    p.add_output("masked", added.masked);
  };
  at::Tensor const f = c2f::detail::run(model.share, images, p);
  generated("coarse", model.coarse, f);
  if constexpr (stack<Task>::has_fine) {
    at::Tensor const raw = [&] {
      stage_scope const names(p, "coarse");
      return c2f::detail::run(model.coarse, f, p);
    }();
    at::Tensor const prediction = completed::predict::template of<typename completed::kind>(raw);
    at::Tensor const truth =
        c2f::detail::shown_truth<completed>(labels.add(completed::coarse::base_count).to(prediction.device()), prediction.scalar_type());
    p.conditioning = p.training() ? model.source(prediction, truth, p) : prediction;
    generated("fine", model.fine, model.fuse(f, model.encoder(p.conditioning, f, p), p));
  }
}
}  // namespace detail

/// Adds new classes to a stack from samples: images [S, C, H, W], labels [S] in 0 ... Way - 1. Their predictions are the classes
/// Base + label. Replaces the new classes of an earlier call. `pseudo_novel` [n]: base classes to mask, may be undefined.
/// Errors: c2f::input_error if there is no label, one outside of 0 ... Way - 1, or another number of labels than of images.
template <class Task>
void adapt(stack<Task>& model, at::Tensor const& images, at::Tensor const& labels, pass& p, at::Tensor const& pseudo_novel = {}) {
  constexpr std::int64_t way = complete<Task>::coarse::way;
  if (labels.numel() == 0 || labels.numel() != images.size(0) || labels.min().template item<std::int64_t>() < 0 ||
      labels.max().template item<std::int64_t>() >= way)
    throw input_error("the labels of new classes must be 0 to " + std::to_string(way - 1) + ", one for each of " +
                      std::to_string(images.size(0)) + " images; number the classes of the support from 0");
  detail::generate(model, images, labels, pseudo_novel, p);
  model.coarse.classifier.assign({p.output("coarse.rows"), p.output("coarse.masked")});
  if constexpr (stack<Task>::has_fine) model.fine.classifier.assign({p.output("fine.rows"), p.output("fine.masked")});
}

/// A stack that learns from episodes: a model (task/model.hpp) whose batches are episodes (data/episodes.hpp, episode_batches). In training
/// the classes of the support are pseudo-novel: their rows are generated from it, and the losses are taken on the queries of these classes
/// and of the other base classes. At inference it is the stack.
template <class Task>
class episodic : public stack<Task> {
 public:
  static constexpr bool whole_batches = true;
  explicit episodic(data::episode_options const& options, std::uint64_t seed = 0) : stack<Task>(seed), options_(options) {}

  [[nodiscard]] data::episode_options const& options() const { return options_; }

  outputs operator()(at::Tensor const& images, mode m) const { return stack<Task>::operator()(images, m); }
  outputs operator()(at::Tensor const& images, pass& p) const {
    if (!p.training()) return stack<Task>::operator()(images, p);
    p.requires_host("c2f::dynamic_few_shot::episodic, whose support is a pass of its own");
    constexpr std::int64_t base = complete<Task>::coarse::base_count;
    std::int64_t const way = options_.way, shown = way * options_.shot, asked = images.size(0) - shown;
    at::Tensor const labels  = at::arange(way, p.truth.options()).repeat_interleave(options_.shot),
                     classes = p.truth.narrow(0, 0, shown).view({way, -1}).select(1, 0);
    auto const ids_of        = [&](std::int64_t first, std::int64_t count) {
      return p.ids.empty() ? p.ids : p.ids.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    };
    pass support{.mode = train, .t = p.t, .seed = p.seed, .epoch = p.epoch, .ids = ids_of(0, shown), .now = p.now};
    detail::generate(*this, images.narrow(0, 0, shown), labels, classes, support);

    at::Tensor const truth = p.truth.narrow(0, shown, asked), is_class = truth.unsqueeze(1).eq(classes);
    pass queries{.mode    = train,
                 .truth   = at::where(is_class.any(1), is_class.to(at::kLong).argmax(1).add(base), truth),
                 .t       = p.t,
                 .seed    = p.seed,
                 .epoch   = p.epoch,
                 .ids     = ids_of(shown, asked),
                 .now     = p.now,
                 .outputs = std::move(support.outputs)};
    outputs found = stack<Task>::operator()(images.narrow(0, shown, asked), queries);
    for (auto& each : queries.losses) p.add(each.name, std::move(each.value));
    return found;
  }

 private:
  data::episode_options options_;
};

/// Episodes to train on, and base classes to test on.
template <class Train, class Test>
struct episode_data {
  data::episode_batches<Train> train;
  Test test;
};
/// The data of an episodic model: `episodes` an epoch from `base`, which has all base classes; tests on `held`, other samples of them.
/// Errors: c2f::input_error if the numbers of classes do not match the network, and those of data::episode_batches.
template <class Task, data::few_shot_split Train, data::few_shot_split Test>
[[nodiscard]] auto episodes_for(episodic<Task> const& model, Train const& base, Test const& held, std::int64_t episodes) {
  using network               = typename complete<Task>::coarse;
  auto const& options         = model.options();
  constexpr std::int64_t rows = network::base_count;
  auto const classes          = c2f::data::episodes(base, options).class_count();
  if (classes != rows || options.way > network::way)
    throw input_error(std::string(base.name()) + " has " + std::to_string(classes) + " classes and episodes of " +
                      std::to_string(options.way) + ", but the network is for " + std::to_string(rows) + " and " +
                      std::to_string(network::way) + "; write them into dynamic_few_shot::network<Features, Base, Way>");
  using tested = with_room<network::way, Test>;
  return episode_data<Train, tested>{{base, options, episodes}, tested(held)};
}

}  // namespace c2f::dynamic_few_shot
