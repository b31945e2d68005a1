#include "c2f/commands.hpp"
#include "c2f/drawing.hpp"

#include "common/program.hpp"

#include <c2f/core/text.hpp>
#include <c2f/data/draw/label_picture.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/nifti.hpp>
#include <c2f/data/io/output_names.hpp>
#include <c2f/data/volumes/slices.hpp>
#include <c2f/train/interrupt.hpp>

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <deque>
#include <exception>
#include <fstream>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

namespace tool {

namespace {

namespace fs = std::filesystem;
using json   = nlohmann::ordered_json;
using c2f::data::picture_bytes;
using c2f::data::detail::resolved;

/// A file to answer for: where it is, and its name in the output, which is below --out.
struct input_file {
  fs::path path;
  std::string name;
  std::string fault{};  // why it cannot be answered for
};

bool is_volume(std::string const& name) { return c2f::data::detail::has_ending(name, {".nii", ".nii.gz"}); }

/// The files to answer for, without those that answers are written into.
std::vector<input_file> inputs_of(predict_options const& chosen) {
  std::vector<input_file> files;
  std::vector<fs::path> outputs;
  std::error_code failed;
  for (char const* name : {"masks", "drawn"})
    if (!chosen.out.empty() && fs::is_directory(chosen.out / name, failed)) outputs.push_back(resolved(chosen.out / name));
  auto const is_output = [&](fs::path const& path) {
    fs::path const whole = outputs.empty() ? fs::path() : resolved(path);
    return std::any_of(outputs.begin(), outputs.end(), [&](fs::path const& folder) {
      return std::mismatch(folder.begin(), folder.end(), whole.begin(), whole.end()).first == folder.end();
    });
  };
  std::size_t others = 0;
  std::string first_other;
  for (auto const& each : chosen.inputs) {
    if (is_output(each))
      throw c2f::input_error("'" + each.string() + "' is in a folder that answers are written into; choose another --out");
    if (fs::is_directory(each, failed)) {
      auto names = c2f::data::detail::files_below(each);
      std::sort(names.begin(), names.end());
      for (auto& name : names) {
        if (c2f::data::detail::is_picture_name(name) || is_volume(name)) {
          if (!is_output(each / name)) files.push_back({each / name, name});
        } else if (c2f::data::detail::has_ending(name, {".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif", ".jp2"}) &&
                   others++ == 0) {
          first_other = (each / name).string();
        }
      }
    } else if (fs::exists(each, failed)) {
      files.push_back({each, each.filename().string()});
    } else {
      throw c2f::input_error("no file or folder '" + each.string() + "'; check its name");
    }
  }
  std::string const left_out =
      others == 0 ? "" : std::to_string(others) + " pictures of other types are left out, the first '" + first_other + "'; convert them";
  if (files.empty())
    throw c2f::input_error("there is no picture (.jpg, .jpeg, .png) or volume (.nii, .nii.gz) to answer for; " +
                           (others == 0 ? "check the folder" : left_out));
  if (others > 0) program::say("note: " + left_out);
  std::set<std::string> names;
  for (auto const& each : files)
    if (!names.insert(c2f::text::utf8(each.name)).second && !chosen.out.empty())
      throw c2f::input_error("two files would have the output '" + each.name + "' in --out; answer for them in two commands");
  return files;
}

/// Writes a file under another name and renames it: a program that is killed leaves it whole or absent.
void write_renamed(fs::path const& path, void const* bytes, std::size_t size) {
  std::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  fs::path const part = path.parent_path() / (".part" + std::to_string(::getpid()));  // one is written at a time
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  out.write(static_cast<char const*>(bytes), static_cast<std::streamsize>(size));
  out.close();
  if (!out || std::rename(part.c_str(), path.c_str()) != 0) {
    fs::remove(part, failed);
    throw c2f::input_error("cannot write '" + path.string() + "'; choose a folder that can be written and has room");
  }
}

/// A file that was read, or why it was not.
struct read_file {
  picture_bytes picture{};  // for drawing, and for several views
  c2f::data::fitted_picture fitted{};
  std::string error{};
  bool ready = false;

