// c2f/data/io/safetensors.hpp: reads and writes safetensors files: named tensors with metadata.
//
//   auto const file = c2f::data::read_safetensors("resnet18.safetensors");
//   at::Tensor const weight = file.tensors.at("conv1.weight");
//   c2f::data::write_safetensors("mine.safetensors", {{{"conv1.weight", weight}}, {{"format", "pt"}}});
//
// The format is https://github.com/huggingface/safetensors: the header's length in 8 bytes, little-endian; the header, JSON with type,
// shape and offsets of each tensor; the data. Such a file cannot contain code. Files are written byte for byte as by Python's safetensors
// 0.8.0: wide types first, then by name, the header padded with spaces to a multiple of 8 bytes. (With several metadata entries Python's
// order changes from run to run; here it is by name. Empty metadata is not written.) Reading is as strict as the format's specification and
// stricter than Python: no duplicate key, no unknown field, no BOOL other than 0 and 1, at most 65,536 tensors and metadata entries
// together, 8 dimensions, and 1 MiB in one string or number of the header. Little-endian processors only, as data is copied unchanged.
//
// Costs: the header and one copy of the data, straight from the file; memory is allocated after the header has been checked against the
// file's size. Writing holds one tensor at a time, and copies only tensors that are not contiguous or not on the CPU.
// Needs nlohmann/json, header only.
// Errors: input_error with the file's name, and the tensor's if it concerns one: an invalid header, a truncated file, a tensor whose type
// the format does not have, a file that cannot be written (then no file is created).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <nlohmann/json.hpp>

#include <c2f/core/errors.hpp>
#include <c2f/core/text.hpp>
#include <c2f/data/io/whole_file.hpp>

namespace c2f::data {

/// The contents of a file: contiguous tensors on the CPU, and metadata strings.
struct safetensors {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

namespace detail {

static_assert(std::endian::native == std::endian::little);  // data is copied unchanged

struct stored_type {
  std::string_view name;
  at::ScalarType type;
};
/// The types that both the format and LibTorch have, in the order in which Python writes them.
inline constexpr std::array<stored_type, 19> stored_types{{
    {"U64", at::ScalarType::UInt64},
    {"I64", at::ScalarType::Long},
    {"F64", at::ScalarType::Double},
    {"C64", at::ScalarType::ComplexFloat},
    {"F32", at::ScalarType::Float},
    {"U32", at::ScalarType::UInt32},
    {"I32", at::ScalarType::Int},
    {"BF16", at::ScalarType::BFloat16},
    {"F16", at::ScalarType::Half},
    {"U16", at::ScalarType::UInt16},
    {"I16", at::ScalarType::Short},
    {"F8_E5M2FNUZ", at::ScalarType::Float8_e5m2fnuz},
    {"F8_E4M3FNUZ", at::ScalarType::Float8_e4m3fnuz},
    {"F8_E8M0", at::ScalarType::Float8_e8m0fnu},
    {"F8_E4M3", at::ScalarType::Float8_e4m3fn},
    {"F8_E5M2", at::ScalarType::Float8_e5m2},
    {"I8", at::ScalarType::Char},
    {"U8", at::ScalarType::Byte},
    {"BOOL", at::ScalarType::Bool},
}};
inline constexpr std::uint64_t largest_header = 100'000'000;  // the format's limit
inline constexpr std::size_t most_entries = 65'536, most_dims = 8, longest_token = 1 << 20;
inline constexpr std::string_view metadata_key = "__metadata__";

/// A string of a file, quoted for a message: one line, at most 80 letters.
inline std::string shown(std::string_view text) { return "'" + text::printable(text, 80) + "'"; }

[[noreturn]] inline void refuse_safetensors(std::string const& file, std::string const& why,
                                            std::string const& remedy = "it is damaged or another kind of file, so get it again") {
  throw input_error("'" + file + "' cannot be read as a safetensors file: " + why + "; " + remedy);
}

/// A tensor's entry in the header; byte offsets are relative to the end of the header.
struct stored_tensor {
  std::optional<at::ScalarType> type;
  std::optional<std::vector<std::int64_t>> dims;
  std::optional<std::vector<std::uint64_t>> bytes;
};

/// The SAX handler for the header's JSON; rejects everything that the format does not have.
class safetensors_header {
 public:
  explicit safetensors_header(std::string const& file) : file_(file) {}
  std::map<std::string, stored_tensor> tensors;
  std::map<std::string, std::string> metadata;

