// c2f/inference/sliding_windows.hpp: a model of a dense kind that looks at images of any size through windows, to be evaluated or asked.
//
//   using kind = c2f::dense<11, 11>;
//   c2f::sliding_windows<kind> const windows(segmenter, {.height = 96, .width = 96});       // refers to the model
//   auto const scores  = c2f::evaluate(windows, streets.test);
//   at::Tensor const p = kind::predict(windows(images, c2f::eval).answer);                  // the mean of probabilities, [N, 11, H, W]
//
// For a network that was trained on crops, or whose input has a fixed size. Each image is cut into windows at its own scale, which are those
// of picture_views.hpp; every raw output of the model for the whole image (coarse, fine, answer, scored side outputs) is the logarithm of
// the weighted mean of the windows' probabilities, or its logit if there is one class. An image that is smaller than a window is padded by 0,
// which is the mean colour where images are normalised.
//
// Costs: a pass for each batch of windows; the maps of two rows of windows, and those of the whole image, are on the host. Errors: those of the
// model; input_error for a window without area.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/inference/picture_views.hpp>
#include <c2f/task/model.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

/// The size of windows, how far they overlap, and how many are in a pass.
struct window_options {
  std::int64_t height = 0, width = 0;
  double overlap     = .5;     ///< a fraction of their sides, or more
  bool flip          = false;  ///< each window also mirrored
  std::int64_t batch = 4;
};

/// A model for c2f::evaluate, c2f::predictor and calls; see the top of this file. It refers to the model, which must outlive it.
template <class Kind, std::int64_t Channels = 3>
class sliding_windows {
 public:
  static constexpr char const* name = "sliding windows";
  using kind                        = Kind;
  using input                       = image<Channels, dynamic, dynamic>;
  C2F_MEMBERS();

  template <class Model>
    requires(!std::same_as<Model, sliding_windows> && std::same_as<typename Model::kind, Kind>)
  sliding_windows(Model const& model, window_options const& how)
      : run_([&model](at::Tensor const& images, pass& p) { return detail::run_model(model, images, p); }), how_(how) {
    if (how.height < 1 || how.width < 1 || how.batch < 1)
      throw input_error("windows of " + std::to_string(how.height) + " x " + std::to_string(how.width) + " pixels, " +
                        std::to_string(how.batch) + " in a pass, show nothing; write numbers of 1 or more");
  }

  outputs operator()(at::Tensor const& images, pass& p) const {
    p.requires_host("sliding windows");
    std::vector<outputs> all;
    for (std::int64_t i = 0; i < images.size(0); ++i) all.push_back(of_one(images.narrow(0, i, 1), p));
    outputs made      = all.front();
    auto const joined = [&](auto const& of) {
      std::vector<at::Tensor> parts;
      for (auto const& each : all) parts.push_back(of(each));
      return parts.front().defined() ? at::cat(parts, 0) : at::Tensor();
    };
    made.coarse = joined([](outputs const& each) { return each.coarse; });
    made.fine   = joined([](outputs const& each) { return each.fine; });
    made.answer = joined([](outputs const& each) { return each.answer; });
    for (std::size_t s = 0; s < made.side.size(); ++s) made.side[s].value = joined([&](outputs const& each) { return each.side[s].value; });
    p.outputs = made.side;
    return made;
  }
  outputs operator()(at::Tensor const& images, mode m) const {
    pass p{.mode = m};
    return (*this)(images, p);
  }

 private:
  outputs of_one(at::Tensor const& image, pass const& p) const {
    std::int64_t const height = image.size(2), width = image.size(3);
    auto const views = views_of({.flip = how_.flip, .windows = 1, .overlap = how_.overlap}, height, width, data::resizing::stretch,
                                how_.height, how_.width);
    outputs found;
    std::vector<at::Tensor> raws;  // of the last windows, each once
    auto const number = [&](at::Tensor const& raw) {
      auto const same = std::find_if(raws.begin(), raws.end(), [&](at::Tensor const& each) { return each.is_same(raw); });
      return same - raws.begin();
    };
    std::vector<std::int64_t> places;  // of coarse, fine, answer and the scored side outputs among them; -1: none
    at::Tensor sums;                   // [maps * K, height, width]
    float* to          = nullptr;
    auto const maps_of = [&](std::size_t first, std::size_t count) {
      std::vector<at::Tensor> windows;
      for (std::size_t i = first; i < first + count; ++i) windows.push_back(cut(image, views[i].place));
      pass own{.mode = p.mode, .seed = p.seed, .epoch = p.epoch};
      found = run_(at::cat(windows, 0).contiguous(image.suggest_memory_format()), own);
      std::erase_if(found.side, [](side_output const& each) { return !each.scored; });
      raws.clear(), places.clear();
      auto const add = [&](at::Tensor const& raw) {
        if (!raw.defined()) return places.push_back(-1);
        places.push_back(number(raw));
        if (places.back() == std::ssize(raws)) raws.push_back(raw);
      };
      add(found.coarse), add(found.fine), add(found.answer);
      for (auto const& each : found.side) add(each.value);
      std::vector<at::Tensor> probabilities;
      for (auto const& raw : raws) probabilities.push_back(Kind::predict(raw.to(at::kFloat)));
      return at::cat(probabilities, 1);
    };
    mean_over_views(views, height, width, how_.height, how_.width, how_.batch, maps_of,
                    [&](std::int64_t y, float const* values, float const* weights) {
                      std::int64_t const channels = std::ssize(raws) * Kind::classes;
                      if (!sums.defined()) {
                        sums = at::empty({channels, height, width}, at::TensorOptions(at::kFloat));
                        to   = sums.mutable_data_ptr<float>();
                      }
                      for (std::int64_t k = 0; k < channels; ++k)
                        for (std::int64_t x = 0; x < width; ++x) to[(k * height + y) * width + x] = values[k * width + x] / weights[x];
                    });
    at::Tensor const raw = (Kind::classes == 1 ? sums.logit(1e-7) : sums.clamp_min(1e-30).log()).to(image.device());
    auto const whole     = [&](std::size_t of) {
      return places[of] < 0 ? at::Tensor() : raw.narrow(0, places[of] * Kind::classes, Kind::classes).unsqueeze(0);
    };
    outputs made{whole(0), whole(1), whole(2), found.side};
    for (std::size_t s = 0; s < made.side.size(); ++s) made.side[s].value = whole(3 + s);
    return made;
  }
  /// A window of an image [1, C, H, W].
  at::Tensor cut(at::Tensor const& image, data::picture_place const& place) const {
    auto const along = [](at::Tensor const& from, std::int64_t dim, data::axis const& map, std::int64_t side) {
      auto const begin        = static_cast<std::int64_t>(-map.shift);
      at::Tensor const turned = map.mirrored ? from.flip({dim}) : from;
      if (begin >= 0) return turned.narrow(dim, begin, side);
      std::vector<std::int64_t> padding(static_cast<std::size_t>(2 * (4 - dim)));
      padding[padding.size() - 2] = -begin;
      padding[padding.size() - 1] = side + begin - turned.size(dim);
      return at::constant_pad_nd(turned, padding);
    };
    return along(along(image, 2, place.down, how_.height), 3, place.across, how_.width);
  }

  std::function<outputs(at::Tensor const&, pass&)> run_;
  window_options how_;
};

}  // namespace c2f
