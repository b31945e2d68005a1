// c2f/data/datasets/siftflow.hpp: SIFT Flow: outdoor scenes with a label map of 33 classes.
//
//   c2f::data::siftflow<> data{"/data/SiftFlowDataset"};     // data.train: 2,488 pictures in crops of 233 x 233; data.test: 200, whole
//
// Liu, Yuen and Torralba, CVPR 2009, in the layout in which Tighe and Lazebnik distribute it:
//   Images/spatial_envelope_256x256_static_8outdoorcategories/NAME.jpg           256 x 256 pixels
//   SemanticLabels/spatial_envelope_256x256_static_8outdoorcategories/NAME.png   0: unlabelled, 1 to 33: a class
//   TestSet1.txt                                                                 the pictures of the test split, one a line
// The published label maps are MATLAB files, NAME.mat; examples/labels/siftflow_labels.py writes the PNG files beside them. Every picture
// that the list does not name is for training. A name of the list may have a folder before it, with / or \.
//
// Scales, crops, memory and faulty samples: data/labelled_pictures.hpp. Needs libjpeg and libspng.
// Errors: input_error for a folder or list that is missing, and for a list that names a picture that is not there.
#pragma once

#include <c2f/data/io/names.hpp>
#include <c2f/data/labelled_pictures.hpp>

#include <set>

namespace c2f::data {

namespace detail {

/// A label PNG of SIFT Flow: 0 is void, 1 to 33 are classes.
inline label_bytes read_siftflow_labels(std::filesystem::path const& file) {
  std::error_code ignored;
  if (auto matlab = file; !std::filesystem::exists(file, ignored) && std::filesystem::exists(matlab.replace_extension(".mat"), ignored))
    throw input_error("'" + matlab.string() + "' is a MATLAB file; convert the label maps with examples/labels/siftflow_labels.py");
  label_bytes made = read_label_picture(file);
  for (std::uint8_t& label : made.labels) {
    if (label > 33)
      throw input_error("'" + file.string() + "' has the number " + std::to_string(label) + "; 0 is unlabelled and 1 to 33 are classes");
    label = label == 0 ? 255 : static_cast<std::uint8_t>(label - 1);
  }
  return made;
}

}  // namespace detail

/// `Crop`: the side of the training crops.
template <std::int64_t Crop = 233>
struct siftflow {
  static constexpr char const* album = "spatial_envelope_256x256_static_8outdoorcategories";
  labelled_pictures<Crop, Crop> train;
  labelled_pictures<256, 256> test;

  explicit siftflow(std::filesystem::path const& dir, labelled_pictures_options options = {})
      : siftflow(files_of(dir), with_classes(std::move(options))) {}

 private:
  struct both {
    std::vector<labelled_file> train, test;
  };
  siftflow(both files, labelled_pictures_options options)
      : train("SIFT Flow train", std::move(files.train), options), test("SIFT Flow test", std::move(files.test), tested(options)) {}

  static labelled_pictures_options with_classes(labelled_pictures_options options) {
    options.classes     = {"awning",    "balcony",   "bird",        "boat",  "bridge", "building", "bus",  "car",      "cow",
                           "crosswalk", "desert",    "door",        "fence", "field",  "grass",    "moon", "mountain", "person",
                           "plant",     "pole",      "river",       "road",  "rock",   "sand",     "sea",  "sidewalk", "sign",
                           "sky",       "staircase", "streetlight", "sun",   "tree",   "window"};
    options.read_labels = &detail::read_siftflow_labels;
    return options;
  }
  static labelled_pictures_options tested(labelled_pictures_options options) {
    options.whole = true;
    return options;
  }

  static both files_of(std::filesystem::path const& dir) {
    auto const pictures = dir / "Images" / album, labels = dir / "SemanticLabels" / album, list = dir / "TestSet1.txt";
    auto const names = detail::files_in(pictures, {".jpg"});
    if (names.empty()) throw input_error("'" + pictures.string() + "' has no pictures (.jpg); check the folder");
    std::vector<std::uint8_t> const bytes = detail::bytes_of_file(list, 1 << 20);
    std::set<std::string> tested;
    detail::for_each_line({reinterpret_cast<char const*>(bytes.data()), bytes.size()}, [&](std::string_view line, std::size_t number) {
      std::string const name(line.substr(line.find_last_of("/\\") + 1));  // npos + 1 is 0
      if (!names.contains(name))
        throw input_error("'" + list.string() + "' names '" + detail::printable(name) + "' in line " + std::to_string(number) + ", and '" +
                          pictures.string() + "' has no such picture; add it, or take out the line");
      tested.insert(name);
    });
    both made;
    for (auto const& name : names)
      (tested.contains(name) ? made.test : made.train).push_back({pictures / name, (labels / name).replace_extension(".png")});
    if (made.train.empty() || made.test.empty())
      throw input_error("'" + list.string() + "' names " + (made.test.empty() ? "none" : "all") + " of the pictures in '" +
                        pictures.string() + "'; write the test pictures alone, one a line");
    return made;
  }
};

}  // namespace c2f::data
