// Every matrix kernel beside the limits of its instruction set: memory reads for one row, multiply-adds for many rows.
#include <benchmark/benchmark.h>

#include <random>

#include "backends/cpu/kernels/kernel_rows.h"
#include "backends/cpu/kv_cache.h"
#include "backends/cpu/multiply.h"
#include "backends/cpu/packed_weights.h"
#include "core/base/platform/platform.h"

namespace phiscope::cpu {
namespace {

constexpr int64_t kColumns = 3072;       // Phi-3.5-mini's hidden size
constexpr int64_t kGemvBytes = 192 << 20;  // far beyond the last cache
constexpr int64_t kGemmRows = 2048;
constexpr int64_t kBatch = 512;

struct Format {
  const char* name;
  WeightEncoding encoding;
  Arithmetic arithmetic = Arithmetic::half;
};
const Format kFormats[] = {
    {"f32", {.float_type = DType::f32}},
    {"f16", {.float_type = DType::f16}},
    {"f16_exact", {.float_type = DType::f16}, Arithmetic::f32},
    {"bf16", {.float_type = DType::bf16}},
    {"int8_row", {.bits = 8, .group = 0}},
    {"int4_g32", {.bits = 4, .group = 32}},
    {"int4_g32_zero", {.bits = 4, .group = 32, .offset = OffsetClass::zero_point}},
    {"int8_row_dyn", {.bits = 8, .group = 0}, Arithmetic::int8},
    {"int4_g32_dyn", {.bits = 4, .group = 32}, Arithmetic::int8},
    {"int4_g128_dyn", {.bits = 4, .group = 128}, Arithmetic::int8},
};

/// Random bits that are small finite numbers in every type: the high bits of each 16-bit half are fixed.
PackedMatrix random_matrix(const WeightEncoding& encoding, int64_t rows, AlignedBuffer& buffer) {
  PackedMatrix matrix = *packed_shape(encoding, rows, kColumns);
  buffer = AlignedBuffer(packed_bytes(matrix));
  std::mt19937_64 random(1);
  for (uint64_t& word : buffer.as<uint64_t>()) word = (random() & 0x83ff83ff83ff83ffull) | 0x2800280028002800ull;
  matrix.data = buffer.data();
  return matrix;
}

/// Rows of a matrix of about kGemvBytes.
int64_t gemv_rows(const Format& format) { return kGemvBytes / static_cast<int64_t>(format.encoding.bytes(1, kColumns)) / kBlockRows * kBlockRows; }

void gemv(benchmark::State& state, const KernelTable& kernels, const Format& format) {
  AlignedBuffer buffer;
  const PackedMatrix matrix = random_matrix(format.encoding, gemv_rows(format), buffer);
  Pool pool(1);
  Multiplier multiplier(kernels, pool);
  std::vector<float> x(kColumns, 0.5f), y(static_cast<size_t>(matrix.rows));
  for (auto _ : state) multiplier.multiply(matrix, x.data(), kColumns, 1, format.arithmetic, y.data(), matrix.rows);
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(packed_bytes(matrix)) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void gemm(benchmark::State& state, const KernelTable& kernels, const Format& format) {
  AlignedBuffer buffer;
  const PackedMatrix matrix = random_matrix(format.encoding, kGemmRows, buffer);
  Pool pool(1);
  Multiplier multiplier(kernels, pool);
  std::vector<float> x(kBatch * kColumns, 0.5f), y(kBatch * kGemmRows);
  for (auto _ : state) multiplier.multiply(matrix, x.data(), kColumns, kBatch, format.arithmetic, y.data(), kGemmRows);
  state.counters["Gop/s"] = benchmark::Counter(2e-9 * kBatch * kGemmRows * kColumns, benchmark::Counter::kIsIterationInvariantRate);
}

void attention(benchmark::State& state, const KernelTable& kernels, KvType type, int64_t tokens, int64_t depth) {
  Plan plan;
  plan.layers = 1;
  plan.kv_heads = 32;
  plan.head_dim = 96;
  KvCache cache(plan, type, depth + tokens, kernels);
  std::vector<float> row(96, 0.25f);
  for (int64_t head = 0; head < 32; ++head) {
    for (int64_t p = 0; p < depth + tokens; ++p) cache.store(0, head, p, row.data(), row.data());
  }
  std::vector<float> query(static_cast<size_t>(tokens) * 96, 0.1f), out(query.size()), scratch(static_cast<size_t>(attention_scratch_floats(96)));
  const AttentionShape shape{.head_dim = 96, .value_width = 96, .queries_per_kv = 1, .window = 0, .scale = 0.1f, .sparse_block = 0, .sparse_local = 0, .sparse_stride = 0, .sparse_head_step = 0};
  for (auto _ : state) {
    for (int64_t head = 0; head < 32; ++head) {
      kernels.attention(shape, cache.view(0, head), {.query = query.data(), .output = out.data(), .query_stride = 96, .output_stride = 96, .tokens = tokens, .first_position = depth, .first_head = head}, scratch.data());
    }
  }
  const double keys = static_cast<double>(depth) + static_cast<double>(tokens) / 2;
  state.counters["GB/s"] = benchmark::Counter(keys * static_cast<double>(KvCache::bytes_per_token(plan, type)) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["Gop/s"] = benchmark::Counter(keys * static_cast<double>(tokens) * 32 * 96 * 4e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// One layer of Phi-3-small (32 heads of 128 over 8 KV heads), dense and block-sparse; the calls are those of Executor::run_attention.
void phi3_small_attention(benchmark::State& state, const KernelTable& kernels, int64_t tokens, int64_t depth, bool is_sparse) {
  constexpr int64_t kDim = 128, kHeads = 32, kShared = 4, kStride = kHeads * kDim;
  Plan plan;
  plan.layers = 1;
  plan.kv_heads = kHeads / kShared;
  plan.head_dim = kDim;
  KvCache cache(plan, KvType::f16, depth + tokens, kernels);
  const std::vector<float> row(kDim, 0.25f), query(static_cast<size_t>(tokens * kStride), 0.1f);
  for (int64_t head = 0; head < plan.kv_heads; ++head) {
    for (int64_t p = 0; p < depth + tokens; ++p) cache.store(0, head, p, row.data(), row.data());
  }
  std::vector<float> out(query.size()), scratch(static_cast<size_t>(attention_scratch_floats(kDim)));
  const int64_t group = is_sparse && tokens > 1 ? 1 : kShared, tile = kAttentionRows / group;
  const AttentionShape shape{.head_dim = kDim, .value_width = kDim, .queries_per_kv = group, .window = 0, .scale = 1.0f / kDim,
                             .sparse_block = is_sparse ? 64 : 0, .sparse_local = 16, .sparse_stride = 8, .sparse_head_step = 1};
  for (auto _ : state) {
    for (int64_t head = 0; head < kHeads; head += group) {
      for (int64_t t = 0; t < tokens; t += tile) {
        kernels.attention(shape, cache.view(0, head / kShared), {.query = query.data() + t * kStride + head * kDim, .output = out.data() + t * kStride + head * kDim, .query_stride = kStride, .output_stride = kStride, .tokens = std::min(tile, tokens - t), .first_position = depth + t, .first_head = head}, scratch.data());
      }
    }
  }
}

void read(benchmark::State& state, const KernelTable& kernels) {
  AlignedBuffer buffer(256 << 20);
  for (uint64_t& word : buffer.as<uint64_t>()) word = reinterpret_cast<uintptr_t>(&word);
  for (auto _ : state) benchmark::DoNotOptimize(kernels.read_memory(buffer.data(), buffer.size()));
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(buffer.size()) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void peak(benchmark::State& state, int64_t (*rounds)(int64_t, float*)) {
  int64_t operations = 0;
  float sink = 1;
  for (auto _ : state) operations = rounds(1'000'000, &sink);
  state.counters["Gop/s"] = benchmark::Counter(static_cast<double>(operations) * 1e-3, benchmark::Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  for (const KernelRow& row : kernel_rows()) {
    if ((row.needs & ~platform::cpu_info().features) != 0) continue;
    const std::string isa = row.name;
    const KernelTable& kernels = *row.table;
    benchmark::RegisterBenchmark((isa + "/read").c_str(), [&](benchmark::State& s) { read(s, kernels); })->MinTime(0.3);
    benchmark::RegisterBenchmark((isa + "/peak_f32").c_str(), [&](benchmark::State& s) { peak(s, kernels.fma_rounds); })->MinTime(0.2);
    benchmark::RegisterBenchmark((isa + "/peak_int8").c_str(), [&](benchmark::State& s) { peak(s, kernels.int8_dot_rounds); })->MinTime(0.2);
    for (const Format& format : kFormats) {
      benchmark::RegisterBenchmark((isa + "/gemv/" + format.name).c_str(), [&](benchmark::State& s) { gemv(s, kernels, format); })->MinTime(0.3);
    }
    for (const Format& format : kFormats) {
      benchmark::RegisterBenchmark((isa + "/gemm/" + format.name).c_str(), [&](benchmark::State& s) { gemm(s, kernels, format); })->MinTime(0.3);
    }
    for (const auto& [name, type] : {std::pair{"f16", KvType::f16}, {"int8", KvType::int8}}) {
      benchmark::RegisterBenchmark((isa + "/decode_attention/" + name).c_str(), [&kernels, type = type](benchmark::State& s) { attention(s, kernels, type, 1, 3500); })->MinTime(0.3);
    }
    for (const int64_t depth : {2000, 8000}) {
      for (const int64_t tokens : {1, 96}) {
        for (const bool is_sparse : {false, true}) {
          const std::string name = isa + "/phi3_small_attention/" + std::to_string(tokens) + "_tokens_at_" + std::to_string(depth) + (is_sparse ? "/sparse" : "/dense");
          benchmark::RegisterBenchmark(name.c_str(), [&kernels, tokens, depth, is_sparse](benchmark::State& s) { phi3_small_attention(s, kernels, tokens, depth, is_sparse); })->MinTime(0.2);
        }
      }
    }
    benchmark::RegisterBenchmark((isa + "/prefill_attention/f16").c_str(), [&](benchmark::State& s) { attention(s, kernels, KvType::f16, 48, 1024); })->MinTime(0.3);
  }
  return true;
}();

}  // namespace
}  // namespace phiscope::cpu