  [[nodiscard]] std::size_t bytes() const { return picture.rgb.size() + fitted.rgb.size(); }
};
/// Pictures that wait for a thread take at most about so many bytes.
constexpr std::size_t most_waiting = std::size_t{1} << 26;

/// Reads files in threads and gives them in order. At most `ahead` files are in memory, and no more once they have most_waiting bytes.
class reader {
 public:
  reader(std::vector<input_file> const& files, model const& with, int threads, std::size_t ahead, bool fit, bool keep_pictures)
      : files_(files), model_(with), fit_(fit), keep_(keep_pictures), ring_(ahead) {
    for (int i = 0; i < threads; ++i) workers_.emplace_back([this](std::stop_token const& stop) { work(stop); });
  }
  reader(reader const&)            = delete;
  reader& operator=(reader const&) = delete;
  ~reader() {
    for (auto& each : workers_) each.request_stop();
    free_.notify_all();
  }
  read_file next() {
    if (workers_.empty()) return read(taken_++);
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return ring_[taken_ % ring_.size()].ready; });
    read_file made = std::exchange(ring_[taken_ % ring_.size()], {});
    ++taken_;
    bytes_ -= made.bytes();
    free_.notify_all();
    return made;
  }

 private:
  read_file read(std::size_t i) const {
    read_file made;
    try {
      if (!files_[i].fault.empty()) throw c2f::input_error(files_[i].fault);
      picture_bytes picture = c2f::data::read_picture(files_[i].path, c2f::data::exif::apply);
      if (fit_) made.fitted = model_.fitted(picture);
      if (keep_) made.picture = std::move(picture);
    } catch (std::exception const& error) {
      made.error = error.what();
    }
    made.ready = true;
    return made;
  }
  void work(std::stop_token const& stop) {
    for (;;) {
      std::size_t i = 0;
      {
        std::unique_lock lock(mutex_);
        // The file that is taken next is always read.
        auto const may = [&] {
          return claimed_ == files_.size() || claimed_ == taken_ || (claimed_ < taken_ + ring_.size() && bytes_ < most_waiting);
        };
        if (!free_.wait(lock, stop, may)) return;
        if (claimed_ == files_.size()) return;
        i = claimed_++;
      }
      read_file made = read(i);
      std::lock_guard lock(mutex_);
      bytes_ += made.bytes();
      ring_[i % ring_.size()] = std::move(made);
      ready_.notify_one();
    }
  }
  std::vector<input_file> const& files_;
  model const& model_;
  bool fit_, keep_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable_any free_;
  std::vector<read_file> ring_;
  std::size_t claimed_ = 0, taken_ = 0, bytes_ = 0;
  std::vector<std::jthread> workers_;  // declared last: they use the others
};

/// Hands values from one thread to another, which uses them in order: at most two wait. An exception of `use` comes out of the next call.
template <class Value>
class in_background {
 public:
  explicit in_background(std::function<void(Value)> use) : use_(std::move(use)), worker_([this] { work(); }) {}
  in_background(in_background const&)            = delete;
  in_background& operator=(in_background const&) = delete;
  ~in_background() { end(); }
  void operator()(Value value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_.size() < 2 || failed_; });
    if (failed_) std::rethrow_exception(failed_);
    waiting_.push_back(std::move(value));
    changed_.notify_all();
  }
  /// Waits until everything is used.
  void finish() {
    end();
    if (failed_) std::rethrow_exception(failed_);
  }

 private:
  void end() {
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
      changed_.notify_all();
    }
    if (worker_.joinable()) worker_.join();
  }
  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !waiting_.empty() || ended_; });
      if (waiting_.empty()) return;
      Value value = std::move(waiting_.front());
      waiting_.pop_front();
      changed_.notify_all();
      lock.unlock();
      try {
        use_(std::move(value));
      } catch (...) {
        lock.lock();
        failed_ = std::current_exception();
        changed_.notify_all();
        return;
      }
    }
  }
  std::function<void(Value)> use_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Value> waiting_;
  bool ended_ = false;
  std::exception_ptr failed_;
  std::thread worker_;  // declared last: it uses the others
};

