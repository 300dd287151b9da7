#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "core/convert/artifact.h"
#include "tests/core/convert/tiny_model.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using test::recipe_of;
using test::tiny_model;

const ConvertOptions kOneThread{.threads = 1, .on_progress = {}};

TEST(ArtifactCache, QuantizesOnce) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  bool made = false;
  const auto first = cached_artifact(model, recipe_of("int4"), folder / "cache", kOneThread, &made);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_TRUE(made);
  const auto refuse = [](double, std::string_view) { return false; };
  const auto second = cached_artifact(model, recipe_of("int4:g32"), folder / "cache", {.threads = 1, .on_progress = refuse}, &made);
  ASSERT_TRUE(second.has_value()) << second.error().message;
  EXPECT_FALSE(made);
  EXPECT_EQ(first->hash, second->hash);
}

TEST(ArtifactCache, TellsRecipesAndModelsApart) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model"), other = tiny_model(folder / "other", {.vocab = 321});
  bool made = false;
  for (const char* recipe : {"int4", "int4:method=rtn", "int8", "bf16"}) {
    ASSERT_TRUE(cached_artifact(model, recipe_of(recipe), folder / "cache", kOneThread, &made).has_value());
    EXPECT_TRUE(made) << recipe;
  }
  ASSERT_TRUE(cached_artifact(other, recipe_of("int4"), folder / "cache", kOneThread, &made).has_value());
  EXPECT_TRUE(made);
}

TEST(ArtifactCache, SharesWeightsBetweenRecipesThatDifferAtRunTime) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  bool made = false;
  const auto wide = cached_artifact(model, recipe_of("int4"), folder / "cache", kOneThread, &made);
  const auto dynamic = cached_artifact(model, recipe_of("int4-dyn:kv=int8"), folder / "cache", kOneThread, &made);
  ASSERT_TRUE(wide.has_value() && dynamic.has_value());
  EXPECT_FALSE(made);
  EXPECT_EQ(dynamic->recipe, "int4-dyn:kv=int8");
  EXPECT_NE(dynamic->hash, wide->hash);
  EXPECT_EQ(dynamic->weights->hash(), wide->weights->hash());
}

TEST(ArtifactCache, MakesADamagedEntryAgain) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  const auto first = cached_artifact(model, recipe_of("int8"), folder / "cache", kOneThread);
  ASSERT_TRUE(first.has_value());
  for (const char* name : {"weights.safetensors", "manifest.json", "config.json"}) {
    test::flip_byte(first->folder / name, 200);
    bool made = false;
    const auto again = cached_artifact(model, recipe_of("int8"), folder / "cache", kOneThread, &made);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_TRUE(made) << name;
    EXPECT_EQ(again->hash, first->hash);
  }
  EXPECT_EQ(list_cache(folder / "cache")->size(), 1u) << "the damaged ones are gone";
}

TEST(ArtifactCache, ServesSeveralMakersAtOnce) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  std::vector<std::string> hashes(6);
  {
    std::vector<std::jthread> makers;
    for (std::string& hash : hashes)
      makers.emplace_back([&] {
        const auto artifact = cached_artifact(model, recipe_of("int4"), folder / "cache", kOneThread);
        hash = artifact ? artifact->hash : artifact.error().message;
      });
  }
  for (const std::string& hash : hashes) EXPECT_EQ(hash, hashes.front());
  EXPECT_EQ(list_cache(folder / "cache")->size(), 1u) << "no temporary folder is left";
}

TEST(ArtifactCache, ListsAndClears) {
  const test::TemporaryFolder folder;
  EXPECT_TRUE(list_cache(folder / "none")->empty());
  const Model model = tiny_model(folder / "model");
  ASSERT_TRUE(cached_artifact(model, recipe_of("int4"), folder / "cache", kOneThread).has_value());
  std::filesystem::create_directories(folder / "cache/packed");
  std::ofstream(folder / "cache/packed/weights.bin") << std::string(1000, 'x');
  const auto entries = list_cache(folder / "cache");
  ASSERT_TRUE(entries.has_value());
  ASSERT_EQ(entries->size(), 2u);
  uint64_t bytes = 0;
  for (const CacheEntry& entry : *entries) {
    bytes += entry.bytes;
    EXPECT_GT(entry.used_unix_ms, 1'600'000'000'000);
    EXPECT_TRUE(entry.kind == "artifact" ? entry.name == "model int4" : entry.kind == "packed" && entry.bytes == 1000) << entry.name;
  }
  const auto freed = clear_cache(folder / "cache");
  ASSERT_TRUE(freed.has_value());
  EXPECT_EQ(*freed, bytes);
  EXPECT_TRUE(list_cache(folder / "cache")->empty());
}

TEST(ArtifactCache, KeepsSyntheticModelsInMemory) {
  const test::TemporaryFolder folder;
  Model model = tiny_model(folder / "model");
  model.files = nullptr;  // as synthetic models are
  model.folder.clear();
  bool made = true;
  const auto artifact = cached_artifact(model, recipe_of("bf16"), folder / "cache", kOneThread, &made);
  ASSERT_TRUE(artifact.has_value());
  EXPECT_FALSE(made);
  EXPECT_TRUE(artifact->folder.empty());
  EXPECT_EQ(artifact->weights, model.weights);
  EXPECT_DOUBLE_EQ(artifact->bits_per_weight, 16);
  EXPECT_FALSE(std::filesystem::exists(folder / "cache"));
  EXPECT_EQ(make_artifact(model, recipe_of("bf16"), folder / "artifact", kOneThread).error().code, ErrorCode::unsupported);
}

}  // namespace
}  // namespace phiscope
