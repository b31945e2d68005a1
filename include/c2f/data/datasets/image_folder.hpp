// c2f/data/datasets/image_folder.hpp: photographs with one class each, listed in CSV files: mini-ImageNet and data sets of the same layout.
//
//   c2f::data::image_folder<84> data{"/data/miniimagenet"};      // train.csv, val.csv, test.csv and images/
//   data.base.size();                                            // 38,400 of 64 classes; validation has 16 and novel 20
//   c2f::data::episodes tests{data.novel, {.way = 5, .shot = 1}};
//
// The format (Ravi and Larochelle, ICLR 2017): a list begins with the line `filename,label`; each further line names a picture and its
// class. The picture is images/<filename>, or <label>/<filename> if there is no folder `images`: JPEG or PNG of any size. It is resized to
// Side x Side without keeping its aspect ratio (letterbox.hpp's filter). Classes are numbered in alphabetical order. Intensities are
// normalised with ImageNet's mean and deviation. Augmentation is torchvision's RandomCrop(Side, padding = 8) and RandomHorizontalFlip; the
// padding is black before normalisation.
//
// Costs: construction reads the lists. A picture is decoded on its first read (a few ms) and cached as Side * Side * 3 bytes until
// cache_bytes are used: 1.27 GB for all 60,000 at 84. Needs libjpeg and libspng.
// Errors: input_error at construction, with list and line, for a malformed list, a field that is empty, has quotes or control characters or
// is a path outside the folder, a picture that is listed twice, a class in two lists. A picture that is missing or cannot be decoded keeps
// its id; reading it throws input_error.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/decoded_pictures.hpp>
#include <c2f/data/episodes.hpp>
#include <c2f/data/letterbox.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>

namespace c2f::data {

namespace detail {

/// A parsed list. A line takes 12 bytes and its text, so memory is less than four times the file's size for any input.
struct split_csv {
  struct line {
    std::uint32_t begin, size, label;  // the file name's range in the text; the class
  };
  std::vector<std::uint8_t> bytes;
  std::vector<line> lines;
  std::vector<std::string> classes;  // in alphabetical order

  [[nodiscard]] std::string_view text() const { return {reinterpret_cast<char const*>(bytes.data()), bytes.size()}; }
  [[nodiscard]] std::string_view file(std::size_t i) const { return text().substr(lines[i].begin, lines[i].size); }
};

inline constexpr std::uintmax_t largest_split_csv = std::uintmax_t{1} << 28;

/// Parses a list line by line. `name` is used in messages.
class split_csv_parser {
 public:
  split_csv_parser(std::vector<std::uint8_t> bytes, std::string const& name) : name_(name) { made_.bytes = std::move(bytes); }

  split_csv operator()() && {
    std::string_view const text = made_.text();
    auto const newlines         = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    made_.lines.reserve(std::min(newlines, text.size() / 4));  // a line has four bytes or more
    bool first       = true;
    std::size_t last = 0;
    for_each_line(text, [&](std::string_view line, std::size_t number) {
      last = number;
      if (!std::exchange(first, false))
        add(line, number);
      else if (line != "filename,label")
        fail(number, "is '" + printable(line) + "'", "the first line is 'filename,label'");
    });
    if (first) fail(1, "is ''", "the first line is 'filename,label'");
    if (made_.lines.empty()) fail(last + 1, "is not there", "list a picture and its class: 'n01.jpg,n01'");
    number_by_name();
    check_twice();
    return std::move(made_);
  }

 private:
  [[noreturn]] void fail(std::size_t number, std::string const& what, std::string const& remedy) const {
    throw input_error("'" + name_ + "', line " + std::to_string(number) + " " + what + "; " + remedy);
  }

