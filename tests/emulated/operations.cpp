// LibTorch's operations on CUDA tensors for the emulated CUDA device (gpu.hpp): each is queued in the current stream, and when it is done
// the CPU's operation of that name computes on the same memory. The sizes of the results are needed before: for them the CPU's operation is
// others called at once, on zeros. Operations whose result sizes depend on values synchronise with the stream, as they do on a GPU.
#include "gpu.hpp"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <ATen/ops/copy_native.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <unordered_set>
#include <vector>

namespace {

using torch::jit::Stack;

/// Applies f to every tensor of an argument or result.
template <class F>
c10::IValue each_tensor(c10::IValue const& value, F const& f) {
  if (value.isTensor()) return value.toTensor().defined() ? c10::IValue(f(value.toTensor())) : value;
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (at::Tensor const& each : value.toTensorList()) list.push_back(each.defined() ? f(each) : each);
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> list;
    for (std::optional<at::Tensor> const& each : value.toOptionalTensorList())
      list.push_back(each && each->defined() ? std::optional(f(*each)) : each);
    return list;
  }
  if (value.isDevice()) return c10::Device(c10::kCPU);
  if (value.isGenerator()) return c10::IValue();
  return value;
}
Stack each_tensor(Stack const& values, auto const& f) {
  Stack all;
  for (auto const& each : values) all.push_back(each_tensor(each, f));
  return all;
}

/// A CPU tensor over the memory of a CUDA tensor.
at::Tensor same_memory(at::Tensor const& tensor) {
  if (!tensor.is_cuda()) return tensor;
  return at::from_blob(const_cast<void*>(tensor.const_data_ptr()), tensor.sizes(), tensor.strides(), tensor.options().device(at::kCPU));
}
/// A CPU tensor of zeros with the sizes and strides of a CUDA tensor.
at::Tensor zeros_like(at::Tensor const& tensor) {
  if (!tensor.is_cuda()) return tensor;
  return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kCPU)).zero_();
}

/// The state of the GPU's generator for a random operation: seed and offset, which a graph reads at every replay.
std::optional<at::PhiloxCudaState> generator_state_of(c10::OperatorHandle const& op) {
  if (!op.hasTag(at::Tag::nondeterministic_seeded)) return {};
  at::Generator all = at::globalContext().defaultGenerator(c10::Device(c10::kCUDA, c10::cuda::current_device()));
  std::lock_guard const lock(all.mutex());
  return at::check_generator<at::CUDAGeneratorImpl>(all)->philox_cuda_state(4);
}
std::uint64_t seed_of(at::PhiloxCudaState const& state) {
  if (!state.captured_) return state.seed_.val * 6364136223846793005u + state.offset_.val;
  return static_cast<std::uint64_t>(*state.seed_.ptr) * 6364136223846793005u + static_cast<std::uint64_t>(*state.offset_.ptr) +
         state.offset_intragraph_;
}
/// Calls the CPU's operation; a random one with the seed `seed`.
void call(c10::OperatorHandle const& op, Stack* stack, std::optional<std::uint64_t> seed) {
  at::AutoDispatchBelowADInplaceOrView const below_autograd;
  at::NoGradGuard const no_gradients;
  if (!seed) return op.callBoxed(stack);
  at::Generator cpu = at::globalContext().defaultGenerator(c10::kCPU);
  at::Tensor before;
  {
    std::lock_guard const lock(cpu.mutex());
    before = cpu.get_state();
    cpu.set_current_seed(*seed);
  }
  op.callBoxed(stack);
  std::lock_guard const lock(cpu.mutex());
  cpu.set_state(before);
}
/// Synchronises as LibTorch does.
void synchronize() { c10::cuda::stream_synchronize(c10::cuda::getCurrentCUDAStream().stream()); }

/// The argument that a result aliases, if any.
std::optional<std::size_t> argument_of(c10::FunctionSchema const& schema, std::size_t result) {
  auto const* const alias = schema.returns()[result].alias_info();
  if (alias == nullptr) return {};
  for (std::size_t i = 0; i < schema.arguments().size(); ++i)
    if (auto const* const of = schema.arguments()[i].alias_info(); of != nullptr && of->beforeSets() == alias->beforeSets()) return i;
  return {};
}

