// CUDA's runtime for the emulated CUDA device (gpu.hpp). The program's symbols take precedence over those of the libcudart that LibTorch
// brings; functions that are not defined here come from that library, which reports that there is no GPU.
#include "gpu.hpp"

#include <cuda_runtime_api.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

struct CUstream_st;
namespace emulated {
namespace {

[[noreturn]] void fail(std::string const& why) {
  std::fprintf(stderr, "emulated GPU: %s\n", why.c_str());
  std::abort();
}

/// The state of a recorded event: a position in the work of a stream that others can wait for.
struct event_state {
  CUstream_st* stream       = nullptr;
  bool reached              = false;
  std::uint64_t captured_by = 0;  // the id of the capture that it is part of
  std::chrono::steady_clock::time_point time{};
};
/// An element of a stream's queue.
struct operation {
  std::function<void()> work{};
  std::shared_ptr<event_state> waits_for{}, reaches{};
};

/// A node of a graph.
struct node {
  std::string what;
  std::function<void()> work;
};
/// A capture in progress.
struct capture {
  std::uint64_t id;
  CUstream_st* origin;
  cudaStreamCaptureMode mode;
  std::thread::id thread;
  std::vector<node> work{};
  cudaError_t error = cudaSuccess;
};

}  // namespace
}  // namespace emulated

struct CUstream_st {
  std::deque<emulated::operation> queued{};
  std::shared_ptr<emulated::capture> capture{};
  bool joined = true;  // whether the stream in which the capture began waits for all work of this one
};
struct CUevent_st {
  std::shared_ptr<emulated::event_state> last = std::make_shared<emulated::event_state>(emulated::event_state{.reached = true});
};
struct CUgraph_st {
  std::vector<emulated::node> work{};
};
struct CUgraphExec_st : CUgraph_st {};

namespace emulated {
namespace {

/// Under AddressSanitizer memory comes from malloc, whose bounds it checks.
#ifdef __SANITIZE_ADDRESS__
constexpr bool mapped = false;
#else
constexpr bool mapped = true;
#endif

/// The state of the device, and its scheduler. Every function of the runtime locks it.
class virtual_device {
 public:
  std::recursive_mutex lock{};
  CUstream_st default_stream{};
  std::vector<CUstream_st*> streams{&default_stream};
  std::vector<std::shared_ptr<capture>> captures{};  // in progress
  std::uint64_t next_capture = 1;
  std::unordered_map<void const*, std::string> kernels{};

  enum class block { device, host };
  struct piece {
    std::size_t size;
    block kind;
  };
  std::map<char*, piece> memory{};
  std::size_t used = 0;

  [[nodiscard]] CUstream_st& of(cudaStream_t stream) { return stream == nullptr ? default_stream : *stream; }

  void queue(CUstream_st& stream, operation one) {
    stream.queued.push_back(std::move(one));
    if (schedule_ == late) return;
    if (schedule_ == soon) return finish(stream);
    std::vector<CUstream_st*> busy;
    for (CUstream_st* each : streams)
      if (!each->queued.empty()) busy.push_back(each);
    for (std::uint64_t some = drawn() % 3; some > 0; --some) advance(*busy[drawn() % busy.size()]);
  }
  /// Does the next work of a stream; false where it has none or it waits for an event.
  bool advance(CUstream_st& stream) {
    device_access const here(*this);
    if (stream.queued.empty() || (stream.queued.front().waits_for && !stream.queued.front().waits_for->reached)) return false;
    operation const one = std::move(stream.queued.front());
    stream.queued.pop_front();
    if (one.work) one.work();
    if (one.reaches) {
      one.reaches->reached = true;
      one.reaches->time    = std::chrono::steady_clock::now();
    }
    return true;
  }
  void reach(event_state const& wanted) {
    device_access const here(*this);
    while (!wanted.reached) {
      CUstream_st& stream = *wanted.stream;
      if (stream.queued.empty()) fail("an event is waited for whose stream has no work");
      advance_with_dependencies(stream);
    }
  }
  void finish(CUstream_st& stream) {
    device_access const here(*this);
    while (!stream.queued.empty()) advance_with_dependencies(stream);
  }
  void finish_all() {
    for (CUstream_st* each : streams) finish(*each);
  }
  [[nodiscard]] std::uint64_t drawn() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 33;
  }

