#pragma once
// Threads for the loops of one session: they spin for a moment between loops and then sleep, and a loop never waits for a thread that the
// system did not let run.

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace phiscope::cpu {

/// Not thread-safe: one loop at a time, called by one thread, which works too.
class Pool {
 public:
  /// `cores`: logical processors to pin the threads to (the caller's thread is left alone); empty = not pinned.
  explicit Pool(int threads, std::vector<int> cores = {});
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return threads_; }

  /// Calls body(begin, end, thread) until all of [0, count) is done, in pieces of at most `grain`. Every thread has its own contiguous part,
  /// the same in every call with equal arguments; who is done early takes pieces from the others. The pieces are the same for any
  /// interleaving, and `body` must not depend on the thread but for scratch memory.
  template <class Body>
  void run(int64_t count, int64_t grain, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_erased(count, grain, [](void* context, int64_t begin, int64_t end, int thread) { (*static_cast<Plain*>(context))(begin, end, thread); },
               const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Function = void (*)(void* context, int64_t begin, int64_t end, int thread);
  struct alignas(64) Part {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  void run_erased(int64_t count, int64_t grain, Function function, void* context);
  void work(int thread);
  void serve(int thread);

  int threads_;
  std::vector<int> cores_;
  std::unique_ptr<Part[]> parts_;
  Function function_ = nullptr;
  void* context_ = nullptr;
  int64_t grain_ = 1;

  // The gate: bit 31 says that the loop is open for threads to enter, bits 0..30 count those inside.
  alignas(64) std::atomic<uint64_t> gate_{0};
  std::atomic<uint32_t> loops_{0};  // what sleeping threads wait for: changes with every loop
  std::atomic<bool> is_stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace phiscope::cpu
