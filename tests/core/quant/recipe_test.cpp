#include "core/quant/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using ::testing::HasSubstr;

Recipe parsed(std::string_view text) {
  auto recipe = parse_recipe(text);
  EXPECT_TRUE(recipe.has_value()) << text << ": " << (recipe ? "" : recipe.error().message);
  return recipe.value_or(Recipe{});
}

std::string rule_name(const Recipe& recipe, TensorClass tensor_class, std::string_view tensor = "model.layers.3.mlp.down_proj.weight") {
  const WeightRule& rule = recipe.rule_for(tensor_class, tensor);
  return rule.keep_source ? "source" : rule.encoding.name();
}

TEST(Recipes, ListTheBuiltInOnesInTheOrderShown) {
  std::vector<std::string> names;
  for (const Recipe& recipe : builtin_recipes()) {
    names.push_back(recipe.name);
    EXPECT_FALSE(recipe.description.empty());
    EXPECT_EQ(parsed(recipe.name).name, recipe.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"source", "fp32", "fp16", "bf16", "int8", "int8-dyn", "int4", "int4-asym", "int4-dyn"}));
}

TEST(Recipes, KeepEmbeddingAndHeadAtEightBitsARowInFourBitRecipes) {
  for (const char* name : {"int4", "int4-asym", "int4-dyn"}) {
    const Recipe recipe = parsed(name);
    EXPECT_EQ(rule_name(recipe, TensorClass::lm_head), "int8 row f16-scale");
    EXPECT_EQ(rule_name(recipe, TensorClass::embedding), "int8 row f16-scale");
    EXPECT_EQ(rule_name(recipe, TensorClass::other), "source");
  }
  EXPECT_EQ(rule_name(parsed("int4"), TensorClass::mlp_out), "int4 g32 f16-scale");
  EXPECT_EQ(rule_name(parsed("int4-asym"), TensorClass::experts), "int4 g32 zero-point f16-scale");
  EXPECT_EQ(rule_name(parsed("int8"), TensorClass::embedding), "int8 row f16-scale");
}

TEST(Recipes, SayActivationsAndKvCache) {
  EXPECT_EQ(parsed("int4").activation, ActivationMode::wide);
  EXPECT_EQ(parsed("int4-dyn").activation, ActivationMode::int8);
  EXPECT_EQ(parsed("int8-dyn").activation, ActivationMode::int8);
  EXPECT_EQ(parsed("fp32").kv, KvType::f32);
  EXPECT_EQ(parsed("bf16").kv, KvType::f16);
  EXPECT_EQ(parsed("int8:kv=int8").kv, KvType::int8);
  EXPECT_EQ(parsed("int8").method, QuantMethod::mse);
  EXPECT_TRUE(parsed("source").rule_for(TensorClass::lm_head, "lm_head.weight").keep_source);
}

TEST(Recipes, TakeOptionsPerTensorClass) {
  const Recipe recipe = parsed("int4:g64:method=rtn:lm_head=int4:embedding=source:mlp_out=int8-g32");
  EXPECT_EQ(rule_name(recipe, TensorClass::lm_head), "int4 g64 f16-scale");
  EXPECT_EQ(rule_name(recipe, TensorClass::attention_in), "int4 g64 f16-scale");
  EXPECT_EQ(rule_name(recipe, TensorClass::mlp_out), "int8 g32 f16-scale");
  EXPECT_EQ(rule_name(recipe, TensorClass::embedding), "source");
  EXPECT_EQ(recipe.method, QuantMethod::rtn);
  EXPECT_EQ(recipe.base, "int4");
  EXPECT_EQ(rule_name(parsed("bf16:lm_head=fp32"), TensorClass::lm_head), "f32");
  EXPECT_EQ(rule_name(parsed("int8:g64"), TensorClass::lm_head), "int8 g64 f16-scale");
}

TEST(Recipes, MatchPatternsBeforeClasses) {
  const Recipe recipe = parsed("int4:model.layers.0.*=int8:*.qkv_proj.weight=bf16");
  EXPECT_EQ(rule_name(recipe, TensorClass::attention_in, "model.layers.0.self_attn.qkv_proj.weight"), "int8 row f16-scale");
  EXPECT_EQ(rule_name(recipe, TensorClass::attention_in, "model.layers.10.self_attn.qkv_proj.weight"), "bf16");
  EXPECT_EQ(rule_name(recipe, TensorClass::mlp_in, "model.layers.10.mlp.gate_up_proj.weight"), "int4 g32 f16-scale");
  EXPECT_EQ(rule_name(parsed("int4:model.layers.?.*=bf16"), TensorClass::mlp_in, "model.layers.10.mlp.x"), "int4 g32 f16-scale");
}

struct CanonicalCase {
  const char* text;
  const char* name;
};

