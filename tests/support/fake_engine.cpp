#include "tests/support/fake_engine.h"

#include <cmath>

namespace phiscope::test {

using namespace bench;

FakeEngine::FakeEngine(FakeScript script, std::string name, std::vector<std::string>* log)
    : script_(std::move(script)), name_(std::move(name)), log_(log) {}

int FakeEngine::calls(const std::string& block) const {
  const auto found = calls_.find(block);
  return found == calls_.end() ? 0 : found->second;
}

Status FakeEngine::enter(const std::string& block) {
  const int call = ++calls_[block];
  if (log_ != nullptr) log_->push_back(name_ + " " + block);
  const auto error = script_.errors.find({block, call});
  if (error != script_.errors.end()) return fail(error->second);
  return {};
}

Result<OpenReply> FakeEngine::open(const OpenBlock&, const Progress& progress) {
  PHISCOPE_TRY(enter("open"));
  if (progress) progress(0.5, "loading");
  return script_.open;
}

Result<PrefillReply> FakeEngine::prefill(const PrefillBlock& block) {
  PHISCOPE_TRY(enter("prefill"));
  prefills.push_back(block);
  const double slowdown = script_.slowdown(static_cast<int64_t>(prefills.size()) - 1);
  PrefillReply reply;
  reply.start_ns = now_ns_;
  now_ns_ += std::llround(slowdown * static_cast<double>(script_.prefill_fixed_ns + block.tokens * script_.prefill_per_token_ns));
  reply.end_ns = now_ns_;
  if (script_.energy_j_per_token >= 0) reply.energy_j = script_.energy_j_per_token * static_cast<double>(block.tokens) / 4;
  return reply;
}

Result<GenerateReply> FakeEngine::generate(const GenerateBlock& block) {
  PHISCOPE_TRY(enter("generate"));
  const auto number = static_cast<int64_t>(generations.size());
  generations.push_back(block);
  const double slowdown = script_.slowdown(number);
  GenerateReply reply;
  reply.request_ns = now_ns_;
  reply.prompt_tokens = block.random_prompt;
  if (!block.text_prompt.empty()) {
    now_ns_ += script_.tokenize_ns;
    reply.prompt_tokens = script_.text_prompt_tokens;
  }
  reply.handed_ns = now_ns_;
  now_ns_ += script_.prefill_fixed_ns + reply.prompt_tokens * script_.prefill_per_token_ns;
  for (int64_t i = 0; i < block.max_new_tokens; ++i) {
    if (i > 0) now_ns_ += std::llround(slowdown * static_cast<double>(script_.gap_ns(number, i - 1)));
    reply.token_ns.push_back(now_ns_);
    reply.ids.push_back(static_cast<int32_t>(i));
  }
  reply.finish = "length";
  reply.finite = script_.finite;
  if (script_.energy_j_per_token >= 0) reply.energy_j = script_.energy_j_per_token * static_cast<double>(block.max_new_tokens);
  reply.idle_w = script_.open.idle_w;
  return reply;
}

Result<HiddenReply> FakeEngine::hidden(const Windows&, const std::filesystem::path&, const Progress&) {
  PHISCOPE_TRY(enter("hidden"));
  return HiddenReply{};
}

Result<ScoreReply> FakeEngine::score(const Windows& windows, const std::filesystem::path&, const Progress&) {
  PHISCOPE_TRY(enter("score"));
  scored.push_back(windows);
  return script_.score;
}

Result<ItemsReply> FakeEngine::items(const ItemsBlock& block, const Progress&) {
  PHISCOPE_TRY(enter("items"));
  const auto found = script_.items.find(block.task.stem().string());
  if (found == script_.items.end()) return fail(ErrorCode::not_found, "{}: no such task", block.task.string());
  return ItemsReply{found->second, {}};
}

Result<MemoryReply> FakeEngine::memory() {
  PHISCOPE_TRY(enter("memory"));
  MemoryReply reply;
  reply.report = script_.open.memory;
  reply.resident = script_.resident;
  reply.peak_resident = 2 * script_.resident;
  return reply;
}

Status FakeEngine::close() { return enter("close"); }

Series position_scores(int64_t item, const std::vector<double>& nll, const std::vector<double>& nll_reference, const std::vector<double>& kld,
                       const std::vector<double>& delta_p, const std::vector<bool>& same_top1) {
  Series series{"position_scores", {}, item, 0,
                {"id", "nll", "nll_reference", "kld", "delta_p", "top1", "top1_reference", "p_top1_reference", "top5_overlap", "top10_overlap"}, {}};
  const std::vector<double> zeros(nll.size(), 0);
  std::vector<double> top1;
  for (const bool same : same_top1) top1.push_back(same ? 0 : 1);
  series.rows = {zeros, nll, nll_reference, kld, delta_p, top1, zeros, zeros, std::vector<double>(nll.size(), 5), std::vector<double>(nll.size(), 8)};
  return series;
}

Series task_items(const std::vector<bool>& correct, const std::vector<bool>& correct_normalized) {
  Series series{"task_items", {}, 0, 0, {"item", "correct", "correct_normalized", "choice", "answer", "log_likelihood"}, {}};
  series.rows.resize(6);
  for (size_t i = 0; i < correct.size(); ++i) {
    const double values[] = {static_cast<double>(i), correct[i] ? 1.0 : 0.0, correct_normalized[i] ? 1.0 : 0.0, 0, 0, -1};
    for (size_t c = 0; c < 6; ++c) series.rows[c].push_back(values[c]);
  }
  return series;
}

}  // namespace phiscope::test
