// c2f/data/io/nifti.hpp: volumes in NIfTI-1 files, .nii and .nii.gz.
//
//   auto ct    = c2f::data::read_nifti<float>("ct.nii.gz");              // intensities: slope and intercept applied
//   auto organ = c2f::data::read_nifti<std::int32_t>("labels.nii.gz");   // labels: whole numbers, or an error
//   c2f::data::write_nifti("prediction.nii.gz", mask);                   // with mask.place from ct: the same affine, bit for bit
//
// The format is https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h: 348 bytes of header, optional extensions, values from
// vox_offset on. The header is checked here before memory is allocated, and the values are read through zlib; from nifti_clib, which trusts
// headers (its issues 196 and 197), only the header's layout, byte swapping and the quaternion's matrix are used. Supported are volumes of
// 3 dimensions (further ones must have size 1) in one file, of any integer or floating point type up to 64 bits, in either byte order.
// Extensions are skipped and not written back. A file whose data is shorter or longer than its header declares is rejected.
//
// Fields of the header that are used must be finite, each by itself. Used are vox_offset, pixdim[1 ... 3], scl_slope, scl_inter, and srow_*
// if sform_code is above 0, else quatern_*, qoffset_* and pixdim[0] if qform_code is. A scl_slope of 0, or NaN, which some programs write for
// it, means no scaling, whatever scl_inter is; beside any other slope an intercept that is not finite is an error (also in nibabel): the
// slope alone may be right, or not. Labels that miss a whole number by rounding are that number (data/numbers.hpp).
//
// Costs: a file is read and decompressed twice, once to count its bytes and once for its values, so memory is allocated only when the data
// is known to be complete: the values and a buffer of 64 KiB. The values may take 1 GiB, or four times the file's size if that is more;
// another limit: read_nifti<float>(path, most_bytes). At most 4 GiB are decompressed.
// Needs libniftiio and zlib.
// Errors: input_error with the file's name: an invalid header, a truncated or damaged file, the first voxel that is not finite or not a
// label, a file that cannot be written (then no file is created).
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <nifti1_io.h>
#include <zlib.h>

#include <c2f/core/errors.hpp>
#include <c2f/data/numbers.hpp>
#include <c2f/data/volumes/volume.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/whole_file.hpp>

namespace c2f::data {

/// The types that a voxel can be read as. Their values are exact in a double.
template <class T>
concept voxel = std::same_as<T, float> || (std::integral<T> && sizeof(T) <= 4 && !std::same_as<T, bool>);

namespace detail {

inline constexpr std::int64_t nifti_first_byte = 352, nifti_largest = std::int64_t{1} << 32, nifti_most = std::int64_t{1} << 30;

/// Sequential access to the decompressed bytes of a file; an uncompressed file is read unchanged.
class unpacked_file {
 public:
  explicit unpacked_file(std::filesystem::path const& path) : name_("'" + path.string() + "'"), file_(nullptr, &gzclose_r) {
    std::error_code failed;
    if (!std::filesystem::is_regular_file(path, failed)) throw input_error("no file " + name_ + "; check its name and folder");
    size_ = static_cast<std::int64_t>(std::filesystem::file_size(path, failed));
    file_.reset(gzopen(path.c_str(), "rb"));
    if (failed || !file_) throw input_error("cannot open " + name_ + "; make it readable");
  }

  /// Reads up to n bytes; fewer only at the end of the file.
  std::int64_t read(void* to, std::int64_t n) {
    std::int64_t done = 0;
    while (done < n) {
      int const got = gzread(file_.get(), static_cast<char*>(to) + done, static_cast<unsigned>(std::min(n - done, std::int64_t{1} << 20)));
      if (got > 0) done += got;
      if (got <= 0) break;
    }
    int code              = Z_OK;
    char const* const why = gzerror(file_.get(), &code);
    if (done < n && code != Z_OK && code != Z_STREAM_END)
      throw input_error(name_ + " cannot be unpacked: " + (*why ? why : "it is truncated") + "; copy it again");
    return done;
  }
  /// Skips up to n bytes.
  std::int64_t skip(std::int64_t n) {
    std::array<char, 1 << 14> dropped;
    std::int64_t done = 0;
    for (std::int64_t got = 1; done < n && got > 0; done += got)
      got = read(dropped.data(), std::min<std::int64_t>(n - done, dropped.size()));
    return done;
  }
  /// Rewinds to byte `first`; false if the file has become shorter.
  bool restart(std::int64_t first) { return gzrewind(file_.get()) == 0 && skip(first) == first; }
  [[nodiscard]] std::string const& name() const { return name_; }
  /// The compressed size in bytes.
  [[nodiscard]] std::int64_t size() const { return size_; }

