#include "app/session/null_test.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/session/measuring_lock.h"
#include "app/session/worker_engine.h"
#include "core/base/clock.h"
#include "core/base/ulid.h"
#include "core/bench/catalogue.h"
#include "core/bench/spin_engine.h"
#include "core/bench/suite.h"

namespace phiscope::session {
namespace {

constexpr uint64_t kSeedsPerTrial = uint64_t{1} << 32;
constexpr int kWarmUps = 5;
// A stub's block of 32 tokens takes about 10 ms, as a small model's does.
constexpr double kStubTokenSeconds = 0.0003;
constexpr double kWantedSame = 0.95, kWantedFound = 0.90;

Run trial_run(const std::string& interleave_id) {
  Run run;
  run.run_id = make_ulid();
  run.environment["interleave.id"] = interleave_id;
  return run;
}

/// Both engines through one shape, then the comparison that a user would see.
class Trial {
 public:
  Trial(const std::vector<TrialEngine>& engines, std::vector<bench::DisturbanceJudge>& judges, const TrialSettings& settings)
      : engines_(engines), judges_(judges), settings_(settings) {}

  Status run(int number, VerdictTally& tally) {
    bench::Suite suite;
    suite.speed = {{.generate = settings_.tokens}};
    PHISCOPE_ASSIGN(const auto steps, bench::speed_steps(suite));
    const std::string id = make_ulid();
    std::vector<Run> runs{trial_run(id), trial_run(id)};
    const auto repeat = [&](size_t member, uint64_t seed) { return measure(steps[0], member, seed); };
    const auto keep = [&](size_t member, bench::StepOutcome outcome, int64_t repetition, bool) {
      runs[member].samples.push_back({steps[0].metric, 0, repetition, outcome.primary, outcome.disturbance});
      tally.block_seconds.push_back(outcome.seconds);
    };
    const auto turns = bench::take_turns(2, settings_.rules, static_cast<uint64_t>(number) * kSeedsPerTrial, repeat, keep);
    if (error_) return fail(*error_);
    for (Run& one : runs) bench::compute_metrics(one);
    const reports::Comparison comparison = reports::compare_runs(runs[0], {runs[1]});
    const reports::MetricComparison* metric = comparison.candidates[0].find(steps[0].metric);
    if (metric == nullptr) return fail(ErrorCode::internal, "the comparison lost its metric {}", steps[0].metric);
    count(*metric, tally);
    for (const bench::TurnResult& turn : turns) {
      tally.repeated += turn.repeated;
      tally.kept_disturbed += turn.kept_disturbed;
    }
    tally.pairs.push_back(runs[0].find_metric(steps[0].metric)->n);
    return {};
  }

 private:
  std::optional<bench::StepOutcome> measure(const bench::SpeedStep& step, size_t member, uint64_t seed) {
    const TrialEngine& one = engines_[member];
    const bench::Conditions before = one.conditions ? one.conditions() : bench::Conditions{};
    auto outcome = step.run(*one.engine, seed);
    if (!outcome) {
      error_ = outcome.error();
      return std::nullopt;
    }
    if (one.conditions) outcome->disturbance = judges_[member].judge(before, one.conditions());
    return std::move(*outcome);
  }

  static void count(const reports::MetricComparison& metric, VerdictTally& tally) {
    ++tally.trials;
    tally.ratios.push_back(metric.ratio.value_or(0));
    switch (metric.verdict) {
      case reports::Verdict::same: ++tally.same; break;
      case reports::Verdict::better: ++tally.better; break;
      case reports::Verdict::worse: ++tally.worse; break;
      default: ++tally.unclear;
    }
  }

