#pragma once
// Figures that others published, each with its source: datasets/published.toml.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace phiscope::device {

/// One model on one device.
struct PublishedSpeed {
  std::string model{};    // name as in `synthetic:`
  std::string device{};   // profile id
  std::string unit{};     // "cpu", "gpu", "npu"
  std::string format{};   // id of a DeployFormat, or "" when the figure belongs to none of them
  double bits = 0;        // of a weight; for the share of bandwidth
  double decode_tokens_per_s = 0;
  double ttft_ms = 0, prompt = 0;  // 0 = not stated
  double memory_bytes = 0;
  std::string setup{};    // what a reader must know: lengths, versions
  std::string source{};
};
/// What rounding cost, in the metric of the source; compared inside a row only.
struct PublishedQuality {
  std::string model{}, scheme{};
  std::string metric{};   // "wikitext word perplexity"
  bool is_perplexity = false;
  double reference = 0, value = 0;
  std::string note{}, source{};
  /// Growth of the perplexity, or loss of the score, as a share: 0.08 = 8 % worse.
  double loss() const { return is_perplexity ? value / reference - 1 : 1 - value / reference; }
};
/// The part of a device's limit that an engine was seen to reach.
struct PublishedShare {
  std::string unit{};
  std::string engine{};   // id or a word for a reader
  std::string limit{};    // "bandwidth" (decode) or "arithmetic" (prefill)
  double bits = 0;        // of a weight
  double share = 0;
  std::string what{}, source{};
};
struct Published {
  std::vector<PublishedSpeed> speeds{};
  std::vector<PublishedQuality> qualities{};
  std::vector<PublishedShare> shares{};
};

/// Errors: not_found; invalid_file naming table and key; every row needs its source.
Result<Published> read_published(const std::filesystem::path& path);

}  // namespace phiscope::device
