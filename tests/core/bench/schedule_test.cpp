#include "core/bench/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/base/files.h"
#include "tests/support/fake_engine.h"
#include "tests/support/fixtures.h"

namespace phiscope::bench {
namespace {

using test::FakeEngine;
using test::FakeScript;

OpenReply small_model() {
  OpenReply reply;
  reply.model_name = "fake";
  reply.backend = "fake";
  reply.context = 512;
  reply.vocab = 100;
  reply.file_bytes = 5000;
  reply.bits_per_weight = 4.5;
  reply.memory.weights_private = 300;
  reply.memory.weights_mapped = 700;
  reply.memory.kv_per_token = 10;
  reply.effective.threads = 1;
  return reply;
}

FakeScript plain_script() {
  FakeScript script;
  script.open = small_model();
  return script;
}

Suite speed_suite(std::vector<SpeedShape> shapes) {
  Suite suite;
  suite.name = "test";
  suite.speed = std::move(shapes);
  suite.min_repetitions = 3;
  suite.max_repetitions = 6;
  suite.max_seconds_per_shape = 1e6;
  suite.check.prompts = {"hello"};
  return suite;
}

Run measure(FakeEngine& engine, const Suite& suite) {
  std::vector<Candidate> candidates(1);
  candidates[0].engine = &engine;
  run_suite(candidates, suite, {});
  return candidates[0].run;
}

double value_of(const Run& run, std::string_view id) {
  const Metric* metric = run.find_metric(id);
  if (metric == nullptr) ADD_FAILURE() << "no metric " << id;
  else if (!metric->value) ADD_FAILURE() << id << " has no value: " << metric->reason;
  return metric != nullptr ? metric->value.value_or(-1) : -1;
}

bool has_warning(const Run& run, std::string_view id) {
  return std::any_of(run.warnings.begin(), run.warnings.end(), [&](const Warning& warning) { return warning.id == id; });
}

TEST(Schedule, KnownDelaysGiveEveryLatencyMetricExactly) {
  FakeScript script = plain_script();
  script.prefill_fixed_ns = 1'000'000;    // 1 ms
  script.prefill_per_token_ns = 10'000;   // 10 us a token
  // 99 gaps: 4 ms to the second token, then 2 ms, but 8 ms for the last six of each generation.
  script.gap_ns = [](int64_t, int64_t token) { return token == 0 ? 4'000'000 : token >= 93 ? 8'000'000 : 2'000'000; };
  FakeEngine engine(script);
  const phiscope::Run run = measure(engine, speed_suite({{.prompt = 100}, {.prompt = 200, .generate = 1}, {.generate = 100}}));
  EXPECT_EQ(run.status, RunStatus::done);
  EXPECT_NEAR(value_of(run, "prefill_tokens_per_s@100"), 100 / 2e-3, 1e-6);          // 1 ms + 100 * 10 us
  EXPECT_NEAR(value_of(run, "ttft_model_ms@200"), 3.0, 1e-9);
  const double span_ms = 4 + 92 * 2 + 6 * 8;
  EXPECT_NEAR(value_of(run, "decode_tokens_per_s@100"), 99e3 / span_ms, 1e-9);
  EXPECT_NEAR(value_of(run, "tpot_ms@100"), span_ms / 99, 1e-12);
  EXPECT_NEAR(value_of(run, "ttst_ms@100"), 4.0, 1e-12);
  EXPECT_NEAR(value_of(run, "itl_p50_ms"), 2.0, 1e-12);
  EXPECT_NEAR(value_of(run, "itl_p95_ms"), 8.0, 1e-12);                              // 6 of 99 gaps are 8 ms
  EXPECT_EQ(run.find_metric("itl_p99_ms")->value, std::nullopt);                     // 3 * 99 gaps are too few
  EXPECT_THAT(run.find_metric("itl_p99_ms")->reason, testing::HasSubstr("297 token gaps"));
}

TEST(Schedule, ARequestsFirstTokenIncludesItsTokenization) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "text.txt", "one two three four").has_value());
  FakeScript script = plain_script();
  script.tokenize_ns = 500'000;
  script.text_prompt_tokens = 100;
  script.prefill_per_token_ns = 10'000;
  FakeEngine engine(script);
  Suite suite = speed_suite({});
  suite.datasets = folder.path();
  suite.requests = {{"text.txt", 9}};
  const phiscope::Run run = measure(engine, suite);
  EXPECT_NEAR(value_of(run, "ttft_request_ms@100"), 1.5, 1e-9);
  EXPECT_EQ(engine.generations[0].text_prompt, "one two");  // cut back to a whole word
}

