// c2f::data::read_nifti on NIfTI files written byte by byte; files of write_nifti are read back with nifti_clib.
#include <sys/resource.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <zlib.h>

#include <c2f/data/io/nifti.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::refusal;
using tests::require_message;
using bytes = std::vector<unsigned char>;

struct folder : tests::scratch {
  fs::path write(std::string const& name, bytes const& content) const {
    std::ofstream(path / name, std::ios::binary)
        .write(reinterpret_cast<char const*>(content.data()), static_cast<std::streamsize>(content.size()));
    return path / name;
  }
  fs::path pack(std::string const& name, bytes const& content) const {
    gzFile const out = gzopen((path / name).c_str(), "wb");
    gzwrite(out, content.data(), static_cast<unsigned>(content.size()));
    gzclose(out);
    return path / name;
  }
};

template <class T>
void put(bytes& to, std::size_t at, T value, bool swap = false) {
  unsigned char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  for (std::size_t i = 0; i < sizeof(T); ++i) to[at + i] = raw[swap ? sizeof(T) - 1 - i : i];
}

// Offsets from the table of fields in nifti1.h: dim 40, datatype 70, bitpix 72, pixdim 76, vox_offset 108, scl_slope 112, scl_inter 116,
// qform_code 252, sform_code 254, quatern_b 256, qoffset_x 268, srow_x 280, magic 344.
bytes header(std::vector<std::int16_t> const& dim, std::int16_t datatype, std::int16_t bits, bool swap = false) {
  bytes h(352);
  put(h, 0, std::int32_t{348}, swap);
  put(h, 40, static_cast<std::int16_t>(dim.size()), swap);
  for (std::size_t i = 0; i < 7; ++i) put(h, 42 + 2 * i, i < dim.size() ? dim[i] : std::int16_t{1}, swap);
  put(h, 70, datatype, swap);
  put(h, 72, bits, swap);
  float const pixdim[] = {1, 2, 3, 4.5f};
  for (std::size_t i = 0; i < 4; ++i) put(h, 76 + 4 * i, pixdim[i], swap);
  put(h, 108, 352.0f, swap);
  std::memcpy(h.data() + 344, "n+1", 4);
  return h;
}

template <class T>
bytes file_of(std::vector<std::int16_t> const& dim, std::int16_t datatype, std::vector<T> const& values, bool swap = false) {
  bytes file = header(dim, datatype, 8 * sizeof(T), swap);
  for (T const value : values) {
    file.resize(file.size() + sizeof(T));
    put(file, file.size() - sizeof(T), value, swap);
  }
  return file;
}

template <class T>
void require_type(folder const& dir, std::int16_t datatype) {
  for (bool const swap : {false, true}) {
    CAPTURE(datatype, swap);
    auto const path = dir.write("type.nii", file_of<T>({2, 2, 1}, datatype, {T(1), T(2), T(3), T(100)}, swap));
    REQUIRE(read_nifti<float>(path).values == std::vector<float>{1, 2, 3, 100});
    REQUIRE(read_nifti<std::uint8_t>(path).values == std::vector<std::uint8_t>{1, 2, 3, 100});
  }
}

}  // namespace

TEST_CASE("read_nifti reads every type of number in both byte orders") {
  folder dir;
  require_type<std::uint8_t>(dir, 2);
  require_type<std::int16_t>(dir, 4);
  require_type<std::int32_t>(dir, 8);
  require_type<float>(dir, 16);
  require_type<double>(dir, 64);
  require_type<std::int8_t>(dir, 256);
  require_type<std::uint16_t>(dir, 512);
  require_type<std::uint32_t>(dir, 768);
  require_type<std::int64_t>(dir, 1024);
  require_type<std::uint64_t>(dir, 1280);
}

