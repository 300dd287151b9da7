// The layer-by-layer walk over a synthetic model at full scale: how much private memory it takes, and how long.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <thread>

#include "core/backend/score.h"
#include "core/backend/walk.h"
#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/model/model.h"

namespace phiscope {
const Backend& cpu_backend();
namespace {

struct Arguments {
  std::string model = "phi-4", recipe = "fp32", folder = ".";
  int threads = 2;
  int64_t windows = 2, chunk = 512, limit_mb = 0;  // limit of private writable memory, enforced by the system
};

/// Largest private memory (anonymous pages) of this process, sampled every 20 ms.
class PeakSampler {
 public:
  PeakSampler() : thread_([this] {
    while (!stop_) {
      if (const auto memory = platform::process_memory()) peak_ = std::max(peak_.load(), memory->anonymous);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }) {}
  ~PeakSampler() {
    stop_ = true;
    thread_.join();
  }
  double take_gb() { return static_cast<double>(peak_.exchange(0)) * 1e-9; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> peak_{0};
  std::thread thread_;
};

int failed(const Error& error) {
  fmt::print(stderr, "{}\n", error.message);
  return 1;
}

int run(const Arguments& arguments) {
  if (arguments.limit_mb > 0) {
    const rlimit limit{static_cast<rlim_t>(arguments.limit_mb) * 1000000, static_cast<rlim_t>(arguments.limit_mb) * 1000000};
    if (setrlimit(RLIMIT_DATA, &limit) != 0) return fmt::print(stderr, "the memory limit was refused\n"), 1;
  }
  const auto recipe = parse_recipe(arguments.recipe);
  if (!recipe) return failed(recipe.error());
  const auto model = make_synthetic(arguments.model, *recipe);
  if (!model) return failed(model.error());
  const Plan& plan = *model->plan;
  uint64_t bytes = 0;
  for (size_t i = 0; i < plan.tensors.size(); ++i)
    bytes += model->weights->encoding(static_cast<int>(i)).bytes(plan.tensors[i].rows, plan.tensors[i].columns);
  fmt::print("{} {}: {:.2f} GB of weights, {} layers, {} windows of {} tokens, {} threads\n", arguments.model, recipe->name,
             static_cast<double>(bytes) * 1e-9, plan.layers, arguments.windows, arguments.chunk, arguments.threads);

  std::vector<std::vector<int32_t>> ids(static_cast<size_t>(arguments.windows));
  std::vector<std::span<const int32_t>> windows;
  uint64_t word = 1;
  for (auto& window : ids) {
    for (int64_t i = 0; i < arguments.chunk; ++i) window.push_back(static_cast<int32_t>((word = word * 6364136223846793005u + 1442695040888963407u) >> 33) % static_cast<int32_t>(plan.vocab));
    windows.emplace_back(window);
  }
  PeakSampler sampler;
  std::vector<double> layer_gb;
  const int64_t begin = monotonic_ns();
  Walk walk;
  walk.backend = &cpu_backend();
  walk.plan = model->plan;
  walk.weights = model->weights;
  walk.options.threads = arguments.threads;
  walk.options.kv = recipe->kv;
  walk.options.activation = recipe->activation;
  walk.scratch_folder = arguments.folder;
  int64_t last = -1;
  walk.on_progress = [&](double fraction, int64_t layer) {
    if (layer == last) return true;
    last = layer;
    layer_gb.push_back(sampler.take_gb());
    if (layer % 8 == 0) fmt::print("layer {} ({:.0f} %), {:.0f} s, largest so far {:.2f} GB\n", layer, 100 * fraction, static_cast<double>(monotonic_ns() - begin) * 1e-9,
                                   *std::max_element(layer_gb.begin(), layer_gb.end()));
    std::fflush(stdout);
    return true;
  };
  std::unique_ptr<Session> head;
  double nll = 0;
  int64_t scored = 0;
  const Status done = walk_layers(walk, windows, [&](size_t window, std::span<const float> hidden) -> Status {
    if (!head) {
      layer_gb.push_back(sampler.take_gb());
      const Stage stage = head_stage(plan, model->weights);
      PHISCOPE_ASSIGN(head, cpu_backend().open(stage.plan, stage.weights, walk.options));
    }
    const auto half = static_cast<size_t>(arguments.chunk / 2);
    const auto states = hidden.subspan(half * static_cast<size_t>(plan.hidden), (static_cast<size_t>(arguments.chunk) - 1 - half) * static_cast<size_t>(plan.hidden));
    PHISCOPE_ASSIGN(const std::vector<PositionScore> scores, score_states(*head, states, windows[window].subspan(half + 1), {}, plan.hidden, plan.vocab));
    for (const PositionScore& score : scores) nll += static_cast<double>(score.nll);
    scored += std::ssize(scores);
    return {};
  });
  if (!done) return failed(done.error());
  const double head_gb = sampler.take_gb(), layers_gb = *std::max_element(layer_gb.begin(), layer_gb.end());
  fmt::print("{} positions scored, mean nll {:.4f} (random weights: near ln {} = {:.4f})\n", scored, nll / static_cast<double>(scored), plan.vocab,
             std::log(static_cast<double>(plan.vocab)));
  fmt::print("private memory at its largest: embedding and layers {:.2f} GB, head {:.2f} GB; {:.0f} s\n", layers_gb, head_gb,
             static_cast<double>(monotonic_ns() - begin) * 1e-9);
  return 0;
}

}  // namespace
}  // namespace phiscope

// walk_bench --model phi-4 --recipe fp32 ...: every option takes a value.
int main(int argc, char** argv) {
  phiscope::Arguments arguments;
  const std::map<std::string_view, std::function<void(const char*)>> options = {
      {"--model", [&](const char* v) { arguments.model = v; }},
      {"--recipe", [&](const char* v) { arguments.recipe = v; }},
      {"--folder", [&](const char* v) { arguments.folder = v; }},  // for the states between layers
      {"--threads", [&](const char* v) { arguments.threads = std::atoi(v); }},
      {"--windows", [&](const char* v) { arguments.windows = std::atoi(v); }},
      {"--chunk", [&](const char* v) { arguments.chunk = std::atoi(v); }},
      {"--limit-mb", [&](const char* v) { arguments.limit_mb = std::atoi(v); }},  // RLIMIT_DATA: more is refused by the system
  };
  for (int i = 1; i < argc; i += 2) {
    const auto option = options.find(argv[i]);
    if (option == options.end() || i + 1 == argc) {
      fmt::print(stderr, "usage: {} [--model M] [--recipe R] [--folder F] [--threads N] [--windows N] [--chunk N] [--limit-mb N]\n", argv[0]);
      return 2;
    }
    option->second(argv[i + 1]);
  }
  return phiscope::run(arguments);
}
