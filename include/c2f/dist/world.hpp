// c2f/dist/world.hpp: a training in many processes, on one machine or many, by LibTorch's c10d: Gloo between CPUs, NCCL between GPUs.
//
//   c2f::dist::world world;                                    // as torchrun, mpirun or srun says; without a launcher one process
//   auto report = c2f::fit(model, data, recipe.on(world));     // the recipe's batch is that of all processes together
//   world.shutdown();                                          // waits for the others
//
// The constructor waits until all processes are there. Sockets are bound to the interface that is named (world_options::interface, else
// GLOO_SOCKET_IFNAME), else to the address by which this machine reaches rank 0: the loopback interface if that is this machine. c10d has no
// authentication and no encryption; use a private network. Where torchrun's agent holds the store, the agent's own port is open.
//
// Joining ignores SIGPIPE unless the program handles it: a write to a process that has died becomes an error.
//
// The destructor without shutdown(), as after an exception, waits for nothing: connections are closed when the process ends, which the others
// report. So end the process then.
//
// Costs: four threads and two connections to each process; with one process none. Errors: c2f::input_error from the constructor for a
// contradicting environment (dist/launch.hpp), a store that does not answer, a rank that is there twice or not at all, each within
// world_options::join_timeout; c2f::error from everything else if a process is lost or does not answer within world_options::timeout.
// Needs Gloo's headers (Debian: libgloo-dev) and the macro USE_C10D_GLOO, which the CMake target c2f::dist sets.
#pragma once

#ifndef USE_C10D_GLOO
#error "c2f/dist/world.hpp needs USE_C10D_GLOO and Gloo's headers; link the CMake target c2f::dist (Debian package: libgloo-dev)"
#endif

