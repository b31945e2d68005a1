// c2f/data/datasets/stanford_background.hpp: Stanford Background: outdoor scenes with a label map of 8 classes, in five folds.
//
//   c2f::data::stanford_background<> data{"/data/iccv09Data", {.fold = 0}};     // data.train: 572 pictures in crops; data.test: 143, whole
//
// Gould, Fulton and Koller, ICCV 2009, in the published layout:
//   images/NAME.jpg            about 320 x 240 pixels
//   labels/NAME.regions.txt    a row of numbers for each row of pixels: 0 to 7 a class, negative: unknown
// (Other files of labels/, and horizons.txt, are not read.) The folds are not published: the pictures are put in an order that is a function
// of (`seed`, position by name), and fold f of 5 tests on the f-th fifth of it.
//
// Scales, crops, memory and faulty samples: data/labelled_pictures.hpp. Test pictures stand in the middle of a canvas of 320 x 320 pixels,
// whose rest is void. Needs libjpeg and libspng.
// Errors: input_error for a folder that is missing or has fewer than five pictures, and for a fold that is not 0 to 4.
#pragma once

#include <c2f/data/io/names.hpp>
#include <c2f/data/labelled_pictures.hpp>

#include <charconv>

namespace c2f::data {

namespace detail {

/// Rows of whole numbers, 0 to 7 or negative for void.
[[nodiscard]] inline label_bytes parse_regions(std::string_view text, std::string const& file) {
  label_bytes made;
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    auto const fail    = [&](std::string const& why) { throw input_error("'" + file + "', line " + std::to_string(number) + ": " + why); };
    std::int64_t count = 0;
    for (char const *at = line.data(), *const end = at + line.size(); at != end; ++count) {
      int label                = 0;
      auto const [next, fault] = std::from_chars(at, end, label);
      if (fault != std::errc() || (next != end && *next != ' ' && *next != '\t'))
        fail("'" + printable({at, end}, 20) + "' is no whole number; write a row of labels, 0 to 7 or -1, with blanks between them");
      if (label > 7) fail("the label " + std::to_string(label) + " is no class; 0 to 7 are classes, and negative numbers unknown pixels");
      made.labels.push_back(label < 0 ? 255 : static_cast<std::uint8_t>(label));
      for (at = next; at != end && (*at == ' ' || *at == '\t');) ++at;
    }
    if (made.height++ == 0) made.width = count;
    if (count != made.width)
      fail("there are " + std::to_string(count) + " labels, and " + std::to_string(made.width) +
           " in the first row; rows are of one length");
  });
  if (made.height == 0) throw input_error("'" + file + "' has no labels; write a row of numbers for each row of pixels");
  return made;
}
inline label_bytes read_regions(std::filesystem::path const& file) {
  std::vector<std::uint8_t> const bytes = bytes_of_file(file, std::uintmax_t{1} << 26);
  return parse_regions({reinterpret_cast<char const*>(bytes.data()), bytes.size()}, file.string());
}

}  // namespace detail

/// Which fifth is tested, of which order.
struct stanford_fold {
  std::int64_t fold  = 0;
  std::uint64_t seed = 1;
};

/// `Crop`: the side of the training crops.
template <std::int64_t Crop = 233>
struct stanford_background {
  labelled_pictures<Crop, Crop> train;
  labelled_pictures<320, 320> test;

  explicit stanford_background(std::filesystem::path const& dir, stanford_fold chosen = {}, labelled_pictures_options options = {})
      : stanford_background(files_of(dir, chosen), with_classes(std::move(options))) {}

 private:
  struct both {
    std::vector<labelled_file> train, test;
  };
  stanford_background(both files, labelled_pictures_options options)
      : train("Stanford Background train", std::move(files.train), options),
        test("Stanford Background test", std::move(files.test), tested(options)) {}

  static labelled_pictures_options with_classes(labelled_pictures_options options) {
    options.classes     = {"sky", "tree", "road", "grass", "water", "building", "mountain", "foreground"};
    options.read_labels = &detail::read_regions;
    return options;
  }
  static labelled_pictures_options tested(labelled_pictures_options options) {
    options.whole = true;
    return options;
  }

  static both files_of(std::filesystem::path const& dir, stanford_fold chosen) {
    if (chosen.fold < 0 || chosen.fold > 4)
      throw input_error("Stanford Background has no fold " + std::to_string(chosen.fold) + "; write a number from 0 to 4");
    auto const pictures = dir / "images", labels = dir / "labels";
    auto const names = detail::files_in(pictures, {".jpg"});
    if (names.size() < 5)
      throw input_error("'" + pictures.string() + "' has " + std::to_string(names.size()) +
                        " pictures (.jpg), and five folds need five or more; check the folder");
    std::vector<std::pair<std::uint32_t, std::string>> order;
    for (auto const& name : names)
      order.emplace_back(random_stream{chosen.seed, purpose::partition, 0, static_cast<std::uint64_t>(order.size())}.bits(), name);
    std::sort(order.begin(), order.end());
    auto const all = static_cast<std::int64_t>(order.size());
    both made;
    for (std::int64_t i = 0; i < all; ++i) {
      std::string const& name = order[static_cast<std::size_t>(i)].second;
      bool const in_fold      = i >= chosen.fold * all / 5 && i < (chosen.fold + 1) * all / 5;
      (in_fold ? made.test : made.train).push_back({pictures / name, labels / (name.substr(0, name.size() - 4) + ".regions.txt")});
    }
    for (auto* const part : {&made.train, &made.test})
      std::sort(part->begin(), part->end(), [](labelled_file const& a, labelled_file const& b) { return a.picture < b.picture; });
    return made;
  }
};

}  // namespace c2f::data
