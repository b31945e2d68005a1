// The operators of detectors and COCO's average precision: parity_detection operators|coco_ap IN OUT
// Doubles travel as the bits of int64 in tensors whose names end in "!". IN has tensors CASE/NAME; detection.py says which.
#include "exchange.hpp"

#include <c2f/data/run_lengths.hpp>
#include <c2f/detection/anchors.hpp>
#include <c2f/detection/assign.hpp>
#include <c2f/detection/box_losses.hpp>
#include <c2f/detection/box_operations.hpp>
#include <c2f/detection/deformable_conv.hpp>
#include <c2f/detection/nms.hpp>
#include <c2f/detection/region_proposals.hpp>
#include <c2f/detection/roi_align.hpp>
#include <c2f/metrics/coco_ap.hpp>

#include <cstdio>
#include <exception>
#include <set>
#include <span>

namespace {

namespace detection = c2f::detection;
using parity::tensors;

/// The tensors of a case by their names, with doubles as such.
tensors of_case(tensors const& all, std::string const& name) {
  tensors made;
  for (auto const& [key, value] : all)
    if (key.starts_with(name + "/")) {
      std::string const inner = key.substr(name.size() + 1);
      if (inner.ends_with('!'))
        made[inner.substr(0, inner.size() - 1)] = value.view(at::kDouble);
      else
        made[inner] = value;
    }
  return made;
}
void put(tensors& out, std::string const& name, at::Tensor const& value) {
  if (value.scalar_type() == at::kDouble)
    out[name + "!"] = value.detach().contiguous().view(at::kLong);
  else
    out[name] = value.scalar_type() == at::kBool ? value.to(at::kLong) : value;
}
std::vector<std::int64_t> list(at::Tensor const& t) {
  return {t.const_data_ptr<std::int64_t>(), t.const_data_ptr<std::int64_t>() + t.numel()};
}

/// Answers of a case, and the gradients of sum(answer * weights) for the tensors named `leaves`.
template <class F>
void answer(tensors& out, std::string const& name, tensors in, std::vector<std::string> const& leaves, F const& f) {
  for (auto const& leaf : leaves)
    if (in.contains(leaf)) in[leaf].requires_grad_(true);
  at::Tensor const made = f(in);
  put(out, name + "/answer", made);
  if (!in.contains("weights")) return;
  made.mul(in["weights"]).sum().backward();
  for (auto const& leaf : leaves)
    if (in[leaf].defined()) put(out, name + "/of_" + leaf, in[leaf].grad());
}

tensors operators(tensors const& all) {
  std::set<std::string> names;
  for (auto const& [key, value] : all) names.insert(key.substr(0, key.find('/')));
  tensors out;
  for (auto const& name : names) {
    tensors in      = of_case(all, name);
    auto const kind = name.substr(0, name.find(' '));
    auto const how  = in.contains("how") ? list(in["how"]) : std::vector<std::int64_t>{};
    auto const real = [&](char const* of) { return in[of].item<double>(); };
    if (kind == "roi_align")
      answer(out, name, in, {"map"}, [&](tensors& t) {
        return detection::roi_align(t["map"], t["boxes"], t["picture"], real("scale"), how[0], how[1], how[2] != 0);
      });
    else if (kind == "deformable")
      answer(out, name, in, {"x", "offset", "mask", "weight"}, [&](tensors& t) {
        return detection::deformable_conv(t["x"], t["offset"], t["mask"], t["weight"], t["bias"],
                                          {.stride = how[0], .padding = how[1], .dilation = how[2], .groups = how[3]});
      });
    else if (kind == "nms")
      put(out, name + "/answer", detection::class_nms(in["boxes"], in["scores"], in["classes"], real("threshold")));
    else if (kind == "iou")
      put(out, name + "/answer", detection::box_iou(in["a"], in["b"]));
    else if (kind == "giou")
      answer(out, name, in, {"a"}, [&](tensors& t) { return detection::giou_loss(t["a"], t["b"]); });
    else if (kind == "focal")
      answer(out, name, in, {"logits"}, [&](tensors& t) { return detection::sigmoid_focal_loss(t["logits"], t["targets"]); });
    else if (kind == "encode")
      put(out, name + "/answer", detection::encode_boxes(in["truth"], in["boxes"]));
    else if (kind == "decode")
      put(out, name + "/answer", detection::decode_boxes(in["deltas"], in["boxes"]));
    else if (kind == "clip")
      put(out, name + "/answer", detection::clip_boxes(in["boxes"], static_cast<double>(how[0]), static_cast<double>(how[1])));
    else if (kind == "anchors")
      put(out, name + "/answer",
          detection::anchors({{how[0], how[1], 4, {32, 50}}, {how[2], how[3], 8, {64, 91}}, {how[4], how[5], 16, {128, 181}}}));
    else if (kind == "anchors_of") {
      std::vector<at::Tensor> maps;
      for (std::size_t i = 2; i + 1 < how.size(); i += 2) maps.push_back(at::zeros({1, 1, how[i], how[i + 1]}));
      put(out, name + "/answer",
          detection::anchors_of(maps, how[0], how[1], 4, std::array{8.}, std::array{.5, 1., 2.}, /*whole_strides=*/true));
    } else if (kind == "assign") {
      std::int64_t const count = in["truth"].size(0);
      detection::objects const truth{in["truth"].unsqueeze(0), at::zeros({1, count}, in["matched"].options()),
                                     at::zeros({1, count}, in["matched"].options().dtype(at::kBool))};
      put(out, name + "/answer", detection::assign(in["boxes"], truth, {.low = .3, .high = .7, .low_quality = how[0] != 0})[0]);
    } else {
      throw std::runtime_error("no operator '" + kind + "'");
    }
  }
  return out;
}

/// found [D, 8]: picture, label, x0, y0, x1, y1, score, area; objects [G, 8]: picture, label, x0, y0, x1, y1, area, crowd; and, of masks,
/// the ends of their counts in found_counts and objects_counts, and their size.
tensors coco_ap(tensors const& all) {
  std::set<std::string> names;
  for (auto const& [key, value] : all) names.insert(key.substr(0, key.find('/')));
  tensors out;
  for (auto const& name : names) {
    tensors in      = of_case(all, name);
    auto const how  = list(in["how"]);  // pictures, classes, height, width (0: boxes)
    auto const rows = [&](char const* of) {
      std::vector<std::vector<std::array<double, 8>>> made(static_cast<std::size_t>(how[0]));
      std::vector<std::vector<std::size_t>> which(made.size());
      double const* row = in[of].const_data_ptr<double>();
      for (std::int64_t i = 0; i < in[of].size(0); ++i, row += 8) {
        std::array<double, 8> each;
        std::copy(row, row + 8, each.begin());
        made[static_cast<std::size_t>(each[0])].push_back(each);
        which[static_cast<std::size_t>(each[0])].push_back(static_cast<std::size_t>(i));
      }
      return std::pair{made, which};
    };
    auto const masks = [&](char const* of) {
      std::vector<c2f::data::run_lengths> made;
      if (how[2] == 0) return made;
      auto const counts = list(in[std::string(of) + "_counts"]), ends = list(in[std::string(of) + "_ends"]);
      std::size_t at = 0;
      for (std::int64_t const end : ends) {
        std::vector<std::uint32_t> runs;
        for (; at < static_cast<std::size_t>(end); ++at) runs.push_back(static_cast<std::uint32_t>(counts[at]));
        made.push_back(c2f::data::run_lengths::of_counts(runs, how[2], how[3]));
      }
      return made;
    };
    auto const [found, which_found] = rows("found");
    auto const [truth, which_truth] = rows("objects");
    auto const found_masks = masks("found"), true_masks = masks("objects");
    c2f::metrics::coco_ap score(how[1]);
    for (std::size_t n = 0; n < found.size(); ++n) {
      std::vector<c2f::metrics::found_object> detections;
      std::vector<c2f::metrics::true_object> objects;
      for (auto const& r : found[n]) detections.push_back({static_cast<std::int64_t>(r[1]), {r[2], r[3], r[4], r[5]}, r[6], r[7]});
      for (auto const& r : truth[n]) objects.push_back({static_cast<std::int64_t>(r[1]), {r[2], r[3], r[4], r[5]}, r[6], r[7] != 0});
      if (how[2] == 0)
        score.add(detections, objects);
      else
        score.add(detections, objects, [&](std::size_t i, std::size_t j) {
          return c2f::data::iou(found_masks[which_found[n][i]], true_masks[which_truth[n][j]], objects[j].crowd);
        });
    }
    auto const values = score.scores().values();
    at::Tensor made   = at::empty({12}, at::TensorOptions(at::kDouble));
    std::copy(values.begin(), values.end(), made.mutable_data_ptr<double>());
    put(out, name, made);
  }
  return out;
}

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_detection operators|coco_ap IN OUT");
  auto const given = parity::read(words[2]);
  parity::write(words[3], std::string(words[1]) == "coco_ap" ? coco_ap(given) : operators(given));
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_detection: %s\n", wrong.what());
  return 1;
}
