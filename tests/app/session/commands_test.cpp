#include "app/session/commands.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "core/base/files.h"
#include "core/format/tensor_file.h"
#include "tests/app/session/worker_environment.h"

namespace phiscope::session {
namespace {

using test::WorkerTest;
using testing::HasSubstr;

constexpr const char* kModel = "models/phi-3-mini-tiny";

template <class T>
std::vector<T> values(const TensorFiles& files, const std::string& name) {
  const TensorEntry* entry = files.find(name);
  EXPECT_NE(entry, nullptr) << name;
  std::vector<T> out(entry == nullptr ? 0 : static_cast<size_t>(entry->view.elements()));
  if (!out.empty()) std::memcpy(out.data(), entry->view.data, out.size() * sizeof(T));
  return out;
}

class CommandsTest : public WorkerTest {
 protected:
  static Target target(const std::filesystem::path& model, const std::string& recipe = "fp32") {
    Target t;
    t.model = model.string();
    t.recipe = recipe;
    t.backend = "reference";
    t.threads = 1;
    return t;
  }
};

TEST_F(CommandsTest, LogitsThroughTheWorkerAgreeWithTransformers) {
  PHISCOPE_FIXTURE(model, kModel);
  const auto golden = TensorFiles::open_file(model / "golden.safetensors");
  ASSERT_TRUE(golden.has_value());
  const std::vector<int32_t> ids = values<int32_t>(**golden, "p33.input_ids");
  const auto result = write_logits({target(model), ids, folder_ / "logits.safetensors"}, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->positions, 33);
  const auto written = TensorFiles::open_file(folder_ / "logits.safetensors");
  ASSERT_TRUE(written.has_value()) << written.error().message;
  const std::vector<float> expected = values<float>(**golden, "p33.logits"), found = values<float>(**written, "logits");
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 2e-4) << i;  // the goldens' own noise is 3e-5
}

TEST_F(CommandsTest, GreedyGenerationAgreesWithTransformersAndStreamsItsText) {
  PHISCOPE_FIXTURE(model, kModel);
  const auto golden = TensorFiles::open_file(model / "golden.safetensors");
  ASSERT_TRUE(golden.has_value());
  GenerateRequest request;
  request.target = target(model);
  request.ids = values<int32_t>(**golden, "p7.input_ids");
  request.max_new_tokens = 16;
  request.ignore_stop = true;
  std::string streamed;
  const auto result = generate(request, [&](std::string_view text) { streamed += text; }, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->ids, values<int32_t>(**golden, "p7.greedy"));
  EXPECT_EQ(result->text, streamed);
  EXPECT_EQ(result->stop_reason, "length");
  EXPECT_EQ(result->prompt_tokens, 7);
  EXPECT_GT(result->decode_tokens_per_s, 0);
}

TEST_F(CommandsTest, SampledGenerationFollowsItsSeed) {
  PHISCOPE_FIXTURE(model, kModel);
  GenerateRequest request;
  request.target = target(model);
  request.prompt = "the window";
  request.max_new_tokens = 12;
  request.ignore_stop = true;
  request.sampling = {.temperature = 2.0, .seed = 5};
  const auto first = generate(request, {}, {}), again = generate(request, {}, {});
  request.sampling.seed = 6;
  const auto other = generate(request, {}, {});
  ASSERT_TRUE(first && again && other);
  EXPECT_EQ(first->ids, again->ids);
  EXPECT_NE(first->ids, other->ids);
}

TEST_F(CommandsTest, ACancelEndsAGenerationWithItsTokensSoFar) {
  PHISCOPE_FIXTURE(model, "models/phi-4-mini-tiny");  // its context of 2048 leaves time to cancel
  GenerateRequest request;
  request.target = target(model);
  request.prompt = "the window";
  request.max_new_tokens = 1900;
  request.ignore_stop = true;
  CancelToken cancel;
  CallOptions options;
  options.cancel = &cancel;
  const auto result = generate(request, [&](std::string_view) { cancel.cancel(); }, options);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->stop_reason, "cancelled");
  EXPECT_GE(result->ids.size(), 1u);
  EXPECT_LT(result->ids.size(), 1900u);
}

TEST_F(CommandsTest, APromptLongerThanTheContextNamesBothNumbers) {
  PHISCOPE_FIXTURE(model, kModel);
  GenerateRequest request;
  request.target = target(model);
  request.target.context = 8;
  request.ids = std::vector<int32_t>(20, 9);
  const auto result = generate(request, {}, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(result.error().message, HasSubstr("20"));
  EXPECT_THAT(result.error().message, HasSubstr("8"));
}

TEST_F(CommandsTest, PerplexityIsTheExponentOfTheMeanOverItsChunks) {
  PHISCOPE_FIXTURE(model, kModel);
  const auto result = perplexity({target(model), prose(3000), 64, 3, 0}, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->chunks, 3);
  EXPECT_EQ(result->scored_tokens, 3 * 31);
  EXPECT_EQ(result->scored_from, 32);
  double sum = 0;
  for (const double nll : result->chunk_nll) sum += nll;
  EXPECT_NEAR(result->nll_mean, sum / 3, 1e-9);
  EXPECT_NEAR(result->perplexity, std::exp(result->nll_mean), 1e-9);
}

TEST_F(CommandsTest, AQuantizedArtifactIsAModelByItself) {
  PHISCOPE_FIXTURE(model, kModel);
  const auto made = quantize({model.string(), "int4", folder_ / "artifact", "", 1}, {});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_GT(made->bytes, 0u);
  EXPECT_FALSE(made->tensors.empty());
  const auto from_model = perplexity({target(model, "int4"), prose(2000), 64, 2, 0}, {});
  const auto from_artifact = perplexity({target(folder_ / "artifact", "source"), prose(2000), 64, 2, 0}, {});
  ASSERT_TRUE(from_model.has_value()) << from_model.error().message;
  ASSERT_TRUE(from_artifact.has_value()) << from_artifact.error().message;
  EXPECT_EQ(from_model->nll_mean, from_artifact->nll_mean);
}

TEST_F(CommandsTest, ADamagedModelIsOneSentence) {
  PHISCOPE_FIXTURE(model, kModel);
  const auto result = perplexity({target(damaged_copy(model)), prose(2000), 64, 2, 0}, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::invalid_file);
  EXPECT_THAT(result.error().message, HasSubstr("model.safetensors"));
}

TEST_F(CommandsTest, BackendsAreListedBestFirstWithTheReferenceLast) {
  const auto backends = list_backends({});
  ASSERT_TRUE(backends.has_value()) << backends.error().message;
  EXPECT_EQ(backends->back().name, "reference");
  EXPECT_TRUE(backends->back().available.ok);
}

TEST_F(CommandsTest, AnUnknownFormatIsRefused) {
  const auto result = quantize({"m", "int4", folder_ / "x", "onnx", 1}, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("'onnx'"));
}

}  // namespace
}  // namespace phiscope::session
