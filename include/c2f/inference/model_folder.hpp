// c2f/inference/model_folder.hpp: a model as a folder that has all that predicting needs: weights and what they mean.
//
//   c2f::save_model(model, out / "model", {.classes = data.train.classes()});       // out/model/{weights.safetensors, model.json}
//
//   auto model = c2f::load_model<cifar100>(out / "model");
//   auto const answer = model.predict(c2f::data::read_picture("cat.jpg")).answer;
//   std::printf("%s %.2f\n", answer.classes[0].name.c_str(), answer.classes[0].probability);
//
// weights.safetensors has the model's parameters and buffers under their paths (data/io/weights.hpp), so Python reads it, too; model.json
// has the names of the classes, the input size, how pictures are resized and normalised, the task and its parts, the data and the scores
// (model_description.hpp). Neither can hold code or the name of another file. The folder is complete or absent: it is written under another
// name beside its own and renamed; an older model of that name is replaced in one step. A file system that cannot exchange two folders (NFS) needs
// two steps: a program that is killed between them leaves both, NAME.oldPID and NAME.partPID, and none of that name; rename either.
//
// predict takes a picture of any size and answers in its terms: the names of classes or attributes with their probabilities, numbers in the
// units of the data, boxes in its pixels, or a mask of its size. It holds a c2f::predictor. To decode and resize in other threads, or many
// pictures at once, use fitted() and predict of a list.
// predict(picture, {.flip = true}) answers by several views, predict(picture, {.windows = 1}) by sliding windows (picture_views.hpp).
//
// Costs: saving holds one tensor at a time; loading holds the model twice while its norms are folded. A prediction costs resizing (a few ms
// for a photograph) and one pass. Needs nlohmann/json, libjpeg, libspng and OpenSSL (-lcrypto).
// Errors: input_error, one line: a folder that is none or has no model, a malformed model.json, weights that are not those that it names, a
// model of another kind, input size or network than the task; for save_model a folder that is there and is no model, more names than classes, and
// a disk that cannot be written. With fewer names than the kind has classes the others are never answered.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/core/type_name.hpp>
#include <c2f/data/fitted_picture.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/io/sha256.hpp>
#include <c2f/data/io/weights.hpp>
#include <c2f/data/io/whole_file.hpp>
#include <c2f/execution/check_widths.hpp>
#include <c2f/inference/model_description.hpp>
#include <c2f/inference/picture_views.hpp>
#include <c2f/inference/predictor.hpp>
#include <c2f/metrics/detection.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/version.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace c2f {

