// The kernels of c2f/cuda/kernels/kernels.cu on a CPU (emulated/cuda_runtime.h says how), for a program with an emulated GPU (emulated/gpu.hpp).
#include <c2f/cuda/kernels/kernels.cu>

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

namespace emulated {
namespace {

[[noreturn]] void give_up(char const* why) {
  std::fprintf(stderr, "emulated kernel: thread %u of block (%u, %u) %s\n", threadIdx.x, blockIdx.x, blockIdx.y, why);
  std::abort();
}

/// Any order will do, but the same in every run of a program.
std::uint64_t drawn() {
  static std::uint64_t state = 1;
  state                      = state * 6364136223846793005u + 1442695040888963407u;
  return state >> 33;
}
template <class T>
void shuffle(std::vector<T>& all) {
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[drawn() % i]);
}

/// What runs on a stack of its own and takes turns with others.
struct fiber {
  static constexpr std::size_t stack_size = 256 * 1024;
  ucontext_t context{};
  jmp_buf registers{};
  bool begun = false;
  std::unique_ptr<char[]> stack{};
  unsigned thread = 0;

  void begin_with(void (*life)(), std::size_t number) {
    stack.reset(new char[stack_size]);
    getcontext(&context);
    context.uc_stack.ss_sp   = stack.get();
    context.uc_stack.ss_size = stack_size - number % 64 * 192;  // else what they use most would share the same lines of a cache
    context.uc_link          = nullptr;
    makecontext(&context, life, 0);
  }
  /// Until somebody comes back to this one.
  void turn_to(fiber& next) {
#ifdef __SANITIZE_ADDRESS__
    swapcontext(&context, &next.context);
#else
    // swapcontext, but without a call of the system for the signals, which is most of its time.
    if (_setjmp(registers) != 0) return;
    if (std::exchange(next.begun, true)) _longjmp(next.registers, 1);
    setcontext(&next.context);
#endif
  }
};

// One launch and one block after the other, all on the same fibers. A fiber takes threads that have not begun until one of them waits. Who
// can go on is a stack: a warp that may go on does so before the others.
class machine {
 public:
  void run(dim3 grid, dim3 block, std::function<void()> const& thread) {
    thread_ = &thread, gridDim = grid, blockDim = block, threads_ = block.x;
    std::vector<unsigned> blocks(std::size_t{grid.x} * grid.y);
    std::iota(blocks.begin(), blocks.end(), 0u);
    shuffle(blocks);
    for (unsigned const each : blocks) {
      blockIdx = {each % grid.x, each / grid.x};
      run_block();
    }
  }
  void wait_for_block() {
    running_->thread = threadIdx.x;
    waits_for_block_.push_back(running_);
    if (waits_for_block_.size() == threads_) {
      arrange(waits_for_block_, [](fiber const* each) { return each->thread; });
      ready_.swap(waits_for_block_);  // which is empty: all have waited
    }
    rest();
  }
  void exchange(void* number, std::size_t size, unsigned lane) {
    unsigned const warp = threadIdx.x / 32;
    std::memcpy(&left_[threadIdx.x], number, size);
    wait_for_warp(warp);
    std::memcpy(number, &left_[warp * 32 + lane], size);
    wait_for_warp(warp);  // before the next one writes
  }

 private:
  void run_block() {
    begun_ = ended_ = 0;
    order_.resize(threads_);
    std::iota(order_.begin(), order_.end(), 0u);
    arrange(order_, [](unsigned thread) { return thread; });
    left_.resize(threads_);
    waits_for_warp_.resize((threads_ + 31) / 32);
    while (ended_ < threads_) {
      if (!ready_.empty()) {
        fiber* const next = ready_.back();
        ready_.pop_back();
        resume(next);
      } else if (begun_ < threads_) {
        resume(unused());
      } else {
        give_up("or another one waits for threads that have ended or wait elsewhere");
      }
    }
  }
  /// Mostly warp by warp, so that one runs ahead of the others as far as they let it; else in any order.
  template <class T, class Thread>
  static void arrange(std::vector<T>& all, Thread const& thread) {
    shuffle(all);
    if (drawn() % 4 == 0) return;
    auto const salt = static_cast<unsigned>(drawn());
    std::stable_sort(all.begin(), all.end(), [&](T const& a, T const& b) { return rank(thread(a), salt) < rank(thread(b), salt); });
  }
  static unsigned rank(unsigned thread, unsigned salt) { return (thread / 32 ^ salt) * 2654435761u; }
  fiber* unused() {
    if (unused_.empty()) {
      all_.push_back(std::make_unique<fiber>());
      all_.back()->begin_with(&machine::life, all_.size());
      unused_.push_back(all_.back().get());
    }
    fiber* const taken = unused_.back();
    unused_.pop_back();
    return taken;
  }
  void resume(fiber* next) {
    running_ = next;
    main_.turn_to(*next);
  }
  /// Until it is resumed.
  void rest() {
    fiber* const self = running_;
    self->thread      = threadIdx.x;
    self->turn_to(main_);
    threadIdx.x = self->thread;
  }
  void wait_for_warp(unsigned warp) {
    auto& waiting = waits_for_warp_[warp];
    waiting.push_back(running_);
    if (waiting.size() == 32) {
      shuffle(waiting);
      ready_.insert(ready_.end(), waiting.begin(), waiting.end());
      waiting.clear();
    }
    rest();
  }
  static void life();

  std::function<void()> const* thread_ = nullptr;
  unsigned threads_ = 0, begun_ = 0, ended_ = 0;
  fiber main_{.begun = true};
  fiber* running_ = nullptr;
  std::vector<std::unique_ptr<fiber>> all_;
  std::vector<fiber*> unused_, ready_, waits_for_block_;
  std::vector<std::vector<fiber*>> waits_for_warp_;
  std::vector<std::uint64_t> left_;
  std::vector<unsigned> order_;
};

machine& the_machine() {
  static machine made;
  return made;
}
void machine::life() {
  machine& here = the_machine();
  for (;;) {
    while (here.begun_ < here.threads_) {
      threadIdx.x = here.order_[here.begun_++];
      (*here.thread_)();
      ++here.ended_;
    }
    here.unused_.push_back(here.running_);
    here.rest();
  }
}

}  // namespace

void run(dim3 grid, dim3 block, bool early, std::function<void()> const& thread) {
  waited = 0;
  the_machine().run(grid, block, thread);
  if (early && waited != std::size_t{grid.x} * grid.y * block.x)
    give_up("or another one was started early and did not wait for the kernel before");
}
void wait_for_block() { the_machine().wait_for_block(); }
void exchange(void* number, std::size_t size, unsigned lane) { the_machine().exchange(number, size, lane); }

}  // namespace emulated
