#include "backends/cpu/pool.h"

#include <algorithm>

#include "core/base/clock.h"
#include "core/base/platform/platform.h"

namespace phiscope::cpu {
namespace {

constexpr uint64_t kOpen = uint64_t{1} << 31;
constexpr uint64_t kInside = kOpen - 1;
// Between two loops of a token lie microseconds; a thread that waits longer than this waits for the user or for a busy machine.
constexpr int64_t kSpinNs = 50'000;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// True as soon as `done` is, false after kSpinNs.
template <class Done>
bool spin_until(Done done) {
  const int64_t start = monotonic_ns();
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      pause();
    }
  } while (monotonic_ns() - start < kSpinNs);
  return done();
}

}  // namespace

Pool::Pool(int threads, std::vector<int> cores) : threads_(std::max(threads, 1)), cores_(std::move(cores)) {
  parts_ = std::make_unique<Part[]>(static_cast<size_t>(threads_));
  for (int t = 1; t < threads_; ++t) workers_.emplace_back([this, t] { serve(t); });
}

Pool::~Pool() {
  is_stopping_.store(true);
  loops_.fetch_add(1);
  loops_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Pool::run_erased(int64_t count, int64_t grain, Function function, void* context) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t pieces = (count + grain - 1) / grain;
  if (threads_ == 1 || pieces == 1) {
    for (int64_t begin = 0; begin < count; begin += grain) function(context, begin, std::min(begin + grain, count), 0);
    return;
  }
  function_ = function;
  context_ = context;
  grain_ = grain;
  for (int t = 0; t < threads_; ++t) {
    parts_[t].next.store(std::min(count, pieces * t / threads_ * grain), std::memory_order_relaxed);
    parts_[t].end = std::min(count, pieces * (t + 1) / threads_ * grain);
  }
  gate_.fetch_or(kOpen);  // publishes the loop to whoever enters
  loops_.fetch_add(1);
  loops_.notify_all();
  work(0);
  gate_.fetch_and(~kOpen);  // too late to enter: threads that never ran are not waited for
  const auto is_empty = [&] { return (gate_.load() & kInside) == 0; };
  while (!spin_until(is_empty)) {
    const uint64_t seen = gate_.load();
    if ((seen & kInside) != 0) gate_.wait(seen);
  }
}

void Pool::work(int thread) {
  for (int i = 0; i < threads_; ++i) {
    Part& part = parts_[(thread + i) % threads_];
    while (part.next.load(std::memory_order_relaxed) < part.end) {
      const int64_t begin = part.next.fetch_add(grain_, std::memory_order_relaxed);
      if (begin >= part.end) break;
      function_(context_, begin, std::min(begin + grain_, part.end), thread);
    }
  }
}

void Pool::serve(int thread) {
  if (!cores_.empty()) (void)platform::pin_this_thread(cores_[static_cast<size_t>(thread) % cores_.size()]);
  uint32_t seen = 0;
  while (true) {
    if (!spin_until([&] { return loops_.load() != seen; })) loops_.wait(seen);
    seen = loops_.load();
    if (is_stopping_.load()) return;
    uint64_t gate = gate_.load();
    while ((gate & kOpen) != 0 && !gate_.compare_exchange_weak(gate, gate + 1)) {
    }
    if ((gate & kOpen) == 0) continue;
    work(thread);
    if ((gate_.fetch_sub(1) & (kOpen | kInside)) == 1) gate_.notify_all();  // the last one out of a closed loop
  }
}

}  // namespace phiscope::cpu
