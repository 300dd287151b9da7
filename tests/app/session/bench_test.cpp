#include "app/session/bench.h"

#include <gmock/gmock.h>

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "app/session/measuring_lock.h"
#include "core/base/files.h"
#include "core/base/platform/platform.h"
#include "core/store/store.h"
#include "tests/app/session/worker_environment.h"

namespace phiscope::session {
namespace {

using test::WorkerTest;
using testing::HasSubstr;

constexpr const char* kModel = "models/phi-3-mini-tiny";

class BenchTest : public WorkerTest {
 protected:
  BenchRequest request(const std::filesystem::path& model, const std::string& recipes) {
    BenchRequest r;
    r.models = {model.string()};
    r.recipes = recipes;
    r.backends = {"reference"};
    r.suite = small_suite().string();
    r.threads = 1;
    r.database = database();
    return r;
  }
};

double value_of(const Run& run, std::string_view id) {
  const Metric* metric = run.find_metric(id);
  EXPECT_TRUE(metric != nullptr && metric->value.has_value()) << id << (metric != nullptr ? ": " + metric->reason : "");
  return metric != nullptr ? metric->value.value_or(-1) : -1;
}

/// The processes that this one started and that run now: those whose parent (4th field of stat, after the name in brackets) is this one.
std::vector<int> children() {
  std::vector<int> ids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    std::istringstream rest(line.substr(line.rfind(')') + 1));
    char state = 0;
    int parent = 0;
    if (rest >> state >> parent && parent == ::getpid()) ids.push_back(std::stoi(entry.path().filename()));
  }
  return ids;
}

TEST_F(BenchTest, PrecisionsStandSideBySideAndAreStored) {
  PHISCOPE_FIXTURE(model, kModel);
  const auto result = run_bench(request(model, "fp32,int8,int4"), {}, nullptr);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  ASSERT_EQ(result->runs.size(), 3u);
  for (const auto& run : result->runs) ASSERT_EQ(run.status, RunStatus::done) << run.reason;
  EXPECT_EQ(value_of(result->runs[0], "kld_mean"), 0);
  EXPECT_EQ(value_of(result->runs[0], "kld_max"), 0);
  EXPECT_EQ(value_of(result->runs[0], "same_top1"), 1);
  EXPECT_GT(value_of(result->runs[1], "kld_mean"), 0);
  EXPECT_GT(value_of(result->runs[2], "kld_mean"), value_of(result->runs[1], "kld_mean"));
  EXPECT_LT(value_of(result->runs[2], "file_bytes"), value_of(result->runs[0], "file_bytes"));
  EXPECT_EQ(result->runs[0].environment.at("interleave.id"), result->runs[2].environment.at("interleave.id"));
  const auto store = Store::open(database());
  ASSERT_TRUE(store.has_value());
  for (const auto& run : result->runs) {
    const auto stored = (*store)->load(run.run_id);
    ASSERT_TRUE(stored.has_value()) << stored.error().message;
    for (const char* id : {"perplexity", "kld_mean", "prefill_tokens_per_s@8", "decode_tokens_per_s@4", "peak_rss_bytes"})
      EXPECT_EQ(value_of(*stored, id), value_of(run, id)) << id;
    EXPECT_FALSE(stored->series.empty());
  }
}

TEST_F(BenchTest, ASecondRunNeitherQuantizesNorComputesTheReferenceAgain) {
  PHISCOPE_FIXTURE(model, kModel);
  const auto first = run_bench(request(model, "int4"), {}, nullptr);
  ASSERT_TRUE(first.has_value() && first->all_done());
  EXPECT_NE(first->runs[0].find_metric("quantize_s"), nullptr);
  bool is_referenced_again = false;
  BenchEvents events;
  events.on_progress = [&](const BenchProgress& progress) { is_referenced_again |= progress.what == "reference pass"; };
  const auto second = run_bench(request(model, "int4"), events, nullptr);
  ASSERT_TRUE(second.has_value() && second->all_done());
  EXPECT_EQ(second->runs[0].find_metric("quantize_s")->reason, "the artifact came from the cache");
  EXPECT_EQ(value_of(second->runs[0], "kld_mean"), value_of(first->runs[0], "kld_mean"));
  EXPECT_FALSE(is_referenced_again);
}

TEST_F(BenchTest, ADamagedModelIsOneFailedRunAndTheNextGoesOn) {
  PHISCOPE_FIXTURE(model, kModel);
  BenchRequest r = request(damaged_copy(model), "fp32");
  r.models.push_back(model.string());
  const auto result = run_bench(r, {}, nullptr);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  ASSERT_EQ(result->runs.size(), 2u);
  EXPECT_EQ(result->runs[0].status, RunStatus::failed);
  EXPECT_THAT(result->runs[0].reason, HasSubstr("model.safetensors"));
  EXPECT_EQ(result->runs[1].status, RunStatus::done);
  const auto store = Store::open(database());
  ASSERT_TRUE(store.has_value());
  const auto stored = (*store)->load(result->runs[0].run_id);
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->status, RunStatus::failed);
  EXPECT_EQ(stored->reason, result->runs[0].reason);
}

