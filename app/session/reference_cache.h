#pragma once
// The reference's final-norm hidden states of a suite's texts: computed once per model, text, convention and backend, then mapped by every run.

#include <filesystem>
#include <string>
#include <vector>

#include "app/session/worker_client.h"
#include "core/bench/suite.h"

namespace phiscope::session {

struct ReferenceRequest {
  std::string model, model_hash, tokenizer_hash, backend, instruction_set;
  int threads = 0;
  int64_t context = 0;
};
struct ReferenceFiles {
  std::vector<std::filesystem::path> files;  // one per fidelity part; empty when there is no reference
  std::vector<double> floors;                // of each part: mean KLD of the reference under BF16 rounding after every layer; 0 = unknown
  std::string reason;                        // why there is none
  bool computed = false;                     // now, not found in the cache
};
/// Never fails as a whole: without a reference the runs go on with perplexity alone, and say why. Only a cancel empties `files` silently.
ReferenceFiles reference_files(const ReferenceRequest& request, const bench::Suite& suite, const CallOptions& options);

}  // namespace phiscope::session
