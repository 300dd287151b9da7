#pragma once
// What would change a ranking: other goals, more context, better numbers for the second place. Private to this folder.

#include "core/device/advise.h"

namespace phiscope::device {

/// Sentences, computed by ranking again under other conditions.
std::vector<std::string> what_would_change(const AdviceRequest& request, const Advice& advice);
/// The class's guidance, and whether the first place follows it.
std::string judge_cookbook(const AdviceRequest& request, const Advice& advice);
/// The ranking without sentences about it; advise() adds them.
Advice rank(const AdviceRequest& request);

/// "OpenVINO INT8 on the GPU (18.6 tok/s measured elsewhere, perplexity +0.2 %)".
std::string candidate_words(const Candidate& candidate);
std::string speed_words(const Evidence& decode);
std::string loss_words(const Evidence& loss);

}  // namespace phiscope::device
