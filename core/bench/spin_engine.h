#pragma once
// An engine without a model: each token costs a fixed amount of arithmetic. It takes real time, so noise hits it as it hits a backend, and it can
// be made slower by a known share: for the null test.

#include "core/bench/engine.h"

namespace phiscope::bench {

/// Speed blocks only; the others are unsupported.
class SpinEngine : public Engine {
 public:
  /// `work` = steps of a dependent chain of multiplications and additions a token (about 1.5 ns each).
  explicit SpinEngine(int64_t work) : work_(work) {}

  Result<OpenReply> open(const OpenBlock& block, const Progress& progress) override;
  Result<PrefillReply> prefill(const PrefillBlock& block) override;
  Result<GenerateReply> generate(const GenerateBlock& block) override;
  Result<HiddenReply> hidden(const Windows&, const std::filesystem::path&, const Progress&) override;
  Result<ScoreReply> score(const Windows&, const std::filesystem::path&, const Progress&) override;
  Result<ItemsReply> items(const ItemsBlock&, const Progress&) override;
  Result<MemoryReply> memory() override { return MemoryReply{}; }
  Status close() override { return {}; }
  void cancel() override {}

 private:
  void spin();

  int64_t work_ = 0;
  double state_ = 1;
};

}  // namespace phiscope::bench