TEST_CASE("read_nifti: order of the voxels, slope and intercept, compressed files, extensions, dimensions of size 1") {
  folder dir;
  auto file = file_of<std::int16_t>({2, 3, 1, 1}, 4, {0, 1, 2, 3, 4, -5});
  put(file, 112, 0.5f);
  put(file, 116, -1.0f);
  for (auto const& path : {dir.write("a.nii", file), dir.pack("a.nii.gz", file)}) {
    auto const v = read_nifti<float>(path);
    REQUIRE(v.dims == std::array<std::int64_t, 3>{2, 3, 1});
    REQUIRE(v(1, 0, 0) == -0.5f);
    REQUIRE(v(0, 1, 0) == 0.0f);
    REQUIRE(v(1, 2, 0) == -3.5f);
    REQUIRE(v.place.spacing == std::array<float, 3>{2, 3, 4.5f});
    // Neither sform nor qform: the spacing alone.
    REQUIRE(v.place.affine[2] == std::array<float, 4>{0, 0, 4.5f, 0});
  }
  put(file, 112, std::nanf(""));  // some programs write NaN for no slope
  REQUIRE(read_nifti<std::int32_t>(dir.write("b.nii", file)).values == std::vector<std::int32_t>{0, 1, 2, 3, 4, -5});

  auto extended = file_of<std::uint8_t>({1, 1, 2}, 2, {7, 9});
  extended.insert(extended.begin() + 352, 32, 0xee);
  put(extended, 108, 384.0f);
  REQUIRE(read_nifti<std::uint8_t>(dir.write("c.nii", extended)).values == std::vector<std::uint8_t>{7, 9});
}

TEST_CASE("read_nifti: the affine matrix of sform, else that of the quaternion") {
  folder dir;
  auto file = file_of<std::uint8_t>({1, 1, 1}, 2, {1});
  put(file, 252, std::int16_t{1});
  put(file, 256, 1.0f);  // b = 1: half a turn about x, diag(1, -1, -1); spacing 2, 3, 4.5
  put(file, 268, 10.0f);
  auto const turned        = read_nifti<float>(dir.write("q.nii", file)).place.affine;
  float const wanted[3][4] = {{2, 0, 0, 10}, {0, -3, 0, 0}, {0, 0, -4.5f, 0}};
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 4; ++c) REQUIRE(turned[r][c] == wanted[r][c]);
  put(file, 254, std::int16_t{2});
  for (std::size_t i = 0; i < 12; ++i) put(file, 280 + 4 * i, static_cast<float>(i));
  REQUIRE(read_nifti<float>(dir.write("s.nii", file)).place.affine[1] == std::array<float, 4>{4, 5, 6, 7});
}

