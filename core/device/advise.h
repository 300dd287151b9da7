#pragma once
// Which format, engine and precision to take for a device, from evidence of three kinds, each labelled. Pure functions of the request.
//
// Without a need the order is: what is fast enough to read along (10 tokens a second) before what is not; among those the smallest loss of
// quality, in steps; among equals the faster, what was measured before what was estimated, the cookbook's ONNX before others, the smaller.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/device/formats.h"
#include "core/device/model_shape.h"
#include "core/device/profile.h"
#include "core/device/published.h"
#include "core/record/record.h"

namespace phiscope::device {

enum class EvidenceKind : uint8_t { measured_here, measured_elsewhere, estimated };
std::string_view evidence_kind_name(EvidenceKind kind);  // "measured-here"

/// One number of a candidate and where it is from. Without a value `formula` says why.
struct Evidence {
  std::string metric{};   // "decode_tokens_per_s", "ttft_model_ms", "memory_bytes", "perplexity_loss", "kld_mean", "same_top1"
  std::string unit{};
  EvidenceKind kind = EvidenceKind::estimated;
  std::optional<double> value{}, low{}, high{};
  std::string formula{};  // how it came about, with the numbers
  std::string source{};   // run ids or a publication; empty for pure estimates
};

enum class Goal : uint8_t { balanced, latency, memory, quality };
struct Needs {
  Goal goal = Goal::balanced;
  std::optional<double> token_ms{};       // longest time between tokens
  std::optional<double> ttft_ms{};        // longest time to the first token of a prompt
  std::optional<double> memory_bytes{};   // largest total of weights, cache and workspace
  std::optional<double> perplexity_loss{};  // largest growth: 0.05 = 5 %
  std::optional<double> kld{};            // largest mean KLD, nat
};
/// One --need: "latency=50ms", "ttft=500ms", "memory=4GB", "quality=5%", "quality=kld:0.05", or a goal alone: "latency".
/// Errors: invalid_argument with the forms that exist.
Status add_need(Needs& needs, std::string_view text);

struct AdviceRequest {
  ModelShape model{};
  std::string model_argument{};   // for the commands
  DeviceProfile device{};
  int64_t context = 4096;         // positions for which the cache is allocated
  int64_t prompt = 512;           // tokens before the first generated one
  Needs needs{};
  std::vector<Run> runs{};        // finished runs of this model, of any device
  std::string this_device{};      // Run::device of this machine
  Published published{};
  std::map<std::string, ModelShape> known_shapes{};  // of the models in `published`
  std::vector<DeviceProfile> profiles{};             // of the devices in `published`
};

struct Candidate {
  const DeployFormat* format = nullptr;  // static
  ComputeUnit unit{};
  bool fits = true;
  double weights_bytes = 0, kv_bytes = 0, scratch_bytes = 0, budget_bytes = 0;  // budget 0 = not stated
  Evidence decode{}, ttft{}, memory{}, loss{};
  std::vector<Evidence> more{};          // KLD, same top 1, peak memory where measured
  std::vector<std::string> reasons{};
  std::string constraint{};              // what removed it: "memory", "latency", "ttft", "quality", "engine"; empty = ranked
  std::string removal{};                 // the sentence
  std::string command{};
};
struct Advice {
  std::vector<Candidate> ranking{};      // best first
  std::vector<Candidate> removed{};
  std::string cookbook{};                // the prior, and whether the evidence agrees
  std::vector<std::string> changes{};    // what would change the ranking
  std::vector<std::string> assumptions{};
};

Advice advise(const AdviceRequest& request);

}  // namespace phiscope::device
