#include "backends/cpu/probe.h"

#include <algorithm>
#include <functional>
#include <new>

#include "backends/cpu/pool.h"
#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/tensor/dtype.h"

namespace phiscope::cpu {
namespace {

constexpr uint64_t kBufferBytes = uint64_t{1} << 30;
constexpr uint64_t kSmallestBufferBytes = uint64_t{64} << 20;
constexpr int64_t kChunkBytes = 1 << 20;
constexpr int kRepetitions = 5;
constexpr int64_t kRounds = 4'000'000;

double median_seconds(const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int i = 0; i < kRepetitions; ++i) {
    const int64_t start = monotonic_ns();
    work();
    seconds.push_back(static_cast<double>(monotonic_ns() - start) * 1e-9);
  }
  std::nth_element(seconds.begin(), seconds.begin() + kRepetitions / 2, seconds.end());
  return seconds[kRepetitions / 2];
}

double read_gb_s(const KernelTable& kernels, Pool& pool, const AlignedBuffer& buffer) {
  const auto chunks = static_cast<int64_t>(buffer.size()) / kChunkBytes;
  std::vector<uint64_t> sink(static_cast<size_t>(pool.threads()) * 8);  // a cache line apart
  const double seconds = median_seconds([&] {
    pool.run(chunks, 4, [&](int64_t begin, int64_t end, int thread) {
      sink[static_cast<size_t>(thread) * 8] += kernels.read_memory(buffer.data() + begin * kChunkBytes, static_cast<size_t>((end - begin) * kChunkBytes));
    });
  });
  return static_cast<double>(chunks * kChunkBytes) * 1e-9 / seconds;
}

double giga_operations_s(int64_t (*rounds)(int64_t, float*), Pool& pool) {
  int64_t per_round = 0;
  const double seconds = median_seconds([&] {
    std::vector<int64_t> operations(static_cast<size_t>(pool.threads()));
    pool.run(pool.threads(), 1, [&](int64_t begin, int64_t, int) {
      float sink = 1;
      operations[static_cast<size_t>(begin)] = rounds(kRounds, &sink);
    });
    per_round = operations[0];
  });
  return static_cast<double>(per_round * kRounds * pool.threads()) * 1e-9 / seconds;
}

Result<AlignedBuffer> make_buffer(Pool& pool) {
  const uint64_t available = platform::system_memory().available;
  const uint64_t bytes = available == 0 ? kBufferBytes : std::min(kBufferBytes, available / 4 / kSmallestBufferBytes * kSmallestBufferBytes);
  if (bytes < kSmallestBufferBytes) return fail(ErrorCode::out_of_memory, "the bandwidth probe needs {} of free memory", format_bytes(4 * kSmallestBufferBytes));
  try {
    AlignedBuffer buffer(bytes);
    // Written before it is read: pages that were never touched would all be the same zero page.
    pool.run(static_cast<int64_t>(bytes) / kChunkBytes, 1, [&](int64_t begin, int64_t end, int) {
      auto* words = reinterpret_cast<uint32_t*>(buffer.data());
      for (int64_t i = begin * kChunkBytes / 4; i < end * kChunkBytes / 4; ++i) words[i] = static_cast<uint32_t>(i) * 2654435761u;
    });
    return buffer;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "the bandwidth probe could not get {} of memory", format_bytes(bytes));
  }
}

}  // namespace

Result<std::vector<ProbeValue>> probe_device(const KernelRow& kernels, int threads) {
  std::vector<ProbeValue> values;
  AlignedBuffer buffer;
  std::vector<int> counts{1};
  if (threads > 1) counts.push_back(threads);
  for (const int count : counts) {
    Pool pool(count);
    if (buffer.size() == 0) {
      PHISCOPE_ASSIGN(buffer, make_buffer(pool));
    }
    values.push_back({fmt::format("read_gb_s@{}t", count), read_gb_s(*kernels.table, pool, buffer), "GB/s"});
    values.push_back({fmt::format("fp32_gflop_s@{}t", count), giga_operations_s(kernels.table->fma_rounds, pool), "GFLOP/s"});
    if (kernels.table->half_rounds != nullptr) {
      values.push_back({fmt::format("bf16_gflop_s@{}t", count), giga_operations_s(kernels.table->half_rounds, pool), "GFLOP/s"});
    }
    values.push_back({fmt::format("int8_gop_s@{}t", count), giga_operations_s(kernels.table->int8_dot_rounds, pool), "GOP/s"});
  }
  return values;
}

}  // namespace phiscope::cpu
