#include "app/session/llama_bench.h"

#include <gmock/gmock.h>

#include "app/session/run_json.h"
#include "core/base/files.h"
#include "core/bench/catalogue.h"
#include "core/store/store.h"
#include "reports/compare/compare.h"
#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::session {
namespace {

using testing::HasSubstr;

std::string text_of(const char* name) {
  auto text = read_file(test::source_path("tests/golden/llama_bench") / name);
  EXPECT_TRUE(text.has_value()) << name;
  return text.value_or("");
}

TEST(LlamaBench, JsonBecomesARunForEachConfigurationWithEveryRepetition) {
  const auto found = read_llama_bench(text_of("phi3.json"), "phi3.json");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_EQ(found->runs.size(), 2u);
  const phiscope::Run& run = found->runs[0];
  EXPECT_EQ(run.model, "Phi-3-mini-4k-instruct-q4.gguf");
  EXPECT_EQ(run.recipe, "gguf:Q4_K_M");
  EXPECT_EQ(run.backend, "llama.cpp");
  EXPECT_EQ(run.device, "Example CPU 3000");
  EXPECT_EQ(run.threads, 8);
  EXPECT_EQ(run.started_at, "2025-04-24T11:58:50Z");
  EXPECT_EQ(run.app_version, "llama.cpp 5186 (8cf427ff)");
  EXPECT_EQ(run.environment.at("protocol"), "llama-bench");
  EXPECT_EQ(run.environment.at("llama_bench.type_k"), "f16");
  // Medians of samples_ts, by hand
  EXPECT_EQ(run.find_metric("prefill_tokens_per_s@512")->value, 101.5);
  EXPECT_EQ(run.find_metric("prefill_tokens_per_s@512")->n, 3);
  EXPECT_EQ(run.find_metric("decode_tokens_per_s@128")->value, 12.25);
  EXPECT_EQ(run.find_metric("decode_tokens_per_s@128d4096")->value, 9.5);
  EXPECT_NEAR(*run.find_metric("bits_per_weight")->value, 8.0 * 2392493568 / 3821079648, 1e-12);
  EXPECT_EQ(found->runs[1].environment.at("llama_bench.type_k"), "q8_0");
  ASSERT_EQ(found->notices.size(), 1u);
  EXPECT_THAT(found->notices[0], HasSubstr("prompt 512 with 128 generated tokens"));
}

TEST(LlamaBench, CsvHoldsTheMeanAlone) {
  const auto found = read_llama_bench(text_of("phi3.csv"), "phi3.csv");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_EQ(found->runs.size(), 1u);
  const phiscope::Run& run = found->runs[0];
  EXPECT_EQ(run.recipe, "gguf:F16");
  EXPECT_EQ(run.find_metric("decode_tokens_per_s@64")->value, 5.5);
  EXPECT_EQ(run.find_metric("decode_tokens_per_s@64")->n, 1);
  EXPECT_EQ(run.find_metric("decode_tokens_per_s@64")->low, std::nullopt);
  EXPECT_EQ(run.environment.at("llama_bench.stddev_ts.decode_tokens_per_s@64"), "0.125");
  EXPECT_EQ(run.environment.at("llama_bench.cpu_info"), "Example \"CPU\", 2 cores");
}

TEST(LlamaBench, ImportedTwiceItIsThereOnce) {
  const test::TemporaryFolder folder;
  const auto store = Store::open(folder / "a.db");
  ASSERT_TRUE(store.has_value());
  const auto first = read_runs(text_of("phi3.json"), "phi3.json"), second = read_runs(text_of("phi3.json"), "phi3.json");
  EXPECT_EQ((*store)->add_missing(first->runs).value(), 2);
  EXPECT_EQ((*store)->add_missing(second->runs).value(), 0);
  phiscope::Run stored = (*store)->load(first->runs[0].run_id).value();
  EXPECT_EQ(stored.samples.size(), first->runs[0].samples.size());
  const auto metrics = stored.metrics.size();
  bench::compute_metrics(stored);  // `runs recompute`
  EXPECT_EQ(stored.metrics.size(), metrics);
  EXPECT_EQ(stored.find_metric("prefill_tokens_per_s@512")->value, 101.5);
}

TEST(LlamaBench, IsNotMixedWithOwnRunsUnlessToldTo) {
  const auto found = read_llama_bench(text_of("phi3.json"), "phi3.json");
  phiscope::Run own = test::example_run({});
  own.metrics = {{.id = "decode_tokens_per_s@128", .value = 12.0, .n = 3}};
  own.samples = {{"decode_tokens_per_s@128", 0, 0, 12}, {"decode_tokens_per_s@128", 0, 1, 12}, {"decode_tokens_per_s@128", 0, 2, 12}};
  own.device = "Example CPU 3000";
  own.model_hash.clear();
  own.suite_hash = found->runs[0].suite_hash;
  const auto refused = reports::compare_runs(own, {found->runs[0]});
  EXPECT_EQ(refused.candidates[0].find("decode_tokens_per_s@128")->reason, "protocol differs: (none) and llama-bench");
  const auto allowed = reports::compare_runs(own, {found->runs[0]}, {{"protocol"}});
  EXPECT_NE(allowed.candidates[0].find("decode_tokens_per_s@128")->verdict, reports::Verdict::not_comparable);
  EXPECT_THAT(allowed.candidates[0].find("decode_tokens_per_s@128")->mark, HasSubstr("across protocol"));
}

TEST(LlamaBench, DamagedFilesAreRefusedWithTheirPlace) {
  const auto message = [](const std::string& text) {
    const auto found = read_llama_bench(text, "x");
    return found ? std::string("accepted") : found.error().message;
  };
  EXPECT_THAT(message(R"([{"build_commit":"a","n_prompt":"many","n_gen":0,"test_time":"2025-04-24T11:58:50Z"}])"), HasSubstr("n_prompt"));
  EXPECT_THAT(message(R"([{"build_commit":"a","n_prompt":512,"n_gen":0,"test_time":"yesterday","avg_ts":5}])"), HasSubstr("'yesterday' is no time"));
  EXPECT_THAT(message(R"([{"build_commit":"a","n_prompt":512,"n_gen":0,"test_time":"2025-04-24T11:58:50Z","avg_ts":-1}])"), HasSubstr("avg_ts"));
  EXPECT_THAT(message(R"([{"build_commit":"a","n_prompt":512,"n_gen":0,"test_time":"2025-04-24T11:58:50Z","samples_ts":[0]}])"), HasSubstr("samples_ts"));
  EXPECT_THAT(message("build_commit,n_prompt\n\"a\""), HasSubstr("line 2: has 1 values, the header names 2 fields"));
  EXPECT_THAT(message("build_commit,n_prompt\n\"a,1"), HasSubstr("has no end"));
  EXPECT_THAT(message(R"([{"build_commit":"a")"), HasSubstr("x"));
  EXPECT_THAT(message("[\"build_commit\", 3]"), HasSubstr("is no object"));
}

}  // namespace
}  // namespace phiscope::session
