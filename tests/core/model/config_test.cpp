#include <gmock/gmock.h>

#include "core/model/model.h"
#include "core/tokenizer/tokenizer.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Json phi3() {
  return Json::parse(R"({"architectures":["Phi3ForCausalLM"],"model_type":"phi3","hidden_size":3072,"intermediate_size":8192,"num_hidden_layers":32,
    "num_attention_heads":32,"num_key_value_heads":32,"vocab_size":32064,"max_position_embeddings":4096,"original_max_position_embeddings":4096,
    "rms_norm_eps":1e-05,"rope_theta":10000.0,"rope_scaling":null,"sliding_window":2047,"tie_word_embeddings":false,"torch_dtype":"bfloat16",
    "hidden_act":"silu","attention_bias":false})");
}

Json with_longrope(Json config, const Json& block) {
  config["max_position_embeddings"] = 131072;
  config["rope_scaling"] = block;
  return config;
}

Json factors(int count, double value) { return Json(std::vector<double>(static_cast<size_t>(count), value)); }

void expect_refused(const Json& config, ErrorCode code, const std::vector<std::string>& parts) {
  const auto parsed = parse_config(config, "config.json");
  ASSERT_FALSE(parsed.has_value()) << dump_line(config);
  EXPECT_EQ(parsed.error().code, code) << parsed.error().message;
  EXPECT_THAT(parsed.error().message, HasSubstr("config.json"));
  for (const std::string& part : parts) EXPECT_THAT(parsed.error().message, HasSubstr(part));
}

TEST(ModelConfig, ReadsAPublishedPhi3) {
  const auto config = parse_config(phi3(), "config.json");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->architecture, "phi3");
  EXPECT_EQ(config->head_dim, 96);
  EXPECT_EQ(config->sliding_window, 2047);
  EXPECT_FALSE(config->longrope);
  EXPECT_EQ(config->dtype, DType::bf16);
}