namespace detail {

inline std::string compiler_name() {
#if defined(__clang__)
  return "clang " + std::to_string(__clang_major__);
#else
  return "g++ " + std::to_string(__GNUC__);
#endif
}

/// The parts that determine what a trained stack answers.
template <class Task>
std::vector<std::pair<std::string, std::string>> answering_parts() {
  using C = complete<Task>;
  return {{"coarse", type_name<typename C::coarse>()},   {"fine", type_name<typename C::fine>()},
          {"encoder", type_name<typename C::encoder>()}, {"predict", type_name<typename C::predict>()},
          {"share", type_name<typename C::share>()},     {"fuse", type_name<typename C::fuse>()},
          {"combine", type_name<typename C::combine>()}, {"refine", type_name<typename C::refine>()}};
}

/// The number of names that a kind's classes need; a mask of one class has a background as well.
template <class Kind>
constexpr std::int64_t class_names_of() {
  if constexpr (requires { Kind::labels; })
    return Kind::labels;
  else if constexpr (requires { Kind::classes; })
    return Kind::classes;
  else if constexpr (requires { Kind::dimensions; })
    return Kind::dimensions;
  else
    return 0;
}
template <class Kind>
std::string kind_name() {
  if constexpr (requires { Kind::name; })
    return Kind::name;
  else
    return type_name<Kind>();
}

/// Removes a folder of files, if it is there.
inline void remove_files(std::filesystem::path const& folder) {
  std::error_code failed;
  for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed))
    ::unlink(at->path().c_str());
  ::rmdir(folder.c_str());
}
/// Two folders under each other's names, in one step; false, with errno, if that failed.
inline bool exchange_folders(std::filesystem::path const& a, std::filesystem::path const& b) {
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
}
/// Puts a finished folder in the place of `path`. Another one there is removed after `exchange`, or moved aside where that is not possible.
inline void put_folder(std::filesystem::path const& made, std::filesystem::path const& path,
                       bool (*exchange)(std::filesystem::path const&, std::filesystem::path const&) = &exchange_folders) {
  std::error_code failed;
  bool const replaces         = std::filesystem::exists(path, failed);
  std::filesystem::path older = made;
  bool done                   = replaces && exchange(made, path);
  if (!replaces) done = ::rename(made.c_str(), path.c_str()) == 0;
  if (!done && replaces && (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP)) {
    older = path;
    older += ".old" + std::to_string(::getpid());
    if (::rename(path.c_str(), older.c_str()) == 0) {
      done = ::rename(made.c_str(), path.c_str()) == 0;
      if (int const reason = errno; !done) ::rename(older.c_str(), path.c_str()), errno = reason;
    }
  }
  if (!done) {
    int const reason = errno;
    remove_files(made);
    data::detail::fail_to_write(path, "rename", reason);
  }
  data::sync_folder(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
  if (replaces) remove_files(older);
}

/// The tensors whose sizes are not those of their types.
template <class Net>
std::vector<std::pair<std::string, std::vector<std::int64_t>>> changed_sizes(Net const& net) {
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> all;
  for_each_tensor(net, [&](std::string const& path, state_tensor const& each, state_traits const& traits) {
    auto const sizes = each.tensor().sizes();
    if (!traits.dims.empty() && !std::equal(sizes.begin(), sizes.end(), traits.dims.begin(), traits.dims.end()))
      all.emplace_back(path, sizes.vec());
  });
  return all;
}

inline constexpr char const* model_files[]{"model.json", "weights.safetensors"};

/// Refuses a folder that has other files than a model: replacing it would remove them.
inline void check_replaceable(std::filesystem::path const& path) {
  std::error_code failed;
  auto const status = std::filesystem::symlink_status(path, failed);
  if (!std::filesystem::exists(status)) return;
  bool fits = std::filesystem::is_directory(status);
  for (std::filesystem::directory_iterator at(path, failed), end; fits && !failed && at != end; at.increment(failed))
    fits = at->path().filename() == model_files[0] || at->path().filename() == model_files[1];
  if (!fits || failed)
    throw input_error("cannot save a model as '" + path.string() +
                      "': it is there and is no folder with a model only; choose another name, or remove it");
}

}  // namespace detail

/// What a task says about its models; save_model adds it to what the caller says.
template <class Task>
[[nodiscard]] model_description describe_task(model_description about = {}) {
  using C = complete<Task>;
  if (about.task.empty()) about.task = C::name;
  about.kind     = detail::kind_name<typename C::kind>();
  about.parts    = detail::answering_parts<Task>();
  about.channels = C::input::channels;
  about.height   = C::input::height;
  about.width    = C::input::width;
  about.version  = C2F_VERSION;
  about.compiler = detail::compiler_name();
  return about;
}

/// Saves a stack as a folder, atomically. `about`: names of classes, how pictures are resized and normalised, data and scores; what the
/// task says itself is filled in. Without names classes are called by their numbers.
template <class Task>
void save_model(stack<Task> const& model, std::filesystem::path const& folder, model_description about = {}) {
  std::int64_t const classes = detail::class_names_of<typename complete<Task>::kind>();
  if (about.classes.empty())
    for (std::int64_t k = 0; k < classes; ++k) about.classes.push_back(std::to_string(k));
  if (std::ssize(about.classes) > classes)
    throw input_error("a model of " + std::to_string(classes) + " classes cannot be saved with " + std::to_string(about.classes.size()) +
                      " names; give a name for each class");
  detail::check_replaceable(folder);
  std::filesystem::path made = folder;
  if (!made.has_filename()) made = made.parent_path();
  std::filesystem::path const final_name = made;
  made += ".part" + std::to_string(::getpid());
  std::error_code failed;
  detail::remove_files(made);
  std::filesystem::create_directories(made, failed);
  if (failed) data::detail::fail_to_write(folder, "mkdir", failed.value());
  try {
    save_weights(model, made / detail::model_files[1]);
    about                = describe_task<Task>(std::move(about));
    about.widths         = detail::changed_sizes(model);
    about.weights_sha256 = data::sha256_of_file(made / detail::model_files[1]);
    data::whole_file out(made / detail::model_files[0]);
    out.write(text_of(about));
    out.commit();
  } catch (...) {
    detail::remove_files(made);
    throw;
  }
  detail::put_folder(made, final_name);
}