  /// Device memory is accessible as long as one of these lives. With the schedule 'late' it is protected from the host at other times; with
  /// the other schedules the protection would change too often.
  class device_access {
   public:
    explicit device_access(virtual_device& of) : of_(of) {
      if (of_.inside_++ == 0) of_.protect(PROT_READ | PROT_WRITE);
    }
    device_access(device_access const&)            = delete;
    device_access& operator=(device_access const&) = delete;
    ~device_access() {
      if (--of_.inside_ == 0) of_.protect(PROT_NONE);
    }

   private:
    virtual_device& of_;
  };

  [[nodiscard]] piece const* find(void const* pointer) const {
    auto const* const at = static_cast<char const*>(pointer);
    auto after           = memory.upper_bound(const_cast<char*>(at));
    if (after == memory.begin()) return nullptr;
    --after;
    return at < after->first + after->second.size ? &after->second : nullptr;
  }
  [[nodiscard]] bool pageable(void const* pointer) const { return find(pointer) == nullptr; }

 private:
  /// Does the next work of a stream that has some, after the work that it waits for.
  void advance_with_dependencies(CUstream_st& stream) {
    if (auto const before = stream.queued.front().waits_for) reach(*before);
    advance(stream);
  }
  void protect(int how) const {
    if (schedule_ != late || !mapped) return;
    for (auto const& [begin, each] : memory)
      if (each.kind == block::device) mprotect(begin, each.size, how);
  }