 private:
  std::string name_;
  std::int64_t size_ = 0;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

/// A checked header, and what follows from it.
struct nifti_facts {
  nifti_1_header header;  // in the host's byte order
  bool swapped;
  std::array<std::int64_t, 3> dims;
  std::int64_t voxel_bytes, first_byte;
  double slope, intercept;
  [[nodiscard]] std::int64_t voxels() const { return dims[0] * dims[1] * dims[2]; }
  [[nodiscard]] std::int64_t file_bytes() const { return first_byte + voxels() * voxel_bytes; }
};

[[noreturn]] inline void refuse_nifti(std::string const& name, std::string const& why, std::string const& remedy) {
  throw input_error(name + " cannot be read as a NIfTI volume: " + why + "; " + remedy);
}

inline std::int64_t nifti_voxel_bytes(int datatype) {
  switch (datatype) {
    case DT_UINT8:
    case DT_INT8:
      return 1;
    case DT_INT16:
    case DT_UINT16:
      return 2;
    case DT_INT32:
    case DT_UINT32:
    case DT_FLOAT32:
      return 4;
    case DT_INT64:
    case DT_UINT64:
    case DT_FLOAT64:
      return 8;
    default:
      return 0;
  }
}

inline void check_finite(float value, std::string const& field, std::string const& name) {
  if (!std::isfinite(value))
    refuse_nifti(name, "its " + field + " is " + text_of(value), "its header is damaged, so correct the field, or get the file again");
}

/// Checks a header; throws if it is invalid or not supported.
inline nifti_facts check_nifti(nifti_1_header header, std::string const& name) {
  static_assert(sizeof(nifti_1_header) == 348);
  char const* const convert = "convert it to one NIfTI-1 file of three dimensions";
  char const* const again   = "its header is damaged, so get the file again";
  bool const swapped        = header.sizeof_hdr != 348;
  if (swapped) swap_nifti_header(&header, 1);
  if (header.sizeof_hdr != 348) refuse_nifti(name, "it does not begin with the number 348 that every NIfTI-1 file begins with", convert);
  if (std::memcmp(header.magic, "ni1", 4) == 0) refuse_nifti(name, "its values are in a second file (.img)", convert);
  if (std::memcmp(header.magic, "n+1", 4) != 0) refuse_nifti(name, "bytes 344 to 347 are not 'n+1'", convert);

  if (header.dim[0] < 3 || header.dim[0] > 7) refuse_nifti(name, "it has " + std::to_string(header.dim[0]) + " dimensions", convert);
  nifti_facts facts{header, swapped, {header.dim[1], header.dim[2], header.dim[3]}, nifti_voxel_bytes(header.datatype), 0, 1, 0};
  for (int d = 1; d <= header.dim[0]; ++d)
    if (header.dim[d] < 1 || (d > 3 && header.dim[d] != 1))
      refuse_nifti(name, "its size along dimension " + std::to_string(d) + " is " + std::to_string(header.dim[d]), convert);
  if (facts.voxel_bytes == 0)
    refuse_nifti(name, "its datatype is " + std::to_string(header.datatype),
                 "convert it to integers or floating point numbers of up to 64 bits");
  if (header.bitpix != 8 * facts.voxel_bytes)
    refuse_nifti(name, "its datatype " + std::to_string(header.datatype) + " does not have " + std::to_string(header.bitpix) + " bits",
                 again);

  // 2^31, so that the conversion to an integer cannot overflow; larger offsets are rejected below anyway.
  if (!(header.vox_offset >= nifti_first_byte && header.vox_offset < 0x1p31f) || header.vox_offset != std::floor(header.vox_offset))
    refuse_nifti(name, "its values begin at byte " + text_of(header.vox_offset) + ", not at 352 or a whole number above", again);
  facts.first_byte = static_cast<std::int64_t>(header.vox_offset);
  if (facts.file_bytes() > nifti_largest)
    refuse_nifti(name, "its header declares " + std::to_string(facts.file_bytes()) + " bytes, more than 4294967296",
                 "cut the volume into smaller ones");

  for (int d = 1; d <= 3; ++d)
    if (!(header.pixdim[d] > 0) || !std::isfinite(header.pixdim[d]))
      refuse_nifti(name, "the spacing of dimension " + std::to_string(d) + " is " + text_of(header.pixdim[d]), again);
  if (header.scl_slope != 0 && !std::isnan(header.scl_slope)) {
    check_finite(header.scl_slope, "scl_slope", name);
    if (!std::isfinite(header.scl_inter))
      refuse_nifti(name, "its scl_inter is " + text_of(header.scl_inter) + " and its scl_slope " + text_of(header.scl_slope),
                   "write 0 into scl_inter if nothing is to be added");
    facts.slope = header.scl_slope, facts.intercept = header.scl_inter;
  }
  return facts;
}

inline placement place_of(nifti_facts const& facts, std::string const& name) {
  nifti_1_header const& h = facts.header;
  placement place;
  place.spacing = {h.pixdim[1], h.pixdim[2], h.pixdim[3]};
  std::memcpy(place.header.data(), &h, sizeof h);
  auto const check = [&](char const* field, float const* values, int count) {
    for (int i = 0; i < count; ++i) check_finite(values[i], std::string(field) + '[' + std::to_string(i) + ']', name);
  };
  if (h.sform_code > 0) {
    check("srow_x", h.srow_x, 4), check("srow_y", h.srow_y, 4), check("srow_z", h.srow_z, 4);
    std::memcpy(place.affine[0].data(), h.srow_x, sizeof h.srow_x);
    std::memcpy(place.affine[1].data(), h.srow_y, sizeof h.srow_y);
    std::memcpy(place.affine[2].data(), h.srow_z, sizeof h.srow_z);
  } else if (h.qform_code > 0) {
    for (auto const& [field, value] :
         {std::pair{"quatern_b", h.quatern_b}, std::pair{"quatern_c", h.quatern_c}, std::pair{"quatern_d", h.quatern_d},
          std::pair{"qoffset_x", h.qoffset_x}, std::pair{"qoffset_y", h.qoffset_y}, std::pair{"qoffset_z", h.qoffset_z},
          std::pair{"pixdim[0]", h.pixdim[0]}})
      check_finite(value, field, name);
    mat44 const m = nifti_quatern_to_mat44(h.quatern_b, h.quatern_c, h.quatern_d, h.qoffset_x, h.qoffset_y, h.qoffset_z, h.pixdim[1],
                                           h.pixdim[2], h.pixdim[3], h.pixdim[0]);
    for (std::size_t row = 0; row < 3; ++row) std::memcpy(place.affine[row].data(), m.m[row], sizeof m.m[row]);
  } else {
    for (std::size_t d = 0; d < 3; ++d) place.affine[d][d] = place.spacing[d];
  }
  for (auto const& row : place.affine)
    for (float const value : row)
      if (!std::isfinite(value)) refuse_nifti(name, "its affine matrix is too large", "its header is damaged, so get the file again");
  return place;
}

/// Converts n values to T. Returns the number converted before the first that does not fit, whose value is stored in `refused`.
template <class Stored, voxel T>
std::int64_t convert_from(unsigned char const* from, std::int64_t n, nifti_facts const& facts, T* to, double& refused) {
  for (std::int64_t i = 0; i < n; ++i, from += sizeof(Stored)) {
    std::array<unsigned char, sizeof(Stored)> bytes;
    std::copy_n(from, sizeof(Stored), bytes.begin());
    if (facts.swapped) std::reverse(bytes.begin(), bytes.end());
    double const stored = facts.slope * static_cast<double>(std::bit_cast<Stored>(bytes)) + facts.intercept;
    using limits        = std::numeric_limits<T>;
    auto const holds    = [](double each) { return each >= double{limits::lowest()} && each <= double{limits::max()}; };  // false for NaN
    double value        = stored;
    bool fits           = holds(value);
    if constexpr (std::integral<T>)
      if (!fits || static_cast<double>(static_cast<T>(value)) != value) {
        value = without_rounding(stored);
        fits  = holds(value) && value == std::floor(value);
      }
    if (!fits) {
      refused = stored;
      return i;
    }
    to[i] = static_cast<T>(value);
  }
  return n;
}

/// A voxel's value as a text; that of a float, unscaled, with a float's digits.
inline std::string refused_text(double value, nifti_facts const& facts) {
  bool const is_float = facts.header.datatype == DT_FLOAT32 && facts.slope == 1 && facts.intercept == 0;
  return is_float ? text_of(static_cast<float>(value)) : text_of(value);
}

template <voxel T>
std::int64_t convert_voxels(unsigned char const* from, std::int64_t n, nifti_facts const& facts, T* to, double& refused) {
  switch (facts.header.datatype) {
    case DT_UINT8:
      return convert_from<std::uint8_t>(from, n, facts, to, refused);
    case DT_INT8:
      return convert_from<std::int8_t>(from, n, facts, to, refused);
    case DT_INT16:
      return convert_from<std::int16_t>(from, n, facts, to, refused);
    case DT_UINT16:
      return convert_from<std::uint16_t>(from, n, facts, to, refused);
    case DT_INT32:
      return convert_from<std::int32_t>(from, n, facts, to, refused);
    case DT_UINT32:
      return convert_from<std::uint32_t>(from, n, facts, to, refused);
    case DT_INT64:
      return convert_from<std::int64_t>(from, n, facts, to, refused);
    case DT_UINT64:
      return convert_from<std::uint64_t>(from, n, facts, to, refused);
    case DT_FLOAT32:
      return convert_from<float>(from, n, facts, to, refused);
    default:
      return convert_from<double>(from, n, facts, to, refused);
  }
}

inline nifti_1_header read_nifti_header(unpacked_file& file) {
  nifti_1_header header{};
  std::int64_t const got = file.read(&header, sizeof header);
  if (got != sizeof header)
    refuse_nifti(file.name(), "it has " + std::to_string(got) + " bytes, and a header alone has 348", "get the file again");
  return header;
}

template <voxel T>
inline constexpr int nifti_datatype = std::same_as<T, float> ? DT_FLOAT32
                                      : sizeof(T) == 1       ? (std::signed_integral<T> ? DT_INT8 : DT_UINT8)
                                      : sizeof(T) == 2       ? (std::signed_integral<T> ? DT_INT16 : DT_UINT16)
                                                             : (std::signed_integral<T> ? DT_INT32 : DT_UINT32);

/// The header of a file to be written: the placement's header, if it has one, with the fields on size and type replaced; and those on the
/// place, if spacing or affine matrix were changed since it was read.
inline nifti_1_header header_for(std::array<std::int64_t, 3> const& dims, placement const& place, int datatype, std::size_t voxel_bytes) {
  nifti_1_header header{};
  std::memcpy(&header, place.header.data(), sizeof header);
  bool moved = header.sizeof_hdr != 348;
  if (moved) {
    header            = {};
    header.sizeof_hdr = 348;
    header.regular    = 'r';
    header.xyzt_units = NIFTI_UNITS_MM;
  } else {
    placement const held = place_of({header, false, {}, 0, 0, 1, 0}, "the header of a volume");
    moved                = held.affine != place.affine || held.spacing != place.spacing;
  }
  if (moved) {
    header.sform_code = NIFTI_XFORM_SCANNER_ANAT;
    header.qform_code = NIFTI_XFORM_UNKNOWN;
    header.pixdim[0]  = 1;
    std::copy(place.spacing.begin(), place.spacing.end(), header.pixdim + 1);
    std::copy(place.affine[0].begin(), place.affine[0].end(), header.srow_x);
    std::copy(place.affine[1].begin(), place.affine[1].end(), header.srow_y);
    std::copy(place.affine[2].begin(), place.affine[2].end(), header.srow_z);
  }
  std::fill(header.dim, header.dim + 8, short{1});
  header.dim[0] = 3;
  for (std::size_t d = 0; d < 3; ++d) header.dim[d + 1] = static_cast<short>(dims[d]);
  header.datatype   = static_cast<short>(datatype);
  header.bitpix     = static_cast<short>(8 * voxel_bytes);
  header.vox_offset = static_cast<float>(nifti_first_byte);
  header.scl_slope  = 1;
  header.scl_inter = header.cal_min = header.cal_max = 0;
  header.intent_code                                 = NIFTI_INTENT_NONE;
  std::memcpy(header.magic, "n+1", 4);
  return header;
}

/// Writes header and values to a file, gzip-compressed if `packed`.
inline void write_packed(std::filesystem::path const& path, bool packed, std::array<char, 352> const& head, void const* values,
                         std::size_t bytes) {
  whole_file to(path);
  errno            = 0;
  int const its    = ::dup(to.descriptor());
  gzFile const out = its < 0 ? nullptr : gzdopen(its, packed ? "wb6" : "wbT");  // gzclose closes the descriptor
  if (out == nullptr && its >= 0) ::close(its);
  bool good = out != nullptr && gzwrite(out, head.data(), static_cast<unsigned>(head.size())) == static_cast<int>(head.size());
  for (auto from = static_cast<char const*>(values); good && bytes > 0;) {
    auto const some = static_cast<unsigned>(std::min(bytes, std::size_t{1} << 20));
    good            = gzwrite(out, from, some) == static_cast<int>(some);
    from += some, bytes -= some;
  }
  good = out != nullptr && gzclose(out) == Z_OK && good;
  if (!good) fail_to_write(path, "write", errno != 0 ? errno : EIO);
  to.commit();
}

}  // namespace detail

/// Reads a volume with values of type T. The values may take most_bytes, 64 MiB, or four times the file's size, whichever is most.
template <voxel T>
[[nodiscard]] volume<T> read_nifti(std::filesystem::path const& path, std::int64_t most_bytes = detail::nifti_most) {
  detail::unpacked_file file(path);
  auto const facts        = detail::check_nifti(detail::read_nifti_header(file), file.name());
  auto const place        = detail::place_of(facts, file.name());
  std::int64_t const most = std::max({most_bytes, std::int64_t{1} << 26, 4 * file.size()}), value_bytes = sizeof(T);
  if (facts.voxels() > most / value_bytes)
    detail::refuse_nifti(file.name(), "its " + std::to_string(facts.voxels()) + " voxels take more than " + std::to_string(most) + " bytes",
                         "cut the volume into smaller ones, or pass read_nifti how many bytes it may take");
  std::int64_t const bytes = static_cast<std::int64_t>(sizeof(nifti_1_header)) + file.skip(facts.file_bytes() + 1 - 348);
  if (bytes != facts.file_bytes())
    detail::refuse_nifti(file.name(),
                         "its header declares " + std::to_string(facts.file_bytes()) + " bytes and it has " +
                             (bytes < facts.file_bytes() ? std::to_string(bytes) : std::string("more")),
                         "its header is damaged or it is truncated, so get the file again");

  volume<T> result(facts.dims, place);
  std::vector<unsigned char> buffer(std::size_t{1} << 16);  // a multiple of every voxel size
  bool whole = file.restart(facts.first_byte);
  for (std::int64_t done = 0; done < result.size();) {
    std::int64_t const n = std::min<std::int64_t>(result.size() - done, static_cast<std::int64_t>(buffer.size()) / facts.voxel_bytes);
    whole                = whole && file.read(buffer.data(), n * facts.voxel_bytes) == n * facts.voxel_bytes;
    if (!whole) throw input_error(file.name() + " became shorter while it was read; read it when nothing writes it");
    double refused          = 0;
    std::int64_t const good = detail::convert_voxels(buffer.data(), n, facts, result.values.data() + done, refused);
    done += good;
    if (good < n) {
      std::int64_t const x = done % facts.dims[0], y = done / facts.dims[0] % facts.dims[1], z = done / facts.dims[0] / facts.dims[1];
      throw input_error(file.name() + ", voxel (" + std::to_string(x) + ", " + std::to_string(y) + ", " + std::to_string(z) + ") is " +
                        detail::refused_text(refused, facts) +
                        (std::same_as<T, float> ? ", which is not a finite intensity; correct the volume"
                                                : ", which is not a label; pass a file of whole numbers that are not too large"));
    }
  }
  return result;
}

/// Writes a volume, gzip-compressed if the name ends in .gz, in any case. The geometry (v.place) is kept bit for bit.
template <voxel T>
void write_nifti(std::filesystem::path const& path, volume<T> const& v) {
  for (std::int64_t const side : v.dims)
    if (side < 1 || side > std::numeric_limits<short>::max())
      throw input_error("a volume of " + detail::dims_text(v.dims) + " voxels cannot be a NIfTI file; its sides are 1 to 32767");
  auto const header = detail::header_for(v.dims, v.place, detail::nifti_datatype<T>, sizeof(T));
  std::array<char, 352> head{};  // the last four bytes, 0, mean that no extension follows
  std::memcpy(head.data(), &header, sizeof header);

  detail::write_packed(path, detail::has_ending(path.filename().string(), ".gz"), head, v.values.data(), v.values.size() * sizeof(T));
}

}  // namespace c2f::data
