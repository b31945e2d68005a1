#include "c2f/layout.hpp"

#include "common/program.hpp"

#include <c2f/core/text.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/datasets/coco.hpp>
#include <c2f/data/draw/overlay.hpp>
#include <c2f/data/io/nifti.hpp>
#include <c2f/data/volumes/slices.hpp>
#include <c2f/data/volumes/volume.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace tool {

namespace {

namespace fs = std::filesystem;
using c2f::data::classified_name;
using c2f::data::detail::printable;
using c2f::data::detail::take_fraction;

bool is_folder(fs::path const& path) {
  std::error_code failed;
  return fs::is_directory(path, failed);
}
bool is_file(fs::path const& path) {
  std::error_code failed;
  return fs::is_regular_file(path, failed);
}
std::string joined(std::vector<std::string> const& words, std::size_t most = 12) {
  std::string text;
  for (std::size_t i = 0; i < words.size() && i < most; ++i) text += (i > 0 ? ", " : "") + printable(words[i]);
  return words.size() > most ? text + ", ..." : text;
}

// ---- classes ----

template <class Data>
found_data of_cifar(data_options const& chosen, char const* title) {
  auto const whole = std::make_shared<Data const>(chosen.data);
  found_data made{.kind = kind::classes, .layout = title, .classes = whole->train.classes()};
  std::array<std::shared_ptr<std::vector<std::int64_t>>, 3> ids;
  std::array<std::vector<std::pair<std::int64_t, std::string>>, 3> lists;
  auto const fill = [&](auto const& split, char const* part, std::size_t into) {
    for (std::int64_t id = 0; id < split.size(); ++id) lists[into].emplace_back(id, std::string(part) + ' ' + std::to_string(id));
  };
  fill(whole->train, "train", 0);
  fill(whole->test, "test", 2);
  take_fraction(
      lists[0], lists[1], chosen.validation, chosen.split_seed, 1, [](auto const& each) { return each.second; },
      [&](auto const& each) { return whole->train.label(each.first); });
  for (std::size_t part = 0; part < 3; ++part) {
    ids[part] = std::make_shared<std::vector<std::int64_t>>();
    for (auto const& [id, name] : lists[part]) {
      ids[part]->push_back(id);
      made.classified[part].push_back({name, part == 2 ? whole->test.label(id) : whole->train.label(id)});
    }
    made.decode_classified[part] = [whole, of = ids[part], part](std::size_t i) {
      auto const id = (*of)[i];
      return c2f::data::picture_bytes{32, 32, part == 2 ? whole->test.picture(id) : whole->train.picture(id)};
    };
  }
  if (made.classes.empty())
    for (std::int64_t k = 0; k < decltype(whole->train)::class_count(); ++k) made.classes.push_back(std::to_string(k));
  return made;
}

found_data of_class_folders(data_options const& chosen) {
  auto lists =
      c2f::data::list_class_folders(chosen.data, {.validation = chosen.validation, .test = chosen.test, .seed = chosen.split_seed});
  found_data made{.kind = kind::classes, .layout = "a folder a class (ImageFolder)", .classes = std::move(lists.classes)};
  made.classified = {std::move(lists.train), std::move(lists.validation), std::move(lists.test)};
  for (std::size_t part = 0; part < 3; ++part)
    made.decode_classified[part] = [root = chosen.data, names = made.classified[part]](std::size_t i) {
      return c2f::data::read_picture(root / names[i].name, c2f::data::exif::apply);
    };
  if (lists.left_out > 0)
    made.remarks.push_back(lists.left_out == 1
                               ? "1 file is no picture in a folder of a class and is left out"
                               : std::to_string(lists.left_out) + " files are no pictures in a folder of a class and are left out");
  return made;
}

// ---- attributes and numbers ----

found_data of_table(c2f::data::table_lists lists) {
  found_data made{.kind    = lists.attributes ? kind::attributes : kind::numbers,
                  .layout  = lists.attributes ? "a table of pictures with attributes" : "a table of pictures with numbers",
                  .classes = std::move(lists.columns)};
  made.rows     = {std::move(lists.train), std::move(lists.validation), std::move(lists.test)};
  made.pictures = std::move(lists.pictures);
  return made;
}

// ---- boxes ----

c2f::data::voc_options voc_options_of(data_options const& chosen) {
  auto made          = program::voc_options_of(chosen.boxes, chosen.data, chosen.classes);
  made.test_fraction = chosen.test;
  made.seed          = chosen.split_seed;
  return made;
}
void take_validation(found_data& made, data_options const& chosen) {
  auto& whole = made.boxes[0].samples;
  take_fraction(
      whole, made.boxes[1].samples, chosen.validation, chosen.split_seed, 1, [](auto const& each) { return each.name; },
      [](auto const&) { return 0; });
}
found_data of_voc(data_options const& chosen) {
  auto options = voc_options_of(chosen);
  auto index   = c2f::data::detail::voc_indexer(options, 0)();
  found_data made{.kind = kind::boxes, .layout = "Pascal VOC (pictures and XML)", .classes = index.classes};
  made.boxes[0] = std::move(index.train);
  made.boxes[2] = std::move(index.test);
  if (is_file(chosen.data / "ImageSets/Main/val.txt")) {
    options.classes  = made.classes;
    options.test_set = "val";
    made.boxes[1]    = c2f::data::detail::voc_indexer(options, 0)().test;
  } else {
    take_validation(made, chosen);
  }
  return made;
}
found_data of_coco(data_options const& chosen) {
  auto options = voc_options_of(chosen);
  auto index   = c2f::data::detail::index_coco(options, 0);
  found_data made{.kind = kind::boxes, .layout = "COCO (pictures and JSON)", .classes = index.classes};
  made.boxes[0] = std::move(index.train);
  made.boxes[2] = std::move(index.test);
  take_validation(made, chosen);
  return made;
}

// ---- masks ----

/// "0=background" or "255=ignore".
c2f::data::mask_table table_of(std::vector<std::string> const& words) {
  std::vector<c2f::data::mask_table::entry> classes;
  std::vector<std::uint8_t> ignored;
  for (auto const& word : words) {
    auto const equals      = word.find('=');
    unsigned byte          = 256;
    auto const read        = std::from_chars(word.data(), word.data() + std::min(equals, word.size()), byte);
    std::string const name = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (read.ec != std::errc() || read.ptr != word.data() + std::min(equals, word.size()) || byte > 255 || name.empty())
      throw c2f::input_error("--mask-values has '" + word +
                             "'; write a byte of the masks and its class, as in 0=background,255=cell,128=ignore");
    auto const same = std::find_if(classes.begin(), classes.end(), [&](auto const& each) { return each.name == name; });
    if (name == "ignore")
      ignored.push_back(static_cast<std::uint8_t>(byte));
    else if (same != classes.end())
      same->bytes.push_back(static_cast<std::uint8_t>(byte));
    else
      classes.push_back({name, {static_cast<std::uint8_t>(byte)}});
  }
  return c2f::data::mask_table(classes, ignored);
}

/// The bytes that occur in masks, of as many of them as can be read; `problem`: the first of those that cannot.
std::set<int> bytes_in(std::vector<c2f::data::mask_pair> const& pairs, std::string& problem) {
  std::array<bool, 256> seen{};
  for (auto const& each : pairs) try {
      auto const mask = each.mask.empty() ? c2f::data::read_masked_picture(each).mask : c2f::data::read_label_picture(each.mask);
      for (std::uint8_t const byte : mask.labels) seen[byte] = true;
    } catch (c2f::input_error const& error) {  // a faulty sample, which is counted later
      if (problem.empty()) problem = error.what();
    }
  std::set<int> bytes;
  for (int i = 0; i < 256; ++i)
    if (seen[static_cast<std::size_t>(i)]) bytes.insert(i);
  return bytes;
}

c2f::data::mask_table guessed_table(data_options const& chosen, std::set<int> bytes) {
  std::string list, example;
  for (int const each : bytes) {
    list += (list.empty() ? "" : ", ") + std::to_string(each);
    example += (example.empty() ? "" : ",") + std::to_string(each) + "=NAME";
  }
  bytes.erase(255);
  int const most       = bytes.empty() ? 0 : *bytes.rbegin();
  bool const from_zero = bytes.size() >= 2 && most < 150 && *bytes.begin() == 0;
  auto const count     = static_cast<std::size_t>(most + 1);
  if (!from_zero || (!chosen.classes.empty() && chosen.classes.size() != count) || (chosen.classes.empty() && bytes.size() != count))
    throw c2f::input_error("the masks of '" + chosen.data.string() + "' have the bytes " + list +
                           ", and which class is which is not known; write --mask-values " + example +
                           ", with 'ignore' for what is no class");
  std::vector<std::string> names = chosen.classes;
  for (std::size_t k = names.size(); k < count; ++k) names.push_back("label " + std::to_string(k));
  return c2f::data::mask_table::numbered(names);
}

found_data of_masks(data_options const& chosen) {
  auto lists =
      *c2f::data::list_mask_folders(chosen.data, {.validation = chosen.validation, .test = chosen.test, .seed = chosen.split_seed});
  found_data made{.kind = kind::masks, .layout = "pairs of pictures and masks"};
  if (!chosen.mask_values.empty()) {
    made.table = table_of(chosen.mask_values);
  } else {
    std::set<int> bytes;
    std::string problem;
    for (auto const* list : {&lists.train, &lists.validation, &lists.test}) bytes.merge(bytes_in(*list, problem));
    if (bytes.empty()) throw c2f::input_error("no mask of '" + chosen.data.string() + "' can be read; the first: " + problem);
    made.table = guessed_table(chosen, bytes);
  }
  made.classes     = made.table.names();
  std::size_t part = 0;
  for (auto const* list : {&lists.train, &lists.validation, &lists.test}) {
    for (auto const& each : *list) {
      made.mask_names[part].push_back(each.name);
      made.mask_pictures[part].push_back(each.picture);
      if (made.palette.empty() && part == 0 && !each.mask.empty() && made.mask_names[0].size() < 8) try {
          for (auto const& [red, green, blue] : c2f::data::read_palette(each.mask)) made.palette.push_back({red, green, blue});
        } catch (c2f::input_error const&) {
        }
    }
    made.decode_masked[part++] = [pairs = *list](std::size_t i) { return c2f::data::read_masked_picture(pairs[i]); };
  }
  return made;
}

// ---- volumes ----

/// The slices of pairs of NIfTI files, as pictures of three neighbouring slices.
found_data of_volumes(data_options const& chosen) {
  using c2f::data::volume;
  struct pair {
    std::string name;
    volume<float> intensities;
    volume<std::uint8_t> labels;
  };
  fs::path const images = chosen.data / "images", labels = chosen.data / "labels";
  found_data made{.kind = kind::masks, .layout = "pairs of NIfTI volumes, cut into slices across z"};
  std::array<std::vector<std::shared_ptr<pair const>>, 3> parts;
  std::int32_t most = 1;
  for (auto const& [image, label] :
       c2f::data::detail::pairs_of(images, c2f::data::detail::files_in(images, {".nii.gz", ".nii"}), labels,
                                   c2f::data::detail::files_in(labels, {".nii.gz", ".nii"}), {".nii.gz", ".nii"}))
    try {
      auto intensities   = c2f::data::read_nifti<float>(images / image);
      auto const numbers = c2f::data::read_nifti<std::int32_t>(labels / label);
      c2f::data::check_same_place(numbers, "'" + (labels / label).string() + "'", intensities, "its image");
      auto const [low, high] = c2f::data::percentiles(intensities, .5, 99.5);
      volume<std::uint8_t> bytes(numbers.dims, numbers.place);
      for (std::size_t i = 0; i < numbers.values.size(); ++i) {
        if (numbers.values[i] < 0 || numbers.values[i] > 149)
          throw c2f::input_error("'" + (labels / label).string() + "' has the label " + std::to_string(numbers.values[i]) +
                                 "; labels are 0 to 149");
        most            = std::max(most, numbers.values[i]);
        bytes.values[i] = static_cast<std::uint8_t>(numbers.values[i]);
      }
      parts[0].push_back(
          std::make_shared<pair const>(pair{image, c2f::data::windowed(std::move(intensities), low, high), std::move(bytes)}));
    } catch (c2f::input_error const& error) {
      made.remarks.push_back(std::string("left out: ") + error.what());
    }
  if (parts[0].size() < 3)
    throw c2f::input_error("'" + chosen.data.string() + "' has " + std::to_string(parts[0].size()) +
                           " pairs of volumes that can be used, and three are needed" +
                           (made.remarks.empty() ? "; check the folders images and labels" : "; " + made.remarks.front()));
  auto const key = [](auto const& each) { return each->name; };
  auto const one = [](auto const&) { return 0; };
  take_fraction(parts[0], parts[2], chosen.test, chosen.split_seed, 0, key, one);
  take_fraction(parts[0], parts[1], chosen.validation, chosen.split_seed, 1, key, one);
  std::vector<std::string> names = chosen.classes;
  for (auto k = std::ssize(names); k <= most; ++k) names.push_back(k == 0 ? "background" : "label " + std::to_string(k));
  made.table   = c2f::data::mask_table::numbered(names);
  made.classes = names;
  for (std::size_t part = 0; part < 3; ++part) {
    auto slices = std::make_shared<std::vector<std::pair<std::shared_ptr<pair const>, std::int64_t>>>();
    for (auto const& each : parts[part])
      for (std::int64_t slice = 0; slice < each->labels.dims[2]; ++slice) {
        slices->emplace_back(each, slice);
        made.mask_names[part].push_back(each->name + ", slice " + std::to_string(slice));
      }
    made.decode_masked[part] = [slices](std::size_t i) {
      auto const& [volumes, slice] = (*slices)[i];
      return c2f::data::masked_picture{slice_picture(volumes->intensities, slice), slice_labels(volumes->labels, slice)};
    };
  }
  return made;
}

}  // namespace