TEST(Schedule, WarmUpIsNotMeasuredAndEndsWhenStable) {
  FakeScript script = plain_script();
  script.slowdown = [](int64_t block) { return block == 0 ? 3.0 : block == 1 ? 1.5 : 1.0; };
  FakeEngine engine(script);
  const phiscope::Run run = measure(engine, speed_suite({{.prompt = 100}}));
  EXPECT_EQ(engine.calls("prefill"), 4 + 3);  // 3.0, 1.5, 1.0, 1.0, then the minimum of 3
  EXPECT_EQ(run.samples.size() - static_cast<size_t>(std::count_if(run.samples.begin(), run.samples.end(), [](const Sample& s) {
              return s.metric != "prefill_tokens_per_s@100";
            })),
            3u);
  EXPECT_NEAR(value_of(run, "prefill_tokens_per_s@100"), 1e6, 1e-6);
  EXPECT_THAT(run.environment.at("stop.prefill_tokens_per_s@100"), testing::StartsWith("stable"));
}

TEST(Schedule, NoiseEndsAtTheCapWithAWarning) {
  FakeScript script = plain_script();
  script.slowdown = [](int64_t block) { return block % 2 == 0 ? 1.0 : 1.5; };
  FakeEngine engine(script);
  const phiscope::Run run = measure(engine, speed_suite({{.prompt = 100}}));
  EXPECT_THAT(run.environment.at("stop.prefill_tokens_per_s@100"), testing::StartsWith("count cap 6"));
  EXPECT_TRUE(has_warning(run, "noisy"));
  const Metric* metric = run.find_metric("prefill_tokens_per_s@100");
  EXPECT_EQ(metric->n, 6);
  EXPECT_LT(*metric->low, *metric->high);
}

TEST(Schedule, DisturbedRepetitionsAreMarkedRepeatedAndCounted) {
  FakeScript script = plain_script();
  script.slowdown = [](int64_t block) { return block == 4 ? 2.0 : 1.0; };  // two warm-ups, then repetition 2
  FakeEngine engine(script);
  std::vector<Candidate> candidates(1);
  candidates[0].engine = &engine;
  int reads = 0;
  candidates[0].conditions = [&] {
    Conditions c;
    c.time_ns = ++reads * int64_t{10'000'000};
    c.counters.has_waited = true;
    if (reads >= 2 * 5) c.counters.waited_ns = 5'000'000;  // grows during the fifth block
    return c;
  };
  Suite suite = speed_suite({{.prompt = 100}});
  suite.check.prompts.clear();
  run_suite(candidates, suite, {});
  const phiscope::Run& run = candidates[0].run;
  std::vector<std::string> marks;
  for (const Sample& sample : run.samples)
    if (sample.metric == "prefill_tokens_per_s@100") marks.push_back(fmt::format("{} {}", sample.repetition, sample.mark));
  EXPECT_THAT(marks, testing::ElementsAre("0 ", "1 ", "2 waited 50.0 %", "2 "));
  EXPECT_EQ(run.find_metric("prefill_tokens_per_s@100")->n, 3);
  EXPECT_NEAR(value_of(run, "prefill_tokens_per_s@100"), 1e6, 1e-6);
  const auto warning = std::find_if(run.warnings.begin(), run.warnings.end(), [](const Warning& w) {
    return w.id == "disturbed" && w.sentence.starts_with("prefill");  // the machine's own load may have a warning too
  });
  ASSERT_NE(warning, run.warnings.end());
  EXPECT_EQ(warning->sentence, "prefill_tokens_per_s@100: 1 repetitions were disturbed (waited 50.0 %) and measured again; 0 stay disturbed");
}

