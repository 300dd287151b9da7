#include "core/device/advise.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/device/roofline.h"
#include "tests/core/device/shapes.h"
#include "tests/support/fixtures.h"

namespace phiscope::device {
namespace {

using phiscope::test::source_path;
using test::published_shape;

/// What the program itself would ask, without a database.
AdviceRequest request_for(std::string_view model, const std::string& device) {
  AdviceRequest request;
  request.model = published_shape(model);
  request.model_argument = "synthetic:" + std::string(model);
  request.published = read_published(source_path("datasets/published.toml")).value();
  request.profiles = list_profiles(source_path("datasets/devices")).value();
  for (const SyntheticModel& known : synthetic_models()) request.known_shapes[known.name] = published_shape(known.name);
  for (const DeviceProfile& profile : request.profiles)
    if (profile.id == device) request.device = profile;
  EXPECT_FALSE(request.device.id.empty()) << device;
  request.this_device = "Example CPU 3000";
  return request;
}

/// One CPU with round numbers and one published share, so that everything can be computed by hand.
AdviceRequest plain_request() {
  AdviceRequest request;
  request.model = published_shape("phi-3.5-mini");
  request.model_argument = "model";
  request.device = {.id = "plain", .name = "plain", .device_class = "pc", .memory_bytes = 16'000'000'000, .bandwidth_gb_s = 100, .source = "test"};
  request.device.units.push_back({.kind = UnitKind::cpu, .name = "cpu", .engines = {"llama.cpp", "phiscope"}, .rates = {{"fp32", 1000, "test"}}});
  request.device.matches = {"Example CPU"};
  request.this_device = "Example CPU 3000";
  request.published.shares = {{"cpu", "llama.cpp", "bandwidth", 4.5, 0.5, "a test", "test"}, {"cpu", "llama.cpp", "arithmetic", 4.5, 0.25, "a test", "test"}};
  return request;
}

Run measured_run(const std::string& recipe, double decode) {
  Run run;
  run.run_id = "01JD0000000000000000000001";
  run.recipe = recipe;
  run.backend = "cpu";
  run.device = "Example CPU 3000";
  run.metrics = {{.id = "decode_tokens_per_s@128", .value = decode, .n = 10, .low = decode - 1, .high = decode + 1},
                 {.id = "ln_ppl_ratio", .value = 0.02, .n = 2040, .low = 0.01, .high = 0.03},
                 {.id = "kld_mean", .value = 0.04, .n = 2040}};
  return run;
}

const Candidate* find(const std::vector<Candidate>& candidates, std::string_view id) {
  const auto found = std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& c) { return c.format->id == id; });
  return found == candidates.end() ? nullptr : &*found;
}

TEST(Advise, EstimatesAreTheRooflineTimesThePublishedShare) {
  const AdviceRequest request = plain_request();
  const Advice advice = advise(request);
  const Candidate* candidate = find(advice.ranking, "gguf:Q4_0");
  ASSERT_NE(candidate, nullptr);
  EXPECT_EQ(candidate->decode.kind, EvidenceKind::estimated);
  // 3.62e9 body weights in 4.5 bits, a head of 98.5e6 in 8.5, 512 positions of 393216 bytes.
  const double bytes = (3821079552.0 - 2 * 32064.0 * 3072 - 65 * 3072) * 4.5 / 8 + 32064.0 * 3072 * 8.5 / 8 + 512 * 393216.0;
  EXPECT_NEAR(*candidate->decode.value, 0.5 * 100e9 / bytes, 1e-6);
  EXPECT_NEAR(*candidate->ttft.value, prefill_operations(request.model, 512) / (0.25 * 1000e9) * 1e3, 1e-6);
  EXPECT_NE(candidate->decode.formula.find("100 GB/s"), std::string::npos) << candidate->decode.formula;
}

TEST(Advise, MemoryRemovesWhatDoesNotFitAndSaysTheNumbers) {
  AdviceRequest request = plain_request();
  request.device.memory_bytes = 8'000'000'000;
  const Advice advice = advise(request);
  const Candidate* removed = find(advice.removed, "gguf:BF16");
  ASSERT_NE(removed, nullptr);
  EXPECT_FALSE(removed->fits);
  EXPECT_EQ(removed->constraint, "memory");
  EXPECT_NE(removed->removal.find("8.00 GB"), std::string::npos) << removed->removal;
  const Candidate* kept = find(advice.ranking, "gguf:Q4_0");
  ASSERT_NE(kept, nullptr);
  EXPECT_NEAR(*kept->memory.value, weight_bytes(request.model, *kept->format) + 4096 * 393216.0 + workspace_bytes(request.model), 1);
}

TEST(Advise, MeasuredHereStandsAboveEstimates) {
  AdviceRequest request = plain_request();
  request.runs = {measured_run("int4", 17.5)};
  const Advice advice = advise(request);
  const Candidate* measured = find(advice.ranking, "phiscope:int4");
  ASSERT_NE(measured, nullptr);
  EXPECT_EQ(measured->decode.kind, EvidenceKind::measured_here);
  EXPECT_EQ(measured->decode.value, 17.5);
  EXPECT_EQ(measured->decode.source, "run 01JD0000000000000000000001");
  // The quality carries over to another engine that rounds the same way; the speed does not.
  const Candidate* other = find(advice.ranking, "gguf:Q4_0");
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(other->loss.kind, EvidenceKind::measured_here);
  EXPECT_NEAR(*other->loss.value, std::expm1(0.02), 1e-12);
  EXPECT_EQ(other->decode.kind, EvidenceKind::estimated);
}

TEST(Advise, ARunOfAnotherMachineIsMeasuredElsewhere) {
  AdviceRequest request = plain_request();
  request.this_device = "Another CPU";
  request.runs = {measured_run("int4", 17.5)};
  const Advice advice = advise(request);
  EXPECT_EQ(find(advice.ranking, "phiscope:int4")->decode.kind, EvidenceKind::measured_elsewhere);
}

TEST(Advise, PublishedSpeedCountsForModelsOfTheSameSize) {
  const Advice advice = advise(request_for("phi-3.5-mini", "intel-core-ultra-258v"));
  const Candidate* candidate = find(advice.ranking, "openvino:int8");
  ASSERT_NE(candidate, nullptr);
  EXPECT_EQ(candidate->decode.kind, EvidenceKind::measured_elsewhere);
  EXPECT_EQ(candidate->decode.value, 18.6);
  EXPECT_NE(candidate->decode.source.find("OpenVINO"), std::string::npos);
}

TEST(Advise, NeedsRemoveWithTheConstraintThatDidIt) {
  AdviceRequest request = plain_request();
  request.runs = {measured_run("int4", 17.5)};
  ASSERT_TRUE(add_need(request.needs, "quality=1%").has_value());
  ASSERT_TRUE(add_need(request.needs, "latency=100ms").has_value());
  const Advice advice = advise(request);
  ASSERT_NE(find(advice.removed, "phiscope:int4"), nullptr);
  EXPECT_EQ(find(advice.removed, "phiscope:int4")->constraint, "quality");
  ASSERT_NE(find(advice.removed, "gguf:Q4_K_M"), nullptr);  // nobody published it: unknown is not good enough
  EXPECT_NE(find(advice.removed, "gguf:Q4_K_M")->removal.find("unknown"), std::string::npos);
  for (const Candidate& candidate : advice.ranking) EXPECT_LE(1000 / *candidate.decode.value, 100);
}

TEST(Advise, WithoutAFigureThereIsNoNumberButAReason) {
  const Advice advice = advise(request_for("phi-4-mini", "iphone-15-pro"));
  ASSERT_FALSE(advice.ranking.empty());
  EXPECT_EQ(advice.ranking.front().format->id, "executorch:8da4w");
  EXPECT_EQ(advice.ranking.front().decode.value, 17.3);
  const Candidate* unknown = find(advice.ranking, "gguf:Q4_0");
  ASSERT_NE(unknown, nullptr);
  EXPECT_FALSE(unknown->decode.value.has_value());
  EXPECT_NE(unknown->decode.formula.find("bandwidth"), std::string::npos);
}

TEST(Advise, FollowsTheCookbookWhereTheEvidenceAgreesAndSaysWhereNot) {
  // A phone with room for INT8: what was published of INT4's loss outweighs its speed, and the advice says that it leaves the cookbook.
  const Advice phone = advise(request_for("phi-3.5-mini", "snapdragon-8-elite"));
  EXPECT_EQ(phone.ranking.front().format->precision, "int8");
  EXPECT_NE(phone.cookbook.find("the evidence disagrees"), std::string::npos) << phone.cookbook;
  const Advice board = advise(request_for("phi-3.5-mini", "raspberry-pi-5-8gb"));
  ASSERT_FALSE(board.ranking.empty());
  EXPECT_EQ(board.ranking.front().format->precision, "int4");
  EXPECT_NE(board.cookbook.find("follows it"), std::string::npos) << board.cookbook;
  const Advice laptop = advise(request_for("phi-3.5-mini", "intel-core-ultra-258v"));
  EXPECT_EQ(laptop.ranking.front().format->precision, "int8");
  EXPECT_NE(laptop.cookbook.find("follows it"), std::string::npos) << laptop.cookbook;
  AdviceRequest large = request_for("phi-4", "intel-core-ultra-258v");
  const Advice disagreeing = advise(large);
  ASSERT_FALSE(disagreeing.ranking.empty());
  EXPECT_EQ(disagreeing.ranking.front().format->precision, "int4");  // 8 bits would be too slow to read along
  EXPECT_NE(disagreeing.cookbook.find("disagrees"), std::string::npos) << disagreeing.cookbook;
}

TEST(Advise, AGoalChangesTheOrder) {
  AdviceRequest request = request_for("phi-3.5-mini", "intel-core-ultra-258v");
  ASSERT_TRUE(add_need(request.needs, "latency").has_value());
  EXPECT_EQ(advise(request).ranking.front().format->precision, "int4");
  request.needs = {};
  ASSERT_TRUE(add_need(request.needs, "memory").has_value());
  const Advice smallest = advise(request);
  for (const Candidate& candidate : smallest.ranking) EXPECT_GE(*candidate.memory.value, *smallest.ranking.front().memory.value);
}

TEST(Advise, SaysWhatWouldChangeTheRanking) {
  const Advice advice = advise(request_for("phi-3.5-mini", "raspberry-pi-5-8gb"));
  ASSERT_FALSE(advice.changes.empty());
  const std::string all = fmt::format("{}", fmt::join(advice.changes, "\n"));
  EXPECT_NE(all.find("Context: beyond about"), std::string::npos) << all;
  EXPECT_NE(all.find("phiscope bench synthetic:phi-3.5-mini --recipe fp32,int4"), std::string::npos) << all;
}

TEST(Advise, AnEngineThatCannotTakeTheModelIsRemovedByName) {
  const Advice advice = advise(request_for("phi-3.5-moe", "nvidia-h200"));
  const Candidate* removed = find(advice.removed, "tensorrt-llm:fp8");
  ASSERT_NE(removed, nullptr);
  EXPECT_EQ(removed->constraint, "engine");
}

TEST(Advise, EveryDeviceAndModelGetsAnAnswerWithItsCommand) {
  const auto profiles = list_profiles(source_path("datasets/devices"));
  ASSERT_TRUE(profiles.has_value());
  for (const DeviceProfile& profile : *profiles) {
    for (const SyntheticModel& model : synthetic_models()) {
      const Advice advice = advise(request_for(model.name, profile.id));
      EXPECT_FALSE(advice.ranking.empty() && advice.removed.empty()) << profile.id << " " << model.name;
      for (const Candidate& candidate : advice.ranking) {
        EXPECT_EQ(candidate.command.find('{'), std::string::npos) << candidate.command;
        EXPECT_TRUE(candidate.decode.value.has_value() || !candidate.decode.formula.empty());
      }
    }
  }
}

TEST(AddNeed, UnderstandsItsFormsAndNamesThemOtherwise) {
  Needs needs;
  EXPECT_TRUE(add_need(needs, "latency=50ms").has_value());
  EXPECT_TRUE(add_need(needs, "ttft=2s").has_value());
  EXPECT_TRUE(add_need(needs, "memory=4GB").has_value());
  EXPECT_TRUE(add_need(needs, "quality=kld:0.05").has_value());
  EXPECT_TRUE(add_need(needs, "quality").has_value());
  EXPECT_EQ(needs.token_ms, 50);
  EXPECT_EQ(needs.ttft_ms, 2000);
  EXPECT_EQ(needs.memory_bytes, 4e9);
  EXPECT_EQ(needs.kld, 0.05);
  EXPECT_EQ(needs.goal, Goal::quality);
  for (const char* text : {"speed", "latency=", "latency=-5ms", "memory=4", "quality=kld:x", "latency=5kg"}) {
    const auto status = add_need(needs, text);
    ASSERT_FALSE(status.has_value()) << text;
    EXPECT_NE(status.error().message.find("write latency=50ms"), std::string::npos);
  }
}

TEST(CommandFor, QuotesWhatAShellWouldSplit) {
  EXPECT_EQ(command_for(test::format_of("vllm:bf16"), "my model"), "vllm serve 'my model' --dtype bfloat16");
  EXPECT_EQ(command_for(test::format_of("openvino:int8"), "phi"),
            "optimum-cli export openvino --model phi --task text-generation-with-past --weight-format int8 phi-openvino-int8");
}

}  // namespace
}  // namespace phiscope::device
