// The rule for names (data/io/names.hpp) in itself and in every reader, and the names of outputs.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zip.h>

#include <c2f/data/datasets/camvid.hpp>
#include <c2f/data/datasets/cifar.hpp>
#include <c2f/data/datasets/image_folder.hpp>
#include <c2f/data/datasets/omniglot.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/output_names.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::refusal;
using tests::require_message;
using bytes = std::vector<std::uint8_t>;

bytes bytes_of(std::string const& text) { return {text.begin(), text.end()}; }

struct folder : tests::scratch {
  void write(std::string const& name, std::string const& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << text;
  }
};

std::vector<std::pair<std::string, std::size_t>> lines_of(std::string_view text) {
  std::vector<std::pair<std::string, std::size_t>> all;
  detail::for_each_line(text, [&](std::string_view line, std::size_t number) { all.emplace_back(line, number); });
  return all;
}

}  // namespace

TEST_CASE("lines: byte order mark, CRLF, blanks around and inside, blank lines") {
  using lines = std::vector<std::pair<std::string, std::size_t>>;
  REQUIRE(lines_of("\xef\xbb\xbfship (1)\r\n\r\n traffic\tlight \r\nlast") == lines{{"ship (1)", 1}, {"traffic\tlight", 3}, {"last", 4}});
  REQUIRE(lines_of("a\n\n \t\r\n\n") == lines{{"a", 1}});
  REQUIRE(lines_of("").empty());
  REQUIRE(lines_of("\xef\xbb\xbf").empty());
  REQUIRE(lines_of("\n\r\n").empty());
  // Only one mark at the very beginning is none of the name.
  REQUIRE(lines_of("a\n\xef\xbb\xbf"
                   "b") == lines{{"a", 1},
                                 {"\xef\xbb\xbf"
                                  "b",
                                  2}});
}

TEST_CASE("endings in any case, hidden names, texts for messages") {
  using namespace c2f::data::detail;
  for (char const* name : {"a.png", "a.PNG", "ship (1).Png", "a.b.pNg"}) REQUIRE(has_ending(name, ".png"));
  for (char const* name : {"a.jpg", "png", ".png", "a.png ", ""}) REQUIRE(!has_ending(name, ".png"));
  REQUIRE(has_ending("ct.NII.GZ", {".nii", ".nii.gz"}));
  REQUIRE(with_lower_ending("Ct.NII.GZ", {".nii.gz", ".nii"}) == "Ct.nii.gz");
  REQUIRE(with_lower_ending("Ct.NII", {".nii.gz", ".nii"}) == "Ct.nii");
  REQUIRE(with_lower_ending("README.TXT", {".nii.gz", ".nii"}) == "README.TXT");
  for (char const* path : {".DS_Store", "._a.png", "images/._a.png", ".ipynb_checkpoints/a.png", "a/.b/c"}) REQUIRE(is_hidden(path));
  for (char const* path : {"a.png", "a/b.c/d", "./a.png", "../a.png", "a..b", ""}) REQUIRE(!is_hidden(path));
  // 25 letters of three bytes after an x are cut between letters (core/text.hpp).
  std::string letters = "x", whole = "x";
  for (int i = 0; i < 25; ++i) letters += "\xe2\x82\xac", whole += i < 16 ? "\xe2\x82\xac" : "";
  REQUIRE(printable(letters, 20) == whole + "...");
  REQUIRE(printable(letters) == letters);
  REQUIRE(printable("a\nb\x7f") == "a\\x0ab\\x7f");
  REQUIRE(printable(std::string(70, 'a')) == std::string(57, 'a') + "...");
}

TEST_CASE("folders: hidden names, endings, and pairs of names") {
  folder const dir;
  for (char const* name : {"images/a.png", "images/B.PNG", "images/ship (1).Png", "images/._a.png", "images/.hidden/x.png", "images/a.txt",
                           "masks/a.PNG", "masks/ship (1).png", "masks/only.png"})
    dir.write(name, "x");
  using names       = std::set<std::string>;
  auto const images = dir.path / "images", masks = dir.path / "masks";
  REQUIRE(detail::files_in(images, {".png"}) == names{"B.PNG", "a.png", "ship (1).Png"});
  std::vector<std::pair<std::string, std::string>> found;
  for (auto const& [first, second] :
       detail::pairs_of(images, detail::files_in(images, {".png"}), masks, detail::files_in(masks, {".png"}), {".png"}))
    found.emplace_back(first, second);
  REQUIRE(found == std::vector<std::pair<std::string, std::string>>{
                       {"B.PNG", "B.PNG"}, {"a.png", "a.PNG"}, {"only.png", "only.png"}, {"ship (1).Png", "ship (1).png"}});
  REQUIRE(refusal([&] { (void)detail::files_in(dir.path / "none", {".png"}); }).starts_with("cannot list the folder '"));
}

