// c2f/data/datasets/picture_table.hpp: pictures with attributes or numbers, from a table in a CSV file.
//
//   c2f::data::picture_table<40, 96> const faces{{.root = "/data/faces"}};                     // for c2f::multi_label<40>
//   c2f::data::picture_table<2, 96> const ages{{.root = "/data/ages", .standardise = true}};   // for c2f::regression<2>
//   ages.columns;                                                                              // {"age", "height"}
//   ages.units[0].mean + ages.units[0].deviation * .5f;                                        // .5 of the network as an age
//
// A table begins with a line of names; each further line is a picture (.jpg, .png) and what is known of it:
//   picture,age,height          a number a column, or nothing, which is unknown: "a/1.jpg,31.5,"
//   picture,smiling,hat         the same with 1 and 0: attributes
//   picture,labels              the names of the attributes that a picture has, as many as it has: "a/1.jpg,smiling,hat"; others are 0
// Cells are separated by commas; one with a comma or quotes in it is put into quotes, and its quotes are doubled (RFC 4180), on one line.
// Columns of labels are in the order of their names.
//
// Layouts: ROOT/train.csv, and val.csv and test.csv where they are; or one table ROOT/*.csv. Parts without a table are taken from the training
// table by (seed, purpose::partition, hash of the name). Pictures are below ROOT, or below ROOT/images.
//
// The truth is float {Count}: the columns in order, c2f::unknown for what is unknown and for columns beyond those of the table. With
// `standardise`, numbers are (number - mean) / deviation of the training part. Pictures are resized and augmented as by class_folders.hpp.
//
// Costs: the tables are kept, 4 bytes a cell. Errors: input_error at construction, with file and line: a first line that names no columns, a
// line with another number of cells, a cell that is no number, a name that is empty, there twice or leads out of the folder, columns that
// differ between tables, and more columns than Count. A picture that cannot be decoded keeps its id; reading it throws input_error.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/core/unknown.hpp>
#include <c2f/data/augment.hpp>
#include <c2f/data/datasets/class_folders.hpp>
#include <c2f/data/decoded_pictures.hpp>
#include <c2f/data/fitted_picture.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>

namespace c2f::data {

/// The rows of a table.
struct csv_table {
  struct row {
    std::string picture;
    std::vector<float> values{};  ///< c2f::unknown where the cell is empty
  };
  std::vector<std::string> columns;
  std::vector<row> rows;
  bool of_labels = false;  ///< the table has the names of attributes in its lines

  /// Whether every number is 0 or 1.
  [[nodiscard]] bool has_attributes() const {
    return std::all_of(rows.begin(), rows.end(), [](row const& each) {
      return std::all_of(each.values.begin(), each.values.end(), [](float value) { return value == 0 || value == 1 || std::isnan(value); });
    });
  }
};

namespace detail {

inline constexpr std::uintmax_t largest_table   = std::uintmax_t{1} << 29;
inline constexpr std::size_t most_table_columns = 4096;
inline constexpr std::size_t most_table_cells   = std::size_t{1} << 29;
inline constexpr std::size_t most_label_cells   = std::size_t{1} << 26;  // a label of a few bytes is a number in every row

/// Parses a table line by line. `name` is used in messages.
class table_parser {
 public:
  explicit table_parser(std::string const& name) : name_(name) {}

  csv_table operator()(std::string_view text) && {
    bool first = true;
    for_each_line(text, [&](std::string_view line, std::size_t number) {
      number_                              = number;
      std::vector<std::string> const cells = cells_of(line);
      if (std::exchange(first, false))
        head(cells);
      else
        add(cells);
    });
    if (first) fail("is empty", "begin it with a line of names, as in picture,age");
    if (made_.rows.empty()) fail("is the last one", "give a line for each picture");
    if (made_.of_labels) number_labels();
    return std::move(made_);
  }

