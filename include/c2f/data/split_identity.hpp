// c2f/data/split_identity.hpp: which data a training was run on, so that a checkpoint is resumed on no other.
//
//   c2f::data::split_identity const here = c2f::data::identity_of(data.train);
//   std::string const what = c2f::data::difference(here, c2f::data::identity_of(data.test));   // or empty
//
// The number of samples, the names of the classes in their order, and a hash of which samples there are, in their order: the split's own
// fingerprint() if it has one, else of name_of(id), else of label(id), of all ids; 0 if it has none of them. Files may be moved to another
// folder. And how the samples are read (augmentation, resizing, mixing), of a split that says so with settings(). Cost: a pass over the names
// or labels.
#pragma once

#include <c2f/core/random.hpp>
#include <c2f/core/text.hpp>
#include <c2f/data/numbers.hpp>
#include <c2f/data/split.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace c2f::data {

struct split_identity {
  std::int64_t size = 0;
  std::vector<std::string> classes{};          ///< printable; empty if the split names none
  std::uint64_t samples = 0;                   ///< a hash of which samples, and in which order; 0: unknown
  std::optional<reading_settings> settings{};  ///< how they are read; nullopt: unknown
  friend bool operator==(split_identity const&, split_identity const&) = default;
};

template <class S>
[[nodiscard]] split_identity identity_of(S const& samples) {
  split_identity made{.size = samples.size()};
  if constexpr (requires { samples.classes(); })
    for (auto const& name : samples.classes()) made.classes.push_back(text::printable(name));
  made.samples  = detail::samples_hash(samples);
  made.settings = detail::settings_of(samples);
  return made;
}

/// The first difference of two identities as a text; empty if there is none. What is unknown in either does not differ.
[[nodiscard]] inline std::string difference(split_identity const& there, split_identity const& here) {
  auto const counts = [](char const* what, auto a, auto b) {
    return std::string("the number of ") + what + " is " + std::to_string(a) + " there and " + std::to_string(b) + " here";
  };
  if (there.size != here.size) return counts("samples", there.size, here.size);
  if (!there.classes.empty() && !here.classes.empty()) {
    if (there.classes.size() != here.classes.size()) return counts("classes", there.classes.size(), here.classes.size());
    for (std::size_t k = 0; k < here.classes.size(); ++k)
      if (there.classes[k] != here.classes[k])
        return "class " + std::to_string(k) + " is '" + there.classes[k] + "' there and '" + here.classes[k] + "' here";
  }
  if (there.samples != 0 && here.samples != 0 && there.samples != here.samples)
    return "there are as many samples, but other ones or in another order";
  if (there.settings && here.settings) {
    auto const value = [](reading_settings const& of, std::string const& name) {
      auto const at = std::ranges::find(of, name, [](auto const& each) { return each.first; });
      return at == of.end() ? std::string("not given") : detail::text_of(at->second);
    };
    for (auto const* each : {&*there.settings, &*here.settings})
      for (auto const& [name, unused] : *each)
        if (value(*there.settings, name) != value(*here.settings, name))
          return "the " + name + " is " + value(*there.settings, name) + " there and " + value(*here.settings, name) + " here";
  }
  return {};
}

}  // namespace c2f::data
