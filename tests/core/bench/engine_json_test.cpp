#include "core/bench/engine_json.h"

#include <gtest/gtest.h>

namespace phiscope::bench {
namespace {

TEST(EngineJson, CarriesAnOpenReplyThereAndBack) {
  OpenReply reply;
  reply.model_name = "phi";
  reply.vocab = 4096;
  reply.bits_per_weight = 4.5;
  reply.synthetic = true;
  reply.effective.threads = 3;
  reply.effective.notes = {"one", "two"};
  reply.memory.kv_per_token = uint64_t{1} << 40;
  const auto back = from_json<OpenReply>(to_json(reply));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(reply));
  EXPECT_EQ(back->effective.notes[1], "two");
  EXPECT_EQ(back->memory.kv_per_token, uint64_t{1} << 40);
}

TEST(EngineJson, CarriesTokenTimesExactly) {
  GenerateReply reply;
  reply.handed_ns = 9'007'199'254'740'993;  // 2^53 + 1: not a double
  reply.token_ns = {9'007'199'254'740'995, 9'007'199'254'740'997};
  reply.ids = {1, 2};
  const auto back = from_json<GenerateReply>(*parse_json(dump_line(to_json(reply)), "test"));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->handed_ns, reply.handed_ns);
  EXPECT_EQ(back->token_ns, reply.token_ns);
}

TEST(EngineJson, KeepsDefaultsForMissingFieldsAndIgnoresUnknownOnes) {
  const auto block = from_json<GenerateBlock>(Json{{"max_new_tokens", 7}, {"invented", true}});
  ASSERT_TRUE(block.has_value());
  EXPECT_EQ(block->max_new_tokens, 7);
  EXPECT_TRUE(block->fixed_length);
}

TEST(EngineJson, NamesTheFieldOfAWrongType) {
  const auto block = from_json<GenerateBlock>(Json{{"sampling", {{"top_k", "many"}}}});
  ASSERT_FALSE(block.has_value());
  EXPECT_EQ(block.error().message, "worker protocol: sampling: key 'top_k' has the wrong type");
}

}  // namespace
}  // namespace phiscope::bench
