// A model of any compiled task, behind one interface, and the training of one. Each kind is compiled in a file of its own: classes.cpp,
// boxes.cpp, masks.cpp.
#pragma once

#include "c2f/layout.hpp"

#include <c2f/inference/model_folder.hpp>

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace program {
struct options;
}

namespace tool {

/// A loaded model.
class model {
 public:
  model()                                                                                                                       = default;
  model(model const&)                                                                                                           = delete;
  model& operator=(model const&)                                                                                                = delete;
  virtual ~model()                                                                                                              = default;
  [[nodiscard]] virtual c2f::model_description const& description() const                                                       = 0;
  [[nodiscard]] virtual c2f::data::fitted_picture fitted(c2f::data::picture_bytes const& picture) const                         = 0;
  [[nodiscard]] virtual at::Tensor images(std::span<c2f::data::fitted_picture const> pictures) const                            = 0;
  /// The raw outputs of images.
  [[nodiscard]] virtual c2f::outputs pass(at::Tensor const& images)                                                             = 0;
  /// The answers in raw outputs; may be called while another thread runs a pass.
  [[nodiscard]] virtual std::vector<c2f::picture_prediction> answers(c2f::outputs const& found,
                                                                     std::span<c2f::data::fitted_picture const> pictures) const = 0;
  /// The answer by several views of a picture.
  [[nodiscard]] virtual c2f::picture_prediction predict(c2f::data::picture_bytes const& picture, c2f::view_options const& how,
                                                        std::int64_t batch)                                                     = 0;
};

/// A model as explain looks at it: raw outputs with gradients.
struct explained_model {
  std::int64_t height, width;
  bool maps, pair;
  std::function<at::Tensor(at::Tensor const&)> answer, coarse;
};
/// Multiply-adds and receptive field, in lines of explain.
[[nodiscard]] std::string costs_of(explained_model const& of);

/// What the commands need of a kind.
struct compiled_kind {
  std::vector<std::string> tasks, networks;  ///< the names of the compiled tasks, and of the networks in them
  std::unique_ptr<model> (*load)(std::string const& task, std::filesystem::path const& folder, std::string const& device);
  std::string (*explain)(std::string const& task, std::filesystem::path const& folder);
  /// Trains task `network`-`variant` for as many classes as the data have.
  void (*train)(program::options const& chosen, std::string const& network, found_data const& data);
};
[[nodiscard]] compiled_kind const& classes_kind();
[[nodiscard]] compiled_kind const& boxes_kind();
[[nodiscard]] compiled_kind const& masks_kind();
[[nodiscard]] compiled_kind const& attributes_kind();
[[nodiscard]] compiled_kind const& numbers_kind();
[[nodiscard]] inline compiled_kind const& compiled(kind which) {
  constexpr std::array all{&classes_kind, &boxes_kind, &masks_kind, &attributes_kind, &numbers_kind};
  return all[static_cast<std::size_t>(which)]();
}

/// The folder of a model: as named, or `model` in the --out of a training.
[[nodiscard]] std::filesystem::path model_folder(std::filesystem::path const& named);
/// Loads a model of whatever compiled task it is; input_error that says which task is missing.
[[nodiscard]] std::unique_ptr<model> load(std::filesystem::path const& folder, std::string const& device = "cpu");

}  // namespace tool
