// c2f/systems/dynamic_few_shot.hpp: few-shot classification by a classifier that is extended by new classes, alone or coarse to fine.
//
//   template <class Features> using network = c2f::dynamic_few_shot::network<Features, 64, 5>;    // 64 base classes, 5 new ones
//   c2f::stack<base> first;                                      // Features; trained on the base classes by c2f::fit
//   c2f::stack<few_shot> second;                                 // c2f::frozen<Features>: the same paths, so load_weights works
//   c2f::dynamic_few_shot::fit(second, cifar_fs.base, {.way = 5, .shot = 1}, 60'000, recipe, log);   // trains the weight generators
//   c2f::dynamic_few_shot::adapt(second, images, labels, step);  // adds new classes; the stack now predicts all 69
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
// Cost: per adapt and per training step, one pass over the support. Errors: labels out of range, or class counts that do not match, are a
// c2f::input_error; steps that are not finite are handled as by c2f::fit.
#pragma once

#include <c2f/data/episodes.hpp>
#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/frozen.hpp>
#include <c2f/layers/growing_cosine.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/train/deterministic.hpp>
#include <c2f/train/step_loop.hpp>
#include <c2f/train/training_scope.hpp>

#include <ATen/ops/tensor.h>

#include <map>
#include <string>
#include <vector>

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
    at::Tensor operator()(at::Tensor const& x, pass& p) const
      requires c2f::detail::wants_pass<extractor>
    {
      return classifier(c2f::detail::run(features, x, p), p.mode);
    }
    void adapt(at::Tensor const& x, at::Tensor const& labels, at::Tensor const& pseudo_novel, pass& p) {
      classifier.adapt(c2f::detail::run(features, x, p), labels, pseudo_novel);
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

/// Adds new classes to a stack from samples: images [S, C, H, W], labels [S] in 0 ... Way - 1. Their predictions are the classes
/// Base + label. Replaces the new classes of an earlier call. `pseudo_novel` [n]: base classes to mask, may be undefined.
/// Errors: c2f::input_error if there is no label, or one outside of 0 ... Way - 1.
template <class Task>
void adapt(stack<Task>& model, at::Tensor const& images, at::Tensor const& labels, pass& p, at::Tensor const& pseudo_novel = {}) {
  using completed             = complete<Task>;
  constexpr std::int64_t base = completed::coarse::base_count, way = completed::coarse::way;
  if (labels.numel() == 0 || labels.min().template item<std::int64_t>() < 0 || labels.max().template item<std::int64_t>() >= way)
    throw input_error("the labels of new classes must be 0 to " + std::to_string(way - 1) + ", one for each of " +
                      std::to_string(images.size(0)) + " images; number the classes of the support from 0");
  at::Tensor const f = c2f::detail::run(model.share, images, p);
  model.coarse.adapt(f, labels, pseudo_novel, p);
  if constexpr (stack<Task>::has_fine) {
    at::Tensor const prediction = completed::predict::template of<typename completed::kind>(c2f::detail::run(model.coarse, f, p));
    at::Tensor const truth      = completed::kind::from_truth(labels.add(base)).to(prediction.device(), prediction.scalar_type());
    p.conditioning              = p.training() ? model.source(prediction, truth, p) : prediction;
    model.fine.adapt(model.fuse(f, model.encoder(p.conditioning, f, p), p), labels, pseudo_novel, p);
  }
}

namespace detail {
/// The support of an episode: images [S, C, H, W], labels [S] in 0 ... way - 1, pseudo_novel [way] base classes, S sample ids.
struct support {
  at::Tensor images, labels, pseudo_novel;
  std::vector<std::int64_t> ids;
};
template <class Task, data::few_shot_split Split, class Log>
void train_on(stack<Task>& model, Split const& base, data::episode_options const& options, std::int64_t episodes,
              recipe::settings const& recipe, Log& log) {
  using network               = typename complete<Task>::coarse;
  constexpr std::int64_t rows = network::base_count;
  data::episodes const drawn{base, options};
  if (drawn.class_count() != rows || options.way > network::way)
    throw input_error(base.name() + " has " + std::to_string(drawn.class_count()) + " classes and episodes of " +
                      std::to_string(options.way) + ", but the network is for " + std::to_string(rows) + " and " +
                      std::to_string(network::way) + "; write them into dynamic_few_shot::network<Features, Base, Way>");

  std::map<std::uint64_t, support> supports;  // of the current step, by episode
  // Reads episode `number`: returns its queries and stores its support.
  auto const read = [&](std::int64_t number) {
    data::episode const e = drawn.at(number);
    random_stream random(options.seed, purpose::episode, 1, static_cast<std::uint64_t>(number));
    std::vector<std::int64_t> queries = e.query, truth = e.query_labels();
    for (auto& k : truth) k += rows;
    auto const [others, classes] = drawn.from_other_classes(e, random);
    queries.insert(queries.end(), others.begin(), others.end());
    truth.insert(truth.end(), classes.begin(), classes.end());
    random_stream* const augment                 = recipe.augment() ? &random : nullptr;
    supports[static_cast<std::uint64_t>(number)] = {data::read_samples(base, e.support, augment), at::tensor(e.support_labels()),
                                                    at::tensor(e.classes), e.support};
    return data::batch{data::read_samples(base, queries, augment), at::tensor(truth), queries, static_cast<std::uint64_t>(number), 0};
  };

  deterministically(recipe.deterministic(), [&] {
    c2f::detail::training_scope const scope(model, recipe);
    auto not_captured = recipe;
    not_captured.on({recipe.device(), recipe.accelerator().table, nullptr});
    training_step<Task> training(model, not_captured, [&](at::Tensor const& queries, pass& query_pass) {
      support const& current = supports.at(query_pass.epoch);  // a batch's epoch is its episode
      pass p{.mode = train, .t = query_pass.t, .seed = query_pass.seed, .epoch = query_pass.epoch, .ids = current.ids};
      adapt(model, c2f::detail::ready(current.images, recipe), current.labels.to(recipe.device()), p,
            current.pseudo_novel.to(recipe.device()));
      model(queries, query_pass);
    });
    c2f::detail::run_epochs(
        training, &t_at<typename stack<Task>::schedule>, recipe, episodes,
        [&](std::int64_t epoch, std::int64_t i) {
          if (i % recipe.accumulate() == 0) supports.clear();
          return read(epoch * episodes + i);
        },
        /*wait=*/true, log);
  });
}

}  // namespace detail

/// Trains on episodes of pseudo-novel base classes: `recipe.epochs()` times `episodes` of them, each a batch. The loss is taken on
/// `options.queries` samples per class and as many of the other base classes. A step is that of c2f::fit with the same recipe, but it is
/// not captured, because samples are read in the middle of it. Calls log(step_record) after every step.
/// Errors: c2f::input_error if the numbers of classes do not match the network.
template <class Task, data::few_shot_split Split, class Log>
void fit(stack<Task>& model, Split const& base, data::episode_options const& options, std::int64_t episodes, recipe::settings const& recipe,
         Log&& log) {
  // A wrong task: diagnostic emitted; follow-on errors suppressed.
  if constexpr (c2f::detail::checked<Task>) detail::train_on(model, base, options, episodes, recipe, log);
}

}  // namespace c2f::dynamic_few_shot
