// Safetensors files: written as Python writes them, read as the format's specification allows.
// tests/parity/safetensors_file.py compares with Python itself.
#include <c2f/data/io/safetensors.hpp>

#include <ATen/TensorOperators.h>
#include <ATen/ops/_neg_view.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

using c2f::data::safetensors;

std::string bytes_of(safetensors const& what) {
  std::string bytes;
  c2f::data::serialize(what, [&](void const* from, std::size_t count) { bytes.append(static_cast<char const*>(from), count); });
  return bytes;
}

/// A file made by hand: the length of the header, the header, and bytes of 0.
std::string file(std::string const& header, std::size_t numbers = 0) {
  std::uint64_t const length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(numbers, '\0');
}
std::string tensor(std::string const& name, std::string const& type, std::string const& shape, std::string const& place) {
  return '"' + name + R"(":{"dtype":")" + type + R"(","shape":[)" + shape + R"(],"data_offsets":[)" + place + "]}";
}

std::string refusal(std::string const& bytes) {
  return tests::refusal([&] { (void)c2f::data::parse_safetensors(bytes, "x.safetensors"); });
}
void refused(std::string const& bytes, std::string const& why) {
  tests::require_message(refusal(bytes), {"'x.safetensors' cannot be read as a safetensors file: " + why});
}

}  // namespace

TEST_CASE("a file has the bytes that Python writes") {
  // save({"w": torch.tensor([1., 2.]), "n": torch.tensor(3), "b": torch.tensor([True])}, {"format": "pt"}) of safetensors 0.8.0: wide types
  // first, spaces up to a multiple of 8.
  at::Tensor const w = at::ones({2}).mul(at::arange(1, 3)), n = at::full({}, 3, at::kLong), b = at::ones({1}, at::kBool);
  std::string const header =
      R"({"__metadata__":{"format":"pt"},"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
      R"("w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"b":{"dtype":"BOOL","shape":[1],"data_offsets":[16,17]}})";
  std::string const padding((8 - header.size() % 8) % 8, ' ');
  REQUIRE(padding.size() == 6);
  std::string const numbers("\3\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40\1", 17);
  REQUIRE(bytes_of({{{"w", w}, {"n", n}, {"b", b}}, {{"format", "pt"}}}) == file(header + padding) + numbers);
  REQUIRE(bytes_of({}) == std::string("\x8\0\0\0\0\0\0\0{}      ", 16));
}

TEST_CASE("every type, any shape and any name are restored") {
  safetensors made;
  for (auto const& each : c2f::data::detail::stored_types) {
    at::Tensor some = at::empty({2, 3}, at::TensorOptions().dtype(each.type));
    auto* const raw = static_cast<unsigned char*>(some.mutable_data_ptr());
    for (std::size_t i = 0; i < some.nbytes(); ++i) raw[i] = static_cast<unsigned char>(each.type == at::kBool ? i % 2 : 37 * i + 11);
    made.tensors["of " + std::string(each.name)] = some;
  }
  made.tensors["none"] = at::empty({0, 3});
  made.tensors["one"]  = at::full({}, 2.5f);
  made.tensors[""]     = at::zeros({1, 1, 1});
  made.tensors
      ["a\"\\\n\x01\x7f/\xc3\xa9\xf0\x9f"
       "\x98\x80"]        = at::ones({1});
  made.metadata           = {{"format", "pt"}, {"", "\t\"\xc3\xa9"}};
  safetensors const again = c2f::data::parse_safetensors(bytes_of(made), "x");
  REQUIRE(again.metadata == made.metadata);
  REQUIRE(again.tensors.size() == made.tensors.size());
  for (auto const& [name, value] : made.tensors) {
    at::Tensor const& found = again.tensors.at(name);
    REQUIRE(found.scalar_type() == value.scalar_type());
    REQUIRE(found.sizes() == value.sizes());
    REQUIRE(found.is_contiguous());
    REQUIRE((value.nbytes() == 0 || std::memcmp(found.const_data_ptr(), value.const_data_ptr(), value.nbytes()) == 0));
  }
}