c2f::data::picture_bytes slice_picture(c2f::data::volume<float> const& of, std::int64_t slice) {
  auto const [height, width] = c2f::data::slice_size(of.dims, 2);
  std::int64_t const last    = of.dims[2] - 1;
  c2f::data::picture_bytes made{height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(3 * height * width))};
  for (std::int64_t c = 0; c < 3; ++c) {
    auto const bytes = c2f::data::grey_bytes(c2f::data::slice_of(of, 2, std::clamp<std::int64_t>(slice + c - 1, 0, last)));
    for (std::size_t i = 0; i < bytes.size(); ++i) made.rgb[3 * i + static_cast<std::size_t>(c)] = bytes[i];
  }
  return made;
}
c2f::data::label_bytes slice_labels(c2f::data::volume<std::uint8_t> const& of, std::int64_t slice) {
  auto const [height, width] = c2f::data::slice_size(of.dims, 2);
  return {height, width, c2f::data::slice_of(of, 2, slice)};
}

std::string name_of(kind which) {
  constexpr std::array names{"classes", "boxes", "masks", "attributes", "numbers"};
  return names[static_cast<std::size_t>(which)];
}

void add_data_options(CLI::App& app, data_options& chosen) {
  app.add_option("--kind", chosen.kind, "What the data teach, where a folder has several")
      ->check(CLI::IsMember({"classes", "boxes", "masks", "attributes", "numbers"}));
  app.add_option("--classes", chosen.classes,
                 "Names of the classes, separated by commas: those of boxes to use, or those of masks by number")
      ->delimiter(',');
  app.add_option("--mask-values", chosen.mask_values, "Bytes of masks and their classes: 0=background,255=cell,128=ignore")->delimiter(',');
  program::add_box_options(app, chosen.boxes);
  app.add_option("--validation", chosen.validation, "Fraction of the training data held out for validation, where no folder or list is")
      ->check(program::in_range(0.01, .9));
  app.add_option("--test", chosen.test, "Fraction held out for the test at the end, where no folder or list is")
      ->check(program::in_range(0.01, .9));
  app.add_option("--split-seed", chosen.split_seed, "Seed of what is held out; the same for every command on the same data")
      ->check(CLI::NonNegativeNumber);
}

