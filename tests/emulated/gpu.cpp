// CUDA's runtime without a GPU (gpu.hpp). The symbols stand in the program, before those of the libcudart that LibTorch brings; functions
// that are not here are that library's, which says that there is no GPU.
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

[[noreturn]] void give_up(std::string const& why) {
  std::fprintf(stderr, "emulated GPU: %s\n", why.c_str());
  std::abort();
}

/// A place in the work of a stream that others can wait for.
struct moment {
  CUstream_st* stream       = nullptr;
  bool reached              = false;
  std::uint64_t recorded_by = 0;  // the capture that it is part of
  std::chrono::steady_clock::time_point time{};
};
/// What a stream does next.
struct operation {
  std::function<void()> work{};
  std::shared_ptr<moment> waits_for{}, reaches{};
};

/// A part of a graph.
struct node {
  std::string what;
  std::function<void()> work;
};
/// A recording that is under way.
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
  std::shared_ptr<emulated::capture> recording{};
  bool joined = true;  // whether the stream that the recording began in waits for all of this one's work
};
struct CUevent_st {
  std::shared_ptr<emulated::moment> last = std::make_shared<emulated::moment>(emulated::moment{.reached = true});
};
struct CUgraph_st {
  std::vector<emulated::node> work{};
};
struct CUgraphExec_st : CUgraph_st {};

namespace emulated {
namespace {

/// Under AddressSanitizer memory is taken where that watches its ends.
#ifdef __SANITIZE_ADDRESS__
constexpr bool mapped = false;
#else
constexpr bool mapped = true;
#endif

/// What there is, and how it is done. Locked by whoever comes in.
class machine {
 public:
  std::recursive_mutex lock{};
  CUstream_st default_stream{};
  std::vector<CUstream_st*> streams{&default_stream};
  std::vector<std::shared_ptr<capture>> captures{};  // under way
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
  /// Whether something was done.
  bool advance(CUstream_st& stream) {
    device_side const here(*this);
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
  void reach(moment const& wanted) {
    device_side const here(*this);
    while (!wanted.reached) {
      CUstream_st& stream = *wanted.stream;
      if (stream.queued.empty()) give_up("an event is waited for whose stream has no work");
      advance_at_last(stream);
    }
  }
  void finish(CUstream_st& stream) {
    device_side const here(*this);
    while (!stream.queued.empty()) advance_at_last(stream);
  }
  void finish_all() {
    for (CUstream_st* each : streams) finish(*each);
  }
  [[nodiscard]] std::uint64_t drawn() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 33;
  }

  /// While the device works. Else, where all is done late, the host may not touch the device's memory; with other schedules that would
  /// change too often.
  class device_side {
   public:
    explicit device_side(machine& of) : of_(of) {
      if (of_.inside_++ == 0) of_.protect(PROT_READ | PROT_WRITE);
    }
    device_side(device_side const&)            = delete;
    device_side& operator=(device_side const&) = delete;
    ~device_side() {
      if (--of_.inside_ == 0) of_.protect(PROT_NONE);
    }

