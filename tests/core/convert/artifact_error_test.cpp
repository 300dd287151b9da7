#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "core/base/files.h"
#include "core/convert/artifact.h"
#include "tests/core/convert/tiny_model.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using test::flip_byte;
using test::names_in;
using test::recipe_of;
using test::tiny_model;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const ConvertOptions kTwoThreads{.threads = 2, .on_progress = {}};

TEST(ArtifactErrors, CancellingLeavesNothing) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  int calls = 0;
  const auto stop = [&](double, std::string_view) { return ++calls < 4; };
  const auto stopped = make_artifact(model, recipe_of("int4"), folder / "artifact", {.threads = 2, .on_progress = stop});
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);
  EXPECT_EQ(calls, 4);
  EXPECT_THAT(names_in(folder.path()), ElementsAre("model"));
}

TEST(ArtifactErrors, NanIsRefusedNamingTensorRowAndColumn) {
  const test::TemporaryFolder folder;
  Model model = tiny_model(folder / "model");
  const PlanTensor& tensor = model.plan->tensors[2];
  model.weights = test::with_nan(model.weights, 2, 5 * tensor.columns + 7);
  for (const char* recipe : {"int4", "int8", "fp16", "fp32", "source"}) {
    const auto refused = make_artifact(model, recipe_of(recipe), folder / "artifact", kTwoThreads);
    ASSERT_FALSE(refused.has_value()) << recipe;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_file);
    EXPECT_THAT(refused.error().message, HasSubstr("'" + tensor.name + "': the value at row 5, column 7 is NaN"));
    EXPECT_THAT(names_in(folder.path()), ElementsAre("model"));
  }
}

/// The kernel refuses to let a file grow: what a full disk does to a write.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

TEST(ArtifactErrors, AFullDiskLeavesNothing) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  for (const rlim_t bytes : {100, 30000, 60000}) {  // in the header, among the tensors, ...
    const FileSizeLimit limit(bytes);
    const auto refused = make_artifact(model, recipe_of("fp32"), folder / "artifact", kTwoThreads);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::io) << refused.error().message;
    EXPECT_THAT(names_in(folder.path()), ElementsAre("model"));
  }
}

TEST(ArtifactErrors, OtherPeoplesFoldersAreNotReplaced) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  std::filesystem::create_directories(folder / "photos");
  std::ofstream(folder / "photos/one.jpg") << "x";
  const auto refused = make_artifact(model, recipe_of("int8"), folder / "photos", kTwoThreads);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(names_in(folder / "photos"), ElementsAre("one.jpg"));
  EXPECT_FALSE(make_artifact(model, recipe_of("int8"), folder / "photos/one.jpg", kTwoThreads).has_value());
  EXPECT_FALSE(make_artifact(model, recipe_of("int8"), folder / "model", kTwoThreads).has_value()) << "nor the model itself";
}

TEST(ArtifactErrors, AnOlderArtifactIsReplacedAndKeptOnFailure) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  ASSERT_TRUE(make_artifact(model, recipe_of("int8"), folder / "artifact", kTwoThreads).has_value());
  const auto stop = [](double, std::string_view) { return false; };
  EXPECT_FALSE(make_artifact(model, recipe_of("int4"), folder / "artifact", {.threads = 1, .on_progress = stop}).has_value());
  EXPECT_EQ(open_artifact(folder / "artifact")->recipe, "int8");
  ASSERT_TRUE(make_artifact(model, recipe_of("int4"), folder / "artifact", kTwoThreads).has_value());
  EXPECT_EQ(open_artifact(folder / "artifact")->recipe, "int4");
  EXPECT_THAT(names_in(folder.path()), ElementsAre("artifact", "model"));
}

// --- damaged artifacts --------------------------------------------------------------------------------------------------------