  int inside_ = 0;
  enum : std::uint64_t { late = ~std::uint64_t{0}, soon = late - 1 };
  static std::uint64_t schedule_of_environment() {
    char const* const schedule = std::getenv("C2F_EMULATED_SCHEDULE");
    if (schedule == nullptr || *schedule == '\0') return 1;
    std::string const word = schedule;
    if (word == "late") return late;
    if (word == "soon") return soon;
    if (word.find_first_not_of("0123456789") != std::string::npos)
      fail("C2F_EMULATED_SCHEDULE is '" + word + "'; write late, soon or a number");
    return std::strtoull(schedule, nullptr, 10);
  }
  std::uint64_t schedule_ = schedule_of_environment(), state_ = schedule_;
};

virtual_device& gpu() {
  static auto* const made = new virtual_device;  // never destroyed: LibTorch frees memory at the end of the program
  return *made;
}
thread_local cudaError_t last_error          = cudaSuccess;
thread_local cudaStreamCaptureMode this_mode = cudaStreamCaptureModeGlobal;

cudaError_t found(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}
/// The error of an operation that a capture forbids (synchronising, allocating, freeing); it invalidates the capture.
cudaError_t forbidden_in_capture() {
  if (this_mode == cudaStreamCaptureModeRelaxed) return cudaSuccess;
  cudaError_t error = cudaSuccess;
  for (auto const& each : gpu().captures) {
    bool const mine = each->thread == std::this_thread::get_id();
    if (each->mode == cudaStreamCaptureModeRelaxed ||
        (!mine && (each->mode != cudaStreamCaptureModeGlobal || this_mode != cudaStreamCaptureModeGlobal)))
      continue;
    each->error = cudaErrorStreamCaptureInvalidated;
    error       = cudaErrorStreamCaptureUnsupported;
  }
  return error;
}
cudaError_t refuse_in(CUstream_st const& stream) {
  if (!stream.capture) return cudaSuccess;
  stream.capture->error = cudaErrorStreamCaptureInvalidated;
  return cudaErrorStreamCaptureUnsupported;
}
/// The same for querying or synchronising with a stream.
cudaError_t refuse_waiting(CUstream_st const& stream) {
  cudaError_t const here = refuse_in(stream), anywhere = forbidden_in_capture();
  return here != cudaSuccess ? here : anywhere;
}
cudaError_t add(CUstream_st& stream, node one) {
  virtual_device& all = gpu();
  if (stream.capture) {
    if (stream.capture->error != cudaSuccess) return stream.capture->error;
    stream.capture->work.push_back(std::move(one));
    stream.joined = &stream == stream.capture->origin;
    return cudaSuccess;
  }
  for (auto const& each : all.captures)
    if (each->error == cudaSuccess) {
      std::fprintf(stderr, "emulated GPU: work was queued in a stream that is not captured, while another stream is\n");
      each->error = cudaErrorStreamCaptureInvalidated;
      return cudaErrorStreamCaptureImplicit;
    }
  all.queue(stream, {.work = std::move(one.work)});
  return cudaSuccess;
}

cudaError_t allocate(void** pointer, std::size_t size, virtual_device::block kind) {
  if (cudaError_t const error = forbidden_in_capture(); error != cudaSuccess) return error;
  constexpr std::size_t page = 4096, whole = std::size_t{8} << 30;
  virtual_device& all = gpu();
  if (kind == virtual_device::block::device && all.used + size > whole) return cudaErrorMemoryAllocation;
  virtual_device::device_access const here(all);
  std::size_t const rounded = std::max((size + page - 1) / page, std::size_t{1}) * page;
  void* const made = mapped ? mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : std::malloc(size);
  if (made == MAP_FAILED || made == nullptr) return cudaErrorMemoryAllocation;
  std::memset(made, 0xFF, mapped ? rounded : size);  // NaN as floats of any size, -1 as integers
  all.memory[static_cast<char*>(made)] = {rounded, kind};
  if (kind == virtual_device::block::device) all.used += rounded;
  *pointer = made;
  return cudaSuccess;
}
cudaError_t release(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  if (cudaError_t const error = forbidden_in_capture(); error != cudaSuccess) return error;
  virtual_device& all = gpu();
  all.finish_all();
  auto const at = all.memory.find(static_cast<char*>(pointer));
  if (at == all.memory.end()) return cudaErrorInvalidValue;
  if (at->second.kind == virtual_device::block::device) all.used -= at->second.size;
  mapped ? static_cast<void>(munmap(pointer, at->second.size)) : std::free(pointer);
  all.memory.erase(at);
  return cudaSuccess;
}
cudaError_t copy(void* to, void const* from, std::size_t size, CUstream_st& stream) {
  virtual_device& all = gpu();
  if (all.pageable(to) || all.pageable(from)) {  // through a staging buffer of CUDA, at the time of the call
    if (cudaError_t const error = refuse_in(stream); error != cudaSuccess) return error;
    if (all.pageable(to)) {
      virtual_device::device_access const here(all);
      all.finish(stream);
      std::memcpy(to, from, size);
      return cudaSuccess;
    }
    auto const kept = std::make_shared<std::vector<char>>(static_cast<char const*>(from), static_cast<char const*>(from) + size);
    return add(stream, {"copy", [to, kept] { std::memcpy(to, kept->data(), kept->size()); }});
  }
  return add(stream, {"copy", [to, from, size] { std::memcpy(to, from, size); }});
}

}  // namespace

int queue(void* stream, std::string what, std::function<void()> work) {
  virtual_device& all = gpu();
  std::lock_guard const lock(all.lock);
  return found(add(all.of(static_cast<cudaStream_t>(stream)), {std::move(what), std::move(work)}));
}

void at_once(std::function<void()> const& work) {
  std::lock_guard const lock(gpu().lock);
  virtual_device::device_access const here(gpu());
  work();
}

}  // namespace emulated

using emulated::found;
using emulated::gpu;
#define LOCKED() std::lock_guard const lock(gpu().lock)

