#include "tests/support/example_runs.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "core/stats/constants.h"
#include "core/stats/proportion.h"
#include "core/stats/random.h"
#include "core/stats/summary.h"

namespace phiscope::test {
namespace {

constexpr int kChunks = 8;
constexpr int kPositions = 255;
constexpr double kParameters = 7.1e6;
constexpr uint64_t kTextSeed = 77;  // the same text and the same items for every run

constexpr Direction kHigher = Direction::higher;
constexpr Direction kLower = Direction::lower;

const std::vector<MetricInfo>& infos() {
  static const std::vector<MetricInfo> rows = {
      {"prefill_tokens_per_s", 1, "Prefill", "tok/s", kHigher, "speed",
       "N / (time from ids handed over to the logits of the last position); median and quartiles", 0.02, true},
      {"decode_tokens_per_s", 1, "Decode", "tok/s", kHigher, "speed", "(n-1) / (t_n - t_1) of n generated tokens; median and quartiles", 0.02,
       true},
      {"ttft_model_ms", 1, "First token, model", "ms", kLower, "speed", "t_1 - time the ids were handed over; median and quartiles", 0.02, true},
      {"itl_p50_ms", 1, "Token gap, median", "ms", kLower, "speed", "median of the gaps between tokens", 0.02, true},
      {"itl_p95_ms", 1, "Token gap, p95", "ms", kLower, "speed", "95th percentile of the gaps between tokens; needs 100 gaps", 0.02, true},
      {"itl_p99_ms", 1, "Token gap, p99", "ms", kLower, "speed", "99th percentile of the gaps between tokens; needs 500 gaps", 0.02, true},
      {"perplexity", 1, "Perplexity", "1", kLower, "fidelity", "exp(mean of -ln p(next id)) over the scored positions; 95 % interval from SE",
       0.005, true},
      {"ln_ppl_ratio", 1, "ln perplexity ratio", "nat", kLower, "fidelity", "mean of nll - nll of the reference", 0.005, false},
      {"kld_mean", 1, "KLD, mean", "nat", kLower, "fidelity", "mean over positions of sum p0 (ln p0 - ln p), p0 = reference", 0.10, true},
      {"kld_median", 1, "KLD, median", "nat", kLower, "fidelity", "median over positions of KLD(reference || candidate)", 0.10, true},
      {"kld_p99", 1, "KLD, p99", "nat", kLower, "fidelity", "99th percentile of KLD over positions", 0.10, true},
      {"same_top1", 1, "Same top 1", "share", kHigher, "fidelity", "share of positions whose most probable id is the reference's", 0.005, false},
      {"task_accuracy", 1, "Accuracy", "share", kHigher, "tasks", "share of items answered right; 95 % interval from SE", 0.01, false},
      {"file_bytes", 1, "File", "bytes", kLower, "size", "what the weights take on disk", 0.01, true},
      {"bits_per_weight", 1, "Bits per weight", "bit", kLower, "size", "8 * bytes of all matrices / their elements, scales included", 0.01, true},
      {"weights_bytes", 1, "Weights in memory", "bytes", kLower, "memory", "packed copies and mapped weights, counted once", 0.01, true},
      {"kv_bytes", 1, "KV cache", "bytes", kLower, "memory", "KV cache for N positions, scales included", 0.01, true},
      {"workspace_bytes", 1, "Workspace", "bytes", kLower, "memory", "scratch memory at its largest", 0.01, true},
      {"peak_rss_bytes", 1, "Process peak", "bytes", kLower, "memory", "largest resident memory of the worker", 0.01, true},
  };
  return rows;
}

/// Uniform in [0, 1).
double uniform(stats::Random& random) { return random.next() / 4294967296.0; }
/// Nearly normal with SD 1: the sum of 12 uniforms.
double noise(stats::Random& random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += uniform(random);
  return sum;
}

/// Scores are kept with the precision of f32.
double as_float(double value) { return static_cast<double>(static_cast<float>(value)); }

void add_value(Run& run, const std::string& id, double value, int64_t n, std::optional<double> low = {}, std::optional<double> high = {}) {
  run.metrics.push_back({.id = id, .value = value, .n = n, .low = low, .high = high});
}

void add_timing(Run& run, const std::string& id, double typical, int repetitions, stats::Random& random) {
  std::vector<double> values;
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    values.push_back(typical * std::exp(0.006 * noise(random)));
    run.samples.push_back({id, 0, repetition, values.back()});
  }
  add_value(run, id, stats::median(values), repetitions, stats::quantile(values, 0.25), stats::quantile(values, 0.75));
}

void add_timelines(Run& run, double gap_ms, int repetitions, stats::Random& random) {
  std::vector<double> gaps;
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    Series series{.kind = "token_timeline", .metric = "decode_tokens_per_s@64", .repetition = repetition, .columns = {"time_ns"}, .rows = {{}}};
    double now_ns = 5e6;
    series.rows[0].push_back(now_ns);
    for (int token = 1; token < 64; ++token) {
      double gap_ns = std::floor(gap_ms * 1e6 * std::exp(0.02 * noise(random)));
      if (uniform(random) < 0.02) gap_ns = std::floor(gap_ns * 1.6);  // a hiccup of the scheduler
      now_ns += gap_ns;
      gaps.push_back(gap_ns * 1e-6);
      series.rows[0].push_back(now_ns);
    }
    run.series.push_back(std::move(series));
  }
  const auto n = static_cast<int64_t>(gaps.size());
  for (const auto& [id, p] : std::map<std::string, double>{{"itl_p50_ms", 0.5}, {"itl_p95_ms", 0.95}, {"itl_p99_ms", 0.99}}) {
    const auto value = stats::supported_quantile(gaps, p);
    Metric metric{.id = id, .value = value, .n = n};
    if (!value) metric.reason = fmt::format("{} token gaps are too few for this percentile", n);
    run.metrics.push_back(metric);
  }
}