/// Reads the model.json of a folder.
[[nodiscard]] inline model_description describe_model(std::filesystem::path const& folder) {
  std::error_code failed;
  if (!std::filesystem::is_directory(folder, failed))
    throw input_error("no folder '" + folder.string() + "'; name the folder of a model, with model.json and weights.safetensors");
  auto const file  = folder / detail::model_files[0];
  auto const bytes = data::detail::bytes_of_file(file, largest_model_json);
  return parse_model_description({reinterpret_cast<char const*>(bytes.data()), bytes.size()}, file.string());
}

/// The probability of a class by its name.
struct class_probability {
  std::string name;
  double probability = 0;
};
/// A box in pixels of the picture, clipped to it; `probability` that the class is there, 1 if the kind does not predict it.
struct named_box {
  std::string name;
  double probability = 1;
  metrics::box where{};
};
/// A predicted number by its name, in the units of the data.
struct named_number {
  std::string name;
  double value = 0;
};
/// The answer for one picture; of its members those that the kind predicts are set.
struct picture_answer {
  std::vector<class_probability> classes{};     ///< class_vector: all, the most likely first
  std::vector<class_probability> attributes{};  ///< multi_label: all, in order, each with the probability that it applies
  std::vector<named_number> numbers{};          ///< regression: all, in order
  std::vector<named_box> boxes{};               ///< boxes: of the classes that are predicted as present
  data::label_bytes mask{};                     ///< dense: the label of each pixel
};
/// The answers of both networks: `answer` is that of the stack, `coarse` that of its coarse network alone.
struct picture_prediction {
  picture_answer answer{}, coarse{};
};