extern "C" {

// ---- devices ----

cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return found(device == 0 ? cudaSuccess : cudaErrorInvalidDevice); }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return found(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "emulated GPU");
  properties->major = 9, properties->minor = 0;
  properties->totalGlobalMem = std::size_t{8} << 30;
  properties->warpSize = 32, properties->maxThreadsPerBlock = 1024, properties->maxThreadsPerMultiProcessor = 2048;
  properties->multiProcessorCount = 8, properties->regsPerBlock = 65536, properties->regsPerMultiprocessor = 65536;
  properties->sharedMemPerBlock = 48 * 1024, properties->sharedMemPerMultiprocessor = 228 * 1024;
  for (int& each : properties->maxGridSize) each = 65535;
  properties->maxGridSize[0] = 2147483647;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetLastError() { return std::exchange(emulated::last_error, cudaSuccess); }
char const* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureUnjoined:
      return "capturing stream has unjoined work";
    case cudaErrorStreamCaptureIsolation:
      return "dependency created on uncaptured work in another stream";
    case cudaErrorStreamCaptureImplicit:
      return "operation would make the legacy stream depend on a capturing blocking stream";
    case cudaErrorCapturedEvent:
      return "operation not permitted on an event last recorded in a capturing stream";
    default:
      return "an error of CUDA";
  }
}
cudaError_t cudaPeekAtLastError() { return emulated::last_error; }
cudaError_t cudaDeviceSynchronize() {
  LOCKED();
  if (cudaError_t const error = emulated::forbidden_in_capture(); error != cudaSuccess) return found(error);
  gpu().finish_all();
  return cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) { return *least = 0, *greatest = -5, cudaSuccess; }

// ---- memory ----

cudaError_t cudaMalloc(void** pointer, size_t size) {
  LOCKED();
  return found(emulated::allocate(pointer, size, emulated::virtual_device::block::device));
}
cudaError_t cudaFree(void* pointer) {
  LOCKED();
  return found(emulated::release(pointer));
}
cudaError_t cudaHostAlloc(void** pointer, size_t size, unsigned) {
  LOCKED();
  return found(emulated::allocate(pointer, size, emulated::virtual_device::block::host));
}
cudaError_t cudaFreeHost(void* pointer) {
  LOCKED();
  return found(emulated::release(pointer));
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  LOCKED();
  *total = std::size_t{8} << 30, *free = *total - gpu().used;
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, void const* pointer) {
  LOCKED();
  auto const* const piece = gpu().find(pointer);
  *attributes             = {};
  attributes->type        = piece == nullptr                                         ? cudaMemoryTypeUnregistered
                            : piece->kind == emulated::virtual_device::block::device ? cudaMemoryTypeDevice
                                                                                     : cudaMemoryTypeHost;
  attributes->device      = piece == nullptr ? -1 : 0;
  if (piece == nullptr) return cudaSuccess;
  attributes->devicePointer = const_cast<void*>(pointer);
  if (piece->kind == emulated::virtual_device::block::host) attributes->hostPointer = const_cast<void*>(pointer);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, void const* from, size_t size, cudaMemcpyKind, cudaStream_t stream) {
  LOCKED();
  return found(emulated::copy(to, from, size, gpu().of(stream)));
}
cudaError_t cudaMemcpy(void* to, void const* from, size_t size, cudaMemcpyKind) {
  LOCKED();
  if (cudaError_t const error = emulated::forbidden_in_capture(); error != cudaSuccess) return found(error);
  emulated::virtual_device::device_access const here(gpu());
  gpu().finish(gpu().default_stream);
  std::memcpy(to, from, size);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t size, cudaStream_t stream) {
  LOCKED();
  return found(emulated::add(gpu().of(stream), {"set", [=] { std::memset(to, value, size); }}));
}