double rounded(double value, double by = 1e4) { return std::round(value * by) / by; }

json json_of(c2f::picture_answer const& answer, int top) {
  json made = json::object();
  if (!answer.classes.empty()) {
    made["class"]       = answer.classes.front().name;
    made["probability"] = rounded(answer.classes.front().probability);
    json all            = json::object();
    for (std::size_t i = 0; i < answer.classes.size() && i < static_cast<std::size_t>(top); ++i)
      all[answer.classes[i].name] = rounded(answer.classes[i].probability);
    made["probabilities"] = all;
  }
  for (auto const& [name, probability] : answer.attributes) made["attributes"][name] = rounded(probability);
  for (auto const& [name, value] : answer.numbers) made["numbers"][name] = value;
  if (answer.mask.labels.empty() && answer.classes.empty() && answer.attributes.empty() && answer.numbers.empty()) {
    json boxes = json::array();
    for (auto const& each : answer.boxes)
      boxes.push_back(
          {{"class", each.name},
           {"probability", rounded(each.probability)},
           {"box", {rounded(each.where.x0, 10), rounded(each.where.y0, 10), rounded(each.where.x1, 10), rounded(each.where.y1, 10)}}});
    made["boxes"] = boxes;
  }
  return made;
}

/// What the lines of an output have in common, by the options.
json options_of(predict_options const& chosen, c2f::model_description const& about) {
  auto tta = chosen.views.tta;
  std::sort(tta.begin(), tta.end());
  json inputs = json::array();
  for (auto const& each : chosen.inputs) inputs.push_back(c2f::text::utf8(resolved(each).string()));
  return {{"model", about.weights_sha256}, {"tta", tta},      {"windows", chosen.views.windows}, {"top", chosen.top},
          {"draw", chosen.draw},           {"inputs", inputs}};
}

/// Writes the lines, masks and pictures.
class writer {
 public:
  writer(predict_options const& chosen, c2f::model_description const& about) : chosen_(chosen), about_(about) {
    colours_ = class_colours(about.palette, about.mask_values, about.classes.size());
    if (chosen.out.empty()) return;
    lines_             = chosen.out / "predictions.jsonl";
    json const options = options_of(chosen, about);
    if (!program::exists(lines_))
      begin(options);
    else if (!chosen.resume)
      throw c2f::input_error("'" + lines_.string() + "' is there already; go on with it by --resume, or choose another --out");
    else
      go_on(options);
    out_.open(lines_, std::ios::app);
    check();
  }
  [[nodiscard]] bool done(std::string const& name) const { return done_.contains(c2f::text::utf8(name)); }
  /// Pictures that were not drawn, since they are too large.
  [[nodiscard]] std::size_t not_drawn() const { return not_drawn_; }

  void fault(std::string const& name, std::string const& error) {
    line({{"file", c2f::text::utf8(name)}, {"error", c2f::text::printable(error)}});
  }