TEST_CASE("strided tensors are written in row-major order, and the file is complete or absent") {
  at::Tensor const rows   = at::arange(24).reshape({1, 2, 3, 4});
  std::string const plain = bytes_of({{{"a", rows}}, {}});
  REQUIRE(bytes_of({{{"a", rows.contiguous(at::MemoryFormat::ChannelsLast)}}, {}}) == plain);
  REQUIRE(bytes_of({{{"a", rows.to(at::kFloat).requires_grad_()}}, {}}) == bytes_of({{{"a", rows.to(at::kFloat)}}, {}}));

  // Conjugates and negatives that are marks of a view.
  at::Tensor const numbers = at::complex(at::arange(3, at::kFloat), at::arange(3, at::kFloat) + 1);
  at::Tensor const negated = at::_neg_view(at::arange(3, at::kFloat));
  REQUIRE((numbers.conj().is_conj() && negated.is_neg() && negated.is_contiguous()));
  REQUIRE(bytes_of({{{"a", negated}}, {}}) == bytes_of({{{"a", -at::arange(3, at::kFloat)}}, {}}));
  REQUIRE(bytes_of({{{"a", numbers.conj()}}, {}}) ==
          bytes_of({{{"a", at::complex(at::arange(3, at::kFloat), -at::arange(3, at::kFloat) - 1)}}, {}}));
  REQUIRE(bytes_of({{{"a", at::imag(numbers.conj())}}, {}}) == bytes_of({{{"a", -at::arange(3, at::kFloat) - 1}}, {}}));

  tests::scratch const dir;
  auto const path = dir.path / "a.safetensors";
  c2f::data::write_safetensors(path, {{{"a", rows}}, {}});
  std::ifstream in(path, std::ios::binary);
  REQUIRE(std::string(std::istreambuf_iterator<char>(in), {}) == plain);
  REQUIRE(c2f::data::read_safetensors(path).tensors.at("a").equal(rows));
  // A failed write leaves the existing file unchanged.
  auto const wrong = tests::refusal([&] { c2f::data::write_safetensors(path, {{{"b", at::Tensor()}}, {}}); });
  tests::require_message(wrong, {"a safetensors file cannot hold the tensor 'b', which has no value"});
  REQUIRE(c2f::data::read_safetensors(path).tensors.at("a").equal(rows));
  std::filesystem::resize_file(path, plain.size() - 1);
  tests::require_message(tests::refusal([&] { (void)c2f::data::read_safetensors(path); }),
                         {path.string(), "tensor 'a' has the bytes 0 to 192, and there are 191"});
  std::filesystem::remove(path);
  tests::require_message(tests::refusal([&] { (void)c2f::data::read_safetensors(path); }), {"no file '" + path.string()});
  tests::require_message(tests::refusal([&] { (void)c2f::data::read_safetensors(path.parent_path()); }), {"no file '"});
}

