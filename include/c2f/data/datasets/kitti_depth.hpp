// c2f/data/datasets/kitti_depth.hpp: single photographs with depth in the layout of the KITTI depth benchmark.
//
//   c2f::data::kitti_depth<352, 1216> const kitti("/data/kitti");         // kitti.train, kitti.test; for c2f::depth_map<88>
//
// The folders of http://www.cvlibs.net/datasets/kitti/eval_depth_all.php, and the drives of KITTI's raw data, in one folder:
//   train/2011_09_26_drive_0001_sync/proj_depth/groundtruth/image_02/0000000005.png      16 bits: metres * 256, 0 where it is unknown
//   val/...                                                                              the test split
//   2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000005.png (or .jpg)         the photograph
// image_03, the right camera, likewise. Photographs without depth, such as the first and last five of a drive, are no samples.
//
// A sample is a photograph, value / 127.5 - 1, with the truth float {1, Height, Width} in metres. Augmentation takes a window of the enlarged
// picture and divides the depth by the scale (data/scaled_window.hpp); without it the window is the middle of the lower edge, as is usual for
// KITTI, whose upper third has no depth. Photographs are interpolated bilinearly, depths by nearest neighbour. Outside of the picture depth is
// unknown.
//
// Costs: a read decodes two files; nothing is kept. Needs libspng and libjpeg.
// Errors: input_error while opening: a missing folder, no depth maps, a depth map without photograph. While reading: damaged files, a depth
// map of another size than its photograph.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/scaled_window.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace c2f::data {

namespace detail {

struct kitti_files {
  std::filesystem::path photograph, depth;
};

/// The depth maps below a folder, train or val, in the order of their names, with their photographs.
inline std::vector<kitti_files> kitti_depth_files(std::filesystem::path const& root, std::string const& part) {
  auto const folder = root / part;
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored))
    throw input_error("no folder '" + folder.string() + "'; the KITTI depth data set has the folders train and val");
  std::vector<kitti_files> found;
  auto const folders = [&](auto const& entry) { return entry.is_directory(ignored); };
  for (auto const& drive : names_in(folder, folders))
    for (std::string const camera : {"image_02", "image_03"}) {
      auto const depths = folder / drive / "proj_depth" / "groundtruth" / camera;
      if (!std::filesystem::is_directory(depths, ignored)) continue;
      auto const photographs = root / drive.substr(0, std::string_view("2011_09_26").size()) / drive / camera / "data";
      for (auto const& name : names_in(depths, [&](auto const& entry) { return entry.is_regular_file(ignored); })) {
        if (!has_ending(name, ".png")) continue;
        std::string const stem = name.substr(0, name.size() - 4);
        auto photograph        = photographs / (stem + ".png");
        if (!std::filesystem::exists(photograph, ignored)) photograph = photographs / (stem + ".jpg");
        if (!std::filesystem::exists(photograph, ignored))
          throw input_error("the depth map '" + (depths / name).string() + "' has no photograph " + stem + ".png or .jpg in '" +
                            photographs.string() + "'; unpack the raw data of its drive there, or remove the depth map");
        found.push_back({std::move(photograph), depths / name});
      }
    }
  if (found.empty())
    throw input_error("no depth maps in '" + folder.string() + "'; they are named as DRIVE/proj_depth/groundtruth/image_02/0000000005.png");
  return found;
}

}  // namespace detail

/// The photographs with depth of a folder; see the top of this file.
template <int Height, int Width>
class kitti_depth_split {
 public:
  using image       = c2f::image<3, Height, Width>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 3> truth_dims{1, Height, Width};

  kitti_depth_split(std::string name, std::filesystem::path const& root, std::string const& part)
      : name_(std::move(name)), files_(std::make_shared<std::vector<detail::kitti_files> const>(detail::kitti_depth_files(root, part))) {}

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(files_->size()); }
  [[nodiscard]] std::string const& name() const { return name_; }
  /// The drive, the camera and the number, such as "2011_09_26_drive_0001_sync/image_02/0000000005.png".
  [[nodiscard]] std::string name_of(std::int64_t id) const {
    auto const& depth = of(id).depth;
    auto const camera = depth.parent_path();
    return (camera.parent_path().parent_path().parent_path().filename() / camera.filename() / depth.filename()).string();
  }

  void read(std::int64_t id, random_stream* augment, float* pixels, float* truth) const {
    auto const& files           = of(id);
    picture_bytes const picture = read_picture(files.photograph);
    number_map const depth      = read_depth_picture(files.depth);
    if (depth.height != picture.height || depth.width != picture.width)
      throw input_error("the depth map '" + files.depth.string() + "' is " + std::to_string(depth.height) + " x " +
                        std::to_string(depth.width) + " pixels, and its photograph is " + std::to_string(picture.height) + " x " +
                        std::to_string(picture.width) + "; they have one size");
    scaled_window where = augment == nullptr ? scaled_window::middle(picture.height, picture.width, Height, Width)
                                             : scaled_window::drawn(picture.height, picture.width, Height, Width, *augment);
    if (augment == nullptr) where.top = picture.height - Height;
    for (std::int64_t y = 0; y < Height; ++y)
      for (std::int64_t x = 0; x < Width; ++x) {
        auto const from   = where.at(y, x);
        bool const inside = from.row() >= 0 && from.column() >= 0 && from.row() < picture.height && from.column() < picture.width;
        for (std::size_t c = 0; c < 3; ++c)
          *pixels++ = inside ? interpolated(picture.rgb, picture.height, picture.width, from, c) / 127.5f - 1 : 0.f;
        auto const at = inside ? static_cast<std::size_t>(from.row() * picture.width + from.column()) : std::size_t{0};
        *truth++      = inside ? static_cast<float>(depth.numbers[at] / 256.0 / where.scale) : 0.f;
      }
  }

 private:
  [[nodiscard]] detail::kitti_files const& of(std::int64_t id) const { return (*files_)[static_cast<std::size_t>(id)]; }

  std::string name_;
  std::shared_ptr<std::vector<detail::kitti_files> const> files_;
};

/// The folders train and val.
template <int Height, int Width>
struct kitti_depth {
  explicit kitti_depth(std::filesystem::path const& root)
      : train("KITTI depth, train", root, "train"), test("KITTI depth, val", root, "val") {}

  kitti_depth_split<Height, Width> train, test;
};

}  // namespace c2f::data
