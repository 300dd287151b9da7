// Every backend, fixture model and recipe against the reference running the same encoded weights.
#include <gmock/gmock.h>

#include "tests/backends/conformance/conformance.h"

namespace phiscope::test {
namespace {

constexpr const char* kRecipes[] = {"source", "fp32", "fp16", "bf16", "int8", "int8-dyn", "int4", "int4-asym", "int4-dyn", "int4:g64", "int4:lm_head=int4"};

double relative_rms(std::span<const float> found, std::span<const float> expected) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double d = static_cast<double>(found[i]) - static_cast<double>(expected[i]);
    difference += d * d;
    size += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return std::sqrt(difference / size);
}

class Numbers : public Conformance {
 protected:
  void expect_near(std::span<const float> found, std::span<const float> expected, const Tolerance& tolerance, const std::string& what) const {
    if (tolerance.strays > 0) return expect_rows_near(found, expected, tolerance, what);
    EXPECT_LE(largest_difference(found, expected), tolerance.largest) << what;
    EXPECT_LE(relative_rms(found, expected), tolerance.relative_rms) << what;
  }

 private:
  void expect_rows_near(std::span<const float> found, std::span<const float> expected, const Tolerance& tolerance, const std::string& what) const {
    const auto vocab = static_cast<size_t>(model_.plan->vocab);
    const size_t rows = expected.size() / vocab;
    size_t strays = 0;
    for (size_t i = 0; i < rows; ++i) {
      const auto a = found.subspan(i * vocab, vocab), b = expected.subspan(i * vocab, vocab);
      const double largest = static_cast<double>(largest_difference(a, b)), rms = relative_rms(a, b);
      strays += largest > static_cast<double>(tolerance.largest) || rms > tolerance.relative_rms;
      EXPECT_LE(largest, static_cast<double>(tolerance.stray_largest)) << what << ", row " << i;
      EXPECT_LE(rms, tolerance.stray_rms) << what << ", row " << i;
    }
    EXPECT_LE(static_cast<double>(strays), tolerance.strays * static_cast<double>(rows)) << what << ": rows beyond " << tolerance.largest << " or "
                                                                                         << tolerance.relative_rms;
  }
};

TEST_P(Numbers, PrefillAgreesWithTheReferenceAtEveryPosition) {
  for (const KvType kv : {KvType::f32, KvType::f16}) {
    const auto session = open(options(kv)), reference = open(options(kv), *find_backend("reference"));
    ASSERT_TRUE(session && reference);
    const Tolerance tolerance = tolerance_for(session->effective(), *model_.plan);
    for (const int length : golden_lengths(*golden_)) {
      const std::string what = fmt::format("prompt of {}, KV {}", length, kv_type_name(kv));
      expect_near(run(*session, ids(length)).logits, run(*reference, ids(length)).logits, tolerance, what);
    }
  }
}

TEST_P(Numbers, DecodingAgreesWithTheReferenceAtEveryStep) {
  const auto session = open(options()), reference = open(options(), *find_backend("reference"));
  ASSERT_TRUE(session && reference);
  const Tolerance tolerance = tolerance_for(session->effective(), *model_.plan);
  // From 60 on, longrope fixtures switch their list at the 65th token; windows of 24 and 31 are long past.
  const std::vector<int32_t> prompt = ids(100);
  for (auto* one : {session.get(), reference.get()}) ASSERT_TRUE(one->append(std::span(prompt).first(60)).has_value());
  std::vector<float> found, expected;
  for (size_t i = 60; i < 72; ++i) {
    const std::span<const int32_t> next = std::span(prompt).subspan(i, 1);
    ASSERT_TRUE(session->append(next).has_value());
    ASSERT_TRUE(reference->append(next).has_value());
    const std::span<const float> a = session->last_logits(), b = reference->last_logits();
    if (tolerance.strays == 0) expect_near(a, b, tolerance, fmt::format("after {} tokens", i + 1));
    found.insert(found.end(), a.begin(), a.end());
    expected.insert(expected.end(), b.begin(), b.end());
  }
  if (tolerance.strays > 0) expect_near(found, expected, tolerance, "steps after 60 tokens");
}

class SingleTokensUnderInt8 : public Numbers {};

// Each token is a window of its own: most have no value near a rounding edge and must agree to f32 noise, which no other definition of the
// 8-bit activations would.
TEST_P(SingleTokensUnderInt8, MostAgreeToFloatNoise) {
  const auto session = open(options()), reference = open(options(), *find_backend("reference"));
  ASSERT_TRUE(session && reference);
  ASSERT_TRUE(session->effective().activations.starts_with("int8")) << session->effective().activations;
  int agree = 0;
  const std::vector<int32_t> all = ids(33);
  for (size_t i = 0; i < all.size(); ++i) {
    const std::span<const int32_t> one = std::span(all).subspan(i, 1);
    agree += largest_difference(run(*session, one).logits, run(*reference, one).logits) <= 2e-4f;
  }
  EXPECT_GE(agree, 28);
}

class SourceNumbers : public Numbers {};

TEST_P(SourceNumbers, AgreeWithTransformers) {
  const auto session = open(options());
  ASSERT_TRUE(session);
  const Tolerance tolerance = tolerance_for(session->effective(), *model_.plan);
  for (const int length : golden_lengths(*golden_)) {
    if (const std::string name = fmt::format("p{}.logits", length); golden_->has(name)) {
      expect_near(run(*session, ids(length)).logits, golden_->floats(name), tolerance, name);
    }
  }
}

// The reference against itself would show nothing.
std::vector<Case> without_reference(std::vector<Case> cases) {
  std::erase_if(cases, [](const Case& one) { return one.backend->name() == "reference"; });
  return cases;
}
constexpr const char* kSource[] = {"source"};

bool runs_with(const Backend& backend, const char* instruction_set) {
  static const Plan plan = *lower(synthetic_models().front().config);
  OpenOptions forced;
  forced.instruction_set = instruction_set;
  return backend.supports(plan, {}, forced).ok;
}

// Kernel sets by the names that OpenOptions::instruction_set takes; those that a backend or this machine has not are left out.
constexpr const char* kInstructionSets[] = {"portable", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "avx512_amx"};
std::vector<Case> with_instruction_sets(const std::vector<Case>& cases) {
  std::vector<Case> result;
  for (const Case& one : cases)
    for (const char* name : kInstructionSets) {
      if (!runs_with(*one.backend, name)) continue;
      result.push_back(one);
      result.back().instruction_set = name;
    }
  return result;
}
// Sizes that are multiples of 32 and sizes that are not; longrope with a tied head.
constexpr const char* kIsaModels[] = {"phi-3-mini-tiny", "phi-3-h80", "phi-4-mini-tiny"};
constexpr const char* kIsaRecipes[] = {"source", "fp32", "int8", "int8-dyn", "int4", "int4-asym", "int4-dyn"};
constexpr const char* kInt8Recipes[] = {"int8-dyn", "int4-dyn"};

// An integer router among floating weights: it is never rounded to BF16, and the outputs agree to f32 noise on every set.
constexpr const char* kExpertModels[] = {"phi-3.5-moe-tiny", "phi-tiny-moe-tiny"};
constexpr const char* kRouterRecipes[] = {"fp32:other=int8"};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Numbers);
INSTANTIATE_TEST_SUITE_P(Router, Numbers, testing::ValuesIn(with_instruction_sets(without_reference(all_cases(kExpertModels, kRouterRecipes)))),
                         [](const auto& one) { return case_name(one.param); });
