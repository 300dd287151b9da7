// A synthetic model at full scale through the CPU backend: prefill and decode, each block between two bandwidth probes.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <numeric>

#include "backends/cpu/kernels/kernel_rows.h"
#include "backends/cpu/pool.h"
#include "core/backend/backend.h"
#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/model/model.h"
#include "core/tensor/dtype.h"

namespace phiscope {
const Backend& cpu_backend();
namespace {

double now_s() { return static_cast<double>(monotonic_ns()) * 1e-9; }

double cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Range {
  std::vector<double> values;
  std::string text() {
    std::sort(values.begin(), values.end());
    return fmt::format("{:.2f} [{:.2f} .. {:.2f}]", values[values.size() / 2], values.front(), values.back());
  }
};

/// Reads 256 MiB with the session's number of threads.
class BandwidthProbe {
 public:
  explicit BandwidthProbe(int threads) : pool_(threads), buffer_(256 << 20), kernels_(**cpu::pick_kernels("", platform::cpu_info().features)) {
    for (uint64_t& word : buffer_.as<uint64_t>()) word = reinterpret_cast<uintptr_t>(&word);
  }
  struct Rate {
    double gb_s;      // of wall time
    double cpu_gb_s;  // if every thread had a processor for itself: per CPU second times threads
  };
  Rate measure() {
    constexpr int64_t kChunk = 1 << 20;
    const double start = now_s(), start_cpu = cpu_s();
    pool_.run(256, 4, [&](int64_t begin, int64_t end, int) {
      sink_ += kernels_.table->read_memory(buffer_.data() + begin * kChunk, static_cast<size_t>((end - begin) * kChunk));
    });
    return {0.268435456 / (now_s() - start), 0.268435456 / (cpu_s() - start_cpu) * pool_.threads()};
  }

 private:
  cpu::Pool pool_;
  AlignedBuffer buffer_;
  const cpu::KernelRow& kernels_;
  std::atomic<uint64_t> sink_{0};
};

struct Arguments {
  std::string model = "phi-3.5-mini", recipe = "int4", isa;
  int threads = 2, blocks = 5;
  int64_t prompt = 512, generate = 16, depth = 0;
};

int run(const Arguments& arguments) {
  const auto recipe = parse_recipe(arguments.recipe);
  if (!recipe) return fmt::print(stderr, "{}\n", recipe.error().message), 1;
  const auto model = make_synthetic(arguments.model, *recipe);
  if (!model) return fmt::print(stderr, "{}\n", model.error().message), 1;
  OpenOptions options;
  options.threads = arguments.threads;
  options.kv = recipe->kv;
  options.activation = recipe->activation;
  options.instruction_set = arguments.isa;
  options.context = std::max(arguments.prompt, arguments.depth + 64) + arguments.generate * arguments.blocks;
  const double start = now_s();
  auto session = cpu_backend().open(model->plan, model->weights, options);
  if (!session) return fmt::print(stderr, "{}\n", session.error().message), 1;
  const MemoryReport memory = (*session)->memory();
  const Effective effective = (*session)->effective();
  const double gigabytes = static_cast<double>(memory.bytes_per_decode_token) * 1e-9;
  fmt::print("{} {} on {}, {} threads, activations {}: opened in {:.1f} s, {:.3f} GB per token\n", arguments.model, recipe->name,
             effective.instruction_set, effective.threads, effective.activations, now_s() - start, gigabytes);

  std::vector<int32_t> ids(static_cast<size_t>(std::max<int64_t>(arguments.prompt, std::max<int64_t>(arguments.depth, 1))));
  std::iota(ids.begin(), ids.end(), 100);
  Range prefill, prefill_cpu, decode, decode_cpu, probe, probe_cpu, share, share_cpu;
  BandwidthProbe bandwidth(arguments.threads);
  const double threads = arguments.threads;
  for (int block = 0; block < arguments.blocks && arguments.prompt > 0; ++block) {
    (void)(*session)->truncate(0);
    const double begin = now_s(), begin_cpu = cpu_s();
    (void)(*session)->append(std::span(ids).first(static_cast<size_t>(arguments.prompt)));
    prefill.values.push_back(static_cast<double>(arguments.prompt) / (now_s() - begin));
    prefill_cpu.values.push_back(static_cast<double>(arguments.prompt) / (cpu_s() - begin_cpu) * threads);
  }
  (void)(*session)->truncate(0);
  (void)(*session)->append(std::span(ids).first(static_cast<size_t>(std::max<int64_t>(arguments.depth, 1))));
  for (int block = 0; block < arguments.blocks; ++block) {
    const BandwidthProbe::Rate before = bandwidth.measure();
    const double begin = now_s(), begin_cpu = cpu_s();
    (void)(*session)->decode(arguments.generate, greedy_sampler, [](int32_t, int64_t) { return true; });
    const double rate = static_cast<double>(arguments.generate) / (now_s() - begin);
    decode.values.push_back(rate);
    const double rate_cpu = static_cast<double>(arguments.generate) / (cpu_s() - begin_cpu) * threads;
    decode_cpu.values.push_back(rate_cpu);
    const BandwidthProbe::Rate after = bandwidth.measure();
    probe.values.insert(probe.values.end(), {before.gb_s, after.gb_s});
    probe_cpu.values.insert(probe_cpu.values.end(), {before.cpu_gb_s, after.cpu_gb_s});
    share.values.push_back(rate * gigabytes / (0.5 * (before.gb_s + after.gb_s)));
    share_cpu.values.push_back(rate_cpu * gigabytes / (0.5 * (before.cpu_gb_s + after.cpu_gb_s)));
  }
  if (arguments.prompt > 0) fmt::print("prefill@{} tok/s {}; per CPU second x threads {}\n", arguments.prompt, prefill.text(), prefill_cpu.text());
  fmt::print("decode@{} tok/s {}; per CPU second x threads {}\n", arguments.depth, decode.text(), decode_cpu.text());
  fmt::print("read GB/s {}; per CPU second x threads {}\n", probe.text(), probe_cpu.text());
  fmt::print("share of the bandwidth limit (weights only): wall {}; CPU {}\n", share.text(), share_cpu.text());
  return 0;
}

}  // namespace
}  // namespace phiscope

// session_bench --recipe int4 --threads 2 ...: every option takes a value.
int main(int argc, char** argv) {
  phiscope::Arguments arguments;
  const std::map<std::string_view, std::function<void(const char*)>> options = {
      {"--model", [&](const char* v) { arguments.model = v; }},
      {"--recipe", [&](const char* v) { arguments.recipe = v; }},
      {"--isa", [&](const char* v) { arguments.isa = v; }},
      {"--threads", [&](const char* v) { arguments.threads = std::atoi(v); }},
      {"--blocks", [&](const char* v) { arguments.blocks = std::atoi(v); }},
      {"--prompt", [&](const char* v) { arguments.prompt = std::atoi(v); }},  // 0 = no prefill
      {"--generate", [&](const char* v) { arguments.generate = std::atoi(v); }},  // tokens per block
      {"--depth", [&](const char* v) { arguments.depth = std::atoi(v); }},
  };
  for (int i = 1; i < argc; i += 2) {
    const auto option = options.find(argv[i]);
    if (option == options.end() || i + 1 == argc) {
      fmt::print(stderr, "usage: {} [--model M] [--recipe R] [--isa I] [--threads N] [--blocks N] [--prompt N] [--generate N] [--depth N]\n", argv[0]);
      return 2;
    }
    option->second(argv[i + 1]);
  }
  return phiscope::run(arguments);
}