void add_training_options(CLI::App& app, training_options& chosen) {
  app.add_option(
         "--augment", chosen.augment,
         "Random changes: flip,crop=4,shift=.1,scale=.5:2,gain=.1,rotate=15,jitter=.4,hue=.1,rand=2:9,erase=.25, or none; default: by "
         "the network")
      ->check([](std::string const& text) {
        try {
          (void)c2f::data::read_augmentation(text, 32);
          return std::string();
        } catch (c2f::input_error const& error) {
          return std::string(error.what());
        }
      });
  app.add_option("--mixup", chosen.mixup, "For classes: mix pictures and their truths; alpha, such as .2")
      ->check(program::in_range(0, 100));
  app.add_option("--cutmix", chosen.cutmix, "For classes: put a piece of another picture into each; alpha, such as 1")
      ->check(program::in_range(0, 100));
  app.add_option("--label-smoothing", chosen.smoothing, "For classes: the share of the truth that all classes have, such as .1")
      ->check(program::in_range(0, .9));
  app.add_option("--class-weights", chosen.class_weights, "For classes: balanced: every class counts as much, however few pictures it has")
      ->check(CLI::IsMember({"none", "balanced"}));
}

namespace {

/// Refuses what was typed and is for data of another kind.
void refuse_others(data_options const& chosen, kind of, bool volumes) {
  std::vector<std::string> others;
  std::string words = "with data of " + name_of(of);
  if (of != kind::boxes) others = {"--objects", "--class-from"};
  if (of != kind::masks) others.emplace_back("--mask-values");
  if (of != kind::masks && of != kind::boxes) others.emplace_back("--classes");
  program::options const typed{.typed = chosen.typed};
  program::refuse_typed(typed, others, words);
  if (volumes) program::refuse_typed(typed, {"--mask-values"}, "with volumes, whose labels are numbers from 0; name them with --classes");
  if (of == kind::masks && !volumes && !chosen.mask_values.empty())
    program::refuse_typed(typed, {"--classes"}, "with --mask-values, which names the classes");
  if (of == kind::boxes && chosen.boxes.class_from == "any") program::refuse_typed(typed, {"--classes"}, "with --class-from any");
}

/// Whether a file is a PNG of 16 bits a channel.
bool has_16_bits(fs::path const& path) {
  std::array<char, 25> head{};
  std::ifstream in(path, std::ios::binary);
  return in.read(head.data(), head.size()) && std::string_view(head.data(), 4) == "\x89PNG" && head[24] == 16;
}

}  // namespace

