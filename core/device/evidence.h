#pragma once
// The numbers of one candidate: taken from runs of this machine, else from runs and publications of others, else from the roofline.
// Private to this folder.

#include "core/device/advise.h"

namespace phiscope::device {

Evidence decode_evidence(const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit);
Evidence ttft_evidence(const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit);
/// Weights, cache at the context and scratch: counted, or what a run's process took where it was measured.
Evidence memory_evidence(const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit);
/// Growth of the perplexity (or loss of a score where nobody published a perplexity), as a share.
Evidence loss_evidence(const AdviceRequest& request, const DeployFormat& format);
/// KLD and agreement where a run has them.
std::vector<Evidence> fidelity_evidence(const AdviceRequest& request, const DeployFormat& format);

/// The published speed of this model and format on this device; null when there is none.
const PublishedSpeed* find_speed(const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit);

}  // namespace phiscope::device
