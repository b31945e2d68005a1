// c2f/data/datasets/cifar.hpp: CIFAR-10 and CIFAR-100, from the official binary files.
//
//   c2f::data::cifar100 data{"/data"};                 // the folder of train.bin and test.bin, or its parent
//   data.train.size();                                 // 50,000
//   data.test.classes()[7];                            // "beetle"
//
// The format (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html): records of one label byte (CIFAR-10) or a coarse
// and a fine one (CIFAR-100), then 1,024 bytes each of red, green and blue. cifar100 has the 100 fine classes, cifar100_coarse
// the 20 coarse ones of the same pictures. Mean and standard deviation are those in common use for both sets.
//
// Costs: the files are read once, at construction, and stay in memory: 184 MB. A file's size is checked before memory is allocated.
// Errors: input_error with file, byte offset, what was found and a remedy: a missing folder or file, a truncated or too long file, a label
// out of range, a file of class names with the wrong number of names.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/pictures.hpp>

namespace c2f::data {

/// The number of records that a CIFAR file may have.
enum class counts {
  official,  ///< exactly the published number, so that a truncated file is detected
  any,       ///< 1 up to the official number: for tests and excerpts
};

namespace detail {

/// A label in a record: its offset, the number of classes, and its name in messages.
struct label_byte {
  std::size_t at;
  int classes;
  char const* word;
};

/// The differences between CIFAR-10 and CIFAR-100.
struct cifar_layout {
  std::string title, folder, archive;
  std::vector<std::string> train_files;
  std::size_t train_records;  // in each of the training files
  std::string test_file;
  std::size_t test_records;
  std::string names_file;
  std::vector<label_byte> labels;
  std::size_t used;  // which of the labels is the class

  [[nodiscard]] std::size_t record_bytes() const { return labels.size() + 3072; }
  [[nodiscard]] std::string remedy() const {
    return "download " + archive + " from https://www.cs.toronto.edu/~kriz/cifar.html and unpack it";
  }
  [[nodiscard]] picture_format format() const {
    return {record_bytes(), labels[used].at, labels.size(), {0.4914f, 0.4822f, 0.4465f}, {0.2023f, 0.1994f, 0.2010f}, 4, true};
  }
};

inline cifar_layout cifar10_layout() {
  return {"CIFAR-10",
          "cifar-10-batches-bin",
          "cifar-10-binary.tar.gz",
          {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
          10000,
          "test_batch.bin",
          10000,
          "batches.meta.txt",
          {{0, 10, "label"}},
          0};
}

inline cifar_layout cifar100_layout(bool coarse) {
  return {"CIFAR-100",
          "cifar-100-binary",
          "cifar-100-binary.tar.gz",
          {"train.bin"},
          50000,
          "test.bin",
          10000,
          coarse ? "coarse_label_names.txt" : "fine_label_names.txt",
          {{0, 20, "coarse label"}, {1, 100, "fine label"}},
          coarse ? 0u : 1u};
}

inline std::string quoted(std::filesystem::path const& path) { return "'" + path.string() + "'"; }

/// `dir` itself, or its subfolder with the name in the official archive.
inline std::filesystem::path find_cifar(std::filesystem::path const& dir, cifar_layout const& layout) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(dir, ignored))
    throw input_error("no folder " + quoted(dir) + " to read " + layout.title + " from; " + layout.remedy());
  for (auto const& folder : {dir, dir / layout.folder})
    if (std::filesystem::exists(folder / layout.train_files.front(), ignored)) return folder;
  throw input_error("no " + layout.title + " in " + quoted(dir) + ": found neither " + layout.train_files.front() + " nor " +
                    layout.folder + "/" + layout.train_files.front() + "; " + layout.remedy());
}

/// The size of a file of records; throws if it is wrong.
inline std::size_t checked_size(std::filesystem::path const& file, cifar_layout const& layout, std::size_t official, counts allowed) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed)) throw input_error("no file " + quoted(file) + "; " + layout.remedy() + " again");
  std::uintmax_t const size = std::filesystem::file_size(file, failed);
  if (failed) throw input_error("cannot read " + quoted(file) + ": " + failed.message() + "; make it readable");

  std::size_t const record   = layout.record_bytes();
  std::uintmax_t const whole = size / record * record, wanted = std::uintmax_t{official} * record;
  bool const right = whole == size && (allowed == counts::official ? size == wanted : size > 0 && size <= wanted);
  if (right) return static_cast<std::size_t>(size);

  std::string const where = size < wanted ? (whole == size ? "it ends before record " : "it ends inside record ") +
                                                std::to_string(size / record) + " at byte " + std::to_string(whole)
                                          : "what follows byte " + std::to_string(wanted) + " does not belong there";
  throw input_error(quoted(file) + " has " + std::to_string(size) + " bytes instead of " + std::to_string(wanted) + " (" +
                    std::to_string(official) + " records of " + std::to_string(record) + "): " + where + "; " + layout.remedy() + " again");
}

