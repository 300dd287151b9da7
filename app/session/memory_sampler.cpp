#include "app/session/memory_sampler.h"

#include <chrono>

#include "core/base/clock.h"
#include "core/base/platform/platform.h"

namespace phiscope::session {
namespace {

constexpr auto kGap = std::chrono::milliseconds(20);

}  // namespace

MemorySampler::MemorySampler(int process_id, int64_t begin_ns)
    : series_{"memory_timeline", "peak_rss_bytes", 0, 0, {"time_ns", "resident_bytes", "anonymous_bytes", "file_backed_bytes"}, {{}, {}, {}, {}}},
      thread_([this, process_id, begin_ns] { loop(process_id, begin_ns); }) {}

MemorySampler::~MemorySampler() { (void)stop(); }

Series MemorySampler::stop() {
  stopped_.store(true);
  if (thread_.joinable()) thread_.join();
  return std::move(series_);
}

void MemorySampler::loop(int process_id, int64_t begin_ns) {
  while (!stopped_.load()) {
    const auto memory = platform::process_memory(process_id);
    if (!memory) return;  // the worker is gone
    series_.rows[0].push_back(static_cast<double>(monotonic_ns() - begin_ns));
    series_.rows[1].push_back(static_cast<double>(memory->resident));
    series_.rows[2].push_back(static_cast<double>(memory->anonymous));
    series_.rows[3].push_back(static_cast<double>(memory->file_backed));
    std::this_thread::sleep_for(kGap);
  }
}

}  // namespace phiscope::session
