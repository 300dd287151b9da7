#pragma once
// The positions of a stored run where its precision hurts most, with what reference and candidate thought there.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "app/session/worker_client.h"
#include "core/base/result.h"
#include "core/bench/distributions.h"

namespace phiscope::session {

struct TokensRequest {
  std::string run = "last";      // as in load_runs
  std::filesystem::path database;
  std::string by = "kld";        // kld, nll (its rise over the reference), dp (the loss of probability)
  std::string text;              // name of the suite's text; empty = the first
  int64_t worst = 20, top = 10, around = 24;
  int threads = 0;
};
struct WorstToken {
  int64_t window = 0, position = 0;   // position: index of the token in its window
  double kld = 0, nll = 0, nll_reference = 0, delta_p = 0;  // as stored
  bool same_top1 = false;
  bench::TokenPlace reference, candidate;  // computed again
};
struct TokensResult {
  std::string run_id, model, recipe, backend, text, by;
  int64_t positions = 0;              // scored in all
  std::vector<WorstToken> worst;      // worst first
  std::vector<std::string> notices;
};
/// Errors: not_found when the run has no such text or no reference; invalid_file when the text has changed since; those of opening the model.
Result<TokensResult> worst_tokens(const TokensRequest& request, const CallOptions& options);

}  // namespace phiscope::session
