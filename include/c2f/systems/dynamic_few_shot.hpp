// c2f/systems/dynamic_few_shot.hpp: a classifier that grows by classes of which it is shown a few samples, alone or coarse to fine.
//
//   template <class Features> using network = c2f::dynamic_few_shot::network<Features, 64, 5>;    // 64 base classes, 5 new ones
//   c2f::stack<base> first;                                      // Features; trained on the base classes by c2f::fit
//   c2f::stack<episodes> second;                                 // c2f::frozen<Features>: the same paths, so load_weights fits
//   c2f::dynamic_few_shot::fit(second, data.base, {.way = 5, .shot = 1}, recipe);       // trains what makes the rows of new classes
//   c2f::dynamic_few_shot::adapt(second, images, labels, pass);  // shows it new classes; it now answers all 69
//
// Gidaris and Komodakis, "Dynamic few-shot visual learning without forgetting", CVPR 2018, and Ren et al. 2020, section 4.2.2, which trains it
// progressively on ImageNet's low-shot benchmark. The classifier, c2f::growing_cosine, makes the rows of new classes by a weight generator.
// In training some base classes play new ones: their own rows are closed meanwhile.
//
// A new class i is class Base + i of the network's class_vector<Base + Way>. The generator's input are features, so every Features fits.
// In a stack coarse and fine have each their own rows and generators, and the samples are shown to the fine network as any image is: fused
// with what the source says in training, with the coarse prediction otherwise. How the paper combines the two is not stated; this is ours.
// In the authors' code dropout stays active in frozen features while generators are trained, here it does not.
//
// Cost: the support's passes. Errors: labels out of range are a c2f::input_error; what c2f::fit says of steps that are not finite.
#pragma once

#include <c2f/data/episodes.hpp>
#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/frozen.hpp>
#include <c2f/layers/growing_cosine.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/train/fit.hpp>

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace c2f::dynamic_few_shot {

/// Features and the classifier on them.
template <class Features, std::int64_t Base, std::int64_t Way, class Generator = weight_generator::attention<>>
struct network {
  using kind                               = class_vector<Base + Way>;
  static constexpr std::int64_t base_count = Base, way = Way;

  template <shape In>
  struct on {
    using seen   = network_on<Features, In>;
    using head   = network_on<growing_cosine<Base, Way, Generator>, typename seen::output>;
    using output = typename head::output;

    seen features;
    head classifier;
    C2F_MEMBERS(features, classifier);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return classifier(features(x, m), m); }
    at::Tensor operator()(at::Tensor const& x, pass& p) const
      requires c2f::detail::wants_pass<seen>
    {
      return classifier(c2f::detail::run(features, x, p), p.mode);
    }
    void adapt(at::Tensor const& x, at::Tensor const& labels, at::Tensor const& pseudo_novel, pass& p) {
      classifier.adapt(c2f::detail::run(features, x, p), labels, pseudo_novel);
    }
  };
};

/// A split of base classes for c2f::fit, whose network has room for `Way` more.
template <std::int64_t Way, data::few_shot_split Split>
struct with_room : Split {
  explicit with_room(Split samples) : Split(std::move(samples)) {}
  [[nodiscard]] static constexpr std::int64_t class_count()
    requires requires { Split::class_count(); }
  {
    return Split::class_count() + Way;
  }
};

/// Shows a stack samples of new classes: images [S, C, H, W], labels [S] in 0 ... Way - 1. Afterwards it answers these classes as
/// Base + label. Rows of classes shown before are gone. `playing` [n]: base classes that are not to be answered.
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
    p.conditioning                      = p.training() ? model.source(prediction, truth, p) : prediction;
    model.fine.adapt(model.fuse(f, model.encoder(p.conditioning, f, p), p), labels, pseudo_novel, p);
  }
}

namespace detail {
/// The support of an episode.
struct support {
  at::Tensor images, labels, pseudo_novel;
  std::vector<std::int64_t> ids;
};
}  // namespace detail

/// Trains on episodes of base classes that play new ones: `recipe.epochs()` times `episodes` of them, each a batch, judged by
/// `options.queries` samples a class and as many of the other base classes. A step is that of c2f::fit with all that the recipe says of it,
/// but none is recorded, since samples are read in the middle of it. Calls log(step_record) after every step.
template <class Task, data::few_shot_split Split, class Log>
  requires c2f::detail::checked<Task>
void fit(stack<Task>& model, Split const& base, data::episode_options const& options, std::int64_t episodes, recipe::settings const& recipe,
         Log&& log) {
  using network               = typename complete<Task>::coarse;
  constexpr std::int64_t rows = network::base_count;
  data::episodes const drawn{base, options};
  if (drawn.class_count() != rows || options.way > network::way)
    throw input_error(base.name() + " has " + std::to_string(drawn.class_count()) + " classes and episodes of " +
                      std::to_string(options.way) + ", but the network is for " + std::to_string(rows) + " and " +
                      std::to_string(network::way) + "; write them into dynamic_few_shot::network<Features, Base, Way>");

  std::map<std::uint64_t, detail::support> shown;  // of the step, by episode
  // Reads episode `number`.
  auto const read = [&](std::int64_t number) {
    data::episode const e = drawn.at(number);
    random_stream random(options.seed, purpose::episode, 1, static_cast<std::uint64_t>(number));
    std::vector<std::int64_t> queries = e.query, truth = e.query_labels();
    for (auto& k : truth) k += rows;
    for (std::size_t i = 0; i < e.query.size(); ++i) {
      std::int64_t k = 0;
      do k = random.below(static_cast<std::uint32_t>(rows));
      while (std::find(e.classes.begin(), e.classes.end(), k) != e.classes.end());
      auto const& of_class = drawn.members(k);
      queries.push_back(of_class[random.below(static_cast<std::uint32_t>(of_class.size()))]);
      truth.push_back(k);
    }
    random_stream* const augment              = recipe.augment() ? &random : nullptr;
    shown[static_cast<std::uint64_t>(number)] = {data::read_samples(base, e.support, augment), at::tensor(e.support_labels()),
                                                 at::tensor(e.classes), e.support};
    return data::batch{data::read_samples(base, queries, augment), at::tensor(truth), queries, static_cast<std::uint64_t>(number), 0};
  };

  deterministically(recipe.deterministic(), [&] {
    c2f::detail::training_scope const scope(model, recipe);
    auto not_captured = recipe;
    not_captured.on({recipe.device(), recipe.accelerator().table, nullptr});
    training_step<Task> training(model, not_captured, [&](at::Tensor const& queries, pass& judged) {
      detail::support const& now = shown.at(judged.epoch);
      pass p{.mode = train, .t = judged.t, .seed = judged.seed, .epoch = judged.epoch, .ids = now.ids};
      adapt(model, c2f::detail::ready(now.images, recipe), now.labels.to(recipe.device()), p, now.pseudo_novel.to(recipe.device()));
      model(queries, judged);
    });
    c2f::detail::take_steps<Task>(
        training, recipe, episodes,
        [&](std::int64_t epoch, std::int64_t i) {
          if (i % recipe.accumulate() == 0) shown.clear();
          return read(epoch * episodes + i);
        },
        /*wait=*/true, log);
  });
}

// A wrong task has said its sentence; what is asked of it besides is no error of its own.
template <class Task, class... Any>
  requires(!c2f::detail::checked<Task>)
void fit(stack<Task>&, Any&&...) {}

}  // namespace c2f::dynamic_few_shot
