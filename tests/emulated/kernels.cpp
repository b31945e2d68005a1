// The kernels of c2f/cuda/kernels/kernels.cu on a CPU (emulated/cuda_runtime.h), for a program with the emulated CUDA device
// (emulated/gpu.hpp).
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

[[noreturn]] void fail(char const* why) {
  std::fprintf(stderr, "emulated kernel: thread %u of block (%u, %u) %s\n", threadIdx.x, blockIdx.x, blockIdx.y, why);
  std::abort();
}

/// A random number; the sequence is the same in every run of a program.
std::uint64_t drawn() {
  static std::uint64_t state = 1;
  state                      = state * 6364136223846793005u + 1442695040888963407u;
  return state >> 33;
}
template <class T>
void shuffle(std::vector<T>& all) {
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[drawn() % i]);
}

/// A coroutine with a stack of its own.
struct fiber {
  static constexpr std::size_t stack_size = 256 * 1024;
  ucontext_t context{};
  jmp_buf registers{};
  bool begun = false;
  std::unique_ptr<char[]> stack{};
  unsigned thread = 0;

  void begin_with(void (*run_fiber)(), std::size_t number) {
    stack.reset(new char[stack_size]);
    getcontext(&context);
    context.uc_stack.ss_sp = stack.get();
    context.uc_stack.ss_size =
        stack_size - number % 64 * 192;  // different offsets, so that the stacks do not compete for the same cache lines
    context.uc_link = nullptr;
    makecontext(&context, run_fiber, 0);
  }
  /// Switches to another fiber; returns when one switches back to this one.
  void switch_to(fiber& next) {
#ifdef __SANITIZE_ADDRESS__
    swapcontext(&context, &next.context);
#else
    // Like swapcontext, but without its system call for the signal mask, which takes most of its time.
    if (_setjmp(registers) != 0) return;
    if (std::exchange(next.begun, true)) _longjmp(next.registers, 1);
    setcontext(&next.context);
#endif
  }
};

// Runs launches and blocks one after the other, all on the same fibers. A fiber runs threads that have not begun until one of them waits.
// The fibers that can continue are a stack: a warp that can continue does so before the others.
class scheduler {
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
      ready_.swap(waits_for_block_);  // ready_ is empty: all threads wait here
    }
    suspend();
  }
  void exchange(void* number, std::size_t size, unsigned lane) {
    unsigned const warp = threadIdx.x / 32;
    std::memcpy(&exchanged_[threadIdx.x], number, size);
    wait_for_warp(warp);
    std::memcpy(number, &exchanged_[warp * 32 + lane], size);
    wait_for_warp(warp);  // before the next exchange writes
  }

 private:
  void run_block() {
    begun_ = ended_ = 0;
    order_.resize(threads_);
    std::iota(order_.begin(), order_.end(), 0u);
    arrange(order_, [](unsigned thread) { return thread; });
    exchanged_.resize(threads_);
    waits_for_warp_.resize((threads_ + 31) / 32);
    while (ended_ < threads_) {
      if (!ready_.empty()) {
        fiber* const next = ready_.back();
        ready_.pop_back();
        resume(next);
      } else if (begun_ < threads_) {
        resume(unused());
      } else {
        fail("or another one waits for threads that have ended or wait at another barrier");
      }
    }
  }
  /// Mostly warp by warp, so that a warp runs as far ahead of the others as barriers permit; else in random order.
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
      all_.back()->begin_with(&scheduler::run_fiber, all_.size());
      unused_.push_back(all_.back().get());
    }
    fiber* const taken = unused_.back();
    unused_.pop_back();
    return taken;
  }
  void resume(fiber* next) {
    running_ = next;
    main_.switch_to(*next);
  }
  /// Suspends the running fiber until it is resumed.
  void suspend() {
    fiber* const self = running_;
    self->thread      = threadIdx.x;
    self->switch_to(main_);
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
    suspend();
  }
  static void run_fiber();

  std::function<void()> const* thread_ = nullptr;
  unsigned threads_ = 0, begun_ = 0, ended_ = 0;
  fiber main_{.begun = true};
  fiber* running_ = nullptr;
  std::vector<std::unique_ptr<fiber>> all_;
  std::vector<fiber*> unused_, ready_, waits_for_block_;
  std::vector<std::vector<fiber*>> waits_for_warp_;
  std::vector<std::uint64_t> exchanged_;
  std::vector<unsigned> order_;
};

scheduler& the_scheduler() {
  static scheduler made;
  return made;
}
void scheduler::run_fiber() {
  scheduler& here = the_scheduler();
  for (;;) {
    while (here.begun_ < here.threads_) {
      threadIdx.x = here.order_[here.begun_++];
      (*here.thread_)();
      ++here.ended_;
    }
    here.unused_.push_back(here.running_);
    here.suspend();
  }
}

}  // namespace

void run(dim3 grid, dim3 block, bool early, std::function<void()> const& thread) {
  waited = 0;
  the_scheduler().run(grid, block, thread);
  if (early && waited != std::size_t{grid.x} * grid.y * block.x)
    fail("or another one was launched early and did not wait for the kernels before it");
}
void wait_for_block() { the_scheduler().wait_for_block(); }
void exchange(void* number, std::size_t size, unsigned lane) { the_scheduler().exchange(number, size, lane); }

}  // namespace emulated