  void add(std::string_view line, std::size_t number) {
    std::size_t const comma = line.find(',');
    if (comma == std::string_view::npos || line.find(',', comma + 1) != std::string_view::npos)
      fail(number, "is '" + printable(line) + "'", "write a file name, one comma and a class");
    std::string_view const file = trimmed(line.substr(0, comma)), label = trimmed(line.substr(comma + 1));
    check(file, "file name", number);
    check(label, "class", number);
    if (label.find('/') != std::string_view::npos) fail(number, "has the class '" + printable(label) + "'", "a class has no '/' in it");
    if (is_hidden(file)) return;
    auto const [found, added] = numbers_.try_emplace(std::string(label), static_cast<std::uint32_t>(numbers_.size()));
    if (added && numbers_.size() > most_classes)
      fail(number, "begins class " + std::to_string(numbers_.size()), "a list has " + std::to_string(most_classes) + " at most");
    made_.lines.push_back(
        {static_cast<std::uint32_t>(file.data() - made_.text().data()), static_cast<std::uint32_t>(file.size()), found->second});
  }

  void check(std::string_view field, std::string const& word, std::size_t number) const {
    if (field.empty()) fail(number, "has an empty " + word, "write a file name, one comma and a class");
    bool const odd = std::any_of(field.begin(), field.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f || c == '"' || c == '\\'; });
    if (odd) fail(number, "has the " + word + " '" + printable(field) + "'", "write it without quotes, backslashes and control characters");
    if (leads_out(field))
      fail(number, "has the " + word + " '" + printable(field) + "', which leads out of the folder", "write one that is below it");
  }

  void number_by_name() {
    std::vector<std::uint32_t> by_name(numbers_.size());
    for (auto const& [name, number] : numbers_) {
      by_name[number] = static_cast<std::uint32_t>(made_.classes.size());
      made_.classes.push_back(name);
    }
    for (auto& line : made_.lines) line.label = by_name[line.label];
  }

  // The number of a line in the file, which may have blank lines.
  std::size_t number_of(std::uint32_t line) const {
    std::string_view const before = made_.text().substr(0, made_.lines[line].begin);
    return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  }

  void check_twice() const {
    std::vector<std::uint32_t> order(made_.lines.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return std::pair(made_.file(a), a) < std::pair(made_.file(b), b); });
    for (std::size_t i = 1; i < order.size(); ++i)
      if (made_.file(order[i]) == made_.file(order[i - 1]))
        fail(number_of(order[i]),
             "lists '" + printable(made_.file(order[i])) + "' again, after line " + std::to_string(number_of(order[i - 1])),
             "take one of the lines out");
  }

  static constexpr std::size_t most_classes = 10000;
  std::string const& name_;
  split_csv made_;
  std::map<std::string, std::uint32_t> numbers_;  // in the order of appearance
};

inline split_csv parse_split_csv(std::vector<std::uint8_t> bytes, std::string const& name) {
  return split_csv_parser(std::move(bytes), name)();
}

}  // namespace detail