// ---- streams and events ----

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  LOCKED();
  if (flags != cudaStreamNonBlocking) emulated::fail("a stream that synchronises with the default stream is not emulated");
  *stream = new CUstream_st;
  gpu().streams.push_back(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  LOCKED();
  if (cudaError_t const error = emulated::refuse_waiting(gpu().of(stream)); error != cudaSuccess) return found(error);
  gpu().finish(gpu().of(stream));
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  LOCKED();
  if (cudaError_t const error = emulated::refuse_waiting(gpu().of(stream)); error != cudaSuccess) return found(error);
  gpu().advance(gpu().of(stream));
  return gpu().of(stream).queued.empty() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return *event = new CUevent_st, cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t to, unsigned) {
  LOCKED();
  CUstream_st& stream = gpu().of(to);
  event->last         = std::make_shared<emulated::event_state>(emulated::event_state{.stream = &stream});
  if (stream.capture) {
    event->last->captured_by = stream.capture->id;
    return cudaSuccess;
  }
  gpu().queue(stream, {.reaches = event->last});
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) { return cudaEventRecordWithFlags(event, stream, 0); }
cudaError_t cudaStreamWaitEvent(cudaStream_t in, cudaEvent_t event, unsigned) {
  LOCKED();
  CUstream_st& stream = gpu().of(in);
  auto const& wanted  = event->last;
  if (wanted->captured_by == 0) {
    if (!stream.capture) {
      gpu().queue(stream, {.waits_for = wanted});
      return cudaSuccess;
    }
    if (wanted->stream == nullptr) return cudaSuccess;  // never recorded
    stream.capture->error = cudaErrorStreamCaptureInvalidated;
    return found(cudaErrorStreamCaptureIsolation);
  }
  // A stream that waits for a captured one is captured, too. A replay does the work in the order of the calls.
  std::shared_ptr<emulated::capture> of;
  for (auto const& each : gpu().captures)
    if (each->id == wanted->captured_by) of = each;
  if (!of) return found(cudaErrorCapturedEvent);
  if (stream.capture && stream.capture != of) return found(cudaErrorStreamCaptureMerge);
  if (!stream.capture) stream.capture = of, stream.joined = false;
  if (&stream == of->origin) wanted->stream->joined = true;
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  LOCKED();
  if (cudaError_t const error = emulated::forbidden_in_capture(); error != cudaSuccess) return found(error);
  if (event->last->captured_by != 0) return found(cudaErrorCapturedEvent);
  if (!event->last->reached && event->last->stream != nullptr) gpu().advance(*event->last->stream);  // so that a loop of queries ends
  return event->last->reached ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  LOCKED();
  if (cudaError_t const error = emulated::forbidden_in_capture(); error != cudaSuccess) return found(error);
  if (event->last->captured_by != 0) return found(cudaErrorCapturedEvent);
  gpu().reach(*event->last);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  LOCKED();
  if (!from->last->reached || !to->last->reached) return found(cudaErrorNotReady);
  *milliseconds = std::chrono::duration<float, std::milli>(to->last->time - from->last->time).count();
  return cudaSuccess;
}