   private:
    machine& of_;
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
  /// Does what comes next in a stream that has work, and before that what it waits for.
  void advance_at_last(CUstream_st& stream) {
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
  static std::uint64_t asked() {
    char const* const schedule = std::getenv("C2F_EMULATED_SCHEDULE");
    if (schedule == nullptr || *schedule == '\0') return 1;
    std::string const word = schedule;
    if (word == "late") return late;
    if (word == "soon") return soon;
    if (word.find_first_not_of("0123456789") != std::string::npos)
      give_up("C2F_EMULATED_SCHEDULE is '" + word + "'; write late, soon or a number");
    return std::strtoull(schedule, nullptr, 10);
  }
  std::uint64_t schedule_ = asked(), state_ = schedule_;
};

machine& gpu() {
  static auto* const made = new machine;  // lives as long as the program: LibTorch frees at its end
  return *made;
}
thread_local cudaError_t last_error          = cudaSuccess;
thread_local cudaStreamCaptureMode this_mode = cudaStreamCaptureModeGlobal;

cudaError_t found(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}
/// What waits, allocates or frees is no part of a recording: an error that also ends it.
cudaError_t unsafe() {
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
  if (!stream.recording) return cudaSuccess;
  stream.recording->error = cudaErrorStreamCaptureInvalidated;
  return cudaErrorStreamCaptureUnsupported;
}
/// Of looking at or waiting for a stream.
cudaError_t refuse_waiting(CUstream_st const& stream) {
  cudaError_t const here = refuse_in(stream), anywhere = unsafe();
  return here != cudaSuccess ? here : anywhere;
}
cudaError_t add(CUstream_st& stream, node one) {
  machine& all = gpu();
  if (stream.recording) {
    if (stream.recording->error != cudaSuccess) return stream.recording->error;
    stream.recording->work.push_back(std::move(one));
    stream.joined = &stream == stream.recording->origin;
    return cudaSuccess;
  }
  for (auto const& each : all.captures)
    if (each->error == cudaSuccess) {
      std::fprintf(stderr, "emulated GPU: work was queued in a stream that is not recorded, while another one is\n");
      each->error = cudaErrorStreamCaptureInvalidated;
      return cudaErrorStreamCaptureImplicit;
    }
  all.queue(stream, {.work = std::move(one.work)});
  return cudaSuccess;
}

cudaError_t allocate(void** pointer, std::size_t size, machine::block kind) {
  if (cudaError_t const error = unsafe(); error != cudaSuccess) return error;
  constexpr std::size_t page = 4096, whole = std::size_t{8} << 30;
  machine& all = gpu();
  if (kind == machine::block::device && all.used + size > whole) return cudaErrorMemoryAllocation;
  machine::device_side const here(all);
  std::size_t const rounded = std::max((size + page - 1) / page, std::size_t{1}) * page;
  void* const made = mapped ? mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : std::malloc(size);
  if (made == MAP_FAILED || made == nullptr) return cudaErrorMemoryAllocation;
  std::memset(made, 0xFF, mapped ? rounded : size);  // floats of any size: not a number; integers: -1
  all.memory[static_cast<char*>(made)] = {rounded, kind};
  if (kind == machine::block::device) all.used += rounded;
  *pointer = made;
  return cudaSuccess;
}
cudaError_t release(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  if (cudaError_t const error = unsafe(); error != cudaSuccess) return error;
  machine& all = gpu();
  all.finish_all();
  auto const at = all.memory.find(static_cast<char*>(pointer));
  if (at == all.memory.end()) return cudaErrorInvalidValue;
  if (at->second.kind == machine::block::device) all.used -= at->second.size;
  mapped ? static_cast<void>(munmap(pointer, at->second.size)) : std::free(pointer);
  all.memory.erase(at);
  return cudaSuccess;
}
cudaError_t copy(void* to, void const* from, std::size_t size, CUstream_st& stream) {
  machine& all = gpu();
  if (all.pageable(to) || all.pageable(from)) {  // goes by way of memory that CUDA keeps, when it is called
    if (cudaError_t const error = refuse_in(stream); error != cudaSuccess) return error;
    if (all.pageable(to)) {
      machine::device_side const here(all);
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
  machine& all = gpu();
  std::lock_guard const lock(all.lock);
  return found(add(all.of(static_cast<cudaStream_t>(stream)), {std::move(what), std::move(work)}));
}

void at_once(std::function<void()> const& work) {
  std::lock_guard const lock(gpu().lock);
  machine::device_side const here(gpu());
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
  if (cudaError_t const error = emulated::unsafe(); error != cudaSuccess) return found(error);
  gpu().finish_all();
  return cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) { return *least = 0, *greatest = -5, cudaSuccess; }

// ---- memory ----

cudaError_t cudaMalloc(void** pointer, size_t size) {
  LOCKED();
  return found(emulated::allocate(pointer, size, emulated::machine::block::device));
}
cudaError_t cudaFree(void* pointer) {
  LOCKED();
  return found(emulated::release(pointer));
}
cudaError_t cudaHostAlloc(void** pointer, size_t size, unsigned) {
  LOCKED();
  return found(emulated::allocate(pointer, size, emulated::machine::block::host));
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
  attributes->type        = piece == nullptr                                  ? cudaMemoryTypeUnregistered
                            : piece->kind == emulated::machine::block::device ? cudaMemoryTypeDevice
                                                                              : cudaMemoryTypeHost;
  attributes->device      = piece == nullptr ? -1 : 0;
  if (piece == nullptr) return cudaSuccess;
  attributes->devicePointer = const_cast<void*>(pointer);
  if (piece->kind == emulated::machine::block::host) attributes->hostPointer = const_cast<void*>(pointer);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, void const* from, size_t size, cudaMemcpyKind, cudaStream_t stream) {
  LOCKED();
  return found(emulated::copy(to, from, size, gpu().of(stream)));
}
cudaError_t cudaMemcpy(void* to, void const* from, size_t size, cudaMemcpyKind) {
  LOCKED();
  if (cudaError_t const error = emulated::unsafe(); error != cudaSuccess) return found(error);
  emulated::machine::device_side const here(gpu());
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
  if (flags != cudaStreamNonBlocking) emulated::give_up("a stream that waits for the default one is not emulated");
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
  event->last         = std::make_shared<emulated::moment>(emulated::moment{.stream = &stream});
  if (stream.recording) {
    event->last->recorded_by = stream.recording->id;
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
  if (wanted->recorded_by == 0) {
    if (!stream.recording) {
      gpu().queue(stream, {.waits_for = wanted});
      return cudaSuccess;
    }
    if (wanted->stream == nullptr) return cudaSuccess;  // never recorded
    stream.recording->error = cudaErrorStreamCaptureInvalidated;
    return found(cudaErrorStreamCaptureIsolation);
  }
  // A stream that waits for one that is recorded is recorded, too; what the graph repeats, it repeats in the order of the calls.
  std::shared_ptr<emulated::capture> of;
  for (auto const& each : gpu().captures)
    if (each->id == wanted->recorded_by) of = each;
  if (!of) return found(cudaErrorCapturedEvent);
  if (stream.recording && stream.recording != of) return found(cudaErrorStreamCaptureMerge);
  if (!stream.recording) stream.recording = of, stream.joined = false;
  if (&stream == of->origin) wanted->stream->joined = true;
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  LOCKED();
  if (cudaError_t const error = emulated::unsafe(); error != cudaSuccess) return found(error);
  if (event->last->recorded_by != 0) return found(cudaErrorCapturedEvent);
  if (!event->last->reached && event->last->stream != nullptr) gpu().advance(*event->last->stream);  // who asks again and again is answered
  return event->last->reached ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  LOCKED();
  if (cudaError_t const error = emulated::unsafe(); error != cudaSuccess) return found(error);
  if (event->last->recorded_by != 0) return found(cudaErrorCapturedEvent);
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
  if (origin.recording) return found(cudaErrorIllegalState);
  origin.recording =
      std::make_shared<emulated::capture>(emulated::capture{gpu().next_capture++, &origin, mode, std::this_thread::get_id()});
  gpu().captures.push_back(origin.recording);
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  LOCKED();
  CUstream_st& origin = gpu().of(stream);
  *graph              = nullptr;
  auto const ended    = origin.recording;
  if (!ended || ended->origin != &origin) return found(cudaErrorStreamCaptureUnmatched);
  if (ended->mode != cudaStreamCaptureModeRelaxed && ended->thread != std::this_thread::get_id())
    return found(cudaErrorStreamCaptureWrongThread);
  cudaError_t error = ended->error;
  for (CUstream_st* each : gpu().streams) {
    if (each->recording != ended) continue;
    if (each != &origin && !each->joined && error == cudaSuccess) error = cudaErrorStreamCaptureUnjoined;
    each->recording = nullptr;
    each->joined    = true;
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
  if (graph != nullptr || dependencies != nullptr) emulated::give_up("what a recording consists of is not emulated");
  auto const& recording = gpu().of(stream).recording;
  *status               = !recording                        ? cudaStreamCaptureStatusNone
                          : recording->error != cudaSuccess ? cudaStreamCaptureStatusInvalidated
                                                            : cudaStreamCaptureStatusActive;
  if (id != nullptr && recording) *id = recording->id;
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

// ---- the driver, which LibTorch loads by the name that this library has, for one question ----

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
  emulated::give_up("LibTorch launched a kernel that nothing stands for: " + gpu().kernels[kernel]);
}
cudaError_t cudaLaunchKernelExC(cudaLaunchConfig_t const*, void const* function, void**) {
  emulated::give_up("LibTorch launched a kernel that nothing stands for: " + gpu().kernels[function]);
}

}  // extern "C"