inline void check_labels(std::filesystem::path const& file, std::uint8_t const* bytes, std::size_t size, cifar_layout const& layout) {
  for (std::size_t at = 0; at < size; at += layout.record_bytes())
    for (auto const& label : layout.labels)
      if (bytes[at + label.at] >= label.classes)
        throw input_error(quoted(file) + ", byte " + std::to_string(at + label.at) + ": " + label.word + " " +
                          std::to_string(bytes[at + label.at]) + " of record " + std::to_string(at / layout.record_bytes()) +
                          " is not in 0..." + std::to_string(label.classes - 1) + "; " + layout.remedy() + " again");
}

/// The concatenated records of all files.
inline std::vector<std::uint8_t> read_records(std::vector<std::filesystem::path> const& files, cifar_layout const& layout,
                                              std::size_t official, counts allowed) {
  std::vector<std::size_t> sizes;
  std::size_t total = 0;
  for (auto const& file : files) total += sizes.emplace_back(checked_size(file, layout, official, allowed));

  std::vector<std::uint8_t> bytes(total);
  std::uint8_t* to = bytes.data();
  for (std::size_t i = 0; i < files.size(); to += sizes[i++]) {
    std::ifstream in(files[i], std::ios::binary);
    if (!in) throw input_error("cannot open " + quoted(files[i]) + "; make it readable");
    in.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(sizes[i]));
    if (static_cast<std::size_t>(in.gcount()) != sizes[i])
      throw input_error("cannot read " + quoted(files[i]) + " beyond byte " + std::to_string(in.gcount()) + " of " +
                        std::to_string(sizes[i]) + "; check the disk, or " + layout.remedy() + " again");
    check_labels(files[i], to, sizes[i], layout);
  }
  return bytes;
}

/// The names of the classes, one a line; empty if the file does not exist.
inline std::vector<std::string> read_names(std::filesystem::path const& file, cifar_layout const& layout) {
  constexpr std::size_t limit = 1 << 16;
  std::vector<std::string> names;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return names;
  std::ifstream in(file, std::ios::binary);
  std::string text(limit, '\0');
  in.read(text.data(), static_cast<std::streamsize>(limit));
  text.resize(static_cast<std::size_t>(in.gcount()));
  for_each_line(text, [&](std::string_view line, std::size_t) { names.emplace_back(line); });
  if (names.size() != static_cast<std::size_t>(layout.labels[layout.used].classes))
    throw input_error(quoted(file) + " has " + std::to_string(names.size()) + " names instead of " +
                      std::to_string(layout.labels[layout.used].classes) + ", a line each; delete the file to do without names, or " +
                      layout.remedy() + " again");
  return names;
}

template <std::int64_t Classes>
pictures<Classes> read_cifar(std::filesystem::path const& dir, bool train, cifar_layout const& layout, counts allowed) {
  auto const folder = find_cifar(dir, layout);
  std::vector<std::filesystem::path> files;
  if (train)
    for (auto const& name : layout.train_files) files.push_back(folder / name);
  else
    files.push_back(folder / layout.test_file);
  return {layout.title + (train ? " train" : " test"),
          read_records(files, layout, train ? layout.train_records : layout.test_records, allowed), layout.format(),
          read_names(folder / layout.names_file, layout)};
}

/// The base of cifar10, cifar100 and cifar100_coarse: both splits in a given layout.
template <std::int64_t Classes>
struct cifar {
  pictures<Classes> train, test;
  cifar(std::filesystem::path const& dir, cifar_layout const& layout, counts allowed)
      : train(read_cifar<Classes>(dir, true, layout, allowed)), test(read_cifar<Classes>(dir, false, layout, allowed)) {}
};

}  // namespace detail

/// CIFAR-10: data_batch_1.bin ... data_batch_5.bin and test_batch.bin.
struct cifar10 : detail::cifar<10> {
  explicit cifar10(std::filesystem::path const& dir, counts allowed = counts::official) : cifar(dir, detail::cifar10_layout(), allowed) {}
};

/// CIFAR-100 with its 100 fine classes: train.bin and test.bin.
struct cifar100 : detail::cifar<100> {
  explicit cifar100(std::filesystem::path const& dir, counts allowed = counts::official)
      : cifar(dir, detail::cifar100_layout(false), allowed) {}
};

/// CIFAR-100 with its 20 coarse classes.
struct cifar100_coarse : detail::cifar<20> {
  explicit cifar100_coarse(std::filesystem::path const& dir, counts allowed = counts::official)
      : cifar(dir, detail::cifar100_layout(true), allowed) {}
};

}  // namespace c2f::data