found_data recognise(data_options const& chosen) {
  fs::path const& root = chosen.data;
  if (!is_folder(root)) throw c2f::input_error("--data '" + root.string() + "' is no folder; name the folder of the data");
  struct candidate {
    kind what;
    std::string words;
    std::function<found_data()> read;
  };
  std::vector<candidate> found;
  auto const has_any = [&](std::initializer_list<char const*> files) {
    return std::any_of(files.begin(), files.end(), [&](char const* file) { return is_file(root / file); });
  };
  bool const volumes = is_folder(root / "images") && is_folder(root / "labels") &&
                       !c2f::data::detail::files_in(root / "labels", {".nii.gz", ".nii"}).empty();
  if (has_any({"train.bin", "cifar-100-binary/train.bin"}))
    found.push_back({kind::classes, "CIFAR-100", [&] { return of_cifar<c2f::data::cifar100>(chosen, "CIFAR-100"); }});
  if (has_any({"data_batch_1.bin", "cifar-10-batches-bin/data_batch_1.bin"}))
    found.push_back({kind::classes, "CIFAR-10", [&] { return of_cifar<c2f::data::cifar10>(chosen, "CIFAR-10"); }});
  if ((is_folder(root / "JPEGImages") && is_folder(root / "Annotations")) || (is_folder(root / "images") && is_folder(root / "xmls")))
    found.push_back({kind::boxes, "boxes in XML files", [&] { return of_voc(chosen); }});
  else if (c2f::data::detail::find_coco_files(root))
    found.push_back({kind::boxes, "boxes in JSON files", [&] { return of_coco(chosen); }});
  if (volumes)
    found.push_back({kind::masks, "NIfTI volumes", [&] { return of_volumes(chosen); }});
  else if (c2f::data::list_mask_folders(root))
    found.push_back({kind::masks, "masks", [&] { return of_masks(chosen); }});
  std::optional<c2f::data::table_lists> table;
  std::string no_table;
  if (!c2f::data::detail::find_tables(root)[0].empty()) try {
      table = c2f::data::list_tables(root, {.validation = chosen.validation, .test = chosen.test, .seed = chosen.split_seed});
    } catch (c2f::input_error const& error) {  // a .csv that is something else
      no_table = error.what();
    }
  if (table && is_file(table->pictures / table->train.front().picture))
    found.push_back({table->attributes ? kind::attributes : kind::numbers, "a table", [&] { return of_table(*table); }});
  if (found.empty()) {
    auto const folders = c2f::data::detail::names_in(root, [](auto const& entry) {
      std::error_code failed;
      return entry.is_directory(failed);
    });
    bool const of_classes =
        folders.size() > 1 || (folders.size() == 1 && c2f::data::detail::part_named(*folders.begin()) == c2f::data::detail::part::train);
    if (!of_classes && !no_table.empty()) throw c2f::input_error(no_table);
    if (!of_classes)
      throw c2f::input_error(
          "'" + root.string() +
          "' has no data that are known; there may be: a folder of pictures a class; JPEGImages and Annotations, or images and xmls (VOC); "
          "annotations/instances_train.json (COCO); images and masks; images and labels with NIfTI files; a table "
          "in a .csv; the binary files of CIFAR");
    found.push_back({kind::classes, "folders of classes", [&] { return of_class_folders(chosen); }});
  }
  if (!chosen.kind.empty()) std::erase_if(found, [&](auto const& each) { return name_of(each.what) != chosen.kind; });
  if (found.empty())
    throw c2f::input_error("'" + root.string() + "' has no data for --kind " + chosen.kind + "; leave it out to see what there is");
  if (found.size() > 1) {
    std::string text, words;
    for (auto const& each : found) {
      text += (text.empty() ? "" : " and ") + each.words;
      words += (words.empty() ? "--kind " : " or --kind ") + name_of(each.what);
    }
    throw c2f::input_error("'" + root.string() + "' has " + text + "; write " + words);
  }
  refuse_others(chosen, found.front().what, found.front().what == kind::masks && volumes);
  found_data made = found.front().read();
  made.root       = root;
  for (std::size_t part = 0; part < 3; ++part)
    if (made.size(part) == 0)
      throw c2f::input_error("'" + root.string() + "' leaves no sample for the part '" + part_names[part] +
                             "'; add some, or give --validation and --test");
  return made;
}