struct Scores {
  std::vector<double> nll, nll_reference, kld, same;
};

void add_windows(Run& run, double damage) {
  stats::Random text(kTextSeed);
  Scores all;
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    Series series{.kind = "position_scores", .metric = "perplexity", .item = chunk,
                  .columns = {"id", "nll", "nll_reference", "kld", "delta_p", "top1", "top1_reference", "p_top1_reference", "top5_overlap"}};
    series.rows.resize(series.columns.size());
    const double hardness = 3.6 + 0.15 * noise(text);
    for (int position = 0; position < kPositions; ++position) {
      const auto id = static_cast<double>(text.below(4096));
      const double nll0 = as_float(std::abs(hardness + 1.9 * noise(text)));
      const double push = noise(text);
      const double spread = uniform(text);
      const double kld = as_float(damage * 0.55 * std::exp(1.1 * noise(text)));
      const double nll = as_float(nll0 + std::sqrt(damage) * 0.5 * push + 0.6 * damage);
      const bool same = spread >= 0.8 * std::sqrt(damage);
      const double delta_p = std::exp(-nll) - std::exp(-nll0);
      const double values[] = {id, nll, nll0, kld, delta_p, same ? id : id + 1, id, spread, same ? 5.0 : 4.0};
      for (size_t column = 0; column < series.rows.size(); ++column) series.rows[column].push_back(values[column]);
      all.nll.push_back(nll);
      all.nll_reference.push_back(nll0);
      all.kld.push_back(kld);
      all.same.push_back(same ? 1 : 0);
    }
    run.series.push_back(std::move(series));
  }
  const auto n = static_cast<int64_t>(all.nll.size());
  const stats::Interval nll = stats::normal_mean_interval(all.nll);
  const double perplexity = std::exp(nll.estimate);
  const double half = perplexity * (nll.high - nll.estimate);
  add_value(run, "perplexity", perplexity, n, perplexity - half, perplexity + half);
  std::vector<double> ratio(all.nll.size());
  for (size_t i = 0; i < ratio.size(); ++i) ratio[i] = all.nll[i] - all.nll_reference[i];
  const stats::Interval ln_ratio = stats::normal_mean_interval(ratio);
  add_value(run, "ln_ppl_ratio", ln_ratio.estimate, n, ln_ratio.low, ln_ratio.high);
  const stats::Interval kld = stats::normal_mean_interval(all.kld);
  add_value(run, "kld_mean", kld.estimate, n, kld.low, kld.high);
  add_value(run, "kld_median", stats::median(all.kld), n);
  add_value(run, "kld_p99", stats::quantile(all.kld, 0.99), n);
  const double same = stats::mean(all.same);
  const double error = stats::kNormal95 * stats::proportion_standard_error(same, n);
  add_value(run, "same_top1", same, n, same - error, same + error);
}

void add_task(Run& run, const std::string& name, double ability, double damage, int items) {
  stats::Random draw(kTextSeed + name.size());
  Series series{.kind = "task_items", .metric = "task_accuracy:" + name,
                .columns = {"item", "correct", "correct_normalized", "choice", "answer", "log_likelihood"}};
  series.rows.resize(series.columns.size());
  for (int item = 0; item < items; ++item) {
    const double difficulty = uniform(draw);
    const double luck = noise(draw);
    const bool correct = difficulty < ability - 0.25 * std::sqrt(damage) + 0.12 * std::sqrt(damage) * luck;
    const auto answer = static_cast<double>(draw.below(4));
    const double values[] = {static_cast<double>(item), correct ? 1.0 : 0.0, correct ? 1.0 : 0.0, correct ? answer : 3 - answer, answer, -1 - 5 * difficulty};
    for (size_t column = 0; column < series.rows.size(); ++column) series.rows[column].push_back(values[column]);
  }
  const double share = stats::mean(series.rows[1]);
  const double error = stats::kNormal95 * stats::proportion_standard_error(share, items);
  add_value(run, series.metric, share, items, share - error, share + error);
  run.series.push_back(std::move(series));
}