TEST(Schedule, ColdStartIsOpeningLoadingAndTheFirstToken) {
  FakeScript script = plain_script();
  script.open.open_s = 0.5;
  script.open.load_s = 2;
  script.prefill_per_token_ns = 1'000'000;
  FakeEngine engine(script);
  Suite suite = speed_suite({});
  suite.cold_start = true;
  const phiscope::Run run = measure(engine, suite);
  EXPECT_NEAR(value_of(run, "load_s:first_token"), 0.128, 1e-9);  // 128 tokens of 1 ms
  EXPECT_NEAR(value_of(run, "load_s:open"), 0.5, 1e-12);
  EXPECT_NEAR(value_of(run, "cold_start_s"), 2.628, 1e-9);
}

TEST(Schedule, EnergyIsCountedPerTokenAndAbsentWithItsReason) {
  FakeScript script = plain_script();
  script.energy_j_per_token = 0.1;  // a token takes 2 ms: 50 W
  script.open.energy_source = "rapl package-0";
  script.open.idle_w = 10;
  FakeEngine engine(script);
  const phiscope::Run run = measure(engine, speed_suite({{.prompt = 100}, {.generate = 11}}));
  EXPECT_NEAR(value_of(run, "energy_j_per_token@11"), 0.1, 1e-12);
  EXPECT_NEAR(value_of(run, "power_w@11"), 50, 1e-9);
  EXPECT_NEAR(value_of(run, "energy_j_per_token_net@11"), 0.1 - 10 * 0.002, 1e-12);
  EXPECT_NEAR(value_of(run, "tokens_per_s_per_w@11"), 10, 1e-9);
  EXPECT_NEAR(value_of(run, "energy_j_per_prompt_token@100"), 0.025, 1e-12);
  FakeScript without = plain_script();
  without.open.energy_reason = "this machine shows no energy counters";
  FakeEngine plain(without);
  EXPECT_EQ(measure(plain, speed_suite({{.generate = 11}})).find_metric("energy_j_per_token")->reason,
            "not available: this machine shows no energy counters");
}

TEST(Schedule, SustainedDecodingGoesOnForItsTime) {
  FakeScript script = plain_script();
  script.slowdown = [](int64_t generation) { return generation < 8 ? 1.0 : 1.25; };  // hot after 8 generations
  FakeEngine engine(script);
  Suite suite = speed_suite({});
  suite.check.prompts.clear();
  suite.sustained = {3.5, 101};  // 100 gaps of 2 ms: 0.2 s a generation, 0.25 s when hot
  const phiscope::Run run = measure(engine, suite);
  EXPECT_NEAR(value_of(run, "sustained_ratio"), 0.8, 1e-9);
  EXPECT_EQ(run.find_metric("sustained_ratio")->n, 16);  // 8 * 0.2 + 8 * 0.25 s, and a prompt of 1 us each
}

TEST(Schedule, CheckpointsLieOnTheTimeAxisOfTheMemoryTimeline) {
  FakeEngine engine(plain_script());
  const phiscope::Run run = measure(engine, speed_suite({{.prompt = 100}, {.generate = 10}}));
  EXPECT_EQ(run.environment.at("memory.checkpoints"), "baseline,loaded,after_prefill,after_decode,before_release,released");
  const auto series = std::find_if(run.series.begin(), run.series.end(), [](const Series& s) { return s.kind == "memory_checkpoints"; });
  ASSERT_NE(series, run.series.end());
  ASSERT_EQ(series->rows.size(), 4u);
  EXPECT_EQ(series->rows[1], std::vector<double>(6, 1e6));
  EXPECT_TRUE(std::is_sorted(series->rows[0].begin(), series->rows[0].end()));
  // 2 MB at the peak: 1000 bytes of weights, 10 a position for the longest shape (100)
  EXPECT_EQ(value_of(run, "other_bytes"), 2e6 - 1000 - 1000);
}

TEST(Schedule, NoPromptIsUsedTwice) {
  FakeEngine engine(plain_script());
  measure(engine, speed_suite({{.prompt = 100}, {.prompt = 100, .depth = 10}}));
  std::set<std::pair<uint64_t, int64_t>> seeds;
  for (const PrefillBlock& block : engine.prefills) EXPECT_TRUE(seeds.insert({block.seed, block.depth}).second) << block.seed;
}