INSTANTIATE_TEST_SUITE_P(All, Numbers, testing::ValuesIn(without_reference(all_cases(kGoldenModels, kRecipes))),
                         [](const auto& one) { return case_name(one.param); });
INSTANTIATE_TEST_SUITE_P(Isa, Numbers, testing::ValuesIn(with_instruction_sets(without_reference(all_cases(kIsaModels, kIsaRecipes)))),
                         [](const auto& one) { return case_name(one.param); });
INSTANTIATE_TEST_SUITE_P(Isa, SingleTokensUnderInt8, testing::ValuesIn(with_instruction_sets(without_reference(all_cases(kIsaModels, kInt8Recipes)))),
                         [](const auto& one) { return case_name(one.param); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SingleTokensUnderInt8);
INSTANTIATE_TEST_SUITE_P(All, SingleTokensUnderInt8, testing::ValuesIn(without_reference(all_cases(kGoldenModels, kInt8Recipes))),
                         [](const auto& one) { return case_name(one.param); });
INSTANTIATE_TEST_SUITE_P(All, SourceNumbers, testing::ValuesIn(all_cases(kGoldenModels, kSource)), [](const auto& one) { return case_name(one.param); });

// Were a set renamed, its cases would silently be gone.
TEST_P(SourceNumbers, ComeFromAKernelSetThatIsAlsoForced) {
  if (GetParam().backend->name() == "reference") return;
  const auto session = open(options());
  ASSERT_TRUE(session);
  const std::string name = session->effective().instruction_set;
  EXPECT_THAT(kInstructionSets, testing::Contains(name)) << "add it to the list";
  EXPECT_TRUE(runs_with(*GetParam().backend, name.c_str()));
}

}  // namespace
}  // namespace phiscope::test