TEST(Recipes, HaveOneCanonicalName) {
  const CanonicalCase cases[] = {
      {" int4 ", "int4"},
      {"int4:g32:method=mse:kv=fp16:lm_head=int8", "int4"},
      {"int4:lm_head=int4:g64", "int4:g64:lm_head=int4"},
      {"int4:lm_head=int4:method=rtn:g64", "int4:g64:method=rtn:lm_head=int4"},
      {"int4:kv=int8:embedding=bf16:lm_head=bf16", "int4:kv=int8:embedding=bf16:lm_head=bf16"},
      {"int4:lm_head=bf16:embedding=bf16", "int4:embedding=bf16:lm_head=bf16"},
      {"int4:attention_in=int4", "int4"},
      {"int4:g64:attention_in=int4-g32", "int4:g64:attention_in=int4-g32"},
      {"int4:attention_in=int4-g32", "int4"},
      {"int4:row", "int4:row"},
      {"int4:mlp_in=int4-asym", "int4:mlp_in=int4-asym"},
      {"int4:mlp_in=int4-asym-g64", "int4:mlp_in=int4-asym-g64"},
      {"int4-asym:mlp_in=int4-asym", "int4-asym"},
      {"fp32:kv=fp32", "fp32"},
      {"fp32:method=rtn", "fp32"},
      {"fp32:lm_head=int8:method=rtn", "fp32:method=rtn:lm_head=int8"},
      {"source:lm_head=source", "source"},
      {"int8:g64:lm_head=int8-row", "int8:g64:lm_head=int8-row"},
      {"int4:model.layers.0.*=int8", "int4:model.layers.0.*=int8"},
  };
  for (const CanonicalCase& c : cases) {
    const Recipe recipe = parsed(c.text);
    EXPECT_EQ(recipe.name, c.name) << c.text;
    const Recipe again = parsed(recipe.name);
    EXPECT_EQ(again.name, recipe.name);
    for (int i = 0; i < kTensorClasses; ++i) {
      const auto tensor_class = static_cast<TensorClass>(i);
      EXPECT_EQ(rule_name(again, tensor_class, "x"), rule_name(recipe, tensor_class, "x")) << c.text;
    }
  }
}

TEST(Recipes, ShareTheirWeightsWithTheRecipeWithoutRunTimeOptions) {
  EXPECT_EQ(weights_recipe(parsed("int4-dyn:g64:kv=int8:lm_head=bf16")).name, "int4:g64:lm_head=bf16");
  EXPECT_EQ(weights_recipe(parsed("fp32:kv=fp16")).name, "fp32");
  EXPECT_EQ(weights_recipe(parsed("int4-asym:model.layers.0.*=int8")).name, "int4-asym:model.layers.0.*=int8");
  for (const Recipe& recipe : builtin_recipes()) {
    const Recipe weights = weights_recipe(recipe);
    EXPECT_EQ(weights.activation, ActivationMode::wide);
    EXPECT_EQ(weights.method, recipe.method);
    for (int i = 0; i < kTensorClasses; ++i)
      EXPECT_EQ(rule_name(weights, static_cast<TensorClass>(i), "x"), rule_name(recipe, static_cast<TensorClass>(i), "x")) << recipe.name;
  }
}

struct RefusedCase {
  const char* text;
  ErrorCode code;
  const char* says;
};

TEST(Recipes, AreRefusedWithASentence) {
  const RefusedCase cases[] = {
      {"itn4", ErrorCode::invalid_argument, "did you mean 'int4'?"},
      {"int4-asymm", ErrorCode::invalid_argument, "did you mean 'int4-asym'?"},
      {"completely-else", ErrorCode::invalid_argument, "there are source, fp32"},
      {"", ErrorCode::invalid_argument, "empty"},
      {"int4:", ErrorCode::invalid_argument, "neither gN"},
      {"int4:g48", ErrorCode::invalid_argument, "group 'g48' does not exist"},
      {"int4:g32x", ErrorCode::invalid_argument, "group 'g32x' does not exist"},
      {"int4:g64:g128", ErrorCode::invalid_argument, "twice"},
      {"bf16:g64", ErrorCode::invalid_argument, "has no groups"},
      {"int4:method=gptq", ErrorCode::invalid_argument, "use mse or rtn"},
      {"int4:kv=int2", ErrorCode::invalid_argument, "KV cache type 'int2'"},
      {"int4:lm_haed=int8", ErrorCode::invalid_argument, "did you mean 'lm_head'?"},
      {"int4:lm_head=int6", ErrorCode::invalid_argument, "weight type 'int6' is unknown; did you mean 'int8'?"},
      {"int4:lm_head=int8:lm_head=int4", ErrorCode::invalid_argument, "twice"},
      {"int8-static", ErrorCode::unsupported, "cannot be made by this version"},
      {"int4-a4", ErrorCode::unsupported, "cannot be made by this version"},
      {"fp8", ErrorCode::unsupported, "cannot be made by this version"},
  };
  for (const RefusedCase& c : cases) {
    const auto refused = parse_recipe(c.text);
    ASSERT_FALSE(refused.has_value()) << c.text;
    EXPECT_EQ(refused.error().code, c.code) << c.text;
    EXPECT_THAT(refused.error().message, HasSubstr(c.says));
  }
}