TEST(Schedule, ShapesThatDoNotFitAreSkippedWithTheNumbers) {
  FakeEngine engine(plain_script());
  const phiscope::Run run = measure(engine, speed_suite({{.prompt = 513}, {.generate = 64, .depth = 500}, {.prompt = 512}}));
  EXPECT_EQ(run.status, RunStatus::done);
  EXPECT_EQ(run.find_metric("prefill_tokens_per_s@513")->reason, "the shape needs 513 positions, this model was opened with 512");
  EXPECT_EQ(run.find_metric("decode_tokens_per_s@64d500")->value, std::nullopt);
  EXPECT_GT(value_of(run, "prefill_tokens_per_s@512"), 0);
}

TEST(Schedule, SeveralCandidatesTakeTurnsForwardAndBack) {
  std::vector<std::string> log;
  FakeEngine a(plain_script(), "A", &log), b(plain_script(), "B", &log);
  std::vector<Candidate> candidates(2);
  candidates[0].engine = &a;
  candidates[1].engine = &b;
  Suite suite = speed_suite({{.prompt = 100}});
  suite.min_repetitions = 4;
  suite.max_warmups = 0;
  run_suite(candidates, suite, {});
  std::string order;
  for (const std::string& call : log)
    if (call.ends_with("prefill")) order += call[0];
  EXPECT_EQ(order, "ABBAABBAABBA");  // six pairs are the least for an interval
  EXPECT_EQ(a.prefills[2].seed, b.prefills[2].seed);  // the same prompt in the same repetition
}

TEST(Schedule, ACrashEndsOneRunKeepsItsSamplesAndTheOtherGoesOn) {
  FakeScript dying = plain_script();
  dying.errors[{"generate", 2}] = Error{ErrorCode::crashed, "the worker was killed by signal 9"};
  FakeEngine a(dying), b(plain_script());
  std::vector<Candidate> candidates(2);
  candidates[0].engine = &a;
  candidates[1].engine = &b;
  std::vector<size_t> finished;
  Hooks hooks;
  hooks.on_finished = [&](size_t i) { finished.push_back(i); };
  run_suite(candidates, speed_suite({{.prompt = 100}, {.generate = 10}}), hooks);
  EXPECT_EQ(candidates[0].run.status, RunStatus::failed);
  EXPECT_EQ(candidates[0].run.reason, "the worker was killed by signal 9");
  EXPECT_GT(value_of(candidates[0].run, "prefill_tokens_per_s@100"), 0);
  EXPECT_EQ(candidates[0].run.find_metric("decode_tokens_per_s@10"), nullptr);
  EXPECT_EQ(candidates[1].run.status, RunStatus::done);
  EXPECT_GT(value_of(candidates[1].run, "decode_tokens_per_s@10"), 0);
  EXPECT_EQ(finished, (std::vector<size_t>{0, 1}));
}

TEST(Schedule, WhatCannotBeOpenedIsRefusedOrFailed) {
  const struct {
    ErrorCode code;
    RunStatus status;
  } rows[] = {{ErrorCode::unsupported, RunStatus::refused}, {ErrorCode::out_of_memory, RunStatus::refused},
              {ErrorCode::invalid_file, RunStatus::failed}, {ErrorCode::crashed, RunStatus::failed}, {ErrorCode::cancelled, RunStatus::cancelled}};
  for (const auto& row : rows) {
    FakeScript script = plain_script();
    script.errors[{"open", 1}] = Error{row.code, "why"};
    FakeEngine engine(script);
    const phiscope::Run run = measure(engine, speed_suite({{.prompt = 100}}));
    EXPECT_EQ(run.status, row.status) << error_code_name(row.code);
    EXPECT_EQ(run.reason, "why");
    EXPECT_EQ(engine.calls("prefill"), 0);
  }
}