 private:
  [[noreturn]] void fail(std::string const& what, std::string const& remedy) const {
    throw input_error("'" + name_ + "', line " + std::to_string(number_) + " " + what + "; " + remedy);
  }
  std::vector<std::string> cells_of(std::string_view line) const {
    std::vector<std::string> made(1);
    bool quoted = false, closed = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      char const c = line[i];
      if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
        made.back() += line[++i];
      } else if (quoted && c == '"') {
        quoted = false, closed = true;
      } else if (quoted || (c != ',' && c != '"')) {
        if (closed && c != ' ') fail("goes on behind a cell in quotes", "write a comma behind it");
        if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f) fail("has a control character", "take it out");
        if (!closed) made.back() += c;
      } else if (c == ',') {
        if (made.size() > most_table_columns) fail("has more than " + std::to_string(most_table_columns) + " cells", "take some out");
        made.emplace_back(), closed = false;
      } else {
        if (!trimmed(made.back()).empty() || closed)
          fail("has quotes within a cell", "put the whole cell into quotes and double those in it");
        made.back().clear(), quoted = true;
      }
    }
    if (quoted) fail("ends within quotes", "close them on the same line");
    for (auto& cell : made) cell = std::string(trimmed(cell));
    return made;
  }
  void head(std::vector<std::string> const& cells) {
    if (cells.size() < 2 || is_picture_name(cells[0]))
      fail("names no columns", "begin with a line of names, as in picture,age or picture,labels");
    made_.of_labels = cells.size() == 2 && lower(cells[1]) == "labels";
    if (made_.of_labels) return;
    std::set<std::string> seen;
    for (std::size_t i = 1; i < cells.size(); ++i) {
      if (cells[i].empty() || !seen.insert(cells[i]).second)
        fail("has the column '" + printable(cells[i]) + "' twice or without a name", "name each column once");
      made_.columns.push_back(cells[i]);
    }
  }
  void add(std::vector<std::string> const& cells) {
    std::string const& picture = cells[0];
    if (leads_out(picture) || picture.find('\\') != std::string::npos)
      fail("has the picture '" + printable(picture) + "', which is no name below the folder", "write one");
    if (is_hidden(picture)) return;
    if (!pictures_.insert(picture).second) fail("has the picture '" + printable(picture) + "' again", "give each one line");
    auto& row = made_.rows.emplace_back(csv_table::row{picture, {}});
    if (made_.of_labels) {
      auto& own = labels_of_.emplace_back();
      for (std::size_t i = 1; i < cells.size(); ++i) {
        if (cells[i].empty() && cells.size() == 2) continue;  // "a.jpg,": none
        if (cells[i].empty()) fail("has an empty label", "take the comma out");
        auto const number = labels_.emplace(cells[i], labels_.size()).first->second;
        if (labels_.size() > most_table_columns) fail("begins label " + std::to_string(labels_.size()), "a table has 4096 at most");
        own.push_back(number);
      }
      check_cells(labels_.size());
      return;
    }
    if (cells.size() != made_.columns.size() + 1)
      fail("has " + std::to_string(cells.size()) + " cells",
           "write the picture and " + std::to_string(made_.columns.size()) + " more, which may be empty");
    check_cells(made_.columns.size());
    for (std::size_t i = 1; i < cells.size(); ++i) {
      float value = unknown;
      if (!cells[i].empty()) {
        auto const* const end = cells[i].data() + cells[i].size();
        auto const read       = std::from_chars(cells[i].data(), end, value);
        if (read.ec != std::errc() || read.ptr != end || !std::isfinite(value))
          fail("has '" + printable(cells[i]) + "' in the column '" + printable(made_.columns[i - 1]) + "'",
               "write a number, or nothing if it is unknown");
      }
      row.values.push_back(value);
    }
  }
  void check_cells(std::size_t columns) const {
    if (made_.rows.size() * columns > (made_.of_labels ? most_label_cells : most_table_cells))
      fail("makes the table too large", "divide it");
  }
  void number_labels() {
    if (labels_.empty()) fail("is the last one, and there is no label", "write labels behind pictures");
    std::vector<std::size_t> place(labels_.size());
    for (auto const& [label, number] : labels_) {
      place[number] = made_.columns.size();
      made_.columns.push_back(label);
    }
    for (std::size_t i = 0; i < labels_of_.size(); ++i) {
      made_.rows[i].values.assign(made_.columns.size(), 0);
      for (std::size_t const number : labels_of_[i]) made_.rows[i].values[place[number]] = 1;
    }
  }

  std::string const& name_;
  std::size_t number_ = 1;
  csv_table made_;
  std::set<std::string> pictures_;
  std::map<std::string, std::size_t> labels_;
  std::vector<std::vector<std::size_t>> labels_of_;
};

}  // namespace detail

/// Parses the text of a table; `name` is used in messages.
[[nodiscard]] inline csv_table parse_table(std::span<std::uint8_t const> bytes, std::string const& name) {
  return detail::table_parser(name)({reinterpret_cast<char const*>(bytes.data()), bytes.size()});
}
[[nodiscard]] inline csv_table read_table(std::filesystem::path const& file) {
  return parse_table(detail::bytes_of_file(file, detail::largest_table), file.string());
}

/// The tables of a root by part, with the same columns.
struct table_lists {
  std::vector<std::string> columns;
  bool attributes = false;  ///< whether every number is 0 or 1
  std::vector<csv_table::row> train, validation, test;
  std::filesystem::path pictures;  ///< the folder of the pictures
};