  const std::vector<TrialEngine>& engines_;
  std::vector<bench::DisturbanceJudge>& judges_;
  const TrialSettings& settings_;
  std::optional<Error> error_;
};

/// Steps of work that take this long here, from the fastest of some tries.
int64_t stub_work(double seconds) {
  constexpr int64_t kProbe = 1'000'000;
  bench::SpinEngine probe(kProbe);
  double fastest = 1;
  for (int i = 0; i < 5; ++i) {
    const int64_t begin = monotonic_ns();
    (void)probe.prefill({.tokens = 1});
    fastest = std::min(fastest, static_cast<double>(monotonic_ns() - begin) * 1e-9);
  }
  return std::max<int64_t>(1000, static_cast<int64_t>(kProbe * seconds / fastest));
}

struct Half {
  std::unique_ptr<WorkerEngine> engine;
  bench::OpenReply reply;
};

Result<Half> open_half(const Target& target, int64_t tokens, const CallOptions& options) {
  WorkerOptions worker;
  worker.on_log = options.on_log;
  PHISCOPE_ASSIGN(auto client, WorkerClient::start(std::move(worker)));
  Half half;
  half.engine = std::make_unique<WorkerEngine>(std::move(client), options.cancel);
  const bench::OpenBlock block{target.model, target.recipe, target.backend, target.threads, 2 * tokens, target.instruction_set, false};
  PHISCOPE_ASSIGN(half.reply, half.engine->open(block, options.progress));
  return half;
}

}  // namespace

TrialSettings default_trial_settings() {
  TrialSettings settings;
  settings.rules.limits = {.min = 10, .max = 200, .max_seconds = 20, .relative_sd = 0.01};
  settings.rules.max_repeats = 100;
  return settings;
}

Result<VerdictTally> tally_verdicts(TrialEngine reference, TrialEngine candidate, int trials, const TrialSettings& settings,
                                    const std::function<bool(int done)>& go_on) {
  const std::vector<TrialEngine> engines{std::move(reference), std::move(candidate)};
  std::vector<bench::DisturbanceJudge> judges(engines.size());
  VerdictTally tally;
  bench::GenerateBlock warm_up;
  warm_up.random_prompt = 1;
  warm_up.max_new_tokens = settings.tokens;
  for (const TrialEngine& one : engines)
    for (int i = 0; i < kWarmUps; ++i) PHISCOPE_TRY(one.engine->generate(warm_up));
  for (int trial = 0; trial < trials; ++trial) {
    if (go_on && !go_on(trial)) return fail(ErrorCode::cancelled, "stopped after {} of {} trials", trial, trials);
    PHISCOPE_TRY(Trial(engines, judges, settings).run(trial + 1, tally));
  }
  return tally;
}

bool NullTestResult::passed() const {
  return itself.same >= kWantedSame * itself.trials && slower.worse >= kWantedFound * slower.trials;
}

Result<NullTestResult> run_null_test(const NullTestRequest& request, const std::function<void(std::string_view)>& on_notice,
                                     const CallOptions& options) {
  PHISCOPE_ASSIGN(const auto lock, take_measuring_lock("phiscope device null-test", on_notice, options.cancel));
  NullTestResult result;
  result.settings = default_trial_settings();
  const auto go_on = [&](const char* what, double begin, double share, int trials) {
    return [&options, what, begin, share, trials](int done) {
      if (options.progress) options.progress(begin + share * done / trials, what);
      return options.cancel == nullptr || !options.cancel->cancelled();
    };
  };
  {
    PHISCOPE_ASSIGN(const Half a, open_half(request.target, result.settings.tokens, options));
    PHISCOPE_ASSIGN(const Half b, open_half(request.target, result.settings.tokens, options));
    const bench::OpenReply& r = a.reply;
    result.report = {r.backend, r.recipe, r.model_hash, r.artifact_hash, r.effective, r.notices};
    const auto engine = [](const Half& half) {
      return TrialEngine{half.engine.get(), [id = half.engine->client().process_id()] { return bench::read_conditions(id); }};
    };
    PHISCOPE_ASSIGN(result.itself, tally_verdicts(engine(a), engine(b), request.trials, result.settings,
                                                  go_on("the artifact against itself", 0, 0.8, request.trials)));
  }
  const int64_t work = stub_work(kStubTokenSeconds);
  bench::SpinEngine stub(work), slow(static_cast<int64_t>(static_cast<double>(work) * (1 + request.slowdown)));
  const auto here = [] { return bench::read_conditions(0); };
  PHISCOPE_ASSIGN(result.slower, tally_verdicts({&stub, here}, {&slow, here}, request.slow_trials, result.settings,
                                                go_on("a stub engine against a slower one", 0.8, 0.2, request.slow_trials)));
  return result;
}

}  // namespace phiscope::session