TEST(ModelConfig, BothSpellingsOfTransformersMeanTheSame) {
  Json old_spelling = with_longrope(phi3(), {{"type", "longrope"}, {"short_factor", factors(36, 1.5)}, {"long_factor", factors(36, 2)}});
  old_spelling["partial_rotary_factor"] = 0.75;
  Json new_spelling = old_spelling;
  for (const char* key : {"rope_scaling", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings", "torch_dtype"}) new_spelling.erase(key);
  new_spelling["dtype"] = "bfloat16";
  new_spelling["rope_parameters"] = {{"rope_type", "longrope"},      {"rope_theta", 10000.0},
                                     {"partial_rotary_factor", 0.75}, {"original_max_position_embeddings", 4096},
                                     {"short_factor", factors(36, 1.5)}, {"long_factor", factors(36, 2)}};
  const auto a = parse_config(old_spelling, "a"), b = parse_config(new_spelling, "b");
  ASSERT_TRUE(a.has_value()) << a.error().message;
  ASSERT_TRUE(b.has_value()) << b.error().message;
  EXPECT_TRUE(a->longrope && b->longrope);
  EXPECT_EQ(a->rope_theta, b->rope_theta);
  EXPECT_EQ(a->partial_rotary, b->partial_rotary);
  EXPECT_EQ(a->original_max_positions, b->original_max_positions);
  EXPECT_EQ(a->short_factor, b->short_factor);
  EXPECT_EQ(a->dtype, b->dtype);
}

TEST(ModelConfig, AllNamesOfLongropeAreAccepted) {
  for (const char* type : {"su", "longrope", "yarn"}) {
    const auto config = parse_config(with_longrope(phi3(), {{"type", type}, {"short_factor", factors(48, 1)}, {"long_factor", factors(48, 2)}}), "c");
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_TRUE(config->longrope);
  }
  expect_refused(with_longrope(phi3(), {{"rope_type", "llama3"}}), ErrorCode::unsupported, {"'llama3'", "longrope"});
}

TEST(ModelConfig, MscaleFollowsTheFormulaUnlessTheFileSaysOtherwise) {
  Json block = {{"type", "longrope"}, {"short_factor", factors(48, 1)}, {"long_factor", factors(48, 2)}};
  const auto mscales = [&] {
    const auto plan = lower(*parse_config(with_longrope(phi3(), block), "c"));
    return std::pair{plan->rotary.mscale_short, plan->rotary.mscale_long};
  };
  EXPECT_FLOAT_EQ(mscales().first, 1.1902380714238083f);
  EXPECT_FLOAT_EQ(mscales().second, 1.1902380714238083f);
  block["short_mscale"] = 1.17;
  block["long_mscale"] = 1.29;
  EXPECT_EQ(mscales(), (std::pair{1.17f, 1.29f}));
  block.erase("short_mscale");
  block.erase("long_mscale");
  block["attention_factor"] = 1.5;
  EXPECT_EQ(mscales(), (std::pair{1.5f, 1.5f}));
  block.erase("attention_factor");
  block["factor"] = 1.0;
  EXPECT_EQ(mscales(), (std::pair{1.0f, 1.0f}));
}

TEST(ModelConfig, ValuesOutOfRangeNameKeyValueAndExpectation) {
  struct Row {
    const char* key;
    Json value;
    std::vector<std::string> parts;
  };
  const Row rows[] = {
      {"hidden_size", 0, {"hidden_size", "0"}},
      {"hidden_size", -1, {"hidden_size", "-1"}},
      {"hidden_size", "big", {"hidden_size"}},
      {"hidden_size", nullptr, {"hidden_size"}},
      {"num_hidden_layers", 100000, {"num_hidden_layers", "100000"}},
      {"vocab_size", 1e30, {"vocab_size"}},
      {"num_key_value_heads", 7, {"num_key_value_heads is 7", "32 is not a multiple"}},
      {"num_attention_heads", 7, {"num_key_value_heads", "32"}},
      {"num_key_value_heads", 64, {"num_key_value_heads", "64"}},
      {"rms_norm_eps", 0, {"rms_norm_eps is 0"}},
      {"rms_norm_eps", -1e-5, {"rms_norm_eps"}},
      {"rope_theta", 0, {"rope_theta is 0"}},
      {"rope_theta", "high", {"rope_theta", "\"high\""}},
      {"partial_rotary_factor", 1.5, {"partial_rotary_factor is 1.5"}},
      {"partial_rotary_factor", 0.01, {"partial_rotary_factor", "0 dimensions"}},
      {"partial_rotary_factor", 0.345, {"33 dimensions", "even"}},
      {"sliding_window", -5, {"sliding_window", "-5"}},
      {"original_max_position_embeddings", 0.5, {"original_max_position_embeddings is 0.5"}},
      {"rope_scaling", 7, {"rope_scaling is 7"}},
      {"torch_dtype", "float8", {"torch_dtype is 'float8'"}},
      {"tie_word_embeddings", "yes", {"tie_word_embeddings"}},
  };
  for (const Row& row : rows) {
    Json config = phi3();
    config[row.key] = row.value;
    expect_refused(config, ErrorCode::invalid_file, row.parts);
  }
  Json config = phi3();
  config.erase("num_key_value_heads");
  config["hidden_size"] = 3073;
  expect_refused(config, ErrorCode::invalid_file, {"hidden_size is 3073", "32"});
}

TEST(ModelConfig, FactorListsMustFitTheRotaryDimensions) {
  Json block = {{"type", "longrope"}, {"short_factor", factors(48, 1)}};
  expect_refused(with_longrope(phi3(), block), ErrorCode::invalid_file, {"long_factor", "48"});
  block["long_factor"] = factors(47, 1);
  expect_refused(with_longrope(phi3(), block), ErrorCode::invalid_file, {"long_factor has 47", "48"});
  block["long_factor"] = factors(48, 0);
  expect_refused(with_longrope(phi3(), block), ErrorCode::invalid_file, {"long_factor", "above 0"});
}

TEST(ModelConfig, OtherArchitecturesAreNamedWithThoseThatAreSupported) {
  Json config = phi3();
  config["model_type"] = "llama";
  expect_refused(config, ErrorCode::unsupported, {"'llama'", "phi3 (Phi3ForCausalLM)", "phimoe"});
  config["model_type"] = "phi4flash";
  expect_refused(config, ErrorCode::unsupported, {"phi4flash", "state-space", "phi3"});
  config.erase("model_type");
  EXPECT_TRUE(parse_config(config, "c").has_value()) << "the class name is enough";
  config.erase("architectures");
  expect_refused(config, ErrorCode::invalid_file, {"model_type"});
  expect_refused(Json::array(), ErrorCode::invalid_file, {"object"});
  config = phi3();
  config["hidden_act"] = "relu";
  expect_refused(config, ErrorCode::unsupported, {"hidden_act is 'relu'", "silu"});
}

TEST(ModelConfig, AFolderWithoutConfigSaysWhatAModelIs) {
  const test::TemporaryFolder folder;
  const auto config = load_config(folder.path());
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().code, ErrorCode::not_found);
  EXPECT_THAT(config.error().message, AllOf(HasSubstr(folder.path().string()), HasSubstr("config.json")));
}

TEST(CheckTokenizer, RefusesATokenizerWithMoreIdsThanRows) {
  PHISCOPE_FIXTURE(folder, "models/phi-3-mini-tiny");
  const auto tokenizer = Tokenizer::load(folder);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  ModelConfig config;
  config.vocab_size = 320;
  EXPECT_TRUE(check_tokenizer(config, **tokenizer).has_value());
  config.vocab_size = 400;
  EXPECT_TRUE(check_tokenizer(config, **tokenizer).has_value()) << "more rows than ids is padding";
  config.vocab_size = 319;
  const Status status = check_tokenizer(config, **tokenizer);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("319"), HasSubstr("another model")));
}

}  // namespace
}  // namespace phiscope