namespace detail {
/// The tables of a folder: train.csv, val.csv and test.csv, or one; empty: none.
inline std::array<std::filesystem::path, 3> find_tables(std::filesystem::path const& root) {
  std::error_code ignored;
  std::array<std::filesystem::path, 3> found;
  if (!std::filesystem::is_directory(root, ignored)) return found;
  std::set<std::string> const files = files_in(root, {".csv"});
  for (auto const& file : files) {
    part const where = part_named(file.substr(0, file.size() - 4));
    if (where != part::none) take_part_from(found[index_of(where)], root / file);
  }
  if (found[0].empty() && files.size() == 1) found = {root / *files.begin(), {}, {}};
  return found;
}
}  // namespace detail

/// Lists the tables below a root.
[[nodiscard]] inline table_lists list_tables(std::filesystem::path const& root, partition_options const& how = {}) {
  detail::check_partition(how);
  auto const files = detail::find_tables(root);
  if (files[0].empty())
    throw input_error("'" + root.string() + "' has no table of pictures; put one .csv into it, or train.csv, val.csv and test.csv");
  table_lists made;
  made.attributes = true;
  std::array<std::vector<csv_table::row>*, 3> const parts{&made.train, &made.validation, &made.test};
  for (std::size_t i = 0; i < 3; ++i) {
    if (files[i].empty()) continue;
    csv_table table = read_table(files[i]);
    if (i == 0) made.columns = table.columns;
    made.attributes = made.attributes && table.has_attributes();
    if (i > 0 && table.of_labels) {  // a part may lack some of the labels
      for (auto& row : table.rows) {
        std::vector<float> values(made.columns.size(), 0);
        for (std::size_t k = 0; k < table.columns.size(); ++k) {
          auto const place = std::find(made.columns.begin(), made.columns.end(), table.columns[k]) - made.columns.begin();
          if (place == std::ssize(made.columns))
            throw input_error("'" + files[i].string() + "' has the label '" + detail::printable(table.columns[k]) + "', which '" +
                              files[0].string() + "' does not have; add a picture with it there, or take it out");
          values[static_cast<std::size_t>(place)] = row.values[k];
        }
        row.values = std::move(values);
      }
    } else if (table.columns != made.columns) {
      throw input_error("'" + files[i].string() + "' has other columns than '" + files[0].string() + "'; give both the same first line");
    }
    *parts[i] = std::move(table.rows);
  }
  detail::check_once(root, [](csv_table::row const& each) -> auto const& { return each.picture; }, made.train, made.validation, made.test);
  auto const key = [](csv_table::row const& each) { return each.picture; };
  auto const one = [](csv_table::row const&) { return 0; };
  if (made.test.empty()) detail::take_fraction(made.train, made.test, how.test, how.seed, 0, key, one);
  if (made.validation.empty()) detail::take_fraction(made.train, made.validation, how.validation, how.seed, 1, key, one);
  if (made.train.empty()) throw input_error("'" + root.string() + "' leaves no line of its table to train on; add some, or hold out fewer");
  std::error_code ignored;
  made.pictures = std::filesystem::is_regular_file(root / made.train.front().picture, ignored) ||
                          !std::filesystem::is_directory(root / "images", ignored)
                      ? root
                      : root / "images";
  return made;
}

/// How the numbers of a column are trained: (number - mean) / deviation.
struct column_unit {
  float mean = 0, deviation = 1;
};
/// Mean and deviation of each column, over what is known; a deviation of 0 becomes 1.
[[nodiscard]] inline std::vector<column_unit> units_of(std::vector<csv_table::row> const& rows, std::size_t columns) {
  std::vector<column_unit> made;
  for (std::size_t k = 0; k < columns; ++k) {
    double sum = 0, squares = 0, count = 0;
    for (auto const& row : rows)
      if (!std::isnan(row.values[k])) sum += static_cast<double>(row.values[k]), ++count;
    double const mean = count > 0 ? sum / count : 0;
    for (auto const& row : rows)
      if (!std::isnan(row.values[k])) squares += std::pow(static_cast<double>(row.values[k]) - mean, 2);
    double const deviation = count > 0 ? std::sqrt(squares / count) : 0;
    made.push_back({static_cast<float>(mean), deviation > 0 ? static_cast<float>(deviation) : 1});
  }
  return made;
}

/// A split of square pictures with Count numbers each; see the top of this file.
template <std::int64_t Count, std::int64_t Side>
class tabled_pictures {
 public:
  using image       = c2f::image<3, Side, Side>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 1> truth_dims{Count};

