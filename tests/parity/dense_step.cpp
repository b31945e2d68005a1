// A step of progressive training of dense maps, with weights that Python wrote: parity_dense_step concatenate|crop IN OUT
//   in    leaf.<path>, images, truth, ids, order (i64: seed, epoch)
//   out   coarse, fine (raw); loss.coarse, loss.fine; gradient.<path>; after.<path>, all leaves after the pass
#include "leaves.hpp"

#include <c2f/encode/saliency.hpp>
#include <c2f/fuse/crop.hpp>
#include <c2f/loss/dice.hpp>
#include <c2f/networks/unet.hpp>
#include <c2f/task/stack.hpp>

#include <cstdio>
#include <exception>

namespace {

struct concatenate {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::unet<2, 8, c2f::dense<3>>;
};

struct crop {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::unet<2, 8, c2f::dense<1>>;
  using encoder = c2f::encode::saliency;
  using fuse    = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<2, 4, 4>>;
  using loss    = c2f::loss::dice<>;
  using weights = c2f::loss_weights<0.25, 0.75>;
};

template <class Task>
void step(std::string const& in, std::string const& out) {
  auto given = parity::read(in);
  c2f::stack<Task> model;
  parity::load(model, given, "leaf.");
  at::Tensor const ids    = given.at("ids");
  auto const* const order = given.at("order").template const_data_ptr<std::int64_t>();
  c2f::pass p{.mode  = c2f::train,
              .truth = given.at("truth"),
              .t     = 0.5,
              .seed  = static_cast<std::uint64_t>(order[0]),
              .epoch = static_cast<std::uint64_t>(order[1]),
              .ids   = {ids.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(ids.numel())}};
  auto const both = model(given.at("images"), p);
  p.loss().backward();
  parity::tensors answers;
  answers["coarse"] = both.coarse.detach();
  answers["fine"]   = both.fine.detach();
  for (auto const& [name, value] : p.losses) answers[std::string("loss.") + name] = value.detach();
  parity::save_gradients(model, answers, "gradient.");
  parity::save(model, answers, "after.");
  parity::write(out, answers);
}

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_dense_step concatenate|crop IN OUT");
  std::string const what = words[1];
  if (what == "concatenate")
    step<concatenate>(words[2], words[3]);
  else if (what == "crop")
    step<crop>(words[2], words[3]);
  else
    throw std::runtime_error("'" + what + "' is not known");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_dense_step: %s\n", wrong.what());
  return 1;
}
