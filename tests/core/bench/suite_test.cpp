#include "core/bench/suite.h"

#include <gtest/gtest.h>

#include "core/base/files.h"
#include "core/bench/speed.h"
#include "tests/support/fixtures.h"

namespace phiscope::bench {
namespace {

class SuiteFile : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_ / "suites");
    ASSERT_TRUE(write_file(folder_ / "text.txt", "some text").has_value());
  }
  Result<Suite> load(const std::string& content) {
    EXPECT_TRUE(write_file(folder_ / "suites/mine.toml", content).has_value());
    return load_suite("mine", folder_.path());
  }
  test::TemporaryFolder folder_;
};

TEST_F(SuiteFile, HashFollowsSettingsAndData) {
  const std::string content = "[[fidelity]]\ntext = \"text.txt\"\n";
  const auto first = load(content);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ(load(content)->hash, first->hash);
  EXPECT_NE(load(content + "chunk = 256\n")->hash, first->hash);
  ASSERT_TRUE(write_file(folder_ / "text.txt", "other text").has_value());
  EXPECT_NE(load(content)->hash, first->hash);
}

TEST_F(SuiteFile, MisspeltKeyIsNamedWithTheNearest) {
  const auto suite = load("[[speed]]\npromt = 5\n");
  ASSERT_FALSE(suite.has_value());
  EXPECT_NE(suite.error().message.find("promt"), std::string::npos) << suite.error().message;
  EXPECT_EQ(suite.error().code, ErrorCode::invalid_file);
}

TEST_F(SuiteFile, MissingDataNamesThePartThatWantsIt) {
  const auto suite = load("[[task]]\nname = \"sums\"\nfile = \"no.jsonl\"\nkind = \"exact_match\"\n");
  ASSERT_FALSE(suite.has_value());
  EXPECT_NE(suite.error().message.find("task 'sums'"), std::string::npos) << suite.error().message;
}

TEST_F(SuiteFile, UnknownNameOffersThoseThatExist) {
  ASSERT_TRUE(load("").has_value());
  const auto suite = load_suite("other", folder_.path());
  ASSERT_FALSE(suite.has_value());
  EXPECT_EQ(suite.error().code, ErrorCode::not_found);
  EXPECT_NE(suite.error().message.find("mine"), std::string::npos);
}

TEST_F(SuiteFile, RefusesARateOfOneToken) { EXPECT_FALSE(load("[[speed]]\ngenerate = 1\n").has_value()); }

TEST(BuiltInSuites, LoadWithTheirData) {
  for (const char* name : {"quick", "standard", "full"}) {
    const auto suite = load_suite(name, test::source_path("datasets"));
    ASSERT_TRUE(suite.has_value()) << suite.error().message;
    EXPECT_EQ(suite->name, name);
    EXPECT_FALSE(suite->tasks.empty());
    EXPECT_TRUE(speed_steps(*suite).has_value());
  }
}

}  // namespace
}  // namespace phiscope::bench
