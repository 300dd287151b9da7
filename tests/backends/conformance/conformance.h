#pragma once
// Shared by the conformance tests: fixture models under a recipe, opened on a backend.

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/score.h"
#include "core/model/model.h"
#include "core/quant/recipe.h"
#include "tests/support/golden.h"

namespace phiscope::test {

/// A backend, a fixture model and a recipe; with a kernel set when one is forced.
struct Case {
  const Backend* backend = nullptr;
  std::string model;
  std::string recipe;
  std::string instruction_set = {};
};
std::vector<Case> all_cases(std::span<const char* const> models, std::span<const char* const> recipes);
std::string case_name(const Case& one);
/// What GoogleTest prints for a case.
inline void PrintTo(const Case& one, std::ostream* out) { *out << case_name(one); }

/// The model's weights in the encodings that a recipe asks for, in memory.
std::shared_ptr<const WeightSource> encode(const Model& model, const Recipe& recipe);

/// How far a backend's logits may be from the reference's: the largest difference, and the root mean square divided by that of the logits.
struct Tolerance {
  float largest = 0;
  double relative_rms = 0;
  /// Share of the positions that may lie further away, where a small difference grows (a near tie of two experts), and how far.
  double strays = 0;
  float stray_largest = 0;
  double stray_rms = 0;
};
/// By the type that multiplied, as Effective::activations reports it, the KV type, and whether the plan chooses experts.
Tolerance tolerance_for(const Effective& effective, const Plan& plan);

class Conformance : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override;
  /// Opens the model on the case's backend (or another); fails the test and returns null on an error.
  std::unique_ptr<Session> open(OpenOptions options, const Backend* backend = nullptr) const;
  OpenOptions options(KvType kv = KvType::f32) const;
  std::vector<int32_t> ids(int length) const { return golden_->ids("p" + std::to_string(length) + ".input_ids"); }

  /// Final-norm states and logits of every position of a fresh window.
  struct Outputs {
    std::vector<float> hidden, logits;
  };
  Outputs run(Session& session, std::span<const int32_t> ids) const;
  std::span<const float> last_row(const Outputs& outputs) const;

  Model model_;
  Recipe recipe_;
  std::shared_ptr<const WeightSource> weights_;
  std::unique_ptr<GoldenFile> golden_;
};

}  // namespace phiscope::test
