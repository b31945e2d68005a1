// c2f/core/labels.hpp: the labels that a kind's truths may have, for checks of data.
//
//   constexpr c2f::detail::truth_labels labels = c2f::detail::labels_of_kind<c2f::dense<21>>;      // 21, and 255 is ignored
#pragma once

#include <c2f/core/errors.hpp>

#include <cstdint>
#include <string>

namespace c2f::detail {

/// The labels that a truth may have.
struct truth_labels {
  std::int64_t count = 0, ignore = -100;
  /// 0: each value of the truth is a label. Else of each so many values the first is one, where the last is not 0.
  std::int64_t row = 0;
};
/// The labels of a kind's truths; a count of 0 if they are no labels.
template <class Kind>
inline constexpr truth_labels labels_of_kind = [] {
  truth_labels found;
  if constexpr (requires { Kind::labels; }) found.count = Kind::labels;
  if constexpr (requires { Kind::ignore; }) found.ignore = Kind::ignore;
  if constexpr (requires { Kind::label_row; }) found.count = Kind::classes, found.row = Kind::label_row;
  return found;
}();

/// Whether a truth has the label.
constexpr bool has_label(truth_labels of, std::int64_t label) { return (label >= 0 && label < of.count) || label == of.ignore; }

/// where: the sample.
[[noreturn]] inline void throw_label(std::string const& where, std::int64_t label, std::int64_t labels) {
  throw input_error(where + " has the label " + std::to_string(label) + ", and there are " + std::to_string(labels) + ", 0 to " +
                    std::to_string(labels - 1) + "; correct it, or write the data's number of classes into the kind");
}

}  // namespace c2f::detail