  void answer(std::string const& name, c2f::picture_prediction const& found, picture_bytes const& picture) {
    json made{{"file", c2f::text::utf8(name)}};
    made.update(json_of(found.answer, chosen_.top));
    if (!found.answer.mask.labels.empty()) {
      made["pixels"] = pixels_of(found.answer.mask);
      if (!chosen_.out.empty()) {
        fs::path const file = fs::path("masks") / (name + ".png");
        auto const png      = mask_png(found.answer.mask);
        write_renamed(chosen_.out / file, png.data(), png.size());
        made["mask"] = c2f::text::utf8(file.string());
      }
    } else {
      made["coarse"] = json_of(found.coarse, chosen_.top);
    }
    if (chosen_.draw) {
      fs::path const file = fs::path("drawn") / (name + ".png");
      if (draw(found.answer, picture, chosen_.out / file))
        made["drawn"] = c2f::text::utf8(file.string());
      else
        ++not_drawn_;
    }
    line(made);
  }
  void volume(std::string const& name, std::string const& file, json const& pixels) {
    line({{"file", c2f::text::utf8(name)}, {"voxels", pixels}, {"mask", c2f::text::utf8(file)}});
  }
  [[nodiscard]] json pixels_of(c2f::data::label_bytes const& mask) const {
    std::vector<std::int64_t> counts(256);
    for (std::uint8_t const label : mask.labels) ++counts[label];
    json made = json::object();
    for (std::size_t k = 0; k < about_.classes.size(); ++k)
      if (counts[k] > 0) made[about_.classes[k]] = counts[k];
    return made;
  }

 private:
  /// The bytes of the data's masks: a class is written as its first byte.
  std::vector<std::uint8_t> mask_png(c2f::data::label_bytes mask) const {
    if (!about_.mask_values.empty())
      for (auto& label : mask.labels)
        if (label < about_.mask_values.size()) label = about_.mask_values[label];
    return c2f::data::encode_label_picture(mask, about_.palette);
  }
  /// False for a picture that is too large.
  bool draw(c2f::picture_answer const& answer, picture_bytes const& picture, fs::path const& file) const {
    if (std::max(picture.width, picture.height) > c2f::data::canvas::largest_side) return false;
    auto rgb = picture.rgb;
    if (!answer.mask.labels.empty()) tint_labels(rgb, answer.mask.labels, colours_);
    c2f::data::canvas page(static_cast<int>(picture.width), static_cast<int>(picture.height));
    page.blit(rgb, page.width(), page.height(), 0, 0);
    char text[64];
    for (auto const& each : answer.boxes) {
      std::size_t const k =
          static_cast<std::size_t>(std::find(about_.classes.begin(), about_.classes.end(), each.name) - about_.classes.begin());
      std::snprintf(text, sizeof text, " %.2f", each.probability);
      draw_box(page, each.where, colour_of(k), c2f::text::printable(each.name, 30) + (about_.classes.size() > 1 ? text : ""));
    }
    if (!answer.classes.empty()) {
      std::snprintf(text, sizeof text, " %.2f", answer.classes.front().probability);
      draw_box(page, {0, 0, static_cast<double>(page.width()), static_cast<double>(page.height())}, colour_of(0),
               c2f::text::printable(answer.classes.front().name, 30) + text);
    }
    int row          = 0;
    auto const below = [&](std::string const& name, char const* format, double value) {
      std::snprintf(text, sizeof text, format, value);
      draw_words(page, 0, row * strokes(page).high, c2f::text::printable(name, 30) + text, colour_of(static_cast<std::size_t>(row)));
      ++row;
    };
    for (auto const& [name, probability] : answer.attributes)
      if (probability >= .5) below(name, " %.2f", probability);
    for (auto const& [name, value] : answer.numbers) below(name, " %.4g", value);
    auto const png = c2f::data::detail::encode_png(page.bytes(), page.width(), page.height(), file);
    write_renamed(file, png.data.get(), png.size);
    return true;
  }
  void line(json const& what) {
    std::string const text = what.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
    if (chosen_.out.empty()) {
      std::fputs(text.c_str(), stdout);
      std::fflush(stdout);
    } else {
      out_ << text << std::flush;
      check();
    }
  }
  void check() const {
    if (!out_) throw c2f::input_error("cannot write '" + lines_.string() + "'; choose a folder that can be written and has room");
  }
  [[nodiscard]] fs::path options_file() const { return chosen_.out / "predictions.options.json"; }
  /// The folder of new answers, which may have no files where they are written.
  void begin(json const& options) const {
    std::error_code failed;
    for (auto const& [name, used] : {std::pair("masks", about_.kind == "dense"), std::pair("drawn", chosen_.draw)})
      if (auto const folder = chosen_.out / name; used && program::exists(folder) && !fs::is_empty(folder, failed))
        throw c2f::input_error("'" + folder.string() +
                               "' has files of something else, and answers are written there; choose another --out");
    program::prepare_folder(chosen_.out);
    program::write_json(options_file(), options);
  }
  /// The files that were answered before, by the same options; a last line without its end is cut off.
  void go_on(json const& options) {
    std::ifstream said(options_file(), std::ios::binary);
    auto const before = json::parse(said, nullptr, false);
    if (!before.is_object())
      throw c2f::input_error("'" + options_file().string() + "' does not say how the lines beside it were made; choose another --out");
    for (auto const& [name, now] : options.items()) {
      auto const was = before.value(name, json());
      if (was != now)
        throw c2f::input_error("'" + lines_.string() + "' has answers with '" + name + "' " + c2f::text::printable(was.dump(), 70) +
                               ", and now it is " + c2f::text::printable(now.dump(), 70) + "; write the same, or choose another --out");
    }
    std::ifstream in(lines_, std::ios::binary);
    std::uintmax_t whole = 0, number = 1;
    for (std::string text; std::getline(in, text) && !in.eof(); ++number) {
      auto const found = json::parse(text, nullptr, false);
      if (!found.is_object() || !found.contains("file") || !found["file"].is_string())
        throw c2f::input_error("line " + std::to_string(number) + " of '" + lines_.string() + "' is no answer: '" +
                               c2f::text::printable(text, 40) + "'; take it out, or choose another --out");
      done_.insert(found["file"].get<std::string>());
      whole += text.size() + 1;
    }
    if (in.bad()) throw c2f::input_error("cannot read '" + lines_.string() + "'; check the disk");
    in.close();
    std::error_code failed;
    fs::resize_file(lines_, whole, failed);
    if (failed) throw c2f::input_error("cannot write '" + lines_.string() + "': " + failed.message() + "; make it writable");
  }