  bool null() { return misplaced("null"); }
  bool boolean(bool) { return misplaced("a truth value"); }
  bool number_integer(std::int64_t) { return misplaced("a negative number"); }
  bool number_float(double, std::string const&) { return misplaced("a number that is not whole or too large"); }
  bool binary(std::vector<std::uint8_t>&) { return misplaced("bytes"); }
  bool number_unsigned(std::uint64_t value) {
    if (state_ == state::shape) {
      if (value > static_cast<std::uint64_t>(INT64_MAX)) return misplaced("a number that is too large");
      if (tensor_->dims->size() == most_dims)
        refuse_safetensors(file_, subject() + " has more than " + std::to_string(most_dims) + " dimensions", "store it with fewer");
      tensor_->dims->push_back(static_cast<std::int64_t>(value));
    } else if (state_ == state::offsets && tensor_->bytes->size() < 2) {
      tensor_->bytes->push_back(value);
    } else {
      return misplaced("a number");
    }
    return true;
  }
  bool string(std::string& value) {
    if (state_ == state::metadata) {
      *text_ = std::move(value);
    } else if (state_ == state::tensor && field_ == "dtype") {
      auto const* const found =
          std::find_if(stored_types.begin(), stored_types.end(), [&](auto const& each) { return each.name == value; });
      if (found == stored_types.end())
        refuse_safetensors(file_, subject() + " has the type " + shown(value) + ", which LibTorch does not have", "store it as F32");
      tensor_->type = found->type;
    } else {
      return misplaced("a text");
    }
    return true;
  }
  bool start_object(std::size_t) {
    if (state_ == state::outside)
      state_ = state::top;
    else if (state_ == state::top)
      state_ = tensor_ ? state::tensor : state::metadata;
    else
      return misplaced("an object");
    return true;
  }
  bool key(std::string& name) {
    if (state_ == state::tensor) {
      field_ = name;
      if (field_ != "dtype" && field_ != "shape" && field_ != "data_offsets")
        refuse_safetensors(file_, subject() + " has a field " + shown(field_) + ", which the format does not have");
      if (field_ == "dtype" ? tensor_->type.has_value() : field_ == "shape" ? tensor_->dims.has_value() : tensor_->bytes.has_value())
        refuse_safetensors(file_, subject() + " has its " + field_ + " twice");
      return true;
    }
    if (++entries_ > most_entries)
      refuse_safetensors(file_, "it has more than " + std::to_string(most_entries) + " entries", "split it into several files");
    bool first = false;
    if (state_ == state::metadata) {
      auto const [entry, fresh] = metadata.try_emplace(name);
      text_                     = &entry->second;
      first                     = fresh;
    } else if (name == metadata_key) {
      name_   = name;
      tensor_ = nullptr;
      first   = !std::exchange(has_metadata_, true);
    } else {
      auto const [entry, fresh] = tensors.try_emplace(name);
      name_                     = name;
      tensor_                   = &entry->second;
      first                     = fresh;
    }
    if (!first) refuse_safetensors(file_, "its header has the key " + shown(name) + " twice");
    return true;
  }
  bool end_object() {
    if (state_ == state::tensor) {
      char const* const missing = !tensor_->type                                   ? "dtype"
                                  : !tensor_->dims                                 ? "shape"
                                  : !tensor_->bytes || tensor_->bytes->size() != 2 ? "two data_offsets"
                                                                                   : nullptr;
      if (missing) refuse_safetensors(file_, subject() + " has no " + missing);
    }
    state_ = state_ == state::top ? state::outside : state::top;
    return true;
  }
  bool start_array(std::size_t) {
    if (state_ != state::tensor || field_ == "dtype") return misplaced("a list");
    if (field_ == "shape")
      state_ = state::shape, tensor_->dims.emplace();
    else
      state_ = state::offsets, tensor_->bytes.emplace();
    return true;
  }
  bool end_array() {
    state_ = state::tensor;
    return true;
  }
  bool parse_error(std::size_t at, std::string const&, nlohmann::json::exception const&) {
    refuse_safetensors(file_, "its header is not JSON at byte " + std::to_string(8 + at - std::min<std::size_t>(at, 1)));
  }