TEST(Recipes, AreSeparatedByCommas) {
  const auto recipes = parse_recipes("fp32, int4:g64:lm_head=int4,int8");
  ASSERT_TRUE(recipes.has_value());
  ASSERT_EQ(recipes->size(), 3u);
  EXPECT_EQ((*recipes)[1].name, "int4:g64:lm_head=int4");
  EXPECT_EQ((*recipes)[2].name, "int8");
  EXPECT_FALSE(parse_recipes("int4,,int8").has_value());
  EXPECT_FALSE(parse_recipes("int4,int9").has_value());
}

class RecipeFile : public ::testing::Test {
 protected:
  Result<Recipe> load(const std::string& content) {
    const std::filesystem::path path = folder_ / "mine.toml";
    std::ofstream(path) << content;
    return load_recipe_file(path);
  }
  test::TemporaryFolder folder_;
};

TEST_F(RecipeFile, SaysTheSameAsText) {
  const auto recipe = load(R"(
base = "int4"
group = 64
method = "rtn"
kv = "int8"
description = "my own"
[class]
lm_head = "int4"
embedding = "bf16"
[[rule]]
pattern = "model.layers.0.*"
weights = "int8"
[[rule]]
pattern = "*.down_proj.weight"
weights = "int8-g32"
)");
  ASSERT_TRUE(recipe.has_value()) << recipe.error().message;
  EXPECT_EQ(recipe->name,
            "int4:g64:method=rtn:kv=int8:embedding=bf16:lm_head=int4:model.layers.0.*=int8:*.down_proj.weight=int8-g32");
  EXPECT_EQ(recipe->description, "my own");
  EXPECT_EQ(parsed(recipe->name).name, recipe->name);
  EXPECT_TRUE(parse_recipes((folder_ / "mine.toml").string() + ",int8").has_value());
}

TEST_F(RecipeFile, TakesAWholeRowAsGroup) {
  const auto recipe = load("base = \"int4\"\ngroup = \"row\"\n");
  ASSERT_TRUE(recipe.has_value()) << recipe.error().message;
  EXPECT_EQ(recipe->name, "int4:row");
}

TEST_F(RecipeFile, NamesTheLineOfAMistake) {
  const std::pair<const char*, const char*> cases[] = {
      {"base = \"int4\"\ngroup = \n", "mine.toml:2: "},
      {"base = \"int4\"\n\n[class]\nlm_head = \"int9\"\n", "mine.toml:4: weight type 'int9'"},
      {"base = \"int4-dny\"\n", "mine.toml:1: recipe 'int4-dny' is unknown; did you mean 'int4-dyn'?"},
      {"base = \"fp8\"\n", "mine.toml:1: recipe 'fp8' cannot be made"},
      {"group = 32\n", "key 'base' is missing"},
      {"base = \"int4\"\ngroup = 33\n", "mine.toml:2: group 'g33'"},
      {"base = \"int4\"\ngroup = 32.5\n", "mine.toml:2: 'group' must be"},
      {"base = \"int4\"\nmethd = \"rtn\"\n", "mine.toml:2: key 'methd' is unknown"},
      {"base = \"int4\"\nmethod = 3\n", "mine.toml:2: 'method' must be a text"},
      {"base = \"int4\"\n[class]\nmethod = \"rtn\"\n", "mine.toml:3: recipe option 'method' is unknown"},
      {"base = \"int4\"\nclass = 1\n", "mine.toml:2: 'class' must be a table"},
      {"base = \"int4\"\nrule = 1\n", "mine.toml:2: 'rule' must be a list"},
      {"base = \"int4\"\n[[rule]]\npattern = \"a.*\"\n", "mine.toml:2: a [[rule]] has exactly"},
      {"base = \"int4\"\n[[rule]]\npattern = \"lm_head\"\nweights = \"int8\"\n", "mine.toml:3: pattern 'lm_head'"},
  };
  for (const auto& [content, says] : cases) {
    const auto refused = load(content);
    ASSERT_FALSE(refused.has_value()) << content;
    EXPECT_THAT(refused.error().message, HasSubstr(says));
  }
}

TEST_F(RecipeFile, MustExist) {
  const auto missing = parse_recipes((folder_ / "none.toml").string());
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace phiscope