TEST_CASE("read_nifti refuses false headers, and reports what is wrong") {
  folder dir;
  auto const good    = file_of<std::int16_t>({2, 2, 2}, 4, {0, 1, 2, 3, 4, 5, 6, 7});
  auto const refused = [&](std::function<void(bytes&)> const& change, std::vector<std::string> parts) {
    bytes file = good;
    change(file);
    parts.insert(parts.begin(), "bad.nii' ");
    require_message(refusal([&] { static_cast<void>(read_nifti<float>(dir.write("bad.nii", file))); }), parts);
  };
  require_message(refusal([&] { static_cast<void>(read_nifti<float>(dir.path / "none.nii")); }), {"no file '", "none.nii'"});
  require_message(refusal([&] { static_cast<void>(read_nifti<float>(dir.path)); }), {"no file '"});
  refused([](bytes& f) { f.clear(); }, {"0 bytes", "348"});
  refused([](bytes& f) { f.resize(347); }, {"347 bytes"});
  refused([](bytes& f) { put(f, 0, std::int32_t{540}); }, {"348"});
  refused([](bytes& f) { f[345] = 'i', f[344] = 'n', f[346] = '1'; }, {"second file"});
  refused([](bytes& f) { f[344] = 0; }, {"344 to 347"});
  for (int const n : {-1, 0, 2, 8, 32767})
    refused([n](bytes& f) { put(f, 40, static_cast<std::int16_t>(n)); }, {"it has " + std::to_string(n) + " dimensions"});
  refused([](bytes& f) { put(f, 44, std::int16_t{0}); }, {"dimension 2 is 0"});
  refused([](bytes& f) { put(f, 46, std::int16_t{-2}); }, {"dimension 3 is -2"});
  refused([](bytes& f) { put(f, 40, std::int16_t{4}), put(f, 48, std::int16_t{2}); }, {"dimension 4 is 2"});
  for (int const type : {0, 1, 32, 128, 1536, 1792, 2304, 99})
    refused([type](bytes& f) { put(f, 70, static_cast<std::int16_t>(type)); }, {"datatype is"});
  refused([](bytes& f) { put(f, 72, std::int16_t{32}); }, {"datatype 4 does not have 32 bits"});
  float const huge = 3e38f, nan = std::numeric_limits<float>::quiet_NaN();
  for (float const offset : {0.0f, 348.0f, 351.0f, 352.5f, -352.0f, huge, nan})
    refused([offset](bytes& f) { put(f, 108, offset); }, {"values begin at byte"});
  refused([](bytes& f) { put(f, 108, 368.0f); }, {"declares 384 bytes and it has 368"});
  refused([](bytes& f) { put(f, 108, 1e9f); }, {"declares 1000000016 bytes"});
  refused([](bytes& f) { f.pop_back(); }, {"declares 368 bytes and it has 367"});
  refused([](bytes& f) { f.push_back(0); }, {"it has more"});
  refused([](bytes& f) { put(f, 46, std::int16_t{30000}); }, {"declares 240352 bytes and it has 368"});
  refused([](bytes& f) { put(f, 42, std::int16_t{32767}), put(f, 44, std::int16_t{32767}), put(f, 46, std::int16_t{32767}); },
          {"more than 4294967296"});
  // 512 * 512 * 1025 floats are a little more than 1 GiB; as bytes, or with a higher limit, the file is read and found too short.
  auto const large = [](bytes& f) { put(f, 42, std::int16_t{512}), put(f, 44, std::int16_t{512}), put(f, 46, std::int16_t{1025}); };
  refused(large, {"its 268697600 voxels take more than 1073741824 bytes", "pass read_nifti how many bytes"});
  auto lying = good;
  large(lying);
  auto const path = dir.write("large.nii", lying);
  require_message(refusal([&] { static_cast<void>(read_nifti<std::uint8_t>(path)); }), {"declares 537395552 bytes and it has 368"});
  require_message(refusal([&] { static_cast<void>(read_nifti<float>(path, std::int64_t{1} << 31)); }), {"and it has 368"});
  require_message(refusal([&] { static_cast<void>(read_nifti<std::uint8_t>(path, 0)); }), {"take more than 67108864 bytes"});
  for (float const spacing : {0.0f, -1.0f, nan}) refused([spacing](bytes& f) { put(f, 84, spacing); }, {"spacing of dimension 2"});
  refused([nan](bytes& f) { put(f, 254, std::int16_t{1}), put(f, 300, nan); }, {"its srow_y[1] is nan"});
  refused([nan](bytes& f) { put(f, 252, std::int16_t{1}), put(f, 272, nan); }, {"its qoffset_y is nan"});
}

TEST_CASE("read_nifti judges each field of the header alone that is not finite") {
  folder dir;
  auto const good = file_of<std::int16_t>({1, 1, 1}, 4, {473});
  float const nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  auto const with = [&](std::vector<std::pair<std::size_t, float>> const& fields, int qform = 0, int sform = 0) {
    bytes file = good;
    put(file, 252, static_cast<std::int16_t>(qform));
    put(file, 254, static_cast<std::int16_t>(sform));
    for (auto const& [at, value] : fields) put(file, at, value);
    return dir.write("f.nii", file);
  };
  auto const value   = [&](float slope, float intercept) { return read_nifti<float>(with({{112, slope}, {116, intercept}})).values[0]; };
  auto const refused = [&](fs::path const& path, std::vector<std::string> const& parts) {
    require_message(refusal([&] { static_cast<void>(read_nifti<float>(path)); }), parts);
    require_message(refusal([&] { static_cast<void>(read_nifti<std::int32_t>(path)); }), parts);
  };
  REQUIRE(value(2, 0) == 946);
  REQUIRE(value(2, -1024) == -78);
  // A slope of 0, or NaN for it, means that neither is used.
  for (float const none : {0.0f, -0.0f, nan})
    for (float const intercept : {0.0f, 7.0f, nan, inf}) REQUIRE(value(none, intercept) == 473);
  refused(with({{112, 2.0f}, {116, nan}}), {"f.nii'", "its scl_inter is nan and its scl_slope 2", "write 0 into scl_inter"});
  refused(with({{112, 1.0f}, {116, -inf}}), {"its scl_inter is -inf and its scl_slope 1"});
  refused(with({{112, inf}}), {"f.nii'", "its scl_slope is inf"});
  refused(with({{112, -inf}, {116, nan}}), {"its scl_slope is -inf"});

  for (int d = 1; d <= 3; ++d)
    refused(with({{76 + 4 * static_cast<std::size_t>(d), nan}}), {"the spacing of dimension " + std::to_string(d) + " is nan"});
  // pixdim[0] is the handedness of the quaternion.
  char const* const of_qform[] = {"quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"};
  for (std::size_t i = 0; i < 6; ++i) refused(with({{256 + 4 * i, inf}}, 1), {"its " + std::string(of_qform[i]) + " is inf"});
  refused(with({{76, nan}}, 1), {"its pixdim[0] is nan"});
  for (std::size_t i = 0; i < 12; ++i)
    refused(with({{280 + 4 * i, nan}}, 0, 1), {std::string("its srow_") + "xyz"[i / 4] + "[" + std::to_string(i % 4) + "] is nan"});
  // Fields that are not used are not validated.
  REQUIRE(read_nifti<float>(with({{76, nan}, {256, nan}, {268, inf}}, 1, 2)).values[0] == 473);
  REQUIRE(read_nifti<float>(with({{256, nan}, {280, nan}, {124, nan}, {128, inf}, {132, nan}, {136, nan}})).values[0] == 473);
}