 private:
  enum class state { outside, top, metadata, tensor, shape, offsets };
  [[nodiscard]] std::string subject() const { return (tensor_ ? "tensor " : "") + shown(name_); }
  bool misplaced(std::string const& what) const {
    bool const list          = state_ == state::tensor && field_ != "dtype";
    bool const numbers       = state_ == state::shape || state_ == state::offsets;
    bool const object        = state_ == state::top || state_ == state::outside;
    char const* const wanted = list ? "a list" : object ? "an object" : numbers ? "a whole number that is not negative" : "a text";
    refuse_safetensors(file_, subject() + " has " + what + " where its header should have " +
                                  (state_ == state::offsets && tensor_->bytes->size() == 2 ? "two numbers" : wanted));
  }

  std::string const& file_;
  state state_ = state::outside;
  std::string name_, field_;         // of the current tensor
  stored_tensor* tensor_ = nullptr;  // null while reading metadata
  std::string* text_     = nullptr;
  bool has_metadata_     = false;
  std::size_t entries_   = 0;
};

/// Rejects headers for which the parser would allocate much more memory than the header has, or stop early.
inline void check_header_text(std::string_view header, std::string const& file) {
  if (!header.starts_with('{')) refuse_safetensors(file, "its header does not begin with '{'");
  if (header.find('\0') != std::string_view::npos) refuse_safetensors(file, "its header has a byte 0");
  bool inside = false;
  for (std::size_t i = 0, first = 0; i < header.size(); ++i) {
    bool const ends = inside ? header[i] == '"' : std::string_view("\"{}[]:,").find(header[i]) != std::string_view::npos;
    if (i - first > longest_token)
      refuse_safetensors(file, "its header has a text, a number or a gap of more than " + std::to_string(longest_token) + " bytes",
                         "write it with less metadata");
    if (ends && (inside || header[i] == '"')) inside = !inside;
    if (ends) first = i;
    if (inside && header[i] == '\\') ++i;
  }
}

/// The tensors of a file of `size` bytes; read(first, to, count) copies `count` bytes from offset `first`.
inline safetensors read_safetensors_from(std::uint64_t size, std::string const& file,
                                         std::function<void(std::uint64_t, void*, std::size_t)> const& read) {
  if (size < 8) refuse_safetensors(file, "it has " + std::to_string(size) + " bytes, and the length of the header alone has 8");
  std::uint64_t length = 0;
  read(0, &length, 8);
  std::string const declared = "it declares a header of " + std::to_string(length) + " bytes, ";
  if (length > largest_header) refuse_safetensors(file, declared + "and the format allows " + std::to_string(largest_header));
  if (length > size - 8) refuse_safetensors(file, declared + "and " + std::to_string(size - 8) + " follow");
  std::uint64_t const room = size - 8 - length;

  safetensors_header header(file);
  {
    std::string text(static_cast<std::size_t>(length), '\0');
    read(8, text.data(), text.size());
    check_header_text(text, file);
    nlohmann::json::sax_parse(text, &header);
  }

  // Every byte belongs to exactly one tensor: sorted by offset, each begins where the previous one ended.
  std::vector<std::pair<std::string const, stored_tensor> const*> order;
  order.reserve(header.tensors.size());
  for (auto const& each : header.tensors) order.push_back(&each);
  std::sort(order.begin(), order.end(), [](auto const* a, auto const* b) { return *a->second.bytes < *b->second.bytes; });
  std::uint64_t reached = 0;
  for (auto const* each : order) {
    auto const& [name, tensor] = *each;
    std::uint64_t const first = (*tensor.bytes)[0], last = (*tensor.bytes)[1];
    std::string const subject = "tensor " + shown(name);
    if (first > last || last > room)
      refuse_safetensors(file, subject + " has the bytes " + std::to_string(first) + " to " + std::to_string(last) + ", and there are " +
                                   std::to_string(room));
    if (first != reached)
      refuse_safetensors(
          file, subject + " begins at byte " + std::to_string(first) + ", and the one before it ends at " + std::to_string(reached));
    reached              = last;
    // Sizes of 0 count as 1 here, because strides are products of sizes and must not overflow either.
    std::int64_t numbers = 1;
    bool none = false, fits = true;
    for (auto const dim : *tensor.dims) {
      fits = fits && !__builtin_mul_overflow(numbers, std::max<std::int64_t>(dim, 1), &numbers);
      none = none || dim == 0;
    }
    fits = fits && !__builtin_mul_overflow(numbers, static_cast<std::int64_t>(c10::elementSize(*tensor.type)), &numbers);
    if (!fits) refuse_safetensors(file, subject + " has a shape of more than 2^63 bytes");
    if (static_cast<std::uint64_t>(none ? 0 : numbers) != last - first)
      refuse_safetensors(file, subject + " has " + std::to_string(last - first) + " bytes, and its type and shape ask for " +
                                   std::to_string(none ? 0 : numbers));
  }
  if (reached != room)
    refuse_safetensors(file, "its tensors end at byte " + std::to_string(reached) + ", and there are " + std::to_string(room));

  safetensors found;
  found.metadata = std::move(header.metadata);
  for (auto const* each : order) {
    auto const& [name, tensor] = *each;
    auto const count           = static_cast<std::size_t>((*tensor.bytes)[1] - (*tensor.bytes)[0]);
    at::Tensor value           = at::empty(*tensor.dims, at::TensorOptions().dtype(*tensor.type));
    if (count > 0) read(8 + length + (*tensor.bytes)[0], value.mutable_data_ptr(), count);
    if (tensor.type == at::kBool) {
      auto const* const bytes = static_cast<unsigned char const*>(value.const_data_ptr());
      if (std::any_of(bytes, bytes + count, [](unsigned char byte) { return byte > 1; }))
        refuse_safetensors(file, "tensor " + shown(name) + " is BOOL and has a byte that is neither 0 nor 1");
    }
    found.tensors.emplace_hint(found.tensors.end(), name, std::move(value));
  }
  return found;
}

/// A string as a JSON literal.
inline std::string json_text(std::string const& text) {
  std::string written;
  try {
    written = nlohmann::json(text).dump();
  } catch (nlohmann::json::exception const&) {
    throw input_error("a safetensors file cannot hold the text " + shown(text) + ", which is not UTF-8; write it in UTF-8");
  }
  if (written.size() > longest_token)
    throw input_error("a safetensors file cannot hold the text " + shown(text) + " of " + std::to_string(text.size()) +
                      " bytes; write at most " + std::to_string(longest_token));
  return written;
}

}  // namespace detail

/// Parses the bytes of a file; `file_name` is used in messages.
[[nodiscard]] inline safetensors parse_safetensors(std::string_view bytes, std::string const& file_name) {
  return detail::read_safetensors_from(bytes.size(), file_name, [&](std::uint64_t first, void* to, std::size_t count) {
    if (count > 0) std::memcpy(to, bytes.data() + first, count);
  });
}

/// Reads a file.
[[nodiscard]] inline safetensors read_safetensors(std::filesystem::path const& file) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed)) throw input_error("no file '" + file.string() + "'; check its name and folder");
  std::ifstream in(file, std::ios::binary);
  std::uint64_t const size = in ? std::filesystem::file_size(file, failed) : 0;
  if (!in || failed) throw input_error("cannot open '" + file.string() + "'; make it readable");
  return detail::read_safetensors_from(size, file.string(), [&](std::uint64_t first, void* to, std::size_t count) {
    in.seekg(static_cast<std::streamoff>(first));
    if (!in.read(static_cast<char*>(to), static_cast<std::streamsize>(count)))
      detail::refuse_safetensors(file.string(), "it ended while it was read", "keep it as it is meanwhile, or copy it again");
  });
}