/// A split of square photographs; its truth is the class, std::int64_t.
template <std::int64_t Side>
class image_list {
 public:
  using image       = c2f::image<3, Side, Side>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};

  /// The pictures below `root` that the file root / list names. `budget`: bytes that may still be cached.
  image_list(std::filesystem::path const& root, std::string const& list, std::shared_ptr<std::atomic<std::int64_t>> budget)
      : held_(std::make_shared<contents>(root, root / list, std::move(budget))) {}

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(held_->list.lines.size()); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->list.classes; }
  [[nodiscard]] std::int64_t label(std::int64_t id) const { return held_->list.lines[static_cast<std::size_t>(id)].label; }
  /// The class and the file name as the list has them.
  [[nodiscard]] std::string name_of(std::int64_t id) const { return std::to_string(label(id)) + ' ' + file(id).filename().string(); }
  [[nodiscard]] std::filesystem::path file(std::int64_t id) const { return held_->file(static_cast<std::size_t>(id)); }

  void read(std::int64_t id, random_stream* augment, float* pixels, std::int64_t* truth) const {
    auto const square       = square_of(id);
    *truth                  = label(id);
    auto const shift        = [&] { return std::int64_t{augment->below(2 * pad + 1)} - pad; };
    std::int64_t const down = augment ? shift() : 0, right = augment ? shift() : 0;
    bool const mirrored = augment && augment->below(2) == 1;
    for (std::int64_t y = 0; y < Side; ++y)
      for (std::int64_t x = 0; x < Side; ++x) {
        std::int64_t const row = y + down, column = (mirrored ? Side - 1 - x : x) + right;
        bool const inside = row >= 0 && row < Side && column >= 0 && column < Side;
        auto const at     = static_cast<std::size_t>(inside ? 3 * (row * Side + column) : 0);
        for (std::size_t c = 0; c < 3; ++c) {
          float const byte = inside ? static_cast<float>((*square)[at + c]) : 0.0f;
          *pixels++        = (byte / 255 - imagenet_mean[c]) / imagenet_deviation[c];
        }
      }
  }

  /// The bytes of the resized picture: Side * Side * 3, rows from the top, channels innermost.
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const { return *square_of(id); }

 private:
  static constexpr int pad = 8;
  using square_bytes       = std::vector<std::uint8_t>;

  struct contents {
    std::filesystem::path root;
    std::string name;
    detail::split_csv list;
    bool one_folder;  // images/<filename>, not <label>/<filename>
    detail::decoded_pictures squares;
    contents(std::filesystem::path r, std::filesystem::path const& path, std::shared_ptr<std::atomic<std::int64_t>> left)
        : root(std::move(r)), name("'" + path.string() + "'"), list(parse(path)), squares(list.lines.size(), std::move(left)) {
      std::error_code ignored;
      one_folder = std::filesystem::is_directory(root / "images", ignored);
    }
    static detail::split_csv parse(std::filesystem::path const& path) {
      return detail::parse_split_csv(detail::bytes_of_file(path, detail::largest_split_csv), path.string());
    }
    [[nodiscard]] std::filesystem::path file(std::size_t i) const {
      return root / (one_folder ? std::string("images") : list.classes[list.lines[i].label]) / std::string(list.file(i));
    }
  };

  [[nodiscard]] std::shared_ptr<square_bytes const> square_of(std::int64_t id) const {
    return held_->squares.of(static_cast<std::size_t>(id), [&] { return decode(file(id)); });
  }

  static square_bytes decode(std::filesystem::path const& path) {
    picture_bytes const photo = read_picture(path);
    auto const scale          = [](std::int64_t size) { return axis{.scale = static_cast<double>(Side) / static_cast<double>(size)}; };
    std::vector<float> values(3 * Side * Side);
    resample(photo.rgb, photo.height, photo.width, scale(photo.width), scale(photo.height), Side, {0, 0, 0}, values.data());
    square_bytes made(values.size());
    std::transform(values.begin(), values.end(), made.begin(),
                   [](float value) { return static_cast<std::uint8_t>(std::clamp(value + .5f, 0.0f, 255.0f)); });
    return made;
  }

  std::shared_ptr<contents> held_;
};

/// The root folder, the lists in it, and the cache.
struct image_folder_options {
  std::filesystem::path root;
  std::string base = "train.csv", validation = "val.csv", novel = "test.csv";
  std::int64_t cache_bytes = std::int64_t{1} << 31;  ///< for all three splits together
};

/// Three splits with disjoint classes: base for training, validation for choosing settings, novel for testing.
template <std::int64_t Side = 84>
struct image_folder {
  image_list<Side> base, validation, novel;
  explicit image_folder(image_folder_options const& options)
      : image_folder(options, std::make_shared<std::atomic<std::int64_t>>(options.cache_bytes)) {}
  explicit image_folder(std::filesystem::path const& root) : image_folder(image_folder_options{.root = root}) {}

 private:
  image_folder(image_folder_options const& options, std::shared_ptr<std::atomic<std::int64_t>> const& budget)
      : base(options.root, options.base, budget),
        validation(options.root, options.validation, budget),
        novel(options.root, options.novel, budget) {
    check_disjoint(base, validation);
    check_disjoint(base, novel);
    check_disjoint(validation, novel);
  }
};

}  // namespace c2f::data