std::int64_t found_data::size(std::size_t part) const {
  return kind == tool::kind::classes ? std::ssize(classified[part])
         : kind == tool::kind::boxes ? std::ssize(boxes[part].samples)
         : kind == tool::kind::masks ? std::ssize(mask_names[part])
                                     : std::ssize(rows[part]);
}

std::string found_data::name(std::size_t part, std::int64_t id) const {
  auto const i = static_cast<std::size_t>(id);
  return kind == tool::kind::classes ? classified[part][i].name
         : kind == tool::kind::boxes ? boxes[part].samples[i].name
         : kind == tool::kind::masks ? mask_names[part][i]
                                     : rows[part][i].picture;
}

fs::path found_data::file(std::size_t part, std::int64_t id) const {
  auto const i = static_cast<std::size_t>(id);
  if (kind == tool::kind::boxes) return boxes[part].samples[i].picture;
  if (kind == tool::kind::masks) return mask_pictures[part].empty() ? fs::path() : mask_pictures[part][i];
  return (kind == tool::kind::classes ? root : pictures) / name(part, id);  // of CIFAR there is no such file
}

tool::sample found_data::read(std::size_t part, std::int64_t id) const {
  auto const i = static_cast<std::size_t>(id);
  tool::sample made{name(part, id), {}, {}};
  if (kind == tool::kind::classes) {
    made.picture     = decode_classified[part](i);
    made.truth.label = classified[part][i].label;
  } else if (kind == tool::kind::masks) {
    auto both       = decode_masked[part](i);
    made.picture    = std::move(both.picture);
    made.truth.mask = {both.mask.height, both.mask.width, table.labels_of(both.mask.labels, made.name)};
  } else if (kind != tool::kind::boxes) {
    made.picture      = c2f::data::read_picture(pictures / made.name, c2f::data::exif::apply);
    made.truth.values = rows[part][i].values;
  } else {
    auto const& from = boxes[part].samples[i];
    if (!from.fault.empty()) throw c2f::input_error(from.fault);
    made.picture     = c2f::data::read_picture_of_size(from.picture, from.height, from.width);
    made.truth.boxes = from.boxes;
  }
  return made;
}