TEST_CASE("lists of pictures: byte order mark, CRLF, blanks, blank lines, hidden files") {
  auto const parsed = [](std::string const& text) { return detail::parse_split_csv(bytes_of(text), "list.csv"); };
  for (std::string const mark : {"", "\xef\xbb\xbf"}) {
    auto const list = parsed(mark + "filename,label\r\nship (1).JPG,sea ship\r\n a.jpg , traffic light \r\n._a.jpg,sea ship\r\n\r\n" +
                             "x/.thumbs/a.jpg,other\r\n./b.jpg,sea ship\r\n  \r\n");
    REQUIRE(list.classes == std::vector<std::string>{"sea ship", "traffic light"});
    REQUIRE(list.lines.size() == 3);
    REQUIRE(list.file(0) == "ship (1).JPG");
    REQUIRE(list.file(1) == "a.jpg");
    REQUIRE(list.file(2) == "./b.jpg");
    REQUIRE(list.lines[1].label == 1);
    REQUIRE(list.lines[2].label == 0);
  }
  auto const refused = [&](std::string const& text) { return refusal([&] { (void)parsed(text); }); };
  require_message(refused("filename,label\n\na.jpg,one\n\nb.jpg,two\n\na.jpg,two\n"), {"line 7 lists 'a.jpg' again, after line 3"});
  require_message(refused("filename,label\na.jpg, \n"), {"line 2 has an empty class"});
  require_message(refused("filename,label\n\n._a.jpg,x\n"), {"line 4 is not there"});
  require_message(refused("\xef\xbb\xbf"), {"line 1 is ''"});

  // Read from files.
  folder const dir;
  canvas const page(4, 4, {1, 2, 3});
  fs::create_directories(dir.path / "images");
  for (char const* name : {"ship (1).PNG", "2.png", "3.png"}) page.write_png(dir.path / "images" / name);
  dir.write("train.csv",
            "\xef\xbb\xbf"
            "filename,label\r\nship (1).PNG,sea ship\r\n\r\n");
  dir.write("val.csv", "filename,label\n2.png,b\n"), dir.write("test.csv", "filename,label\n3.png,c\n");
  image_folder<4> const data(dir.path);
  REQUIRE(data.base.classes() == std::vector<std::string>{"sea ship"});
  REQUIRE(data.base.picture(0)[2] == 3);
}

TEST_CASE("camvid: endings in any case, in pairs") {
  folder const dir;
  canvas const page(4, 4, {9, 9, 9});
  for (std::string const part : {"train", "val"}) {
    fs::create_directories(dir.path / part), fs::create_directories(dir.path / (part + "annot"));
    page.write_png(dir.path / part / "ship (1).PNG");
    page.write_png(dir.path / part / "b.png");
    dir.write(part + "/._b.png", "metadata"), dir.write(part + "annot/.DS_Store", "metadata");
  }
  // A canvas is in colour, so that a label map that is found is refused as such, and a missing one as missing.
  page.write_png(dir.path / "trainannot" / "ship (1).png");
  page.write_png(dir.path / "valannot" / "b.Png");
  camvid<4, 4> const data(dir.path);
  REQUIRE(data.train.size() == 2);
  REQUIRE(data.test.size() == 2);
  require_message(data.train.fault(1), {"trainannot/ship (1).png' has several channels"});
  require_message(data.train.fault(0), {"no file '", "trainannot/b.png'"});
  require_message(data.test.fault(0), {"valannot/b.Png' has several channels"});
  REQUIRE(data.train.name_of(1) == "ship (1).PNG");
  page.write_png(dir.path / "train" / "b.PNG");
  require_message(refusal([&] { camvid<4, 4>{dir.path}; }), {"train/b.PNG' and 'b.png' differ in the case of their ending alone"});
}