namespace detail {

/// The most likely label of each pixel of a row, from sums [K, width] over views of their logits or probabilities; of one class, whether the
/// weighted mean is at least `threshold`.
inline void label_row(float const* sums, float const* weights, std::int64_t classes, std::int64_t width, float threshold,
                      std::vector<float>& best, std::uint8_t* to) {
  if (classes == 1) {
    for (std::int64_t x = 0; x < width; ++x) to[x] = sums[x] >= threshold * weights[x] ? 1 : 0;
    return;
  }
  best.assign(sums, sums + width);
  std::fill(to, to + width, std::uint8_t{0});
  for (std::int64_t k = 1; k < classes; ++k)
    for (std::int64_t x = 0; x < width; ++x)
      if (float const value = sums[k * width + x]; value > best[static_cast<std::size_t>(x)]) {
        best[static_cast<std::size_t>(x)] = value;
        to[x]                             = static_cast<std::uint8_t>(k);
      }
}

/// The most likely label of each pixel of a picture from logits [K, H, W] on its canvas.
inline data::label_bytes labels_in_picture(at::Tensor const& logits, std::int64_t used, data::fitted_picture const& of) {
  at::Tensor const maps    = logits.to(at::kCPU, at::kFloat).unsqueeze(0);
  std::int64_t const count = maps.size(1) == 1 ? 1 : used;
  data::label_bytes made{of.height, of.width, std::vector<std::uint8_t>(static_cast<std::size_t>(of.height * of.width))};
  std::vector<float> best;
  mean_over_views(
      {{of.place}}, of.height, of.width, maps.size(2), maps.size(3), 1, [&](auto, auto) { return maps.narrow(1, 0, count); },
      [&](std::int64_t y, float const* sums, float const* weights) {
        label_row(sums, weights, count, of.width, 0, best, made.labels.data() + y * of.width);
      });
  return made;
}

/// A kind whose prediction is a number for each name: probabilities of classes or attributes, or the numbers of a regression.
template <class Kind>
concept predicts_numbers = requires { requires Kind::one_hot; } || requires { Kind::attributes; } || requires { Kind::dimensions; };

/// What a raw output says of each picture: the predicted number of each name; of boxes four edges, in pixels of the picture, and a
/// probability for each class. Means over views are of these.
template <class Kind>
std::vector<std::vector<double>> numbers_of(at::Tensor const& raw, std::span<data::fitted_picture const> of,
                                            model_description const& about) {
  std::vector<std::vector<double>> made(of.size());
  auto const used = std::ssize(about.classes);
  if constexpr (predicts_numbers<Kind>) {
    at::Tensor const all = Kind::predict(raw.to(at::kFloat)).to(at::kCPU).contiguous();
    float const* values  = all.const_data_ptr<float>();
    for (auto& each : made) {
      each.assign(values, values + used);
      values += all.size(1);
    }
  } else {
    at::Tensor const found = Kind::boxes_of(raw.to(at::kFloat)).to(at::kCPU).contiguous();
    at::Tensor presence;
    if constexpr (Kind::has_presence)
      presence = raw.to(at::kCPU, at::kFloat).view({raw.size(0), Kind::classes, -1}).select(2, 4).sigmoid().contiguous();
    auto const height = static_cast<double>(about.height), width = static_cast<double>(about.width);
    for (std::size_t i = 0; i < of.size(); ++i)
      for (std::int64_t k = 0; k < used; ++k) {
        std::int64_t const at = static_cast<std::int64_t>(i) * Kind::classes + k;
        float const* const b  = found.const_data_ptr<float>() + at * 4;
        auto const where      = of[i].back(metrics::box::around(b[0] * width, b[1] * height, b[2] * width, b[3] * height));
        made[i].insert(made[i].end(),
                       {where.x0, where.y0, where.x1, where.y1, presence.defined() ? presence.const_data_ptr<float>()[at] : 1});
      }
  }
  return made;
}
/// The mean of such numbers over views; edges of boxes count by their probability.
template <class Kind>
std::vector<double> mean_of_numbers(std::vector<std::vector<double>> const& views) {
  auto const count         = static_cast<double>(views.size());
  std::vector<double> mean = views.front();
  if (views.size() == 1) return mean;
  std::fill(mean.begin(), mean.end(), 0.0);
  constexpr bool boxes = !predicts_numbers<Kind>;
  for (auto const& view : views)
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += (boxes && i % 5 < 4 ? view[i / 5 * 5 + 4] : 1) * view[i];
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] /= boxes && i % 5 < 4 ? std::max(mean[i / 5 * 5 + 4], 1e-30) : count;
  return mean;
}
/// The answer that such numbers are, for a picture of this size.
template <class Kind>
picture_answer answer_of_numbers(std::vector<double> const& numbers, std::int64_t height, std::int64_t width,
                                 model_description const& about) {
  picture_answer made;
  for (std::size_t k = 0; k < about.classes.size(); ++k) {
    if constexpr (requires { requires Kind::one_hot; }) {
      made.classes.push_back({about.classes[k], numbers[k]});
    } else if constexpr (requires { Kind::attributes; }) {
      made.attributes.push_back({about.classes[k], numbers[k]});
    } else if constexpr (requires { Kind::dimensions; }) {
      double const number = numbers[k];
      made.numbers.push_back({about.classes[k], k < about.units.size() ? about.units[k].mean + about.units[k].deviation * number : number});
    } else {
      double const* const b = numbers.data() + 5 * k;
      if (Kind::has_presence && !(b[4] > .5)) continue;
      auto const h = static_cast<double>(height), w = static_cast<double>(width);
      made.boxes.push_back({about.classes[k],
                            b[4],
                            {std::clamp(b[0], 0.0, w), std::clamp(b[1], 0.0, h), std::clamp(b[2], 0.0, w), std::clamp(b[3], 0.0, h)}});
    }
  }
  std::stable_sort(made.classes.begin(), made.classes.end(), [](auto const& a, auto const& b) { return a.probability > b.probability; });
  return made;
}

template <class Kind>
inline constexpr bool answers_maps = !predicts_numbers<Kind> && !requires { requires Kind::has_boxes; };

/// The answers in a raw output [N, ...], one for each picture.
template <class Kind>
std::vector<picture_answer> answers_of(at::Tensor const& raw, std::span<data::fitted_picture const> of, model_description const& about) {
  std::vector<picture_answer> made(of.size());
  if constexpr (answers_maps<Kind>) {
    for (std::size_t i = 0; i < of.size(); ++i)
      made[i].mask = labels_in_picture(raw[static_cast<std::int64_t>(i)], std::ssize(about.classes), of[i]);
  } else {
    auto const numbers = numbers_of<Kind>(raw, of, about);
    for (std::size_t i = 0; i < of.size(); ++i) made[i] = answer_of_numbers<Kind>(numbers[i], of[i].height, of[i].width, about);
  }
  return made;
}