  predict_options const& chosen_;
  c2f::model_description const& about_;
  std::vector<c2f::data::colour> colours_;
  fs::path lines_;
  std::ofstream out_;
  std::set<std::string> done_;
  std::size_t not_drawn_ = 0;
};

/// A line on a terminal, ten times a second at most.
class progress {
 public:
  explicit progress(std::size_t all) : all_(all), shown_(isatty(STDERR_FILENO) == 1) {}
  void operator()(std::size_t done) {
    auto const now = std::chrono::steady_clock::now();
    if (!shown_ || (done < all_ && now - drawn_ < std::chrono::milliseconds(100))) return;
    drawn_               = now;
    double const seconds = std::chrono::duration<double>(now - begin_).count();
    std::fprintf(stderr, "\r\x1b[K%zu of %zu pictures, %.1f a second%s", done, all_, static_cast<double>(done) / std::max(seconds, 1e-6),
                 done == all_ ? "\n" : "");
    std::fflush(stderr);
  }

 private:
  std::size_t all_;
  bool shown_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now(), drawn_{};
};

/// Segments a volume slice by slice and writes the mask on the same affine.
void predict_volume(model& with, input_file const& file, predict_options const& chosen, c2f::view_options const& views, writer& out) {
  if (chosen.out.empty()) throw c2f::input_error("the mask of a volume is a file; give a folder with --out");
  if (with.description().kind != "dense")
    throw c2f::input_error("a model of masks answers for volumes, and this one is of another kind; give it pictures");
  auto const raw         = c2f::data::read_nifti<float>(file.path);
  auto const [low, high] = c2f::data::percentiles(raw, .5, 99.5);
  auto const intensities = c2f::data::windowed(raw, low, high);
  c2f::data::volume<std::uint8_t> mask(intensities.dims, intensities.place);
  c2f::data::label_bytes all;
  auto const [height, width] = c2f::data::slice_size(intensities.dims, 2);
  for (std::int64_t first = 0; first < intensities.dims[2]; first += chosen.batch) {
    std::vector<picture_bytes> slices;
    for (std::int64_t s = first; s < std::min(first + chosen.batch, intensities.dims[2]); ++s)
      slices.push_back(slice_picture(intensities, s));
    auto const found = predict_pictures(with, slices, views, chosen.batch);
    for (std::size_t i = 0; i < found.size(); ++i) {
      auto const& labels = found[i].answer.mask.labels;
      for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x)
          mask(y, x, first + static_cast<std::int64_t>(i)) = labels[static_cast<std::size_t>(y * width + x)];
      all.labels.insert(all.labels.end(), labels.begin(), labels.end());
    }
  }
  fs::path const name = fs::path("masks") / file.name;
  std::error_code failed;
  fs::create_directories((chosen.out / name).parent_path(), failed);
  c2f::data::write_nifti(chosen.out / name, mask);
  out.volume(file.name, name.string(), out.pixels_of(all));
}

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}
/// What --time measures: pictures a second, and the share of the network in the CPU time of the thread that runs it.
struct timing {
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  double begin_cpu = thread_seconds(), seconds = 0, cpu = 0, passes_cpu = 0;
  void stop() {
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    cpu     = thread_seconds() - begin_cpu;
  }
  /// Prints it beside the network alone on ready tensors, which is measured now.
  void print(model& with, std::vector<c2f::data::fitted_picture> const& batch, std::size_t pictures) const {
    at::Tensor const images = with.images(batch);
    std::size_t passes      = 0;
    timing alone;
    do static_cast<void>(with.pass(images));
    while (alone.stop(), ++passes * batch.size() < pictures && alone.seconds < 60);
    double const whole = static_cast<double>(pictures) / seconds, network = static_cast<double>(passes * batch.size()) / alone.seconds;
    std::fprintf(
        stderr,
        "%.1f pictures a second, %.2f of the network alone on ready tensors (%.1f); of the CPU time of its thread %.1f %% were the "
        "network's\n",
        whole, whole / network, network, 100 * passes_cpu / cpu);
  }
};

}  // namespace