TEST_CASE("omniglot: endings in any case, hidden entries, lists of the runs") {
  folder const dir;
  auto const pack = [&](std::string const& name, std::map<std::string, bytes> const& entries) {
    zip_t* const archive = zip_open((dir.path / name).c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    REQUIRE(archive != nullptr);
    for (auto const& [entry, content] : entries)
      REQUIRE(zip_file_add(archive, entry.c_str(), zip_source_buffer(archive, content.data(), content.size(), 0), 0) >= 0);
    REQUIRE(zip_close(archive) == 0);
    return dir.path / name;
  };
  canvas(105, 105, {0, 0, 0}).write_png(dir.path / "ink.png");
  bytes const ink  = tests::contents(dir.path / "ink.png");
  auto const loud  = pack("loud.zip", {{"top/Old Greek/character01/0001_01.PNG", ink},
                                       {"top/Old Greek/character01/0001_02.Png", ink},
                                       {"top/Old Greek/character01/._0001_01.png", {1}},
                                       {"top/.Trash/character01/0001_01.png", ink}});
  auto const quiet = pack("quiet.zip", {{"other/Old Greek/character01/0001_01.png", ink}});
  omniglot_split<21> const one("loud", {loud}), both("both", {loud, quiet});
  REQUIRE(one.size() == 2);
  REQUIRE(one.classes() == std::vector<std::string>{"Old Greek/character01"});
  REQUIRE(both.size() == 2);  // a drawing in two zips is used once
  for (std::int64_t const id : {0, 1}) REQUIRE(one.fault(id).empty());

  std::string list = "\xef\xbb\xbf";
  for (int i = 0; i < 20; ++i)
    list += detail::numbered("run01/test/item", i) + " " + detail::numbered("run01/training/class", 19 - i) + "\r\n";
  auto const labels = detail::parse_omniglot_labels(list + "\r\n\n", "run01", "list");
  REQUIRE(labels.size() == 20);
  REQUIRE((labels[0] == 19 && labels[19] == 0));
  require_message(refusal([&] { (void)detail::parse_omniglot_labels(list.substr(0, list.size() - 30), "run01", "list"); }),
                  {"list, line 20 is not 'run01/test/item20.png run01/training/class<01 to 20>.png'"});
  require_message(refusal([&] { (void)detail::parse_omniglot_labels("", "run01", "list"); }), {"list, line 1 is not"});
}

TEST_CASE("cifar: lists of class names") {
  folder const dir;
  dir.write("fine_label_names.txt", [] {
    std::string text = "\xef\xbb\xbf";
    for (int i = 0; i < 100; ++i) text += " sea ship (" + std::to_string(i) + ") \r\n";
    return text + "\r\n\r\n";
  }());
  auto const names = detail::read_names(dir.path / "fine_label_names.txt", detail::cifar100_layout(false));
  REQUIRE(names.front() == "sea ship (0)");
  REQUIRE(names.back() == "sea ship (99)");
}

TEST_CASE("outputs: two inputs never share one, and no output is an input") {
  folder const dir;
  fs::create_directories(dir.path / "out");
  auto const out = dir.path / "out";
  using paths    = std::vector<fs::path>;
  REQUIRE(output_names({}, out).empty());
  REQUIRE(output_names({"s1/ct.nii.gz", "s2/mr.nii.gz", "s2/ct.nii"}, "out", "organ_") ==
          paths{"out/organ_ct.nii.gz", "out/organ_mr.nii.gz", "out/organ_ct.nii"});
  REQUIRE(refusal([&] { (void)output_names({"s1/ct.nii.gz", "s2/mr.nii.gz", "s2/ct.nii.gz"}, "out", "organ_"); }) ==
          "the inputs 's1/ct.nii.gz' and 's2/ct.nii.gz' have one output, 'out/organ_ct.nii.gz'; rename one of them, or process them one "
          "after the other into two folders");
  // One input twice, in whatever words.
  require_message(refusal([&] { (void)output_names({"ct.nii.gz", "./ct.nii.gz"}, "out"); }),
                  {"'ct.nii.gz' and './ct.nii.gz' have one output"});
  // An output that is an input: the same folder without a prefix, or the output of an earlier run; also through a link and "..".
  for (char const* name : {"s1/ct.nii.gz", "out/organ_ct.nii.gz"}) dir.write(name, "x");
  fs::create_directory_symlink(out, dir.path / "link");
  require_message(refusal([&] { (void)output_names({dir.path / "s1/ct.nii.gz"}, dir.path / "s1"); }),
                  {"the output of '", "s1/ct.nii.gz' would replace the input '", "choose another folder"});
  auto const earlier = out / "organ_ct.nii.gz";
  for (auto const& folder : {out, dir.path / "link", out / ".." / "out", dir.path / "s1" / ".." / "link"})
    require_message(refusal([&] { (void)output_names({dir.path / "s1/ct.nii.gz", earlier}, folder, "organ_"); }),
                    {"s1/ct.nii.gz' would replace the input '" + earlier.string()});
  REQUIRE(output_names({dir.path / "s1/ct.nii.gz"}, out, "organ_") == paths{earlier});  // an old output may be replaced
}