/// The mean over views; run: the raw outputs of such pictures.
template <class Kind>
picture_prediction predict_by_views(data::picture_bytes const& picture, view_options const& how, std::int64_t batch,
                                    model_description const& about,
                                    std::function<outputs(std::vector<data::fitted_picture> const&)> const& run) {
  if (batch < 1) throw input_error("pictures cannot be predicted " + std::to_string(batch) + " at a time; write 1 or more");
  if constexpr (requires { Kind::dimensions; })
    if (how.flip)
      throw input_error("the numbers of '" + text::printable(about.task, 60) +
                        "' may change in a mirrored picture, so they are no mean over one; leave flip out");
  auto const views  = views_of(how, picture.height, picture.width, about.resize, about.height, about.width);
  auto const passed = [&](std::size_t first, std::size_t count, std::vector<data::fitted_picture>& seen) {
    for (std::size_t i = first; i < first + count; ++i) seen.push_back(data::fitted(picture, views[i].place, about.height, about.width));
    return run(seen);
  };
  picture_prediction made;
  if constexpr (detail::answers_maps<Kind>) {
    auto const used  = std::ssize(about.classes);
    bool both        = false;
    auto const alike = [&](at::Tensor const& raw) {
      return Kind::predict((raw.size(1) == 1 ? raw : raw.narrow(1, 0, used)).to(at::kFloat));
    };
    made.answer.mask = made.coarse.mask = {picture.height, picture.width,
                                           std::vector<std::uint8_t>(static_cast<std::size_t>(picture.height * picture.width))};
    std::int64_t channels               = 1;
    std::vector<float> best;
    mean_over_views(
        views, picture.height, picture.width, about.height, about.width, batch,
        [&](std::size_t first, std::size_t count) {
          std::vector<data::fitted_picture> seen;
          outputs const found     = passed(first, count, seen);
          at::Tensor const answer = alike(found.answer);
          both                    = !found.coarse.is_same(found.answer);
          channels                = answer.size(1);
          return both ? at::cat({answer, alike(found.coarse)}, 1) : answer;
        },
        [&](std::int64_t y, float const* sums, float const* weights) {
          auto const label = [&](float const* from, data::label_bytes& to) {
            detail::label_row(from, weights, channels, picture.width, .5f, best, to.labels.data() + y * picture.width);
          };
          label(sums, made.answer.mask);
          if (both) label(sums + channels * picture.width, made.coarse.mask);
        });
    if (!both) made.coarse = made.answer;
  } else {
    if (how.windows != 0)
      throw input_error("sliding windows are for models that predict a class a pixel, and the kind of '" + text::printable(about.task, 60) +
                        "' is " + text::printable(about.kind, 60) + "; leave them out");
    std::vector<std::vector<double>> answers, coarse;
    for (std::size_t first = 0; first < views.size(); first += static_cast<std::size_t>(batch)) {
      std::vector<data::fitted_picture> seen;
      outputs const found = passed(first, std::min(static_cast<std::size_t>(batch), views.size() - first), seen);
      for (auto const& [raw, into] : {std::pair{found.answer, &answers}, {found.coarse, &coarse}})
        for (auto& each : detail::numbers_of<Kind>(raw, seen, about)) into->push_back(std::move(each));
    }
    for (auto const& [numbers, into] : {std::pair{&answers, &made.answer}, {&coarse, &made.coarse}})
      *into = detail::answer_of_numbers<Kind>(detail::mean_of_numbers<Kind>(*numbers), picture.height, picture.width, about);
  }
  return made;
}

template <class Kind>
concept answers_pictures = predicts_numbers<Kind> || requires { requires Kind::has_boxes; } ||
                           requires { Kind::labels_of(std::declval<at::Tensor const&>()), Kind::ignore; };

}  // namespace detail

/// A model that was loaded from a folder. See the top of this file.
template <class Task>
class loaded_model {
 public:
  using kind = typename complete<Task>::kind;

  loaded_model(stack<Task> const& model, model_description about, predictor_options const& options = {})
      : about_(std::move(about)), predict_(model, options) {}

  /// What model.json says.
  [[nodiscard]] model_description const& description() const { return about_; }