// ---- graphs ----

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  LOCKED();
  CUstream_st& origin = gpu().of(stream);
  if (&origin == &gpu().default_stream) return found(cudaErrorStreamCaptureUnsupported);
  if (origin.capture) return found(cudaErrorIllegalState);
  origin.capture = std::make_shared<emulated::capture>(emulated::capture{gpu().next_capture++, &origin, mode, std::this_thread::get_id()});
  gpu().captures.push_back(origin.capture);
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  LOCKED();
  CUstream_st& origin = gpu().of(stream);
  *graph              = nullptr;
  auto const ended    = origin.capture;
  if (!ended || ended->origin != &origin) return found(cudaErrorStreamCaptureUnmatched);
  if (ended->mode != cudaStreamCaptureModeRelaxed && ended->thread != std::this_thread::get_id())
    return found(cudaErrorStreamCaptureWrongThread);
  cudaError_t error = ended->error;
  for (CUstream_st* each : gpu().streams) {
    if (each->capture != ended) continue;
    if (each != &origin && !each->joined && error == cudaSuccess) error = cudaErrorStreamCaptureUnjoined;
    each->capture = nullptr;
    each->joined  = true;
  }
  std::erase(gpu().captures, ended);
  if (error != cudaSuccess) return found(error);
  *graph         = new CUgraph_st;
  (*graph)->work = ended->work;
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return cudaStreamGetCaptureInfo(stream, status, nullptr, nullptr, nullptr, nullptr, nullptr);
}
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, cudaStreamCaptureStatus* status, unsigned long long* id, cudaGraph_t* graph,
                                     cudaGraphNode_t const**, cudaGraphEdgeData const**, size_t* dependencies) {
  LOCKED();
  if (graph != nullptr || dependencies != nullptr) emulated::fail("querying the nodes of a capture is not emulated");
  auto const& capture = gpu().of(stream).capture;
  *status             = !capture                        ? cudaStreamCaptureStatusNone
                        : capture->error != cudaSuccess ? cudaStreamCaptureStatusInvalidated
                                                        : cudaStreamCaptureStatusActive;
  if (id != nullptr && capture) *id = capture->id;
  return cudaSuccess;
}
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  std::swap(*mode, emulated::this_mode);
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, size_t* count) { return *count = graph->work.size(), cudaSuccess; }
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  *made         = new CUgraphExec_st;
  (*made)->work = graph->work;
  if (char const* const asked = std::getenv("C2F_EMULATED_GRAPHS"); asked != nullptr && (*asked == '1' || *asked == '2')) {
    std::map<std::string, int> counts;
    for (auto const& each : graph->work) ++counts[each.what];
    std::fprintf(stderr, "emulated GPU: a graph of %zu\n", graph->work.size());
    for (auto const& [what, count] : counts) std::fprintf(stderr, "%6d %s\n", count, what.c_str());
  }
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  LOCKED();
  for (auto const& each : graph->work)
    if (cudaError_t const error = emulated::add(gpu().of(stream), each); error != cudaSuccess) return found(error);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}

// ---- the driver: LibTorch loads the library of this name and calls one function ----

int cuDevicePrimaryCtxGetState(int, unsigned* flags, int* active) { return *flags = 0, *active = 1, 0; }
#define REFUSED(function) \
  int function() { return 801; }  // CUDA_ERROR_NOT_SUPPORTED
REFUSED(cuCtxGetCurrent)
REFUSED(cuCtxSetCurrent)
REFUSED(cuDeviceGet)
REFUSED(cuDeviceGetAttribute)
REFUSED(cuDevicePrimaryCtxRetain)
REFUSED(cuFuncGetAttribute)
REFUSED(cuFuncSetAttribute)
REFUSED(cuFuncSetCacheConfig)
REFUSED(cuGetErrorString)
REFUSED(cuLaunchCooperativeKernel)
REFUSED(cuLaunchKernel)
REFUSED(cuLinkAddData_v2)
REFUSED(cuLinkComplete)
REFUSED(cuLinkCreate_v2)
REFUSED(cuModuleGetFunction)
REFUSED(cuModuleLoad)
REFUSED(cuModuleLoadData)
REFUSED(cuModuleLoadDataEx)
REFUSED(cuModuleUnload)
REFUSED(cuOccupancyMaxActiveBlocksPerMultiprocessor)
REFUSED(cuPointerGetAttribute)
REFUSED(cuTensorMapEncodeTiled)

// ---- LibTorch's kernels: their names ----

void** __cudaRegisterFatBinary(void*) {
  static void* one = nullptr;
  return &one;
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterVar(void**, char*, char*, char const*, int, size_t, int, int) {}
void __cudaRegisterFunction(void**, char const* function, char*, char const* name, int, void*, void*, void*, void*, int*) {
  gpu().kernels[function] = name;
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, void const* function) {
  *kernel = static_cast<cudaKernel_t>(const_cast<void*>(function));
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3, dim3, void**, size_t, cudaStream_t) {
  emulated::fail("LibTorch launched a kernel that is not emulated: " + gpu().kernels[kernel]);
}
cudaError_t cudaLaunchKernelExC(cudaLaunchConfig_t const*, void const* function, void**) {
  emulated::fail("LibTorch launched a kernel that is not emulated: " + gpu().kernels[function]);
}

}  // extern "C"