std::string found_data::summary() const {
  bool const by_table = kind == tool::kind::attributes || kind == tool::kind::numbers;
  std::string text    = layout +
                     (kind == tool::kind::classes ? ", a class a picture"
                      : kind == tool::kind::boxes ? ", a box a class"
                      : kind == tool::kind::masks ? ", a class a pixel"
                                                  : "") +
                     ": " + std::to_string(classes.size()) +
                     (by_table              ? (classes.size() == 1 ? " column (" : " columns (")
                      : classes.size() == 1 ? " class ("
                                            : " classes (") +
                     joined(classes) + ")\n";
  for (std::size_t part = 0; part < 3; ++part) {
    std::vector<std::int64_t> counts(classes.size());
    std::int64_t faulty = 0;
    if (kind == tool::kind::classes)
      for (auto const& each : classified[part]) ++counts[static_cast<std::size_t>(each.label)];
    for (auto const& each : rows[part])
      for (std::size_t k = 0; k < counts.size(); ++k)
        counts[k] += kind == tool::kind::attributes ? each.values[k] == 1 : !std::isnan(each.values[k]);
    if (kind == tool::kind::boxes)
      for (auto const& each : boxes[part].samples) {
        faulty += !each.fault.empty();
        for (std::size_t k = 0; each.fault.empty() && k < counts.size(); ++k) counts[k] += each.boxes[k].has_value();
      }
    text += "  " + std::string(part_names[part]) + ": " + std::to_string(size(part)) + (kind == tool::kind::masks ? " pairs" : " pictures");
    if (kind != tool::kind::masks) {
      text += " (";
      for (std::size_t k = 0; k < counts.size() && k < 12; ++k)
        text += (k > 0 ? ", " : "") + printable(classes[k]) + ' ' + std::to_string(counts[k]);
      text += counts.size() > 12 ? ", ...)" : ")";
    }
    if (kind == tool::kind::boxes && boxes[part].without_objects + boxes[part].unwanted > 0)
      text += "; left out: " + std::to_string(boxes[part].without_objects) + " without objects, " + std::to_string(boxes[part].unwanted) +
              " by classes and objects";
    if (faulty > 0) text += "; " + std::to_string(faulty) + " faulty";
    text += '\n';
  }
  std::int64_t least_w = 0, most_w = 0, least_h = 0, most_h = 0, looked = 0, deep = 0;
  int brightest = 0;  // of those of 16 bits
  std::string problem;
  for (std::int64_t i = 0, n = std::min<std::int64_t>(size(0), 50); i < n; ++i) try {
      auto const one = read(0, i * size(0) / n);
      least_w = looked == 0 ? one.picture.width : std::min(least_w, one.picture.width), most_w = std::max(most_w, one.picture.width);
      least_h = looked == 0 ? one.picture.height : std::min(least_h, one.picture.height), most_h = std::max(most_h, one.picture.height);
      ++looked;
      if (!has_16_bits(file(0, i * size(0) / n))) continue;
      ++deep;
      brightest = std::max<int>(brightest, *std::max_element(one.picture.rgb.begin(), one.picture.rgb.end()));
    } catch (c2f::input_error const& error) {
      if (problem.empty()) problem = error.what();
    }
  if (looked > 0)
    text += "  sizes, of " + std::to_string(looked) + " pictures: " + std::to_string(least_w) + " to " + std::to_string(most_w) +
            " wide, " + std::to_string(least_h) + " to " + std::to_string(most_h) + " high\n";
  if (deep > 0)
    text += "  note: " + std::to_string(deep) + " of them have 16 bits a channel, of which the higher 8 are kept; the brightest is then " +
            std::to_string(brightest) + " of 255" + (brightest < 64 ? ", so write their range into 8 bits before\n" : "\n");
  for (std::size_t i = 0; i < remarks.size() && i < 5; ++i) text += "  note: " + remarks[i] + '\n';
  for (std::size_t part = 0; part < 3 && problem.empty() && kind == tool::kind::boxes; ++part)
    for (auto const& each : boxes[part].samples)
      if (problem.empty() && !each.fault.empty()) problem = each.fault;
  text += problem.empty() ? "" : "  first problem: " + problem + '\n';
  return text;
}

c2f::data::colour colour_of(std::size_t label, std::vector<c2f::data::colour> const& palette) {
  if (label < palette.size()) return palette[label];
  constexpr std::array<c2f::data::colour, 12> separate{{{0, 114, 178},
                                                        {213, 94, 0},
                                                        {0, 158, 115},
                                                        {204, 121, 167},
                                                        {230, 159, 0},
                                                        {86, 180, 233},
                                                        {240, 228, 66},
                                                        {148, 103, 189},
                                                        {140, 86, 75},
                                                        {23, 190, 207},
                                                        {188, 189, 34},
                                                        {90, 90, 90}}};
  return separate[label % separate.size()];
}

}  // namespace tool