void add_sizes(Run& run, double bits) {
  const double weights = std::floor(kParameters * bits / 8);
  const std::pair<const char*, double> values[] = {
      {"file_bytes", weights + 40960}, {"bits_per_weight", bits}, {"weights_bytes", weights}, {"kv_bytes@2048", 6291456},
      {"workspace_bytes", 3145728},    {"peak_rss_bytes", weights + 31457280}};
  for (const auto& [id, value] : values) {
    run.samples.push_back({id, 0, 0, value});
    add_value(run, id, value, 1);
  }
}

void fill_identity(Run& run, const ExampleOptions& options) {
  run.run_id = options.run_id;
  run.started_at = options.started_at;
  run.seconds = 17.25;
  run.model = "bundled:tiny-phi";
  run.model_hash = "6f1d0f6f3a4f1c2e9b8d7a6655443322";
  run.artifact_hash = "a0" + options.run_id.substr(6);
  run.tokenizer_hash = "11223344556677889900aabbccddeeff";
  run.recipe = options.recipe;
  run.backend = "cpu";
  run.suite = "quick";
  run.suite_hash = "0123456789abcdef0123456789abcdef";
  run.threads = 2;
  run.device = "Example CPU 3000";
  run.requested = options.recipe;
  run.effective = options.recipe + " weights, f32 activations, f16 KV, avx2";
  run.app_version = "0.1.0";
  run.environment = {{"os", "Debian GNU/Linux 12"}, {"kernel", "6.1.0"}, {"cpu", "Example CPU 3000"}, {"cpu.features", "avx2 fma f16c"},
                     {"instruction_set", "avx2"}, {"memory.total_bytes", "25165824000"}, {"build.type", "release"},
                     {"convention.chunk", "512"}, {"convention.stride", "0"}, {"convention.scored_from", "256"}, {"convention.bos", "false"},
                     {"interleave.id", "01JD0000000000000000000000"},
                     {"command", "phiscope bench bundled:tiny-phi --recipe fp32,fp16,int8,int8-dyn,int4 --backend cpu --suite quick"}};
}

}  // namespace

Run example_run(const ExampleOptions& options) {
  Run run;
  fill_identity(run, options);
  run.metric_infos = infos();
  stats::Random random(options.seed);
  // Every run of an interleaved set sees the same drift of the machine; `random` adds what is its own.
  for (const int length : {128, 512})
    add_timing(run, fmt::format("prefill_tokens_per_s@{}", length), options.speed * (length == 128 ? 880 : 760), options.repetitions, random);
  add_timing(run, "decode_tokens_per_s@64", options.speed * 240, options.repetitions, random);
  add_timing(run, "decode_tokens_per_s@64d512", options.speed * 205, options.repetitions, random);
  add_timing(run, "ttft_model_ms@128", 128 * 1000 / (options.speed * 880), options.repetitions, random);
  add_timing(run, "ttft_model_ms@512", 512 * 1000 / (options.speed * 760), options.repetitions, random);
  add_timelines(run, 1000 / (options.speed * 240), options.repetitions, random);
  add_windows(run, options.damage);
  add_task(run, "addition", 0.78, options.damage, options.items);
  add_task(run, "completion", 0.64, options.damage, options.items);
  add_sizes(run, options.bits_per_weight);
  return run;
}

std::vector<Run> example_runs() {
  struct Row {
    const char* recipe;
    double speed, damage, bits;
  };
  static constexpr Row kRows[] = {
      {"fp32", 1.0, 0, 32}, {"fp16", 1.62, 0.000004, 16}, {"int8", 2.4, 0.0011, 8.5}, {"int8-dyn", 2.9, 0.0042, 8.5}, {"int4", 3.35, 0.085, 4.75}};
  std::vector<Run> runs;
  uint64_t index = 0;
  for (const Row& row : kRows) {
    ++index;
    runs.push_back(example_run({.recipe = row.recipe, .run_id = fmt::format("01JD00000000000000000000{:02}", index),
                                .started_at = fmt::format("2026-03-01T12:00:{:02}.000Z", index), .speed = row.speed, .damage = row.damage,
                                .bits_per_weight = row.bits, .seed = index}));
  }
  runs[3].warnings.push_back({"noisy", "Decode at depth 512 varied by 6 % between repetitions.", "Close other programs and measure again."});
  Run refused;
  fill_identity(refused, {.recipe = "fp8", .run_id = "01JD0000000000000000000006", .started_at = "2026-03-01T12:00:06.000Z"});
  refused.status = RunStatus::refused;
  refused.reason = "cpu: fp8 needs a CUDA device with FP8 arithmetic; int8 runs here";
  refused.effective.clear();
  runs.push_back(refused);
  return runs;
}

}  // namespace phiscope::test