  /// Brings a picture to the size of the network's input. Thread-safe.
  [[nodiscard]] data::fitted_picture fitted(data::picture_bytes const& picture) const {
    return data::fitted(picture, about_.resize, about_.height, about_.width);
  }
  /// The network's input of such pictures, [N, 3, H, W].
  [[nodiscard]] at::Tensor images_of(std::span<data::fitted_picture const> pictures) const {
    at::Tensor images = at::empty({std::ssize(pictures), 3, about_.height, about_.width},
                                  at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
    float* to         = images.mutable_data_ptr<float>();
    for (auto const& each : pictures) {
      data::normalise(each.rgb, about_.normalised, to);
      to += each.rgb.size();
    }
    return images;
  }
  /// Raw outputs of images [N, C, H, W].
  [[nodiscard]] outputs operator()(at::Tensor const& images) { return predict_(images); }

  [[nodiscard]] std::vector<picture_prediction> predict(std::span<data::fitted_picture const> pictures)
    requires(detail::answers_pictures<kind> && complete<Task>::input::channels == 3)
  {
    if (pictures.empty()) return {};
    return answers(predict_(images_of(pictures)), pictures);
  }
  /// The answers in the raw outputs of such pictures. Thread-safe, so that one thread can answer while another one runs the network.
  [[nodiscard]] std::vector<picture_prediction> answers(outputs const& found, std::span<data::fitted_picture const> pictures) const
    requires(detail::answers_pictures<kind> && complete<Task>::input::channels == 3)
  {
    std::vector<picture_prediction> made(pictures.size());
    auto answers   = detail::answers_of<kind>(found.answer, pictures, about_);
    bool const one = found.coarse.is_same(found.answer);
    auto coarse    = one ? answers : detail::answers_of<kind>(found.coarse, pictures, about_);
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = {std::move(answers[i]), std::move(coarse[i])};
    return made;
  }
  /// The mean over several views of a picture (picture_views.hpp), at most `batch` in a pass. input_error for windows of another kind than
  /// dense.
  [[nodiscard]] picture_prediction predict(data::picture_bytes const& picture, view_options const& how, std::int64_t batch = 16)
    requires(detail::answers_pictures<kind> && complete<Task>::input::channels == 3)
  {
    if (how.one()) return predict(picture);
    return detail::predict_by_views<kind>(picture, how, batch, about_, [this](auto const& seen) { return predict_(images_of(seen)); });
  }
  [[nodiscard]] picture_prediction predict(data::picture_bytes const& picture)
    requires(detail::answers_pictures<kind> && complete<Task>::input::channels == 3)
  {
    data::fitted_picture const one = fitted(picture);
    return std::move(predict(std::span(&one, 1)).front());
  }
  [[nodiscard]] picture_prediction predict(std::filesystem::path const& picture)
    requires(detail::answers_pictures<kind> && complete<Task>::input::channels == 3)
  {
    return predict(data::read_picture(picture, data::exif::apply));
  }

 private:
  model_description about_;
  predictor<Task> predict_;
};

/// Loads the weights of a model folder into a stack, after checking that they are of this task; returns what model.json says.
template <class Task>
model_description load_model_into(stack<Task>& model, std::filesystem::path const& folder) {
  using C                      = complete<Task>;
  model_description about      = describe_model(folder);
  model_description const here = describe_task<Task>();
  std::string const name       = "the model in '" + folder.string() + "'";
  auto const refuse            = [&](std::string const& what, std::string const& there, std::string const& wanted) {
    throw input_error(name + " has " + what + ' ' + text::printable(there, 200) + ", and the task '" + std::string(C::name) + "' has " +
                                 wanted + "; load it as the task that it was saved from");
  };
  auto const size = [](model_description const& of) {
    return std::to_string(of.channels) + " x " + std::to_string(of.height) + " x " + std::to_string(of.width);
  };
  if (about.kind != here.kind) refuse("the kind", about.kind, here.kind);
  if (size(about) != size(here)) refuse("the input", size(about), size(here));
  std::int64_t const classes = detail::class_names_of<typename C::kind>();
  if (about.classes.empty() || std::ssize(about.classes) > classes)
    refuse("a number of classes of", std::to_string(about.classes.size()), std::to_string(classes));
  if (about.compiler == here.compiler)
    for (auto const& [part, type] : here.parts)
      for (auto const& [other, there] : about.parts)
        if (part == other && type != there) refuse("the part '" + part + "'", there, type);
  auto const weights = folder / detail::model_files[1];
  if (data::sha256_of_file(weights) != about.weights_sha256)
    throw input_error(name + " is not whole: weights.safetensors is not the file that model.json was written with; copy the folder again");
  if (auto const file = data::read_safetensors(weights); about.widths.empty())
    detail::take_blocks(model, file);  // a network may have grown back to the widths of its type
  else
    take_sizes(model, file);
  load_weights(model, weights);
  if (!about.widths.empty()) check_widths(model);
  return about;
}

/// Loads a model folder that save_model has written of the same task.
template <class Task>
[[nodiscard]] loaded_model<Task> load_model(std::filesystem::path const& folder, predictor_options const& options = {}) {
  stack<Task> model;
  model_description about = load_model_into(model, folder);
  return loaded_model<Task>(model, std::move(about), options);
}

}  // namespace c2f
