// bench_cascades VARIANT SEED EPOCHS DATA PART: trains one variant of CasNet on CamVid from random weights and prints a line of CSV for
// each stage that is scored. run.py trains several and prints the table of docs/cascades.md.
//
//   DATA   the folder of train, trainannot, val and valannot, 240x180 pictures
//   PART   val: the validation pictures are scored; held: a fifth of the training pictures, which are not trained on (to choose settings)
#include <c2f/c2f.hpp>
#include <c2f/data/datasets/camvid.hpp>
#include <c2f/data/validation.hpp>
#include <c2f/systems/casnet.hpp>

#include <cstdio>
#include <cstring>
#include <string>

namespace {

using kind     = c2f::dense<11, 11>;
using backbone = c2f::resnet_cifar_features<8, c2f::basic_block, 2>;  // output stride 8, 64 channels
using input    = c2f::image<3, 180, 240>;
template <auto Attention>
using casnet = c2f::systems::casnet<kind, backbone, input, 64, 16, Attention>;
using paper  = casnet<1.0>;

struct tenth : casnet<0.1> {  // of the attention loss
  static constexpr char const* name = "gate.1";
};
struct progressive_mixture : c2f::systems::casnet_progressive<c2f::systems::casnet_mixture<paper>> {
  static constexpr char const* name = "pt_mixture";
};

using variants = c2f::registry<c2f::systems::casnet_coarse<paper>, c2f::systems::casnet_fine<paper>, c2f::systems::casnet_static<paper>,
                               paper, tenth, c2f::systems::casnet_mixture<paper>, c2f::systems::casnet_hardest<paper>,
                               c2f::systems::casnet_hard<paper>, c2f::systems::casnet_progressive<paper>, progressive_mixture>;

template <class Model, class Data, class Test>
void train(Model& model, Data const& data, Test const& test, std::string const& variant, std::uint64_t seed, std::int64_t epochs) {
  auto const recipe = c2f::systems::casnet_scratch_recipe{}.epochs(epochs).seed(seed).threads(0);
  struct {
    decltype(data.train) const& train;
    c2f::data::taken<Test> test;
  } const seen{data.train, c2f::data::take(test, 1)};  // scored at the end alone
  auto const report = c2f::fit(model, seen, recipe);
  double seconds    = 0;
  for (auto const& epoch : report.epochs) seconds += epoch.train_seconds;
  for (auto const& [stage, values] : c2f::evaluate(model, test, recipe)) {
    std::printf("%s,%llu,%lld,%.1f,%s", variant.c_str(), static_cast<unsigned long long>(seed), static_cast<long long>(epochs), seconds,
                stage.c_str());
    for (auto const& [name, value] : values) std::printf(",%.2f", 100 * value);
    std::printf("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  c2f::keep_memory();
  try {
    if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
      for (auto const name : variants::names()) std::printf("%s\n", std::string(name).c_str());
      return 0;
    }
    if (argc != 6) throw c2f::input_error("usage: bench_cascades VARIANT SEED EPOCHS DATA val|held, or --list");
    auto const number = [](std::string const& word, char const* what) {
      if (word.empty() || word.size() > 18 || word.find_first_not_of("0123456789") != std::string::npos)
        throw c2f::input_error(std::string(what) + " is '" + word + "'; write a number");
      return std::stoull(word);
    };
    auto const seed   = number(argv[2], "the seed");
    auto const epochs = static_cast<std::int64_t>(number(argv[3], "the number of epochs"));
    std::string const part(argv[5]);
    if (part != "val" && part != "held") throw c2f::input_error("the part is '" + part + "'; write val or held");
    c2f::data::camvid<> const data(argv[4]);
    variants::with(argv[1], [&]<class Task>(c2f::chosen<Task>) {
      c2f::stack<Task> model(seed);
      if (part == "val") return train(model, data, data.test, argv[1], seed, epochs);
      auto const parts = c2f::data::with_validation(data, 0.2, 1);
      train(model, parts, parts.validation, argv[1], seed, epochs);
    });
    return 0;
  } catch (c2f::error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