// Whether the sizes of the results depend on values, so that the operation synchronises.
bool synchronizes(c10::OperatorHandle const& op, Stack const& arguments) {
  static std::unordered_set<std::string> const known{
      "aten::nonzero",  "aten::masked_select",     "aten::_unique2", "aten::unique_dim", "aten::unique_consecutive",
      "aten::bincount", "aten::repeat_interleave", "aten::equal"};
  std::string const& name = op.operator_name().name;
  if (known.contains(name)) return true;
  if (name != "aten::index" && name != "aten::index_put_" && name != "aten::_index_put_impl_") return false;
  bool mask = false;
  for (std::optional<at::Tensor> const& each : arguments[1].toOptionalTensorList())
    mask = mask || (each && each->defined() && (each->scalar_type() == at::kBool || each->scalar_type() == at::kByte));
  return mask;
}

/// Refuses operations that LibTorch's notes on reproducibility list without a deterministic form on CUDA, where determinism is required.
void refuse_nondeterministic(c10::OperatorHandle const& op, Stack const& arguments) {
  static std::unordered_set<std::string> const known{"aten::_adaptive_avg_pool2d_backward",
                                                     "aten::_adaptive_avg_pool3d_backward",
                                                     "aten::adaptive_max_pool2d_backward",
                                                     "aten::adaptive_max_pool3d_backward",
                                                     "aten::avg_pool3d_backward",
                                                     "aten::fractional_max_pool2d_backward",
                                                     "aten::fractional_max_pool3d_backward",
                                                     "aten::max_pool3d_with_indices_backward",
                                                     "aten::grid_sampler_2d_backward",
                                                     "aten::grid_sampler_3d_backward",
                                                     "aten::reflection_pad1d_backward",
                                                     "aten::reflection_pad2d_backward",
                                                     "aten::reflection_pad3d_backward",
                                                     "aten::replication_pad1d_backward",
                                                     "aten::replication_pad2d_backward",
                                                     "aten::replication_pad3d_backward",
                                                     "aten::upsample_linear1d_backward",
                                                     "aten::upsample_bilinear2d_backward",
                                                     "aten::upsample_bicubic2d_backward",
                                                     "aten::upsample_trilinear3d_backward",
                                                     "aten::_upsample_bilinear2d_aa_backward",
                                                     "aten::_upsample_bicubic2d_aa_backward",
                                                     "aten::nll_loss2d_forward",
                                                     "aten::nll_loss2d_backward",
                                                     "aten::_ctc_loss_backward",
                                                     "aten::put_",
                                                     "aten::histc",
                                                     "aten::kthvalue"};
  std::string const& name = op.operator_name().name;
  bool const sums         = (name == "aten::cumsum" || name == "aten::cumsum_") && arguments[0].toTensor().is_floating_point();
  if (known.contains(name) || sums) at::globalContext().alertNotDeterministic(name + " (CUDA)");
}

/// Copies results to the tensors that were allocated for them.
void deliver(c10::FunctionSchema const& schema, Stack const& from, Stack const& to) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (argument_of(schema, i)) continue;
    std::vector<at::Tensor> numbers;
    each_tensor(from[i], [&](at::Tensor const& each) { return numbers.push_back(each), each; });
    std::size_t next = 0;
    each_tensor(to[i], [&](at::Tensor const& each) { return each.copy_(numbers.at(next++)); });
  }
}

/// The name of an operation in the description of a graph (gpu.hpp).
std::string named(c10::OperatorHandle const& op, Stack const& arguments) {
  static bool const sizes = [] {
    char const* const asked = std::getenv("C2F_EMULATED_GRAPHS");
    return asked != nullptr && std::string(asked) == "2";
  }();
  std::ostringstream name;
  name << op.operator_name().name;
  if (sizes) each_tensor(arguments, [&](at::Tensor const& each) { return name << ' ' << each.scalar_type() << each.sizes(), each; });
  return name.str();
}

