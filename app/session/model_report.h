#pragma once
// What can be said of a MODEL without running it: for `inspect`, the model panel and forecasts.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/model.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope::session {

struct TensorRow {
  std::string name, dtype;
  std::vector<int64_t> shape;
  uint64_t bytes = 0;
};
struct PrecisionSize {
  std::string recipe, description;
  uint64_t weight_bytes = 0;      // of all matrices and vectors
  double bits_per_weight = 0;     // over the matrices
  uint64_t kv_bytes_per_token = 0;
};
struct ModelReport {
  std::string name, kind;         // kind: "Hugging Face folder", "GGUF file", "artifact", "synthetic"
  ModelConfig config;
  int64_t parameters = 0;
  std::vector<TensorRow> tensors; // empty when the folder holds config.json only
  std::shared_ptr<const Tokenizer> tokenizer;  // null when there is none
  std::vector<PrecisionSize> sizes;            // one per built-in recipe
  std::vector<std::string> notices;            // what is unsupported, skipped or missing, a sentence each
  std::string hash;
  std::shared_ptr<const WeightSource> weights;  // as stored, for the sizes of recipe `source`; null when there are none
};

/// Reads headers and the tokenizer only. Errors: those of resolve_model and load_config; a folder with a damaged tensor file is an error, a folder
/// without tensor files is a notice.
Result<ModelReport> inspect_model(std::string_view argument);

/// What is known of a published Phi without its files.
struct PublishedModel {
  std::string name, title, architecture, checked;  // name: of synthetic:NAME; checked: see SyntheticModel
  int64_t parameters = 0;
  std::vector<PrecisionSize> sizes;                // one per built-in recipe
};
std::vector<PublishedModel> published_models();

/// Bytes of the plan's weights under a recipe, and per KV token. What a recipe leaves as it is has the encodings of `stored`, or `source_type` when null.
PrecisionSize size_under_recipe(const Plan& plan, const Recipe& recipe, DType source_type, const WeightSource* stored = nullptr);

}  // namespace phiscope::session