TEST_CASE("tensors that a file cannot hold are refused") {
  auto const say = [](safetensors const& what) { return tests::refusal([&] { (void)bytes_of(what); }); };
  tests::require_message(say({{{"z", at::zeros({1}, at::kComplexDouble)}}, {}}),
                         {"the tensor 'z', which is of a type that the format does not have"});
  tests::require_message(say({{{"__metadata__", at::zeros({1})}}, {}}), {"the tensor '__metadata__', which has the metadata's name"});
  tests::require_message(say({{{"z", at::zeros(std::vector<std::int64_t>(9, 1))}}, {}}),
                         {"the tensor 'z', which has more than 8 dimensions"});
  tests::require_message(say({{{"\xff", at::zeros({1})}}, {}}), {"not UTF-8"});
  tests::require_message(say({{}, {{"a", "\xc3"}}}), {"not UTF-8"});
  tests::require_message(say({{}, {{"a", std::string(1 << 20, 'x')}}}), {"of 1048576 bytes"});
  safetensors many;
  for (int i = 0; i < 65'536; ++i) many.metadata[std::to_string(i)];
  tests::require_message(say(many), {"cannot hold 0 tensors and 65536 metadata entries"});
  many.metadata.erase("0");
  REQUIRE(c2f::data::parse_safetensors(bytes_of(many), "x").metadata == many.metadata);
}

TEST_CASE("a header that does not fit the file is refused") {
  std::string const good = file('{' + tensor("a", "F32", "1", "0,4") + '}', 4);
  REQUIRE(c2f::data::parse_safetensors(good, "x").tensors.at("a").numel() == 1);
  for (std::size_t kept = 0; kept < good.size(); ++kept) REQUIRE_FALSE(refusal(good.substr(0, kept)).empty());
  refused("", "it has 0 bytes, and the length of the header alone has 8");
  refused(good.substr(0, 7), "it has 7 bytes");
  refused(good.substr(0, 20), "it declares a header of 54 bytes, and 12 follow");
  refused(std::string("\0\0\0\0\0\0\0\0", 8), "its header does not begin with '{'");
  refused(std::string("\1\xe1\xf5\5\0\0\0\0{}", 10), "it declares a header of 100000001 bytes, and the format allows 100000000");
  refused(std::string("\0\xe1\xf5\5\0\0\0\0{}", 10), "it declares a header of 100000000 bytes, and 2 follow");
  refused(std::string(8, '\xff') + "{}", "it declares a header of 18446744073709551615 bytes");
  refused(good + '\0', "its tensors end at byte 4, and there are 5");
  refused(file("{}", 1), "its tensors end at byte 0, and there are 1");
}

TEST_CASE("a header that is not JSON of this form is refused") {
  for (auto const& [header, why] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "its header does not begin with '{'"},
           {" {}", "its header does not begin with '{'"},
           {"{", "its header is not JSON at byte 9"},
           {"{}{}", "its header is not JSON at byte 10"},
           {"{} x", "its header is not JSON at byte 11"},
           {std::string("{}\0{", 4), "its header has a byte 0"},
           {"{\"a\xff\":{}}", "its header is not JSON at byte"},
           {"{\"\\ud800\":{}}", "its header is not JSON at byte"},
           {"{'a':{}}", "its header is not JSON at byte 9"},
           {R"({"a":NaN})", "its header is not JSON at byte"},
           {R"({"a":1e999})", "its header is not JSON at byte 17"},
           {R"({"a":null})", "tensor 'a' has null where its header should have an object"},
           {R"({"a":true})", "tensor 'a' has a truth value"},
           {R"({"a":"x"})", "tensor 'a' has a text where its header should have an object"},
           {R"({"a":[]})", "tensor 'a' has a list"},
           {R"({"__metadata__":[]})", "'__metadata__' has a list where its header should have an object"},
           {R"({"__metadata__":{"a":1}})", "'__metadata__' has a number where its header should have a text"},
           {R"({"__metadata__":{"a":{}}})", "'__metadata__' has an object"},
           {R"({"__metadata__":{"a":"1","a":"2"}})", "its header has the key 'a' twice"},
           {R"({"__metadata__":{},"__metadata__":{}})", "its header has the key '__metadata__' twice"},
           {R"({"a":{}})", "tensor 'a' has no dtype"},
           {R"({"a":{"dtype":"U8"}})", "tensor 'a' has no shape"},
           {R"({"a":{"dtype":"U8","shape":[]}})", "tensor 'a' has no two data_offsets"},
           {R"({"a":{"dtype":"U8","dtype":"U8"}})", "tensor 'a' has its dtype twice"},
           {R"({"a":{"dtype":"F4"}})", "tensor 'a' has the type 'F4', which LibTorch does not have"},
           {R"({"a":{"dtype":["U8"]}})", "tensor 'a' has a list where its header should have a text"},
           {R"({"a":{"shape":{}}})", "tensor 'a' has an object where its header should have a list"},
           {R"({"a":{"shape":7}})", "tensor 'a' has a number where its header should have a list"},
           {R"({"a":{"more":1}})", "tensor 'a' has a field 'more', which the format does not have"},
           {"{\"two\\nlines\":1}", "tensor 'two\\x0alines' has"},
           {'{' + std::string(100'000, '['), "its header is not JSON"},
           {R"({"a":)" + std::string(100'000, '['), "tensor 'a' has a list"},
           {R"({"a":{"shape":)" + std::string(100'000, '['), "tensor 'a' has a list"},
           {std::string(100'000, '{'), "its header is not JSON"},
           {R"({"a":)" + std::string(100'000, '{'), "its header is not JSON"},
       }) {
    CAPTURE(header.substr(0, 40));
    refused(file(header), why);
  }
  // Strings, numbers and whitespace of 1 MiB and more would make the parser allocate a multiple of that.
  for (std::string const& longest : {std::string("{\"") + std::string((1 << 20) + 2, 'x') + "\":1}",
                                     '{' + std::string((1 << 20) + 2, ' ') + '}', R"({"a":)" + std::string((1 << 20) + 2, '1') + '}'})
    refused(file(longest), "its header has a text, a number or a gap of more than 1048576 bytes");
  std::string const text(900'000, '\\');
  REQUIRE(c2f::data::parse_safetensors(file(R"({"__metadata__":{"a":")" + text + "\"}}"), "x").metadata.at("a").size() == 450'000);
  std::string entries = "{\"__metadata__\":{\"a\":\"\"";
  for (int i = 0; i < 65'536; ++i) entries += ",\"" + std::to_string(i) + "\":\"\"";
  refused(file(entries + "}}"), "it has more than 65536 entries");
}

TEST_CASE("offsets, shapes and sizes that do not agree are refused") {
  auto const two = [](std::string const& a, std::string const& b, std::size_t numbers) {
    return file('{' + tensor("a", "F32", "1", a) + ',' + tensor("b", "F32", "1", b) + '}', numbers);
  };
  REQUIRE(c2f::data::parse_safetensors(two("4,8", "0,4", 8), "x").tensors.size() == 2);
  refused(two("0,4", "2,6", 6), "tensor 'b' begins at byte 2, and the one before it ends at 4");
  refused(two("0,4", "0,4", 4), "tensor 'b' begins at byte 0, and the one before it ends at 4");
  refused(two("0,4", "5,9", 9), "tensor 'b' begins at byte 5, and the one before it ends at 4");
  refused(two("1,5", "5,9", 9), "tensor 'a' begins at byte 1, and the one before it ends at 0");
  refused(two("0,4", "4,8", 7), "tensor 'b' has the bytes 4 to 8, and there are 7");
  refused(file('{' + tensor("a", "F32", "1", "0,4") + ',' + tensor("a", "F32", "1", "4,8") + '}', 8), "its header has the key 'a' twice");
  // An empty tensor may be between two tensors, but not inside one.
  auto const empty = [](std::string const& place) {
    return file('{' + tensor("a", "F32", "1", "0,4") + ',' + tensor("e", "F32", "0,7", place) + ',' + tensor("b", "F32", "1", "4,8") + '}',
                8);
  };
  for (char const* const place : {"0,0", "4,4", "8,8"})
    REQUIRE(c2f::data::parse_safetensors(empty(place), "x").tensors.at("e").size(1) == 7);
  refused(empty("2,2"), "tensor 'e' begins at byte 2, and the one before it ends at 4");

  auto const one = [](std::string const& type, std::string const& shape, std::string const& place, std::size_t numbers) {
    return file('{' + tensor("a", type, shape, place) + '}', numbers);
  };
  refused(one("F32", "2", "0,4", 4), "tensor 'a' has 4 bytes, and its type and shape ask for 8");
  refused(one("F64", "", "0,4", 4), "tensor 'a' has 4 bytes, and its type and shape ask for 8");
  refused(one("F32", "0", "0,4", 4), "tensor 'a' has 4 bytes, and its type and shape ask for 0");
  refused(one("F32", "1", "4,0", 4), "tensor 'a' has the bytes 4 to 0, and there are 4");
  refused(one("F32", "1", "0,18446744073709551615", 4), "tensor 'a' has the bytes 0 to 18446744073709551615, and there are 4");
  refused(one("F32", "1", "0,18446744073709551616", 4), "tensor 'a' has a number that is not whole or too large");
  refused(one("F32", "1", "-0,4", 4), "tensor 'a' has a negative number where its header should have a whole number");
  refused(one("F32", "1", "0.0,4", 4), "tensor 'a' has a number that is not whole or too large");
  refused(one("F32", "1", "0", 4), "tensor 'a' has no two data_offsets");
  refused(one("F32", "1", "0,2,4", 4), "tensor 'a' has a number where its header should have two numbers");
  refused(one("F32", "1", "0,\"4\"", 4), "tensor 'a' has a text where its header should have a whole number");
  refused(one("F32", "-1", "0,4", 4), "tensor 'a' has a negative number where its header should have a whole number that is not negative");
  refused(one("F32", "1.0", "0,4", 4), "tensor 'a' has a number that is not whole or too large");
  refused(one("F32", "9223372036854775808", "0,4", 4), "tensor 'a' has a number that is too large");
  refused(one("F32", "4611686018427387904", "0,4", 4), "tensor 'a' has a shape of more than 2^63 bytes");
  refused(one("F32", "4294967296,4294967296", "0,0", 0), "tensor 'a' has a shape of more than 2^63 bytes");
  refused(one("U8", "0,4294967296,4294967296", "0,0", 0), "tensor 'a' has a shape of more than 2^63 bytes");
  refused(one("U8", "1,1,1,1,1,1,1,1,1", "0,1", 1), "tensor 'a' has more than 8 dimensions");
  std::string flag = one("BOOL", "1", "0,1", 1);
  REQUIRE_FALSE(c2f::data::parse_safetensors(flag, "x").tensors.at("a").item<bool>());
  flag.back() = 2;
  refused(flag, "tensor 'a' is BOOL and has a byte that is neither 0 nor 1");
}