/// Passes the bytes of such a file to `sink`, in order.
inline void serialize(safetensors const& what, std::function<void(void const*, std::size_t)> const& sink) {
  using detail::stored_types;
  struct item {
    std::size_t rank;
    std::string const* name;
    at::Tensor const* tensor;
  };
  if (what.tensors.size() + what.metadata.size() + 1 > detail::most_entries)
    throw input_error("a safetensors file cannot hold " + std::to_string(what.tensors.size()) + " tensors and " +
                      std::to_string(what.metadata.size()) + " metadata entries; write at most " +
                      std::to_string(detail::most_entries - 1) + " into one file");
  std::vector<item> order;
  for (auto const& [name, tensor] : what.tensors) {
    auto const* type = stored_types.end();
    if (tensor.defined())
      type = std::find_if(stored_types.begin(), stored_types.end(), [&](auto const& each) { return each.type == tensor.scalar_type(); });
    bool const large      = tensor.defined() && tensor.dim() > static_cast<std::int64_t>(detail::most_dims);
    char const* const why = !tensor.defined()                 ? "has no value"
                            : type == stored_types.end()      ? "is of a type that the format does not have"
                            : tensor.layout() != at::kStrided ? "is sparse"
                            : large                           ? "has more than 8 dimensions"
                            : name == detail::metadata_key    ? "has the metadata's name"
                                                              : nullptr;
    if (why) throw input_error("a safetensors file cannot hold the tensor " + detail::shown(name) + ", which " + why + "; leave it out");
    order.push_back({static_cast<std::size_t>(type - stored_types.begin()), &name, &tensor});
  }
  std::stable_sort(order.begin(), order.end(), [](item const& a, item const& b) { return a.rank < b.rank; });  // already sorted by name

  std::string header;
  auto const put = [&](std::string const& text) { (header += header.empty() ? '{' : ',') += text; };
  if (!what.metadata.empty()) {
    std::string texts;
    for (auto const& [name, text] : what.metadata)
      (texts += texts.empty() ? "" : ",") += detail::json_text(name) + ':' + detail::json_text(text);
    put("\"__metadata__\":{" + texts + '}');
  }
  std::uint64_t reached = 0;
  for (auto const& [rank, name, tensor] : order) {
    std::string dims;
    for (auto const dim : tensor->sizes()) (dims += dims.empty() ? "" : ",") += std::to_string(dim);
    std::uint64_t const first = reached;
    reached += static_cast<std::uint64_t>(tensor->numel() * tensor->element_size());
    put(detail::json_text(*name) + ":{\"dtype\":\"" + std::string(stored_types[rank].name) + "\",\"shape\":[" + dims +
        "],\"data_offsets\":[" + std::to_string(first) + ',' + std::to_string(reached) + "]}");
  }
  header += header.empty() ? "{}" : "}";
  header.append((8 - header.size() % 8) % 8, ' ');

  std::uint64_t const length = header.size();
  sink(&length, 8);
  sink(header.data(), header.size());
  for (auto const& each : order) {
    at::Tensor const value = each.tensor->detach().to(at::kCPU).resolve_conj().resolve_neg().contiguous();
    if (value.numel() > 0) sink(value.const_data_ptr(), value.nbytes());
  }
}

/// Writes such a file atomically (whole_file.hpp).
inline void write_safetensors(std::filesystem::path const& file, safetensors const& what) {
  whole_file out(file);
  serialize(what, [&](void const* bytes, std::size_t count) { out.write(bytes, count); });
  out.commit();
}

}  // namespace c2f::data