TEST_CASE("read_nifti tolerates rounding in labels, and prints what it refuses in full") {
  folder dir;
  auto const labels = [&](std::vector<double> const& values) {
    return read_nifti<std::uint8_t>(dir.write("d.nii", file_of<double>({static_cast<std::int16_t>(values.size()), 1, 1}, 64, values)))
        .values;
  };
  REQUIRE(labels({0.9999999, 1.0000001, -0.0000001, 254.9999, 2.0009}) == std::vector<std::uint8_t>{1, 1, 0, 255, 2});
  REQUIRE(read_nifti<std::int16_t>(dir.write("f.nii", file_of<float>({2, 1, 1}, 16, {-2.9999998f, 0.99999994f}))).values ==
          std::vector<std::int16_t>{-3, 1});
  // 10 * 0.1f is 1.0000000149...
  auto scaled = file_of<std::int16_t>({2, 1, 1}, 4, {10, 30});
  put(scaled, 112, 0.1f);
  REQUIRE(read_nifti<std::uint8_t>(dir.write("s.nii", scaled)).values == std::vector<std::uint8_t>{1, 3});

  auto const refused = [&](double value, std::string const& text) {
    require_message(refusal([&] { labels({0, value}); }), {"voxel (1, 0, 0) is " + text + ", which is not a label"});
  };
  refused(0.9987654321, "0.9987654321");
  refused(1.0011, "1.0011");
  refused(0.5, "0.5");
  refused(255.002, "255.002");
  refused(-1, "-1");
  refused(1e300, "1e+300");
  auto const single = dir.write("g.nii", file_of<float>({1, 1, 1}, 16, {0.1f}));
  require_message(refusal([&] { static_cast<void>(read_nifti<std::uint8_t>(single)); }), {"is 0.1, which is not a label"});
  // Intensities are never rounded.
  REQUIRE(read_nifti<float>(dir.write("i.nii", file_of<float>({1, 1, 1}, 16, {0.9999999f}))).values[0] == 0.9999999f);
}

TEST_CASE("read_nifti reports the first voxel that is not a valid intensity or label") {
  folder dir;
  auto const nan  = std::numeric_limits<double>::quiet_NaN();
  auto const path = dir.write("v.nii", file_of<double>({2, 2, 2}, 64, {0, 1, 2, 3, 4, nan, 1e300, 0}));
  require_message(refusal([&] { static_cast<void>(read_nifti<float>(path)); }),
                  {"v.nii', voxel (1, 0, 1) is", "nan", "not a finite intensity"});
  auto const large = dir.write("l.nii", file_of<double>({2, 2, 2}, 64, {0, 1, 2, 3, 4, 5, 1e300, 0}));
  require_message(refusal([&] { static_cast<void>(read_nifti<float>(large)); }), {"voxel (0, 1, 1)"});
  auto const half = dir.write("h.nii", file_of<float>({1, 2, 1}, 16, {1, 1.5f}));
  require_message(refusal([&] { static_cast<void>(read_nifti<std::int32_t>(half)); }), {"voxel (0, 1, 0) is 1.5", "is not a label"});
  auto const wide = dir.write("w.nii", file_of<std::int16_t>({1, 3, 1}, 4, {255, 0, -1}));
  require_message(refusal([&] { static_cast<void>(read_nifti<std::uint8_t>(wide)); }), {"voxel (0, 2, 0) is -1"});
}