void on_cpu(c10::OperatorHandle const& op, Stack* stack) {
  auto const& schema       = op.schema();
  std::size_t const inputs = schema.arguments().size();
  Stack const arguments(stack->end() - static_cast<std::ptrdiff_t>(inputs), stack->end());
  torch::jit::drop(*stack, inputs);
  refuse_nondeterministic(op, arguments);
  // CPU tensors have the values of the time of the call.
  Stack const held = each_tensor(arguments, [](at::Tensor const& each) { return each.is_cuda() ? each : each.clone(); });
  bool const now   = synchronizes(op, arguments);
  if (now) synchronize();
  std::optional<at::PhiloxCudaState> const random = generator_state_of(op);
  Stack results                                   = each_tensor(held, now ? same_memory : zeros_like);
  auto const called                               = [&] { call(op, &results, random ? std::optional<std::uint64_t>(0) : std::nullopt); };
  now ? emulated::at_once(called) : called();

  c10::Device const gpu(c10::kCUDA, c10::cuda::current_device());
  Stack given;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (std::optional<std::size_t> const argument = argument_of(schema, i)) {
      given.push_back(arguments[*argument]);
      if (!given.back().isTensor() || !schema.arguments()[*argument].is_out()) continue;
      at::Tensor const& to = given.back().toTensor();
      if (to.sizes() != results[i].toTensor().sizes()) to.resize_(results[i].toTensor().sizes());
    } else {
      given.push_back(each_tensor(
          results[i], [&](at::Tensor const& each) { return at::empty_strided(each.sizes(), each.strides(), each.options().device(gpu)); }));
    }
  }
  // Queued work refers to memory without owning it, like a kernel.
  Stack const to = each_tensor(given, same_memory);
  if (now) {
    emulated::at_once([&] { deliver(schema, results, to); });
  } else {
    auto const work = [op, from = each_tensor(held, same_memory), to, random] {
      try {
        Stack found = from;
        call(op, &found, random ? std::optional(seed_of(*random)) : std::nullopt);
        deliver(op.schema(), found, to);
      } catch (std::exception const& error) {
        std::fprintf(stderr, "emulated GPU: %s: %s\n", toString(op.operator_name()).c_str(), error.what());
        std::abort();
      }
    };
    C10_CUDA_CHECK(static_cast<cudaError_t>(emulated::queue(c10::cuda::getCurrentCUDAStream().stream(), named(op, arguments), work)));
  }
  for (auto& each : given) stack->push_back(std::move(each));
}

/// Between host and GPU LibTorch copies with CUDA's runtime, on the GPU others with kernels.
void copy(c10::OperatorHandle const& op, Stack* stack) {
  bool const non_blocking = stack->at(stack->size() - 1).toBool();
  at::Tensor const from = stack->at(stack->size() - 2).toTensor(), to = stack->at(stack->size() - 3).toTensor();
  if (from.is_cuda() && to.is_cuda()) return on_cpu(op, stack);
  torch::jit::drop(*stack, 3);
  at::native::copy_(const_cast<at::Tensor&>(to), from, non_blocking);
  stack->push_back(to);
}

// Operations that need no replacement: they allocate tensors, read or change their layout, or use CUDA's runtime or other operations.
bool needs_no_replacement(c10::FunctionSchema const& schema) {
  static std::unordered_set<std::string> const known{"aten::empty",     "aten::empty_strided", "aten::resize_",
                                                     "aten::set_",      "aten::record_stream", "aten::is_set_to",
                                                     "aten::is_pinned", "aten::_pin_memory",   "aten::_local_scalar_dense"};
  if (known.contains(schema.name())) return true;
  if (schema.returns().empty()) return false;
  auto const* const alias = schema.returns()[0].alias_info();
  return alias != nullptr && !alias->isWrite();  // a view
}

/// Replaces LibTorch's kernels when the program begins.
struct replacement {
  replacement() {
    auto const before = c10::WarningUtils::get_warning_handler();
    struct : c10::WarningHandler {
      void process(c10::Warning const&) override {}
    } silent;
    c10::WarningUtils::set_warning_handler(&silent);
    auto& dispatcher = c10::Dispatcher::singleton();
    // Operations without a CUDA kernel that would call cuDNN or launch a kernel.
    std::unordered_set<std::string> const others{"aten::convolution", "aten::convolution_backward", "aten::copy_"};
    for (c10::OperatorName const& name : dispatcher.getAllOpNames()) {
      auto const op = dispatcher.findOp(name);
      if (!op || !op->hasSchema() || !name.name.starts_with("aten::")) continue;
      auto const has     = [&](c10::DispatchKey key) { return op->hasKernelForDispatchKey(key); };
      bool const on_both = has(c10::DispatchKey::CUDA) && (has(c10::DispatchKey::CPU) || has(c10::DispatchKey::CompositeExplicitAutograd));
      if (!others.contains(name.name) && (!on_both || needs_no_replacement(op->schema()))) continue;
      std::string const whole = name.overload_name.empty() ? name.name : name.name + "." + name.overload_name;
      library_.impl(whole.c_str(), name.name == "aten::copy_" ? torch::CppFunction::makeFromBoxedFunction<&copy>()
                                                              : torch::CppFunction::makeFromBoxedFunction<&on_cpu>());
    }
    c10::WarningUtils::set_warning_handler(before);
    at::globalContext().setUserEnabledCuDNN(false);  // norms would call it by name
  }

 private:
  torch::Library library_{torch::Library::IMPL, "aten", c10::DispatchKey::CUDA, __FILE__, __LINE__};
} const done;

}  // namespace