  /// `units`: empty, or one for each column. `budget`: bytes that may still be cached.
  tabled_pictures(std::string name, std::filesystem::path folder, std::vector<csv_table::row> rows, std::vector<std::string> columns,
                  std::vector<column_unit> units, resizing resize, augmentation const& augment,
                  std::shared_ptr<std::atomic<std::int64_t>> budget)
      : held_(std::make_shared<contents>(std::move(name), std::move(folder), std::move(rows), std::move(columns), std::move(units), resize,
                                         augment, std::move(budget))) {
    if (std::ssize(held_->columns) > Count)
      throw input_error("the table of " + held_->name + " has " + std::to_string(held_->columns.size()) + " columns, and " +
                        std::to_string(Count) + " are predicted; take some out, or predict more");
  }

  [[nodiscard]] std::int64_t size() const { return std::ssize(held_->rows); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->columns; }
  [[nodiscard]] std::string const& name_of(std::int64_t id) const { return row(id).picture; }
  /// As in the table.
  [[nodiscard]] std::vector<float> const& values(std::int64_t id) const { return row(id).values; }
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const { return *square_of(id); }

  /// How samples are read, which a resumed training compares.
  [[nodiscard]] auto settings() const { return settings_of(held_->resize, held_->augment); }
  void read(std::int64_t id, random_stream* augment, float* pixels, float* truth) const {
    auto const square = square_of(id);
    std::fill_n(truth, Count, unknown);
    auto const& numbers = row(id).values;
    for (std::size_t k = 0; k < numbers.size(); ++k)
      truth[k] = held_->units.empty() ? numbers[k] : (numbers[k] - held_->units[k].mean) / held_->units[k].deviation;
    if (augment == nullptr) return normalise(*square, {}, pixels);
    seen_picture(draw_view(*augment, held_->augment, {}, static_cast<double>(Side)), *square, Side, pixels);
  }

 private:
  struct contents {
    std::string name;
    std::filesystem::path folder;
    std::vector<csv_table::row> rows;
    std::vector<std::string> columns;
    std::vector<column_unit> units;
    resizing resize;
    augmentation augment;
    detail::decoded_pictures squares;
    contents(std::string n, std::filesystem::path f, std::vector<csv_table::row> r, std::vector<std::string> c, std::vector<column_unit> u,
             resizing how, augmentation const& a, std::shared_ptr<std::atomic<std::int64_t>> budget)
        : name(std::move(n)),
          folder(std::move(f)),
          rows(std::move(r)),
          columns(std::move(c)),
          units(std::move(u)),
          resize(how),
          augment(checked(a)),
          squares(rows.size(), std::move(budget)) {}
  };
  [[nodiscard]] csv_table::row const& row(std::int64_t id) const { return held_->rows[static_cast<std::size_t>(id)]; }
  [[nodiscard]] std::shared_ptr<std::vector<std::uint8_t> const> square_of(std::int64_t id) const {
    return held_->squares.of(static_cast<std::size_t>(id), [&] {
      return fitted(read_picture(held_->folder / row(id).picture, exif::apply), held_->resize, Side, Side).rgb;
    });
  }
  std::shared_ptr<contents> held_;
};

/// The root folder, how its pictures are resized and augmented, parts without tables, and the cache.
struct picture_table_options {
  std::filesystem::path root;
  bool standardise            = false;  ///< numbers to mean 0 and deviation 1
  resizing resize             = resizing::crop;
  augmentation augment        = {};
  partition_options partition = {};
  std::int64_t cache_bytes    = std::int64_t{1} << 30;  ///< for all splits together
};

/// A data set of pictures with up to Count numbers each.
template <std::int64_t Count, std::int64_t Side>
struct picture_table {
  std::vector<std::string> columns;
  std::vector<column_unit> units;  ///< empty unless standardised
  tabled_pictures<Count, Side> train, validation, test;

  explicit picture_table(picture_table_options const& options) : picture_table(options, list_tables(options.root, options.partition)) {}
  picture_table(picture_table_options const& options, table_lists lists)
      : picture_table(options, std::move(lists), std::make_shared<std::atomic<std::int64_t>>(options.cache_bytes)) {}

 private:
  picture_table(picture_table_options const& options, table_lists lists, std::shared_ptr<std::atomic<std::int64_t>> const& budget)
      : columns(lists.columns),
        units(options.standardise ? units_of(lists.train, lists.columns.size()) : std::vector<column_unit>()),
        train("train", lists.pictures, std::move(lists.train), columns, units, options.resize, options.augment, budget),
        validation("validation", lists.pictures, std::move(lists.validation), columns, units, options.resize, options.augment, budget),
        test("test", lists.pictures, std::move(lists.test), columns, units, options.resize, options.augment, budget) {}
};

}  // namespace c2f::data
