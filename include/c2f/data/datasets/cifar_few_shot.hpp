// c2f/data/datasets/cifar_few_shot.hpp: CIFAR-FS, FC100 and 80 + 20: class splits of CIFAR-100 for few-shot classification.
//
//   c2f::data::cifar_fs data{"/data"};                 // the folder of train.bin and test.bin, or its parent
//   data.base.size();                                  // 38,400: 64 classes of 600 pictures
//   c2f::data::episodes tests{data.novel, {.way = 5, .shot = 1}};
//
// cifar_fs (Bertinetto et al., ICLR 2019): 64 base, 16 validation and 20 novel classes, chosen at random.
// fc100 (Oreshkin et al., TADAM, NeurIPS 2018): 60, 20 and 20, such that no two splits share one of the 20 coarse classes; harder.
// cifar_80_20: the 20 novel classes of cifar_fs and the 80 others as base, for classifiers of all 100.
// A class has all its 600 pictures, those of train.bin before those of test.bin. Base has all classes that are not listed below.
//
// Sources of the lists, which agree: for cifar_fs torchmeta (datasets/assets/cifar100/cifar-fs) and three other programs that spell them
// out; for fc100 the coarse classes in torchmeta (.../fc100), and their numbers in a program that cites https://github.com/ElementAI/TADAM:
// 8, 11, 13, 16 for validation and 0, 7, 12, 14 for testing.
//
// Costs: those of cifar100, 184 MB, twice that during construction.
// Errors: those of cifar100; input_error if fine_label_names.txt is missing or does not have the 100 names.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/episodes.hpp>
#include <c2f/data/pictures.hpp>

namespace c2f::data {

namespace detail {

using class_list = std::initializer_list<char const*>;

inline constexpr class_list cifar_fs_validation{"beaver", "beetle",     "butterfly",  "camel", "cattle", "crab",  "crocodile",  "flatfish",
                                                "lamp",   "maple_tree", "motorcycle", "otter", "sea",    "shark", "television", "tractor"},
    cifar_fs_novel{"baby",   "bed",  "bicycle", "chimpanzee",   "fox",   "leopard",   "man",      "pickup_truck", "plain", "poppy",
                   "rocket", "rose", "snail",   "sweet_pepper", "table", "telephone", "wardrobe", "whale",        "woman", "worm"};

// Large carnivores; large omnivores and herbivores; non-insect invertebrates; small mammals.
inline constexpr class_list fc100_validation{"bear",       "leopard",  "lion",     "tiger",  "wolf",    "camel",   "cattle",
                                             "chimpanzee", "elephant", "kangaroo", "crab",   "lobster", "snail",   "spider",
                                             "worm",       "hamster",  "mouse",    "rabbit", "shrew",   "squirrel"},
    // Aquatic mammals; insects; medium mammals; people.
    fc100_novel{"beaver", "dolphin",   "otter",  "seal",    "whale", "bee",  "beetle", "butterfly", "caterpillar", "cockroach",
                "fox",    "porcupine", "possum", "raccoon", "skunk", "baby", "boy",    "girl",      "man",         "woman"};

/// The records of CIFAR-100 in three parts; the label of a record is replaced by its class's number within its part.
struct cifar_parts {
  std::array<std::vector<std::uint8_t>, 3> bytes;
  std::array<std::vector<std::string>, 3> names;

  cifar_parts(std::filesystem::path const& dir, counts allowed, class_list validation, class_list novel) {
    auto const layout = cifar100_layout(false);
    auto const folder = find_cifar(dir, layout);
    auto const all    = read_names(folder / layout.names_file, layout);
    if (all.empty())
      throw input_error("no file " + quoted(folder / layout.names_file) + ", which lists the names of the classes; " + layout.remedy() +
                        " again");

    std::vector<std::pair<std::size_t, std::uint8_t>> becomes;  // for each class of CIFAR-100: its part, and its number there
    for (std::string const& name : all) {
      auto const within      = [&](class_list list) { return std::find(list.begin(), list.end(), name) != list.end(); };
      std::size_t const part = within(validation) ? 1 : within(novel) ? 2 : 0;
      becomes.emplace_back(part, static_cast<std::uint8_t>(names[part].size()));
      names[part].push_back(name);
    }
    if (names[1].size() != validation.size() || names[2].size() != novel.size())
      throw input_error(quoted(folder / layout.names_file) + " does not have the 100 names of CIFAR-100's classes; " + layout.remedy() +
                        " again");

    auto const add = [&](std::string const& file, std::size_t official) {
      auto const records = read_records({folder / file}, layout, official, allowed);
      for (auto at = records.begin(); at != records.end(); at += static_cast<std::ptrdiff_t>(layout.record_bytes())) {
        auto const [part, label] = becomes[at[1]];
        auto& to                 = bytes[part];
        to.insert(to.end(), at, at + static_cast<std::ptrdiff_t>(layout.record_bytes()));
        to[to.size() - layout.record_bytes() + 1] = label;
      }
    };
    add(layout.train_files.front(), layout.train_records);
    add(layout.test_file, layout.test_records);
  }

  template <std::int64_t Classes>
  pictures<Classes> take(std::size_t part, std::string name) {
    return {std::move(name), std::move(bytes[part]), cifar100_layout(false).format(), std::move(names[part])};
  }
};

/// The base of cifar_fs and fc100: three splits with disjoint classes.
template <std::int64_t Base, std::int64_t Validation, std::int64_t Novel>
struct cifar_few_shot {
  pictures<Base> base;
  pictures<Validation> validation;
  pictures<Novel> novel;
  cifar_few_shot(std::string const& title, cifar_parts parts)
      : base(parts.take<Base>(0, title + " base")),
        validation(parts.take<Validation>(1, title + " validation")),
        novel(parts.take<Novel>(2, title + " novel")) {
    check_disjoint(base, validation);
    check_disjoint(base, novel);
    check_disjoint(validation, novel);
  }
};

}  // namespace detail

/// CIFAR-FS: 64 base, 16 validation and 20 novel classes.
struct cifar_fs : detail::cifar_few_shot<64, 16, 20> {
  explicit cifar_fs(std::filesystem::path const& dir, counts allowed = counts::official)
      : cifar_few_shot("CIFAR-FS", {dir, allowed, detail::cifar_fs_validation, detail::cifar_fs_novel}) {}
};

/// FC100: 60 base, 20 validation and 20 novel classes, of different coarse classes.
struct fc100 : detail::cifar_few_shot<60, 20, 20> {
  explicit fc100(std::filesystem::path const& dir, counts allowed = counts::official)
      : cifar_few_shot("FC100", {dir, allowed, detail::fc100_validation, detail::fc100_novel}) {}
};

/// 80 base classes with many samples, and the 20 novel ones of CIFAR-FS. data::hold_out(..., 100) makes CIFAR-100's own test pictures of it.
struct cifar_80_20 {
  pictures<80> base;
  pictures<20> novel;
  explicit cifar_80_20(std::filesystem::path const& dir, counts allowed = counts::official)
      : cifar_80_20(detail::cifar_parts(dir, allowed, {}, detail::cifar_fs_novel)) {}

 private:
  explicit cifar_80_20(detail::cifar_parts parts)
      : base(parts.take<80>(0, "CIFAR-100 base")), novel(parts.take<20>(2, "CIFAR-100 novel")) {}
};

}  // namespace c2f::data