TEST_CASE("read_nifti refuses compressed files that are truncated or damaged") {
  folder dir;
  std::vector<std::int16_t> values(1000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int16_t>(i * i * 7919 % 20011);
  auto const path = dir.pack("p.nii.gz", file_of<std::int16_t>({10, 10, 10}, 4, values));
  REQUIRE(read_nifti<float>(path).values[31] == static_cast<float>(31 * 31 * 7919 % 20011));
  auto const size = fs::file_size(path);
  for (auto const left : {size - 1, size - 8, size / 2, std::uintmax_t{11}}) {
    CAPTURE(left);
    fs::resize_file(path, left);
    REQUIRE_THROWS_AS(read_nifti<float>(path), c2f::input_error);
  }
  dir.pack("p.nii.gz", file_of<std::int16_t>({10, 10, 10}, 4, values));
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(static_cast<std::streamoff>(size / 2)).put('\x5a').put('\xa5');
  REQUIRE_THROWS_AS(read_nifti<float>(path), c2f::input_error);
}

TEST_CASE("write_nifti keeps spacing and affine matrix bit for bit, as read by nifti_clib") {
  folder dir;
  auto file = file_of<float>({3, 2, 2}, 16, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  put(file, 252, std::int16_t{1});
  put(file, 256, 0.1f), put(file, 260, -0.7f), put(file, 264, 0.3f);
  put(file, 268, 0.1f), put(file, 272, 1.0f / 3), put(file, 276, -77.7f);
  put(file, 254, std::int16_t{2});
  for (std::size_t i = 0; i < 12; ++i) put(file, 280 + 4 * i, std::sin(static_cast<float>(i)));
  std::memcpy(file.data() + 148, "a scan", 6);
  auto const source = dir.write("source.nii", file);
  auto const image  = read_nifti<float>(source);
  volume<std::uint8_t> mask(image.dims, image.place);
  mask(2, 1, 0) = 1, mask(0, 0, 1) = 200;
  for (std::string const name : {"mask.nii", "mask.nii.gz", "MASK.NII.GZ", "mask.Nii.Gz", "x.NII"}) {
    auto const path = dir.path / name;
    write_nifti(path, mask);
    auto const content = tests::contents(path);
    REQUIRE((content[0] == 0x1f && content[1] == 0x8b) == (name.size() > 9));  // gzip's magic number
    if (name != "mask.nii" && name != "mask.nii.gz") {
      REQUIRE(read_nifti<std::uint8_t>(path).values == mask.values);
      continue;  // nifti_clib knows endings in lower case
    }
    REQUIRE(read_nifti<std::uint8_t>(path).values == mask.values);
    REQUIRE(read_nifti<std::uint8_t>(path).place.affine == image.place.affine);
    nifti_image* const a = nifti_image_read(source.c_str(), 1);
    nifti_image* const b = nifti_image_read(path.c_str(), 1);
    REQUIRE(a != nullptr);
    REQUIRE(b != nullptr);
    REQUIRE(std::memcmp(&a->sto_xyz, &b->sto_xyz, sizeof(mat44)) == 0);
    REQUIRE(std::memcmp(&a->qto_xyz, &b->qto_xyz, sizeof(mat44)) == 0);
    REQUIRE(std::memcmp(image.place.affine.data(), &b->sto_xyz, 48) == 0);
    REQUIRE(a->dx == b->dx);
    REQUIRE(std::string(b->descrip) == "a scan");
    REQUIRE(b->datatype == DT_UINT8);
    REQUIRE(b->nvox == 12);
    REQUIRE(std::memcmp(b->data, mask.values.data(), 12) == 0);
    nifti_image_free(a), nifti_image_free(b);
  }
  std::size_t files = 0;
  for ([[maybe_unused]] auto const& entry : fs::directory_iterator(dir.path)) ++files;
  REQUIRE(files == 6);  // no temporary file is left

  // Changed after it was read: what the volume says, not its header.
  auto moved               = image;
  moved.place.affine[2][3] = 12.5f;
  moved.place.spacing[0]   = 4;
  write_nifti(dir.path / "moved.nii", moved);
  auto const elsewhere = read_nifti<float>(dir.path / "moved.nii");
  REQUIRE(elsewhere.place.affine == moved.place.affine);
  REQUIRE(elsewhere.place.spacing == moved.place.spacing);
  REQUIRE(std::string(reinterpret_cast<char const*>(elsewhere.place.header.data()) + 148) == "a scan");

  // A volume not read from a file: its spacing and affine matrix.
  volume<float> made({1, 2, 1});
  made.place.spacing = {1, 2, 3};
  made.place.affine  = {{{1, 0, 0, 5}, {0, 2, 0, 6}, {0, 0, 3, 7}}};
  made.values        = {0.25f, -1};
  write_nifti(dir.path / "made.nii.gz", made);
  auto const back = read_nifti<float>(dir.path / "made.nii.gz");
  REQUIRE(back.values == made.values);
  REQUIRE(back.place.affine == made.place.affine);
  REQUIRE(back.place.spacing == made.place.spacing);
}

TEST_CASE("write_nifti reports a path that it cannot write") {
  volume<float> const v({1, 1, 1});
  require_message(refusal([&] { write_nifti("/nowhere/at/all.nii", v); }), {"cannot write '/nowhere/at/all.nii'"});
  require_message(refusal([&] { write_nifti("/tmp/x.nii", volume<std::uint8_t>({40000, 1, 1})); }), {"40000 x 1 x 1", "32767"});
}

TEST_CASE("write_nifti leaves an existing file unchanged when a write fails") {
  folder const dir;
  volume<float> before({1, 1, 1}), large({40, 40, 40});
  before.values       = {7};
  std::uint32_t drawn = 1;
  for (float& each : large.values) each = static_cast<float>((drawn = drawn * 1664525u + 1013904223u) >> 8);  // compresses badly
  for (char const* name : {"a.nii", "a.nii.gz"})
    for (::rlim_t const limit : {1000, 20000}) {
      write_nifti(dir.path / name, before);
      auto const ignored = std::signal(SIGXFSZ, SIG_IGN);
      ::rlimit was{}, few{};
      REQUIRE(::getrlimit(RLIMIT_FSIZE, &was) == 0);
      few          = was;
      few.rlim_cur = limit;
      REQUIRE(::setrlimit(RLIMIT_FSIZE, &few) == 0);
      std::string const message = refusal([&] { write_nifti(dir.path / name, large); });
      REQUIRE(::setrlimit(RLIMIT_FSIZE, &was) == 0);
      std::signal(SIGXFSZ, ignored);
      require_message(message, {"cannot write '" + (dir.path / name).string() + "': write: File too large"});
      REQUIRE(read_nifti<float>(dir.path / name).values == before.values);
    }
  REQUIRE(std::distance(fs::directory_iterator(dir.path), {}) == 2);
}

TEST_CASE("read_nifti reads the CT and hippocampus volumes as nifti_clib does") {
  auto const ct = tests::data("ct_totalsegmentator");
  if (!ct) {
    C2F_SKIP("no ct_totalsegmentator here; set C2F_DATA");
  }
  for (std::string const name : {"example_ct.nii.gz", "example_ct_sm.nii.gz", "example_seg.nii.gz"}) {
    CAPTURE(name);
    auto const v               = read_nifti<float>(*ct / name);
    nifti_image* const library = nifti_image_read((*ct / name).c_str(), 1);
    REQUIRE(library->nvox == v.values.size());
    REQUIRE(v.dims == std::array<std::int64_t, 3>{library->nx, library->ny, library->nz});
    REQUIRE(std::memcmp(v.place.affine.data(), &library->sto_xyz, 48) == 0);
    std::size_t differ = 0;
    for (std::size_t i = 0; i < v.values.size(); ++i) {
      float const wanted = library->datatype == DT_INT32   ? static_cast<float>(static_cast<std::int32_t*>(library->data)[i])
                           : library->datatype == DT_INT16 ? static_cast<float>(static_cast<std::int16_t*>(library->data)[i])
                           : library->datatype == DT_UINT8 ? static_cast<float>(static_cast<std::uint8_t*>(library->data)[i])
                                                           : static_cast<float>(static_cast<double*>(library->data)[i]);
      differ += wanted != v.values[i];
    }
    REQUIRE(differ == 0);
    nifti_image_free(library);
  }
}