TEST_F(BenchTest, AKilledWorkerIsOneFailedRunWithItsSignalAndTheNextGoesOn) {
  PHISCOPE_FIXTURE(model, kModel);
  BenchRequest r = request(model, "fp32,int8");
  r.interleave = false;
  bool is_killed = false;
  BenchEvents events;
  events.on_progress = [&](const BenchProgress& progress) {
    if (is_killed || progress.recipe != "fp32" || !progress.what.starts_with("decode")) return;
    for (const int id : children()) ::kill(id, SIGKILL);
    is_killed = true;
  };
  const auto result = run_bench(r, events, nullptr);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_TRUE(is_killed);
  EXPECT_EQ(result->runs[0].status, RunStatus::failed);
  EXPECT_THAT(result->runs[0].reason, HasSubstr("signal 9"));
  EXPECT_GT(value_of(result->runs[0], "prefill_tokens_per_s@8"), 0);  // measured before
  EXPECT_EQ(result->runs[1].status, RunStatus::done) << result->runs[1].reason;
}

TEST_F(BenchTest, ACancelKeepsWhatWasMeasured) {
  PHISCOPE_FIXTURE(model, kModel);
  BenchRequest r = request(model, "fp32,int8");
  r.interleave = false;
  CancelToken cancel;
  BenchEvents events;
  events.on_progress = [&](const BenchProgress& progress) {
    if (progress.what.starts_with("decode")) cancel.cancel();
  };
  const auto result = run_bench(r, events, &cancel);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_TRUE(result->cancelled);
  ASSERT_EQ(result->runs.size(), 1u);
  EXPECT_EQ(result->runs[0].status, RunStatus::cancelled);
  EXPECT_GT(value_of(result->runs[0], "prefill_tokens_per_s@8"), 0);
  const auto store = Store::open(database());
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->load(result->runs[0].run_id)->status, RunStatus::cancelled);
}

TEST_F(BenchTest, WhatNeedsMoreMemoryThanThereIsIsRefusedWithTheNumbers) {
  BenchRequest r = request("synthetic:phi-3.5-moe", "fp32");  // 42 billion weights of 4 bytes
  const auto result = run_bench(r, {}, nullptr);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  ASSERT_EQ(result->runs.size(), 1u);
  EXPECT_EQ(result->runs[0].status, RunStatus::refused) << result->runs[0].reason;
  EXPECT_THAT(result->runs[0].reason, HasSubstr("weights"));
}

TEST_F(BenchTest, AnUnknownBackendIsRefusedBeforeAnythingRuns) {
  BenchRequest r = request("anything", "fp32");
  r.backends = {"referense"};
  const auto result = run_bench(r, {}, nullptr);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("did you mean 'reference'"));
}

TEST_F(BenchTest, AForcedInstructionSetThatDoesNotExistIsRefused) {
  PHISCOPE_FIXTURE(model, kModel);
  BenchRequest r = request(model, "fp32");
  r.backends = {};
  r.instruction_set = "nonsense";
  const auto result = run_bench(r, {}, nullptr);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->runs[0].status, RunStatus::refused);
  EXPECT_THAT(result->runs[0].reason, HasSubstr("nonsense"));
}

TEST_F(BenchTest, ASecondBenchmarkWaitsAndSaysForWhom) {
  PHISCOPE_FIXTURE(model, kModel);
  std::filesystem::create_directories(measuring_lock_path().parent_path());
  auto held = platform::FileLock::try_lock(measuring_lock_path(), "somebody else");
  ASSERT_TRUE(held.has_value());
  std::string notice;
  BenchEvents events;
  events.on_notice = [&](std::string_view sentence) {
    notice = sentence;
    held->reset();
  };
  const auto result = run_bench(request(model, "fp32"), events, nullptr);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(notice, HasSubstr("somebody else"));
  EXPECT_TRUE(result->all_done());
}

}  // namespace
}  // namespace phiscope::session