std::vector<c2f::picture_prediction> predict_pictures(model& with, std::vector<picture_bytes> const& pictures,
                                                      c2f::view_options const& views, std::int64_t batch) {
  std::vector<c2f::picture_prediction> made;
  if (pictures.empty()) return made;
  if (!views.one()) {
    for (auto const& each : pictures) made.push_back(with.predict(each, views, batch));
    return made;
  }
  std::vector<c2f::data::fitted_picture> fitted;
  for (auto const& each : pictures) fitted.push_back(with.fitted(each));
  return with.answers(with.pass(with.images(fitted)), fitted);
}

void predict(predict_options const& chosen) {
  program::check_folder(chosen.out);
  auto const views = views_of_words(chosen.views);
  if (chosen.time && !views.one())
    throw c2f::input_error("--time compares with one pass a picture, and --tta and --windows have several; leave one of them out");
  if (chosen.draw && chosen.out.empty()) throw c2f::input_error("--draw writes pictures; give a folder with --out");
  auto const all = inputs_of(chosen);
  if (auto const volume = std::find_if(all.begin(), all.end(), [](auto const& each) { return is_volume(each.name); });
      chosen.draw && volume != all.end())
    throw c2f::input_error("--draw draws on pictures, and '" + volume->path.string() + "' is a volume; leave it out");
  auto const with = load(chosen.model, chosen.device);
  check_views(views, with->description());
  writer out(chosen, with->description());
  std::vector<input_file> pictures, volumes;
  constexpr std::size_t longest = 255 - 4;  // bytes of a name that ".png" can follow
  bool const named              = !chosen.out.empty() && (with->description().kind == "dense" || chosen.draw);
  for (auto each : all) {
    if (out.done(each.name)) continue;
    if (std::size_t const bytes = each.path.filename().string().size(); named && bytes > longest && !is_volume(each.name))
      each.fault = "the name '" + each.name.substr(0, 40) + "...' has " + std::to_string(bytes) +
                   " bytes, so that of its mask or drawing would " + "have more than 255; shorten it";
    (is_volume(each.name) ? volumes : pictures).push_back(std::move(each));
  }
  std::size_t const earlier = all.size() - pictures.size() - volumes.size();
  if (earlier > 0) program::say("resuming: " + std::to_string(earlier) + " files were answered before");

  c2f::interrupt on_ctrl_c;
  std::size_t faults = 0, done = 0;
  std::string first_fault;
  progress show_progress(all.size());
  auto const fault = [&](std::string const& name, std::string const& error) {
    if (faults++ == 0) first_fault = error;
    out.fault(name, error);
  };
  struct answered {
    std::size_t first = 0;  // its first picture
    std::vector<read_file> files{};
    std::vector<c2f::data::fitted_picture> fitted{};
    c2f::outputs outputs{};
    std::vector<c2f::picture_prediction> answers{};  // of several views
  };
  timing time;
  std::vector<c2f::data::fitted_picture> last;
  {
    // Three stages, each in threads of its own: files are decoded, the network runs, answers are written.
    auto const batch = views.one() ? static_cast<std::size_t>(chosen.batch) : std::size_t{1};
    reader read(pictures, *with, chosen.threads, std::max<std::size_t>(2 * batch, static_cast<std::size_t>(2 * chosen.threads)),
                views.one(), chosen.draw || !views.one());
    in_background<answered> write([&](answered found) {
      if (views.one() && !found.fitted.empty()) found.answers = with->answers(found.outputs, found.fitted);
      for (std::size_t i = 0, answer = 0; i < found.files.size(); ++i) {
        if (found.files[i].error.empty())
          out.answer(pictures[found.first + i].name, found.answers[answer++], found.files[i].picture);
        else
          fault(pictures[found.first + i].name, found.files[i].error);
        show_progress(++done + earlier);
      }
    });
    for (std::size_t next = 0; next < pictures.size() && !on_ctrl_c.stop();) {
      answered found{.first = next};
      for (std::size_t bytes = 0; next < pictures.size() && found.files.size() < batch && bytes < most_waiting; ++next) {
        found.files.push_back(read.next());
        bytes += found.files.back().bytes();
        if (views.one() && found.files.back().error.empty()) found.fitted.push_back(std::move(found.files.back().fitted));
      }
      if (!found.fitted.empty()) {
        at::Tensor const images = with->images(found.fitted);
        double const before     = thread_seconds();
        found.outputs           = with->pass(images);
        time.passes_cpu += thread_seconds() - before;
      } else if (!views.one() && found.files.front().error.empty()) {
        found.answers.push_back(with->predict(found.files.front().picture, views, chosen.batch));
      }
      if (chosen.time && found.fitted.size() > last.size()) last = found.fitted;
      write(std::move(found));
    }
    write.finish();
  }
  time.stop();
  if (chosen.time && !last.empty()) time.print(*with, last, pictures.size());
  for (auto const& each : volumes) {
    if (on_ctrl_c.stop()) break;
    try {
      predict_volume(*with, each, chosen, views, out);
    } catch (c2f::input_error const& error) {
      if (chosen.out.empty()) throw;
      fault(each.name, error.what());
    }
    show_progress(++done + earlier);
  }
  if (on_ctrl_c.stop()) program::say(chosen.out.empty() ? "stopped" : "stopped; --resume goes on");
  if (out.not_drawn() > 0)
    program::say(std::to_string(out.not_drawn()) + " pictures have a side of more than " + std::to_string(c2f::data::canvas::largest_side) +
                 " pixels and were not drawn");
  if (faults > 0) {
    std::string const text = std::to_string(faults) + " of " + std::to_string(done) + " files could not be read; the first: " + first_fault;
    if (faults == done) throw c2f::input_error(text);
    program::say(text);
  }
}

}  // namespace tool