#include <c2f/core/errors.hpp>
#include <c2f/dist/gradient_buckets.hpp>
#include <c2f/dist/launch.hpp>
#include <c2f/dist/sockets.hpp>
#include <c2f/dist/synchronised_norm.hpp>
#include <c2f/execution/communicator.hpp>

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <c10/util/Logging.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace c2f::dist {

/// How long to wait, and where to listen.
struct world_options {
  /// For all processes to be there; the environment variable C2F_JOIN_TIMEOUT, in seconds.
  std::chrono::seconds join_timeout = detail::seconds_of("C2F_JOIN_TIMEOUT", 120);
  /// For one exchange: longer than rank 0 takes to write a checkpoint, or any process to read a batch; the variable C2F_TIMEOUT.
  std::chrono::seconds timeout      = detail::seconds_of("C2F_TIMEOUT", 600);
  std::string interface{};  ///< the network interface to listen on, such as "eth1"
};

/// The processes of a training. See the top of this file.
class world : public communicator {
 public:
  explicit world(world_options const& options = {}) : world(launch_of_environment(), options) {}
  explicit world(launch here, world_options const& options = {}) : here_(std::move(here)), options_(options) {
    if (here_.size > 1) join();
  }
  ~world() override {
    // Their destructors wait for threads that wait for other processes.
    (void)store_.release();
    (void)messages_.release();
    (void)gradients_.release();
#ifdef USE_C10D_NCCL
    (void)gpus_.release();
#endif
  }

  /// Waits for the other processes and closes the connections. The last call.
  void shutdown() {
    if (!messages_) return;
    barrier();
#ifdef USE_C10D_NCCL
    if (gpus_) gpus_->shutdown();
    gpus_.reset();
#endif
    gradients_.reset();
    messages_.reset();
    store_.reset();
  }

  [[nodiscard]] int rank() const override { return here_.rank; }
  [[nodiscard]] int size() const override { return here_.size; }
  /// The rank among the processes of this machine: the number of its GPU.
  [[nodiscard]] int local_rank() const { return here_.local_rank; }
  [[nodiscard]] launch const& launched() const { return here_; }
  /// How long sums of gradients took, and what the backward passes hid of it.
  [[nodiscard]] reduction_times const& times() const { return times_; }

  /// Waits until all processes have called it.
  void barrier() {
    if (here_.size > 1) (void)gather({});
  }

  [[nodiscard]] std::vector<std::string> gather(std::string const& own) override {
    if (here_.size == 1) return {own};
    // Short texts are sent with their lengths, in one exchange.
    constexpr std::size_t width = 64, lengths = sizeof(std::uint64_t);
    std::string first(width, '\0');
    std::uint64_t const length = own.size();
    std::memcpy(first.data(), &length, lengths);
    std::memcpy(first.data() + lengths, own.data(), std::min(own.size(), width - lengths));
    std::vector<std::string> all = gather_equal(first);
    std::uint64_t longest        = 0;
    for (auto& each : all) {
      std::uint64_t own_length = 0;
      std::memcpy(&own_length, each.data(), lengths);
      longest = std::max(longest, own_length);
      each    = each.substr(lengths, std::min<std::size_t>(own_length, width - lengths));
    }
    if (longest <= width - lengths) return all;
    std::string padded = own;
    padded.resize(longest);
    std::vector<std::string> whole = gather_equal(padded);
    std::vector<std::string> ends  = gather_equal({reinterpret_cast<char const*>(&length), lengths});
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::uint64_t own_length = 0;
      std::memcpy(&own_length, ends[i].data(), lengths);
      whole[i].resize(own_length);
    }
    return whole;
  }

  void broadcast(at::Tensor const& tensor) override {
    if (here_.size == 1) return;
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    std::vector<at::Tensor> sent{tensor.to(at::kCPU).contiguous()};
    if (sent.front().is_same(tensor)) sent.front() = tensor.clone();
    explained([&] { wait(*messages_->broadcast(sent)); });
    tensor.copy_(sent.front());
  }

  void sum(at::Tensor const& tensor) override {
    if (here_.size == 1) return;
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    std::vector<at::Tensor> sent{tensor.contiguous()};
    explained([&] { wait(*backend_for(tensor, *messages_).allreduce(sent)); });
    if (!sent.front().is_same(tensor)) tensor.copy_(sent.front());
  }

  [[nodiscard]] std::unique_ptr<gradient_reduction> reduce(std::vector<at::Tensor> leaves, std::vector<at::Tensor> rare) override {
    return std::make_unique<detail::gradient_buckets>(
        std::move(leaves), std::move(rare), [this](at::Tensor const& numbers) { return begin_sum(numbers); }, times_);
  }

  [[nodiscard]] at::Tensor batch_norm(at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias, at::Tensor const& running_mean,
                                      at::Tensor const& running_var, double eps) override {
    return detail::synchronised_norm::apply(x, weight, bias, running_mean, running_var, eps, static_cast<communicator*>(this));
  }

 private:
  class pending : public detail::pending_sum {
   public:
    pending(world const& of, c10::intrusive_ptr<c10d::Work> work, bool on_host) : of_(of), work_(std::move(work)) {
      if (on_host) work_->getFuture()->addCallback([ended = ended_](auto const&) { *ended = clock::now().time_since_epoch().count(); });
    }
    void wait() override {
      of_.explained([&] { world::wait(*work_); });
    }
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> ended() const override {
      if (*ended_ == 0) return {};
      return clock::time_point(clock::duration(*ended_));
    }

   private:
    using clock = std::chrono::steady_clock;
    world const& of_;
    std::shared_ptr<std::atomic<clock::rep>> ended_ = std::make_shared<std::atomic<clock::rep>>(0);  // set by a thread of Gloo
    c10::intrusive_ptr<c10d::Work> work_;
  };

  static void wait(c10d::Work& work) { work.wait(); }

  [[nodiscard]] std::string who() const { return "rank " + std::to_string(here_.rank) + " of " + std::to_string(here_.size); }

  // Errors of c10d and Gloo as sentences.
  template <class F>
  void explained(F const& f) const {
    try {
      f();
    } catch (c2f::error const&) {
      throw;
    } catch (std::exception const& failure) {
      std::string const what = failure.what(), line = what.substr(0, what.find('\n'));
      bool const late = what.find("imed out") != std::string::npos || what.find("imeout") != std::string::npos;
      if (late)
        throw error(who() + " waited " + std::to_string(options_.timeout.count()) + " s for another process, which did not answer (" +
                    line +
                    "); look at the messages of the others; a training with checkpoints goes on from the newest when it is started again");
      throw error(who() + " lost its connection to another process (" + line +
                  "); look at the messages of the others; a training with checkpoints goes on from the newest when it is started again");
    }
  }

  [[nodiscard]] std::vector<std::string> gather_equal(std::string const& own) const {
    auto const size = static_cast<std::int64_t>(own.size());
    std::vector<at::Tensor> sent{at::empty({size}, at::TensorOptions(at::kByte))};
    std::memcpy(sent.front().mutable_data_ptr(), own.data(), own.size());
    std::vector<std::vector<at::Tensor>> received(1);
    for (int i = 0; i < here_.size; ++i) received.front().push_back(at::empty_like(sent.front()));
    explained([&] { wait(*messages_->allgather(received, sent)); });
    std::vector<std::string> all;
    for (auto const& each : received.front()) all.emplace_back(static_cast<char const*>(each.const_data_ptr()), own.size());
    return all;
  }

  [[nodiscard]] c10d::Backend& backend_for(at::Tensor const& tensor, c10d::Backend& on_host) {
    if (tensor.is_cpu()) return on_host;
#ifdef USE_C10D_NCCL
    if (!gpus_) {
      auto options     = c10d::ProcessGroupNCCL::Options::create();
      options->timeout = options_.timeout;
      gpus_ = c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("gpus", store_), here_.rank, here_.size,
                                                          std::move(options));
      gpus_->setBoundDeviceId(tensor.device());
    }
    return *gpus_;
#else
    return on_host;  // which copies to the host
#endif
  }

  std::unique_ptr<detail::pending_sum> begin_sum(at::Tensor const& numbers) {
    std::vector<at::Tensor> sent{numbers};
    c10::intrusive_ptr<c10d::Work> work;
    explained([&] { work = backend_for(numbers, *gradients_).allreduce(sent); });
    return std::make_unique<pending>(*this, std::move(work), numbers.is_cpu());
  }

  // ---- joining ----

  void join() {
    // Writing to a process that has died is then an error of which the other can tell, and not its end by a signal.
    if (struct sigaction now{}; ::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
    // c10d warns, with stack traces, of what is said in a sentence here.
    if (detail::variable("TORCH_CPP_LOG_LEVEL").empty()) FLAGS_caffe2_log_level = static_cast<int>(c10::GLOG_FATAL);
    std::string const where = here_.address + ":" + std::to_string(here_.port);
    detail::local_address const own =
        detail::address_of_interface(options_.interface.empty() ? detail::variable("GLOO_SOCKET_IFNAME") : options_.interface, here_);
    auto const until = std::chrono::steady_clock::now() + options_.join_timeout;
    c10d::TCPStoreOptions options;
    options.port        = here_.port;
    // Once something listens; if it has ended meanwhile, c10d would try for longer than its timeout.
    options.timeout     = std::min<std::chrono::milliseconds>(options_.join_timeout, std::chrono::seconds(5));
    options.waitWorkers = false;
    options.numWorkers  = static_cast<std::size_t>(here_.size);
    try {
      if (here_.rank == 0 && !here_.agent_store) {
        options.isServer       = true;
        options.masterListenFd = detail::listen_on(own, here_);
      } else {
        detail::await_listener(here_, who(), options_.join_timeout);
      }
      auto const whole = c10::make_intrusive<c10d::TCPStore>(here_.address, options);
      whole->setTimeout(options_.join_timeout);
      store_ = c10::make_intrusive<c10d::PrefixStore>("c2f/" + detail::variable("TORCHELASTIC_RESTART_COUNT"), whole);
    } catch (error const&) {
      throw;
    } catch (std::exception const& failure) {
      std::string const what = failure.what();
      throw input_error(who() + " cannot use the store at " + where + " (" + what.substr(0, what.find('\n')) +
                        "); check MASTER_ADDR and MASTER_PORT");
    }
    meet(until);
    try {
      auto const group = [&](char const* name) {
        auto made     = c10d::ProcessGroupGloo::Options::create(options_.timeout);
        made->devices = {c10d::ProcessGroupGloo::createDeviceForHostname(own.text)};
        return c10::make_intrusive<c10d::ProcessGroupGloo>(c10::make_intrusive<c10d::PrefixStore>(name, store_), here_.rank, here_.size,
                                                           std::move(made));
      };
      messages_  = group("messages");
      gradients_ = group("gradients");
    } catch (std::exception const& failure) {
      std::string const what = failure.what();
      throw input_error(who() + " cannot connect to the other processes from " + own.text + " (" + what.substr(0, what.find('\n')) +
                        "); check that the machines reach each other, or name the network interface in GLOO_SOCKET_IFNAME");
    }
    barrier();  // so that an error of one process meets no other one here
  }

  // Waits until each rank has said that it is there; each may do so once.
  void meet(std::chrono::steady_clock::time_point until) {
    auto const key = [](int rank) { return "rank" + std::to_string(rank); };
    std::string absent;
    try {
      if (store_->add(key(here_.rank) + "s", 1) > 1)
        throw input_error(
            who() +
            ": another process has this rank, too; start each rank once, and give other trainings on this machine another MASTER_PORT");
      store_->set(key(here_.rank), std::to_string(here_.size));
      for (;;) {
        absent.clear();
        for (int rank = 0; rank < here_.size; ++rank)
          if (!store_->check({key(rank)})) absent += (absent.empty() ? "" : ", ") + std::to_string(rank);
        if (absent.empty()) break;
        if (std::chrono::steady_clock::now() >= until)
          throw input_error(who() + ": after " + std::to_string(options_.join_timeout.count()) + " s these ranks are not there: " + absent +
                            "; look at their messages, or start them");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      for (int rank = 0; rank < here_.size; ++rank)
        if (auto const size = store_->get_to_str(key(rank)); size != std::to_string(here_.size))
          throw input_error(who() + ": rank " + std::to_string(rank) + " was started as one of " + size +
                            "; start all with the same number of processes");
    } catch (error const&) {
      throw;
    } catch (std::exception const& failure) {
      std::string const what = failure.what();
      throw input_error(who() + ": the store at " + here_.address + ":" + std::to_string(here_.port) + " was lost (" +
                        what.substr(0, what.find('\n')) + "); look at the message of rank 0");
    }
  }

  launch here_;
  world_options options_;
  reduction_times times_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> messages_, gradients_;  // two, since the sums of norms and gradients are not in one order
#ifdef USE_C10D_NCCL
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> gpus_;
#endif
};

}  // namespace c2f::dist