class Damaged : public ::testing::Test {
 protected:
  void SetUp() override {
    model_ = tiny_model(folder_ / "model");
    ASSERT_TRUE(make_artifact(model_, recipe_of("int4"), artifact_, kTwoThreads).has_value());
    ASSERT_TRUE(open_artifact(artifact_).has_value());
  }
  void expect_refused(std::string_view says, ErrorCode code = ErrorCode::invalid_file) {
    const auto refused = open_artifact(artifact_);
    ASSERT_FALSE(refused.has_value()) << says;
    EXPECT_EQ(refused.error().code, code) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr(std::string(says)));
  }
  void edit_manifest(const std::string& from, const std::string& to) {
    std::string text = *read_file(artifact_ / "manifest.json");
    const size_t place = text.find(from);
    ASSERT_NE(place, std::string::npos) << from;
    std::ofstream(artifact_ / "manifest.json") << text.replace(place, from.size(), to);
  }
  test::TemporaryFolder folder_;
  const std::filesystem::path artifact_ = folder_ / "artifact";
  Model model_;
};

TEST_F(Damaged, TruncatedWeightsAreNamedWithTheirSizes) {
  std::filesystem::resize_file(artifact_ / "weights.safetensors", 5000);
  expect_refused("weights.safetensors: has 5000 bytes, the manifest says");
}

TEST_F(Damaged, AFlippedBitIsSeen) {
  flip_byte(artifact_ / "weights.safetensors", -1000);
  expect_refused("weights.safetensors: its content is not what the manifest says");
}

TEST_F(Damaged, AChangedConfigIsSeen) {
  flip_byte(artifact_ / "config.json", 100);
  expect_refused("config.json: its content");
}

TEST_F(Damaged, MissingWeightsAreNamed) {
  std::filesystem::remove(artifact_ / "weights.safetensors");
  expect_refused("weights.safetensors", ErrorCode::not_found);
}

TEST_F(Damaged, AnEditedManifestIsSeen) {
  edit_manifest("\"recipe\": \"int4\"", "\"recipe\": \"int8\"");
  expect_refused("manifest.json: its hash does not fit");
}

TEST_F(Damaged, EncodingsOfOtherProgramsAreRefused) {
  edit_manifest("\"group\": 32", "\"group\": 33");
  expect_refused("group 33 is not a multiple of 16");
}

TEST_F(Damaged, FilesOutsideTheFolderAreRefused) {
  edit_manifest("\"name\": \"config.json\"", "\"name\": \"../model/config.json\"");
  expect_refused("must be a plain name");
}

TEST_F(Damaged, ALaterSchemaIsRefusedBySayingSo) {
  edit_manifest("phiscope/artifact/1", "phiscope/artifact/2");
  expect_refused("cannot be read by this version", ErrorCode::unsupported);
}

TEST_F(Damaged, ATruncatedManifestIsRefused) {
  std::filesystem::resize_file(artifact_ / "manifest.json", 700);
  expect_refused("manifest.json");
}

TEST_F(Damaged, AnotherModelIsNotItsSource) {
  const Model other = tiny_model(folder_ / "other", {.layers = 1});
  const auto refused = open_artifact(artifact_, &other);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("has changed"));
}

TEST(ArtifactSource, AChangedFileIsNamed) {
  const test::TemporaryFolder folder;
  {
    const Model model = tiny_model(folder / "model");
    ASSERT_TRUE(make_artifact(model, recipe_of("bf16"), folder / "artifact", kTwoThreads).has_value());
  }
  flip_byte(folder / "model/model.safetensors", -20);
  const auto changed = open_artifact(folder / "artifact");
  ASSERT_FALSE(changed.has_value());
  EXPECT_EQ(changed.error().code, ErrorCode::invalid_file);
  EXPECT_THAT(changed.error().message, HasSubstr("model.safetensors: its content is not what the manifest says"));
  std::filesystem::remove_all(folder / "model");
  const auto missing = open_artifact(folder / "artifact");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace phiscope
