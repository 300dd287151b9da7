#pragma once
// An engine that computes nothing: a script says how long each block takes on a simulated clock, what it answers and when it fails. So every
// latency metric has an exact expected value.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/bench/engine.h"

namespace phiscope::test {

struct FakeScript {
  bench::OpenReply open;                    // what open() answers
  int64_t prefill_fixed_ns = 0;             // a prefill of N tokens takes fixed + N * per_token
  int64_t prefill_per_token_ns = 1000;
  int64_t tokenize_ns = 500'000;            // of a text prompt
  int64_t text_prompt_tokens = 100;         // what a text prompt becomes
  /// Time from token i to token i + 1 of a generation (i from 0), of the n-th generation (n from 0).
  std::function<int64_t(int64_t generation, int64_t token)> gap_ns = [](int64_t, int64_t) { return int64_t{2'000'000}; };
  /// Multiplies the times of a prefill or a generation, by how many were asked for before: for warm-up and noise.
  std::function<double(int64_t block)> slowdown = [](int64_t) { return 1.0; };
  bench::ScoreReply score;
  std::map<std::string, Series> items;      // by task file name without extension
  bool finite = true;
  double energy_j_per_token = -1;           // -1 = not counted
  uint64_t resident = 1'000'000;
  /// Error of the n-th call (from 1) of a block: {"generate", 3} -> error.
  std::map<std::pair<std::string, int>, Error> errors;
};

class FakeEngine : public bench::Engine {
 public:
  explicit FakeEngine(FakeScript script, std::string name = "", std::vector<std::string>* log = nullptr);

  Result<bench::OpenReply> open(const bench::OpenBlock& block, const bench::Progress& progress) override;
  Result<bench::PrefillReply> prefill(const bench::PrefillBlock& block) override;
  Result<bench::GenerateReply> generate(const bench::GenerateBlock& block) override;
  Result<bench::HiddenReply> hidden(const bench::Windows& windows, const std::filesystem::path& out, const bench::Progress& progress) override;
  Result<bench::ScoreReply> score(const bench::Windows& windows, const std::filesystem::path& reference_hidden,
                                  const bench::Progress& progress) override;
  Result<bench::ItemsReply> items(const bench::ItemsBlock& block, const bench::Progress& progress) override;
  Result<bench::MemoryReply> memory() override;
  Status close() override;
  void cancel() override {}

  int calls(const std::string& block) const;
  std::vector<bench::PrefillBlock> prefills;
  std::vector<bench::GenerateBlock> generations;
  std::vector<bench::Windows> scored;

 private:
  Status enter(const std::string& block);

  FakeScript script_;
  std::string name_;
  std::vector<std::string>* log_;
  std::map<std::string, int> calls_;
  int64_t now_ns_ = 1'000'000'000;
};

/// A window's series with these columns, as score() makes them with a reference.
Series position_scores(int64_t item, const std::vector<double>& nll, const std::vector<double>& nll_reference, const std::vector<double>& kld,
                       const std::vector<double>& delta_p, const std::vector<bool>& same_top1);
/// A task's series; `correct` and `correct_normalized` per item.
Series task_items(const std::vector<bool>& correct, const std::vector<bool>& correct_normalized);

}  // namespace phiscope::test