TEST(Schedule, ACancelKeepsWhatWasMeasured) {
  FakeEngine engine(plain_script());
  std::vector<Candidate> candidates(1);
  candidates[0].engine = &engine;
  Hooks hooks;
  hooks.is_cancelled = [&] { return engine.calls("generate") >= 2; };
  run_suite(candidates, speed_suite({{.prompt = 100}, {.generate = 10}}), hooks);
  EXPECT_EQ(candidates[0].run.status, RunStatus::cancelled);
  EXPECT_GT(value_of(candidates[0].run, "prefill_tokens_per_s@100"), 0);
  EXPECT_EQ(engine.calls("generate"), 2);
}

TEST(Schedule, ProgressNeverFallsAndEndsAtOne) {
  FakeEngine engine(plain_script());
  std::vector<Candidate> candidates(1);
  candidates[0].engine = &engine;
  double last = 0;
  Hooks hooks;
  hooks.on_progress = [&](size_t, double fraction, std::string_view) {
    EXPECT_GE(fraction, last);
    last = fraction;
  };
  run_suite(candidates, speed_suite({{.prompt = 100}, {.generate = 10}}), hooks);
  EXPECT_EQ(last, 1);
}

TEST(Schedule, MemoryAndSizeComeFromTheEngine) {
  FakeScript script = plain_script();
  script.resident = 5000;
  FakeEngine engine(script);
  const phiscope::Run run = measure(engine, speed_suite({{.prompt = 100}, {.generate = 10}}));
  EXPECT_EQ(value_of(run, "file_bytes"), 5000);
  EXPECT_EQ(value_of(run, "weights_bytes"), 1000);
  EXPECT_EQ(value_of(run, "kv_bytes@512"), 5120);
  EXPECT_EQ(value_of(run, "peak_rss_bytes"), 10000);
  for (const char* when : {"baseline", "loaded", "after_prefill", "after_decode", "released"})
    EXPECT_EQ(value_of(run, std::string("rss_bytes:") + when), 5000) << when;
}

TEST(Schedule, SyntheticModelsHaveSpeedButNoAccuracyAndSayWhy) {
  FakeScript script = plain_script();
  script.open.synthetic = true;
  FakeEngine engine(script);
  Suite suite = speed_suite({{.prompt = 100}});
  suite.fidelity.resize(1);
  suite.fidelity[0].text = "t";
  suite.tasks.resize(1);
  suite.tasks[0].name = "sums";
  const phiscope::Run run = measure(engine, suite);
  EXPECT_EQ(run.status, RunStatus::done);
  EXPECT_EQ(engine.calls("score") + engine.calls("items"), 0);
  EXPECT_EQ(run.find_metric("perplexity")->reason, "random weights say nothing about quality");
  EXPECT_EQ(run.find_metric("task_accuracy:sums")->reason, "random weights say nothing about quality");
}

TEST(Schedule, ConventionsOfTheTextAreStored) {
  FakeScript script = plain_script();
  script.score.chunks = 1;
  script.score.scored_from = 256;
  script.score.windows = {{"position_scores", {}, 0, 0, {"id", "nll", "top1"}, {{7}, {1.5}, {7}}}};
  FakeEngine engine(script);
  Suite suite = speed_suite({});
  suite.fidelity.resize(1);
  suite.fidelity[0].text = "t";
  suite.fidelity[0].chunk = 1024;
  const phiscope::Run run = measure(engine, suite);
  EXPECT_EQ(run.environment.at("convention.chunk"), "512");  // the model holds no more
  EXPECT_EQ(run.environment.at("convention.scored_from"), "256");
  EXPECT_EQ(run.environment.at("convention.bos"), "false");
  EXPECT_EQ(engine.scored[0].chunk, 512);
  EXPECT_EQ(run.find_metric("kld_mean")->reason, "there is no reference run");
}

TEST(Schedule, LogitsThatAreNotFiniteMakeTheRunInvalid) {
  FakeScript script = plain_script();
  script.finite = false;
  FakeEngine engine(script);
  const phiscope::Run run = measure(engine, speed_suite({}));
  EXPECT_TRUE(has_warning(run, "invalid"));
  EXPECT_EQ(value_of(run, "output_finite"), 0);
}

}  // namespace
}  // namespace phiscope::bench
