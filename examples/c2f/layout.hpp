// Which data a folder has: recognises the layout, and gives samples as pictures with truths, for training, scores and contact sheets.
#pragma once

#include "common/box_options.hpp"

#include <c2f/data/datasets/class_folders.hpp>
#include <c2f/data/datasets/mask_folders.hpp>
#include <c2f/data/datasets/picture_table.hpp>
#include <c2f/data/datasets/voc.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/volumes/volume.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tool {

enum class kind { classes, boxes, masks, attributes, numbers };
[[nodiscard]] std::string name_of(kind which);

/// The options about data; the same for every command.
struct data_options {
  std::filesystem::path data{};
  std::string kind{};
  program::box_options boxes{};
  std::vector<std::string> classes{}, mask_values{};
  double validation = .1, test = .2;
  std::uint64_t split_seed = 1;
  std::vector<std::string> typed{};  ///< the options that are on the command line, such as "--test"
};
/// Adds them but for --data.
void add_data_options(CLI::App& app, data_options& chosen);

/// How training samples are changed.
struct training_options {
  std::string augment = "default";  ///< as typed
  double mixup = 0, cutmix = 0, smoothing = 0;
  std::string class_weights = "none";
  [[nodiscard]] bool any() const { return mixup > 0 || cutmix > 0 || smoothing > 0 || class_weights != "none"; }
  /// What is typed, or else the network's own.
  [[nodiscard]] c2f::data::augmentation augmentation(c2f::data::augmentation const& own, std::int64_t side) const {
    return augment == "default" ? own : c2f::data::read_augmentation(augment, static_cast<double>(side));
  }
};
/// Adds them; they are for training alone.
void add_training_options(CLI::App& app, training_options& chosen);

/// The truth of a sample; of its members those of the kind.
struct truth {
  std::int64_t label = 0;
  std::vector<std::optional<c2f::metrics::box>> boxes{};  ///< by class, in pixels
  c2f::data::label_bytes mask{};                          ///< labels 0 ... K - 1 and 255
  std::vector<float> values{};                            ///< of attributes and numbers, in the order of the classes
};
struct sample {
  std::string name;
  c2f::data::picture_bytes picture;
  tool::truth truth;
};

/// Train, validation and test, in this order.
inline constexpr std::array<char const*, 3> part_names{"train", "validation", "test"};

/// What a folder has.
struct found_data {
  tool::kind kind = kind::classes;
  std::string layout{};                ///< in words
  std::vector<std::string> classes{};  ///< in order
  std::vector<std::string> remarks{};  ///< what a user should know before training
  std::filesystem::path root{};
  training_options training{};

  // For classes and for masks: how the samples of a part are decoded.
  std::array<std::vector<c2f::data::classified_name>, 3> classified{};
  std::array<std::function<c2f::data::picture_bytes(std::size_t)>, 3> decode_classified{};
  std::array<std::vector<std::string>, 3> mask_names{};
  std::array<std::vector<std::filesystem::path>, 3> mask_pictures{};  ///< their pictures; none of volumes
  std::array<std::function<c2f::data::masked_picture(std::size_t)>, 3> decode_masked{};
  c2f::data::mask_table table{};
  std::vector<c2f::data::colour> palette{};  ///< of the masks' bytes; empty if they are grey
  // For attributes and numbers.
  std::array<std::vector<c2f::data::csv_table::row>, 3> rows{};
  std::filesystem::path pictures{};
  // For boxes.
  std::array<c2f::data::detail::voc_list, 3> boxes{};

  [[nodiscard]] std::int64_t size(std::size_t part) const;
  [[nodiscard]] std::string name(std::size_t part, std::int64_t id) const;
  /// The file of its picture; empty if it has none of its own.
  [[nodiscard]] std::filesystem::path file(std::size_t part, std::int64_t id) const;
  /// Reads a sample; input_error if it cannot be read.
  [[nodiscard]] tool::sample read(std::size_t part, std::int64_t id) const;
  /// What was found, in lines: layout, classes with counts, sizes, the first problem. Decodes a few pictures.
  [[nodiscard]] std::string summary() const;
};

/// Recognises a folder; input_error that says what was looked for, or how to choose between two kinds.
[[nodiscard]] found_data recognise(data_options const& chosen);

/// A slice across z of a volume of intensities from 0 to 1 as a picture: its neighbours and itself as red, green and blue, as in
/// data/volumes/slices.hpp.
[[nodiscard]] c2f::data::picture_bytes slice_picture(c2f::data::volume<float> const& of, std::int64_t slice);
[[nodiscard]] c2f::data::label_bytes slice_labels(c2f::data::volume<std::uint8_t> const& of, std::int64_t slice);

/// Colours to draw classes in: those of the palette, or well-separated ones.
[[nodiscard]] c2f::data::colour colour_of(std::size_t label, std::vector<c2f::data::colour> const& palette = {});

}  // namespace tool
