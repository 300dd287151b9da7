#include "core/bench/spin_engine.h"

#include "core/base/clock.h"

namespace phiscope::bench {
namespace {

tl::unexpected<Error> speed_only() { return fail(ErrorCode::unsupported, "the stub engine has no model; it only takes time"); }

}  // namespace

void SpinEngine::spin() {
  // Converges to 2: never overflows, and every step waits for the one before.
  volatile double* keep = &state_;
  double x = *keep;
  for (int64_t i = 0; i < work_; ++i) x = x * 0.5 + 1;
  *keep = x;
}

Result<OpenReply> SpinEngine::open(const OpenBlock& block, const Progress&) {
  OpenReply reply;
  reply.model_name = "stub";
  reply.synthetic = true;
  reply.context = block.context > 0 ? block.context : 4096;
  reply.effective.threads = 1;
  return reply;
}

Result<PrefillReply> SpinEngine::prefill(const PrefillBlock& block) {
  PrefillReply reply;
  reply.start_ns = monotonic_ns();
  for (int64_t i = 0; i < block.tokens; ++i) spin();
  reply.end_ns = monotonic_ns();
  return reply;
}

Result<GenerateReply> SpinEngine::generate(const GenerateBlock& block) {
  GenerateReply reply;
  reply.request_ns = reply.handed_ns = monotonic_ns();
  reply.prompt_tokens = block.random_prompt;
  reply.finish = "length";
  for (int64_t i = 0; i < block.max_new_tokens; ++i) {
    spin();
    reply.token_ns.push_back(monotonic_ns());
    reply.ids.push_back(0);
  }
  return reply;
}

Result<HiddenReply> SpinEngine::hidden(const Windows&, const std::filesystem::path&, const Progress&) { return speed_only(); }
Result<ScoreReply> SpinEngine::score(const Windows&, const std::filesystem::path&, const Progress&) { return speed_only(); }
Result<ItemsReply> SpinEngine::items(const ItemsBlock&, const Progress&) { return speed_only(); }

}  // namespace phiscope::bench
